package main

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/understudy-crm/understudy/sdk"
)

const (
	maxReason  = 500
	pickerRows = 20
)

// startView is the form that starts an impersonation.
type startView struct {
	view
	Action    string
	Kinds     []choice
	Kind      string
	OneKind   bool
	Users     []choice
	Refused   string
	MaxReason int
	Minutes   int
}

// choice is one entry of a select.
type choice struct {
	Value, Text        string
	Selected, Disabled bool
}

// start shows the form. The host itself answers it: what stands here decides nothing.
func (p *pages) start(w http.ResponseWriter, r *http.Request) error {
	kinds, err := startable(r)
	if err != nil {
		return err
	}
	words := sdk.WordsFrom(r)
	kind, err := wantedKind(r, kinds)
	if err != nil {
		return err
	}
	v := startView{
		view: viewOf(r), Action: sdk.ViewerFrom(r).SitePath + "/session/switch",
		Kind: string(kind), OneKind: len(kinds) == 1,
		MaxReason: maxReason, Minutes: int(timeLimit.Minutes()),
	}
	for _, each := range kinds {
		v.Kinds = append(v.Kinds, choice{Value: string(each), Text: kindWord(words, each), Selected: each == kind})
	}
	preset, err := presetTarget(r, kind)
	if err != nil {
		return err
	}
	results, err := searchTargets(r, kind, term(r.FormValue("q")), true)
	if err != nil {
		return err
	}
	if preset != nil {
		if v.Refused = preset.Reason; v.Refused == "" {
			v.Users = append(v.Users, choice{Value: preset.Value, Text: preset.Text, Selected: true})
		}
	}
	for _, result := range results {
		if preset == nil || preset.Disabled || result.Value != preset.Value {
			v.Users = append(v.Users, result.choice())
		}
	}
	return render(w, http.StatusOK, "start.html", v)
}

// search answers the picker's question while somebody types.
func (p *pages) search(w http.ResponseWriter, r *http.Request) error {
	kinds, err := startable(r)
	if err != nil {
		return err
	}
	kind, err := wantedKind(r, kinds)
	if err != nil {
		return err
	}
	asked := term(r.FormValue("q"))
	results, err := searchTargets(r, kind, asked, true)
	if err != nil {
		return err
	}
	if asked != "" && len(results) < pickerRows {
		if results, err = withInactive(r, kind, asked, results); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, map[string]any{"results": results})
}

// withInactive adds those whom a search finds and nobody can become now, so that who looks for them
// learns why.
func withInactive(r *http.Request, kind sdk.AccountKind, asked string, active []found) ([]found, error) {
	page, err := searchPage(r, kind, asked, false)
	if err != nil {
		return nil, err
	}
	words := sdk.WordsFrom(r)
	all := foundIn(words, page)
	for _, company := range page.WithoutContact {
		all = append(all, withoutContact(words, company))
	}
	for _, each := range all {
		if !slices.Contains(active, each) && len(active) < pickerRows {
			active = append(active, each)
		}
	}
	return active, nil
}

// startable returns the kinds the viewer may become, or the sentence that says why there are none.
func startable(r *http.Request) ([]sdk.AccountKind, error) {
	viewer := sdk.ViewerFrom(r)
	if viewer.Switched() {
		return nil, sentence{http.StatusConflict, "refused_switched"}
	}
	settings, err := sdk.HostOf(r.Context()).Settings.All(r.Context())
	if err != nil {
		return nil, err
	}
	kinds := allowedKinds(settings, viewer.Actor)
	if len(kinds) == 0 {
		return nil, sentence{http.StatusForbidden, whyNone(settings, viewer.Actor)}
	}
	if asked := sdk.AccountKind(r.FormValue("kind")); asked == sdk.Staff || asked == sdk.Contact {
		if why := refusal(settings, viewer.Actor, asked); why != "" {
			return nil, sentence{http.StatusForbidden, why}
		}
	}
	return kinds, nil
}

// wantedKind returns the kind the address names, the first allowed one when it names none.
func wantedKind(r *http.Request, allowed []sdk.AccountKind) (sdk.AccountKind, error) {
	switch asked := sdk.AccountKind(r.FormValue("kind")); asked {
	case "":
		return allowed[0], nil
	case sdk.Staff, sdk.Contact:
		return asked, nil
	}
	return "", sentence{http.StatusNotFound, "error_kind"}
}

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
	return choice{Value: f.Value, Text: text, Disabled: f.Disabled}
}

func searchTargets(r *http.Request, kind sdk.AccountKind, term string, activeOnly bool) ([]found, error) {
	page, err := searchPage(r, kind, term, activeOnly)
	if err != nil {
		return nil, err
	}
	return foundIn(sdk.WordsFrom(r), page), nil
}

func searchPage(r *http.Request, kind sdk.AccountKind, term string, activeOnly bool) (sdk.AccountPage, error) {
	return sdk.HostOf(r.Context()).Directory.Search(r.Context(), sdk.AccountSearch{
		Kind: kind, Term: term, Limit: pickerRows, ActiveOnly: activeOnly, AsTargetOf: sdk.ViewerFrom(r).Actor.Key,
	})
}

func foundIn(words sdk.Words, page sdk.AccountPage) []found {
	results := make([]found, 0, len(page.Results))
	for _, account := range page.Results {
		results = append(results, foundFrom(words, account))
	}
	return results
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

// presetTarget returns the account that ?id= names, nil when it names none. Only a search says
// whether the host would refuse it, so it is found by its address.
func presetTarget(r *http.Request, kind sdk.AccountKind) (*found, error) {
	digits := r.FormValue("id")
	if digits == "" {
		return nil, nil
	}
	key, err := sdk.ParseAccountKey(string(kind) + ":" + digits)
	if err != nil {
		return nil, sentence{http.StatusNotFound, "error_account"}
	}
	account, err := sdk.HostOf(r.Context()).Directory.Account(r.Context(), key)
	switch {
	case sdk.KindOf(err) == sdk.NotFound:
		return nil, sentence{http.StatusNotFound, "error_account"}
	case err != nil:
		return nil, err
	case key == sdk.ViewerFrom(r).Actor.Key:
		f := foundFrom(sdk.WordsFrom(r), sdk.FoundAccount{Account: account, SwitchRefusalCode: "self"})
		return &f, nil
	}
	results, err := searchTargets(r, kind, account.Email, false)
	if err != nil {
		return nil, err
	}
	for _, result := range results {
		if result.Value == key.String() {
			return &result, nil
		}
	}
	f := foundFrom(sdk.WordsFrom(r), sdk.FoundAccount{Account: account})
	return &f, nil
}

func kindWord(words sdk.Words, kind sdk.AccountKind) string {
	if kind == sdk.Contact {
		return words.T("kind_contact")
	}
	return words.T("kind_staff")
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
