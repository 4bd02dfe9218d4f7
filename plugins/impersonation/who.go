package main

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/understudy-crm/understudy/sdk"
)

// whoView explains to an administrator why a staff member may impersonate, or may not: whom they
// like, or the one who was chosen too.
type whoView struct {
	view
	Staff, Targets []choice
	Chosen         string // the chosen person's name, empty while nobody is
	Sections       []whoSection
	Matrix         matrixView
}

// whoSection is one question with every rule that stands before it.
type whoSection struct {
	Title string
	Rules []whoRule
}

type whoRule struct {
	Text     string
	Holds    bool
	Why      string // the way out, when it doesn't hold
	Fix      string // address where that is changed
	FixLabel string
}

// who answers "Who can use this?" by the rules that decide.
func (p *pages) who(w http.ResponseWriter, r *http.Request) error {
	settings, err := sdk.HostOf(r.Context()).Settings.All(r.Context())
	if err != nil {
		return err
	}
	v := whoView{view: viewOf(r)}
	if v.Matrix, err = matrix(r.Context(), v.Words, settings); err != nil {
		return err
	}
	staff, err := searchAll(r, "", sdk.Staff)
	if err != nil {
		return err
	}
	targets, err := searchAll(r, "", sdk.Staff, sdk.Contact)
	if err != nil {
		return err
	}
	actor, err := chosenAccount(r, "staff")
	if err != nil {
		return err
	}
	target, err := chosenAccount(r, "target")
	if err != nil {
		return err
	}
	v.Staff, v.Targets = choices(v.Words, staff, actor), choices(v.Words, targets, target)
	if actor != nil {
		if actor.Key.Kind != sdk.Staff {
			return sentence{http.StatusNotFound, "error_account"}
		}
		if err := v.explain(r, p, settings, *actor, target); err != nil {
			return err
		}
	}
	return render(w, http.StatusOK, "who.html", v)
}

// choices is the list of a select, the chosen account first.
func choices(words sdk.Words, list []found, chosen *sdk.Account) []choice {
	var all []choice
	if chosen != nil {
		first := foundFrom(words, sdk.FoundAccount{Account: *chosen})
		all = append(all, choice{Value: first.Value, Text: first.Text, Detail: first.Detail, Selected: true})
	}
	for _, each := range list {
		if len(all) == 0 || each.Value != all[0].Value || !all[0].Selected {
			all = append(all, each.choice())
		}
	}
	return all
}

// whoSearch answers the first picker of the page.
func (p *pages) whoSearch(w http.ResponseWriter, r *http.Request) error {
	results, err := searchAll(r, term(r.FormValue("q")), sdk.Staff)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"results": results})
}

// whoTarget answers the second one.
func (p *pages) whoTarget(w http.ResponseWriter, r *http.Request) error {
	results, err := searchAll(r, term(r.FormValue("q")), sdk.Staff, sdk.Contact)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"results": results})
}

func searchAll(r *http.Request, term string, kinds ...sdk.AccountKind) ([]found, error) {
	results := []found{}
	for _, kind := range kinds {
		page, err := sdk.HostOf(r.Context()).Directory.Search(r.Context(), sdk.AccountSearch{Kind: kind, Term: term, Limit: pickerRows})
		if err != nil {
			return nil, err
		}
		for _, account := range page.Results {
			results = append(results, foundFrom(sdk.WordsFrom(r), account))
		}
	}
	slices.SortStableFunc(results, func(a, b found) int { return cmp.Compare(strings.ToLower(a.Text), strings.ToLower(b.Text)) })
	return results[:min(len(results), pickerRows)], nil
}

// chosenAccount returns the account that a field names, nil when it names none.
func chosenAccount(r *http.Request, field string) (*sdk.Account, error) {
	chosen := r.FormValue(field)
	if chosen == "" {
		return nil, nil
	}
	key, err := sdk.ParseAccountKey(chosen)
	if err != nil {
		return nil, sentence{http.StatusNotFound, "error_account"}
	}
	account, err := sdk.HostOf(r.Context()).Directory.Account(r.Context(), key)
	if sdk.KindOf(err) == sdk.NotFound {
		return nil, sentence{http.StatusNotFound, "error_account"}
	}
	return &account, err
}

