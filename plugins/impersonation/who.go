package main

import (
	"net/http"

	"github.com/understudy-crm/understudy/sdk"
)

// whoView explains to an administrator why a staff member sees the icon, or doesn't.
type whoView struct {
	view
	Staff  []choice
	Chosen string // the chosen person's name, empty while nobody is
	Kinds  []whoKind
}

// whoKind is one kind of account with every rule that stands before it.
type whoKind struct {
	Title string
	May   bool
	Rules []whoRule
}

type whoRule struct {
	Text  string
	Holds bool
	Why   string // the way out, when it doesn't hold
}

// who answers "Who can use this?" by the rules that decide.
func (p *pages) who(w http.ResponseWriter, r *http.Request) error {
	v := whoView{view: viewOf(r)}
	staff, err := searchStaff(r, "")
	if err != nil {
		return err
	}
	chosen := r.FormValue("staff")
	if chosen != "" {
		if err := v.explain(r, chosen); err != nil {
			return err
		}
		v.Staff = append(v.Staff, choice{Value: chosen, Text: v.Chosen, Selected: true})
	}
	for _, each := range staff {
		if each.Value != chosen {
			v.Staff = append(v.Staff, each.choice())
		}
	}
	return render(w, http.StatusOK, "who.html", v)
}

// whoSearch answers the picker of the page.
func (p *pages) whoSearch(w http.ResponseWriter, r *http.Request) error {
	results, err := searchStaff(r, term(r.FormValue("q")))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"results": results})
}

func searchStaff(r *http.Request, term string) ([]found, error) {
	page, err := sdk.HostOf(r.Context()).Directory.Search(r.Context(), sdk.AccountSearch{Kind: sdk.Staff, Term: term, Limit: pickerRows})
	if err != nil {
		return nil, err
	}
	results := make([]found, 0, len(page.Results))
	for _, account := range page.Results {
		results = append(results, foundFrom(sdk.WordsFrom(r), account))
	}
	return results, nil
}

func (v *whoView) explain(r *http.Request, chosen string) error {
	key, err := sdk.ParseAccountKey(chosen)
	if err != nil || key.Kind != sdk.Staff {
		return sentence{http.StatusNotFound, "error_account"}
	}
	account, err := sdk.HostOf(r.Context()).Directory.Account(r.Context(), key)
	if sdk.KindOf(err) == sdk.NotFound {
		return sentence{http.StatusNotFound, "error_account"}
	}
	if err != nil {
		return err
	}
	settings, err := sdk.HostOf(r.Context()).Settings.All(r.Context())
	if err != nil {
		return err
	}
	v.Chosen = account.Name
	for _, kind := range []sdk.AccountKind{sdk.Staff, sdk.Contact} {
		each := whoKind{Title: kindWord(v.Words, kind), May: true}
		for _, rule := range rules(settings, account, kind) {
			line := whoRule{Text: v.T(rule.text), Holds: rule.holds}
			if !rule.holds {
				each.May, line.Why = false, wayOut(v.Words, rule.refusal)
			}
			each.Rules = append(each.Rules, line)
		}
		v.Kinds = append(v.Kinds, each)
	}
	return nil
}

// wayOut says a refusal about somebody else: what speaks to the reader has a wording of its own.
func wayOut(words sdk.Words, refusal string) string {
	switch refusal {
	case "refused_no_staff_permission":
		return words.T("who_refused_no_staff_permission")
	case "refused_no_customers_permission":
		return words.T("who_refused_no_customers_permission")
	}
	return words.T(refusal)
}
