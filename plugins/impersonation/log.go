package main

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

const (
	dateLayout = "2006-01-02"
	logRows    = 25
)

// logFilter is what the address of View Log asks for.
type logFilter struct {
	From, Until, Actor, Target, Kind, Outcome, Ticket, After string
	// ActorID and TargetID keep to one account each, such as "staff:7": names can be shared.
	ActorID, TargetID string
}

func filterFrom(r *http.Request) logFilter {
	return logFilter{
		From: term(r.FormValue("from")), Until: term(r.FormValue("until")),
		Actor: term(r.FormValue("actor")), Target: term(r.FormValue("target")),
		Kind: term(r.FormValue("kind")), Outcome: term(r.FormValue("outcome")), Ticket: term(r.FormValue("ticket")),
		After: r.FormValue("after"), ActorID: term(r.FormValue("actor_id")), TargetID: term(r.FormValue("target_id")),
	}
}

// query writes the filter as an address again, without what is empty.
func (f logFilter) query(after string) string {
	q := url.Values{}
	for name, value := range f.values() {
		q.Set(name, value)
	}
	if after != "" {
		q.Set("after", after)
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// values is what is not empty of the filter, by the names of its fields.
func (f logFilter) values() map[string]string {
	values := map[string]string{
		"from": f.From, "until": f.Until, "actor": f.Actor, "target": f.Target, "kind": f.Kind, "outcome": f.Outcome,
		"ticket": f.Ticket, "actor_id": f.ActorID, "target_id": f.TargetID,
	}
	maps.DeleteFunc(values, func(_, value string) bool { return value == "" })
	return values
}

// ask turns the filter into the host's, days being those of the viewer's time zone. Its error is
// a sentence that says which field is wrong.
func (f logFilter) ask(zone *time.Location, limit int) (sdk.SwitchFilter, error) {
	from, err := day(f.From, zone)
	if err != nil {
		return sdk.SwitchFilter{}, sentence{http.StatusUnprocessableEntity, "error_from"}
	}
	until, err := day(f.Until, zone)
	if err != nil {
		return sdk.SwitchFilter{}, sentence{http.StatusUnprocessableEntity, "error_until"}
	}
	if !until.IsZero() {
		until = until.AddDate(0, 0, 1)
	}
	kind, outcome := sdk.AccountKind(f.Kind), sdk.SwitchOutcome(f.Outcome)
	if kind != "" && kind != sdk.Staff && kind != sdk.Contact {
		return sdk.SwitchFilter{}, sentence{http.StatusUnprocessableEntity, "error_kind"}
	}
	switch outcome {
	case "", sdk.OutcomeActive, sdk.OutcomeEnded, sdk.OutcomeRefused:
	default:
		return sdk.SwitchFilter{}, sentence{http.StatusUnprocessableEntity, "error_outcome"}
	}
	ask := sdk.SwitchFilter{
		From: from, Until: until, ActorTerm: f.Actor, SubjectTerm: f.Target,
		SubjectKind: kind, Outcome: outcome, Limit: limit, After: f.After,
	}
	for text, key := range map[string]*sdk.AccountKey{f.ActorID: &ask.Actor, f.TargetID: &ask.Subject} {
		if text == "" {
			continue
		}
		if *key, err = sdk.ParseAccountKey(text); err != nil {
			return sdk.SwitchFilter{}, sentence{http.StatusUnprocessableEntity, "error_account"}
		}
	}
	return ask, nil
}

// keeps reports whether a record is of the ticket asked for. The host knows no such filter.
func (f logFilter) keeps(record sdk.SessionSwitch) bool {
	return f.Ticket == "" || strings.EqualFold(strings.TrimSpace(record.Ticket), f.Ticket)
}

// maxScanned bounds how many pages one request looks through for records to keep.
const maxScanned = 20

// records returns the next records that are to be kept: about as many as the filter's limit, fewer
// when they are far between, and then with a next page.
func records(ctx context.Context, ask sdk.SwitchFilter, keep func(sdk.SessionSwitch) bool) (kept []sdk.SessionSwitch, next string, err error) {
	for range maxScanned {
		page, err := sdk.HostOf(ctx).SwitchLog.List(ctx, ask)
		if err != nil {
			return nil, "", err
		}
		for _, record := range page.Switches {
			if keep(record) {
				kept = append(kept, record)
			}
		}
		next = page.Next
		if next == "" || len(kept) >= ask.Limit {
			break
		}
		ask.After = next
	}
	return kept, next, nil
}

func day(text string, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.ParseInLocation(dateLayout, text, zone)
}

// logView is a page of the log.
type logView struct {
	view
	Filter        logFilter
	Filtered      bool
	Kinds         []choice
	Outcomes      []choice
	Wrong         string
	Rows          []logRow
	First, Next   string
	Hidden        map[string]string // the filter, for the form that exports
	Only          []string          // the accounts it keeps to
	ShowLanguages bool
}

func (p *pages) log(w http.ResponseWriter, r *http.Request) error {
	words, viewer, filter := sdk.WordsFrom(r), sdk.ViewerFrom(r), filterFrom(r)
	v := logView{
		view: viewOf(r), Filter: filter,
		Filtered: filter.query("") != "", ShowLanguages: viewer.Subject.Administrator,
		Kinds: []choice{
			{Text: words.T("any")},
			{Value: string(sdk.Staff), Text: words.T("kind_staff"), Selected: filter.Kind == string(sdk.Staff)},
			{Value: string(sdk.Contact), Text: words.T("kind_contact"), Selected: filter.Kind == string(sdk.Contact)},
		},
		Outcomes: []choice{{Text: words.T("any")}},
		Hidden:   filter.values(),
	}
	for _, each := range []struct{ label, account string }{{"who", filter.ActorID}, {"as_whom", filter.TargetID}} {
		if each.account != "" {
			v.Only = append(v.Only, words.T("log_only", "field", words.T(each.label), "account", each.account))
		}
	}
	for _, outcome := range []sdk.SwitchOutcome{sdk.OutcomeActive, sdk.OutcomeEnded, sdk.OutcomeRefused} {
		v.Outcomes = append(v.Outcomes, choice{
			Value: string(outcome), Text: words.T("outcome_" + string(outcome)), Selected: filter.Outcome == string(outcome),
		})
	}
	ask, err := filter.ask(viewer.Location(), logRows)
	var wrong sentence
	if errors.As(err, &wrong) {
		v.Wrong = words.T(wrong.key)
		return render(w, wrong.status, "log.html", v)
	}
	list, next, err := records(r.Context(), ask, filter.keeps)
	if err != nil {
		return err
	}
	for _, record := range list {
		row := p.row(words, viewer.Location(), record)
		if record.ID > 0 {
			row.Timeline = viewer.BasePath + "/log/entry?id=" + strconv.FormatInt(record.ID, 10)
		}
		v.Rows = append(v.Rows, row)
	}
	if filter.After != "" {
		v.First = viewer.BasePath + "/log" + filter.query("")
	}
	if next != "" {
		v.Next = viewer.BasePath + "/log" + filter.query(next)
	}
	return render(w, http.StatusOK, "log.html", v)
}
