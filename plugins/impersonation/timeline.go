package main

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

const eventRows = 100

// timelineView is all that happened during one impersonation.
type timelineView struct {
	view
	logRow
	Account, TargetAccount string // for the log of this one
	Ends                   stamp  // when it will, while it runs
	Events                 []eventRow
	Failed                 bool // what happened can't be read now
	First, Next            string
}

// eventRow is one thing that happened, in words.
type eventRow struct {
	At                   stamp
	Kind                 sdk.SwitchEventKind
	What, Text, Object   string
	Why                  string
	Details              []string
	Refused, Significant bool
}

// timeline shows one record and, page by page, what was done meanwhile.
func (p *pages) timeline(w http.ResponseWriter, r *http.Request) error {
	record, err := recordFrom(r)
	if err != nil {
		return err
	}
	viewer, words, after := sdk.ViewerFrom(r), sdk.WordsFrom(r), r.FormValue("after")
	events, next, err := sdk.HostOf(r.Context()).SwitchLog.Events(r.Context(), record.ID, viewer.Language, after, eventRows)
	failed, err := unread(r, record, err)
	if err != nil {
		return err
	}
	v := timelineView{
		view: viewOf(r), logRow: p.row(words, viewer.Location(), record), Failed: failed,
		Account:       viewer.BasePath + "/log?actor_id=" + url.QueryEscape(record.Actor.String()),
		TargetAccount: viewer.BasePath + "/log?target_id=" + url.QueryEscape(record.Subject.String()),
	}
	if record.Outcome() == sdk.OutcomeActive {
		v.Ends = stampOf(record.ExpiresAt, viewer.Location())
	}
	for _, event := range events {
		v.Events = append(v.Events, eventRowOf(words, viewer.Location(), event))
	}
	here := viewer.BasePath + "/log/entry?id=" + strconv.FormatInt(record.ID, 10)
	if after != "" {
		v.First = here
	}
	if next != "" {
		v.Next = here + "&after=" + url.QueryEscape(next)
	}
	return render(w, http.StatusOK, "timeline.html", v)
}

// unread takes an answer that did not come as no reason to show nothing: the record itself can be
// read all the same.
func unread(r *http.Request, record sdk.SessionSwitch, err error) (failed bool, rest error) {
	if err == nil || sdk.KindOf(err) == sdk.Invalid {
		return false, err
	}
	slog.ErrorContext(r.Context(), "what happened can't be read", "switch", record.ID, "error", err)
	return true, nil
}

// recordFrom returns the record that the address, or the form, names.
func recordFrom(r *http.Request) (sdk.SessionSwitch, error) {
	id, err := strconv.ParseInt(r.FormValue("id"), 10, 64)
	if err != nil || id <= 0 {
		return sdk.SessionSwitch{}, sentence{http.StatusNotFound, "error_entry"}
	}
	record, err := sdk.HostOf(r.Context()).SwitchLog.Switch(r.Context(), id)
	if sdk.KindOf(err) == sdk.NotFound {
		return record, sentence{http.StatusNotFound, "error_entry"}
	}
	return record, err
}

func eventRowOf(words sdk.Words, zone *time.Location, event sdk.SwitchEvent) eventRow {
	row := eventRow{At: stampOf(event.At, zone), Kind: event.Kind, What: words.T("event_other"), Text: event.Text, Object: event.Object}
	// Within one impersonation many things happen in a minute.
	if !event.At.IsZero() {
		row.At.Text = event.At.In(zone).Format("2006-01-02 15:04:05")
	}
	if key := "event_" + string(event.Kind); words.Has(key) {
		row.What = words.T(key)
	}
	if event.RefusalCode != "" {
		row.Why = refusalWord(words, event.RefusalCode) + " (" + event.RefusalCode + ")"
	}
	row.Refused = event.Kind == sdk.EventRefused
	row.Significant = event.Kind != sdk.EventPage
	for _, name := range slices.Sorted(maps.Keys(event.Detail)) {
		if value := strings.TrimSpace(event.Detail[name]); value != "" {
			row.Details = append(row.Details, name+": "+value)
		}
	}
	return row
}

// changes returns the next events of one impersonation that changed something, and where to go on:
// between two changes there can be many pages.
func changes(ctx context.Context, id int64, language, after string) (list []sdk.SwitchEvent, next string, err error) {
	const page = 500
	for range maxScanned {
		events, more, err := sdk.HostOf(ctx).SwitchLog.Events(ctx, id, language, after, page)
		if err != nil {
			return nil, "", err
		}
		for _, event := range events {
			if event.Kind == sdk.EventChange {
				list = append(list, event)
			}
		}
		next = more
		if next == "" || len(list) >= eventRows {
			break
		}
		after = next
	}
	return list, next, nil
}