func (v *whoView) explain(r *http.Request, p *pages, settings sdk.Settings, actor sdk.Account, target *sdk.Account) error {
	ctx, viewer := r.Context(), sdk.ViewerFrom(r)
	v.Chosen = actor.Name
	if target == nil {
		for _, kind := range []sdk.AccountKind{sdk.Staff, sdk.Contact} {
			f := facts{moment: sdk.SwitchStart, settings: settings, actor: actor, kind: kind}
			v.section(viewer, "who_may", "who_may_not", kindWord(v.Words, kind), f, nil)
		}
		return nil
	}
	host, err := v.hostRules(ctx, viewer, actor, *target)
	if err != nil {
		return err
	}
	f := facts{moment: sdk.SwitchStart, settings: settings, actor: actor, kind: target.Key.Kind, target: target}
	if err := p.know(ctx, &f); err != nil {
		return err
	}
	v.section(viewer, "who_may_target", "who_may_not_target", target.Name, f, host)
	return nil
}

// section holds a pair against the host's rules, which were asked, and this module's.
func (v *whoView) section(viewer sdk.Viewer, may, mayNot, whom string, f facts, host []whoRule) {
	s := whoSection{Rules: host}
	for _, rule := range explained(f) {
		line := whoRule{Text: v.T(rule.text), Holds: rule.holds}
		if !rule.holds {
			line.Why = wayOut(v.Words, rule.refusal)
			line.Fix, line.FixLabel = v.fixAt(viewer, rule.fix, f)
		}
		s.Rules = append(s.Rules, line)
	}
	title := may
	if slices.ContainsFunc(s.Rules, func(rule whoRule) bool { return !rule.Holds }) {
		title = mayNot
	}
	s.Title = v.T(title, "name", f.actor.Name, "kind", whom, "whom", whom)
	v.Sections = append(v.Sections, s)
}

// explained are the rules of a question that don't depend on how one request is filled in.
func explained(f facts) []rule {
	return slices.DeleteFunc(rules(f), func(r rule) bool { return r.text == "" })
}

// hostRules asks the host, which decides before the module does.
func (v *whoView) hostRules(ctx context.Context, viewer sdk.Viewer, actor, target sdk.Account) ([]whoRule, error) {
	rules, err := sdk.HostOf(ctx).SwitchLog.Explain(ctx, actor.Key, target.Key)
	if err != nil {
		return nil, err
	}
	var lines []whoRule
	for _, rule := range rules {
		code := strings.TrimPrefix(rule.Code, "switch_")
		line := whoRule{Text: v.T("host_other", "code", rule.Code), Holds: rule.Holds}
		if v.Has("host_" + code) {
			line.Text = v.T("host_" + code)
		}
		if !rule.Holds {
			line.Why = v.T("who_host_rule")
			if v.Has("host_no_" + code) {
				line.Why = v.T("host_no_"+code, "missing", strings.Join(rule.Missing, ", "))
			}
			line.Fix, line.FixLabel = accountAt(v.Words, viewer, target)
			if code == "not_administrator" || code == "more_rights" || code == "not_staff" {
				line.Fix, line.FixLabel = accountAt(v.Words, viewer, actor)
			}
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// fixAt says where a rule that doesn't hold is changed.
func (v *whoView) fixAt(viewer sdk.Viewer, where fix, f facts) (address, label string) {
	switch where {
	case fixSettings:
		return viewer.SitePath + "/admin/settings/impersonation", v.T("fix_settings")
	case fixActor:
		return accountAt(v.Words, viewer, f.actor)
	case fixApproval:
		return viewer.BasePath + "/approvals", v.T("approvals")
	}
	// The customer's choice is the customer's.
	return "", ""
}

func accountAt(words sdk.Words, viewer sdk.Viewer, account sdk.Account) (address, label string) {
	id := strconv.FormatInt(account.Key.ID, 10)
	if account.Key.Kind == sdk.Contact {
		return viewer.SitePath + "/admin/contacts/" + id, words.T("fix_account", "name", account.Name)
	}
	return viewer.SitePath + "/admin/staff/" + id, words.T("fix_account", "name", account.Name)
}

// wayOut says a refusal about somebody else: what speaks to the reader has a wording of its own.
func wayOut(words sdk.Words, refusal string) string {
	switch refusal {
	case "refused_no_staff_permission":
		return words.T("who_refused_no_staff_permission")
	case "refused_no_customers_permission":
		return words.T("who_refused_no_customers_permission")
	case "refused_approval_asked":
		return words.T("who_refused_approval_asked")
	}
	return words.T(refusal)
}
