package main

import (
	"errors"
	"net/http"
	"net/url"
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
	From, Until, Actor, Target, Kind, Outcome, After string
}

func filterFrom(r *http.Request) logFilter {
	return logFilter{
		From: term(r.FormValue("from")), Until: term(r.FormValue("until")),
		Actor: term(r.FormValue("actor")), Target: term(r.FormValue("target")),
		Kind: term(r.FormValue("kind")), Outcome: term(r.FormValue("outcome")),
		After: r.FormValue("after"),
	}
}

// query writes the filter as an address again, without what is empty.
func (f logFilter) query(after string) string {
	q := url.Values{}
	for name, value := range map[string]string{
		"from": f.From, "until": f.Until, "actor": f.Actor, "target": f.Target,
		"kind": f.Kind, "outcome": f.Outcome, "after": after,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
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
	return sdk.SwitchFilter{
		From: from, Until: until, ActorTerm: f.Actor, SubjectTerm: f.Target,
		SubjectKind: kind, Outcome: outcome, Limit: limit, After: f.After,
	}, nil
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
	Export        string
	ShowLanguages bool
}

// logRow is one line of it, in words.
type logRow struct {
	Who, WhoDetail, AsWhom, AsWhomDetail, Kind string
	Start, End                                 stamp
	Until                                      stamp // End as the page shows it
	Duration                                   string
	Outcome                                    sdk.SwitchOutcome
	How, Reason, IP, Browser, UserAgent        string
}

// stamp is a time for machines and for people.
type stamp struct{ Machine, Text string }

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
		Export:   viewer.BasePath + "/log.csv" + filter.query(""),
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
	page, err := sdk.HostOf(r.Context()).SwitchLog.List(r.Context(), ask)
	if err != nil {
		return err
	}
	for _, record := range page.Switches {
		v.Rows = append(v.Rows, p.row(words, viewer.Location(), record))
	}
	if filter.After != "" {
		v.First = viewer.BasePath + "/log" + filter.query("")
	}
	if page.Next != "" {
		v.Next = viewer.BasePath + "/log" + filter.query(page.Next)
	}
	return render(w, http.StatusOK, "log.html", v)
}

func (p *pages) row(words sdk.Words, zone *time.Location, record sdk.SessionSwitch) logRow {
	row := logRow{
		Who: record.ActorName, WhoDetail: record.ActorRole,
		AsWhom: record.SubjectName, AsWhomDetail: record.SubjectDetail,
		Kind:  kindWord(words, record.Subject.Kind),
		Start: stampOf(record.StartedAt, zone), End: stampOf(record.EndedAt, zone), Until: untilOf(record, zone),
		Outcome: record.Outcome(), How: howEnded(words, record),
		Reason: record.Reason, IP: record.IP, Browser: browserName(record.Browser), UserAgent: record.Browser,
	}
	switch row.Outcome {
	case sdk.OutcomeActive:
		row.Duration = durationWord(words, p.now().Sub(record.StartedAt))
	case sdk.OutcomeEnded:
		row.Duration = durationWord(words, record.EndedAt.Sub(record.StartedAt))
	}
	return row
}

func howEnded(words sdk.Words, record sdk.SessionSwitch) string {
	switch record.Outcome() {
	case sdk.OutcomeRefused:
		return words.T("refused_because", "why", refusalWord(words, record.RefusalCode))
	case sdk.OutcomeActive:
		return words.T("outcome_active")
	}
	if key := "end_" + string(record.End); words.Has(key) {
		return words.T(key)
	}
	return words.T("outcome_ended")
}

func stampOf(t time.Time, zone *time.Location) stamp {
	if t.IsZero() {
		return stamp{}
	}
	t = t.In(zone)
	return stamp{Machine: t.Format(time.RFC3339), Text: t.Format("2006-01-02 15:04")}
}

// untilOf is the end beside the start: without the day when that is the same, and none for what was
// refused, which only has a moment.
func untilOf(record sdk.SessionSwitch, zone *time.Location) stamp {
	if record.Outcome() != sdk.OutcomeEnded {
		return stamp{}
	}
	until := stampOf(record.EndedAt, zone)
	if start := stampOf(record.StartedAt, zone); until.Text[:len(dateLayout)] == start.Text[:len(dateLayout)] {
		until.Text = until.Text[len(dateLayout)+1:]
	}
	return until
}

// OneDay reports whether start and end fit in one line.
func (r logRow) OneDay() bool { return len(r.Until.Text) < len(dateLayout) }

// IPGroups is the address in the pieces between which a line may break.
func (r logRow) IPGroups() []string { return strings.SplitAfter(r.IP, ":") }

func durationWord(words sdk.Words, d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return words.T("duration_seconds", "seconds", int(d.Seconds()))
	case d < time.Hour:
		return words.T("duration_minutes", "minutes", int(d.Minutes()))
	}
	return words.T("duration_hours", "hours", int(d.Hours()), "minutes", int(d.Minutes())%60)
}

// browserName shortens a User-Agent to the names people know; the whole of it stands beside it.
func browserName(userAgent string) string {
	name := firstIn(userAgent, [][2]string{
		{"Edg", "Edge"},
		{"OPR/", "Opera"},
		{"Firefox/", "Firefox"},
		{"Chrome/", "Chrome"},
		{"CriOS/", "Chrome"},
		{"Safari/", "Safari"},
		{"curl/", "curl"},
	})
	system := firstIn(userAgent, [][2]string{
		{"Android", "Android"},
		{"iPhone", "iOS"},
		{"iPad", "iOS"},
		{"Windows", "Windows"},
		{"Mac OS X", "macOS"},
		{"CrOS", "ChromeOS"},
		{"Linux", "Linux"},
	})
	switch {
	case name == "" && system == "":
		runes := []rune(userAgent)
		return string(runes[:min(len(runes), 40)])
	case name == "" || system == "":
		return name + system
	}
	return name + " · " + system
}

func firstIn(text string, names [][2]string) string {
	for _, name := range names {
		if strings.Contains(text, name[0]) {
			return name[1]
		}
	}
	return ""
}
