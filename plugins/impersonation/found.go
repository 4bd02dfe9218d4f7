package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/understudy-crm/understudy/sdk"
)

// found is one account of the picker.
type found struct {
	Value    string `json:"value"`
	Text     string `json:"text"`
	Detail   string `json:"detail"`
	Disabled bool   `json:"disabled"`
	Reason   string `json:"reason"`
}

// choice says the reason in the text: a select without script shows nothing else.
func (f found) choice() choice {
	text := f.Text
	if f.Reason != "" {
		text += " – " + f.Reason
	}
	return choice{Value: f.Value, Text: text, Detail: f.Detail, Disabled: f.Disabled}
}

// found describes an account: who it is, how it stands, and why not when it can't be chosen.
func (k *picker) found(account sdk.FoundAccount) found {
	f := foundFrom(k.words, account)
	state := []string{f.Detail}
	if slices.Contains(k.pinned, account.Key) {
		state = append(state, k.words.T("picker_pinned"))
	}
	if account.Online {
		state = append(state, k.words.T("picker_online"))
	}
	for _, name := range account.ActingNames {
		state = append(state, k.words.T("picker_acting", "name", name))
	}
	if account.Administrator && k.policy.fourEyes {
		state = append(state, k.words.T("picker_approval"))
	}
	f.Detail = strings.Join(state, " · ")
	if f.Disabled {
		return f
	}
	p := facts{settings: k.settings, actor: k.actor, kind: account.Key.Kind, target: &account.Account, consent: k.consents[account.CustomerID], now: k.now}
	for _, r := range allowed(p, k.policy) {
		if !r.holds {
			f.Disabled, f.Reason = true, k.words.T(r.refusal)
		}
	}
	return f
}

func foundFrom(words sdk.Words, account sdk.FoundAccount) found {
	f := found{Value: account.Key.String(), Text: account.Name, Detail: account.Email}
	if f.Text == "" {
		f.Text = account.Email
	}
	if account.Key.Kind == sdk.Contact && account.Company != "" {
		f.Text += " (" + account.Company + ")"
	}
	if account.Role != "" {
		f.Detail += " · " + account.Role
	}
	if account.SwitchRefusalCode != "" {
		f.Disabled, f.Reason = true, refusalWord(words, account.SwitchRefusalCode)
	}
	return f
}

// withoutContact is a company nobody can be chosen of, with the way out. Its value only keeps it
// apart from the others: no account is called so.
func withoutContact(words sdk.Words, company sdk.CompanyWithoutContact) found {
	reason := "company_without_contact"
	if !company.Active {
		reason = "company_inactive"
	}
	return found{Value: "customer:" + strconv.FormatInt(company.CustomerID, 10), Text: company.Company, Disabled: true, Reason: words.T(reason)}
}

// refusalWord says a refusal code in words: this module's own refusals by the key it refused with,
// the host's rules by their codes. Nothing else of the language file can be asked for this way.
func refusalWord(words sdk.Words, code string) string {
	code = strings.TrimPrefix(code[strings.LastIndexAny(code, ":/.")+1:], "switch_")
	key := "code_" + code
	switch {
	case strings.HasPrefix(code, "refused_"):
		key = code
	case strings.HasPrefix(code, "module_"):
		key = "code_module_off"
	}
	if !words.Has(key) {
		key = "code_other"
	}
	return words.T(key)
}
