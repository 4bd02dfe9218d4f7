package main

import (
	"strings"
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

// logRow is one line of it, in words.
type logRow struct {
	Who, WhoDetail, AsWhom, AsWhomDetail, Kind string
	Start, End                                 stamp
	Until                                      stamp // End as the page shows it
	Duration                                   string
	Outcome                                    sdk.SwitchOutcome
	How, Reason, IP, Browser, UserAgent        string
	Ticket, Mode, Extended, EndedBy            string
	Timeline                                   string // address, empty for a record without one
}

// stamp is a time for machines and for people.
type stamp struct{ Machine, Text string }

func (p *pages) row(words sdk.Words, zone *time.Location, record sdk.SessionSwitch) logRow {
	row := logRow{
		Who: record.ActorName, WhoDetail: record.ActorRole,
		AsWhom: record.SubjectName, AsWhomDetail: record.SubjectDetail,
		Kind:  kindWord(words, record.Subject.Kind),
		Start: stampOf(record.StartedAt, zone), End: stampOf(record.EndedAt, zone), Until: untilOf(record, zone),
		Outcome: record.Outcome(), How: howEnded(words, record),
		Reason: record.Reason, IP: record.IP, Browser: browserName(record.Browser), UserAgent: record.Browser,
		Ticket: record.Ticket, EndedBy: record.EndedBy,
	}
	if row.Outcome != sdk.OutcomeRefused {
		row.Mode = modeWord(words, zone, record)
	}
	if record.Extensions > 0 {
		row.Extended = words.T("extended_times", "times", record.Extensions)
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

// modeWord says how much the session may do, and since when, if that was asked for meanwhile.
func modeWord(words sdk.Words, zone *time.Location, record sdk.SessionSwitch) string {
	switch {
	case !record.ElevatedAt.IsZero():
		return words.T("mode_elevated", "time", timeWord(record.ElevatedAt, zone))
	case record.Mode == sdk.Full:
		return words.T("mode_full")
	}
	return words.T("mode_read_only")
}

// timeWord is a time within a sentence, which may be written from right to left: the marks around it
// keep its parts in order.
func timeWord(t time.Time, zone *time.Location) string {
	return "\u2066" + stampOf(t, zone).Text + "\u2069"
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
