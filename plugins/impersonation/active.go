package main

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

// activeRows is how many running impersonations one page shows.
const activeRows = 100

// activeView is who acts as whom now, and whether coming back works.
type activeView struct {
	view
	Rows        []activeRow
	MayEnd      bool
	First, Next string
	Done        string
	Checks      []checkRow
	Unchecked   bool // the self-check itself failed
}

// activeRow is one running impersonation.
type activeRow struct {
	logRow
	ID   string
	Ends stamp
}

// checkRow is one thing of the self-check.
type checkRow struct {
	Text, Detail string
	OK           bool
}

func (p *pages) active(w http.ResponseWriter, r *http.Request) error {
	ctx, viewer, words := r.Context(), sdk.ViewerFrom(r), sdk.WordsFrom(r)
	page, err := sdk.HostOf(ctx).SwitchLog.List(ctx, sdk.SwitchFilter{Outcome: sdk.OutcomeActive, Limit: activeRows, After: r.FormValue("after")})
	if err != nil {
		return err
	}
	v := activeView{view: viewOf(r), MayEnd: viewer.Subject.Administrator && !viewer.Switched()}
	for _, record := range page.Switches {
		v.Rows = append(v.Rows, p.activeRow(viewer, words, record))
	}
	if page.Next != "" {
		v.Next = viewer.BasePath + "/active?after=" + page.Next
	}
	if r.FormValue("after") != "" {
		v.First = viewer.BasePath + "/active"
	}
	if r.FormValue("ended") != "" {
		v.Done = words.T("active_ended")
	}
	checks, err := sdk.HostOf(ctx).SwitchLog.Check(ctx)
	if err != nil {
		slog.ErrorContext(ctx, "the self-check failed", "error", err)
		v.Unchecked = true
	}
	for _, check := range checks {
		v.Checks = append(v.Checks, checkRowOf(words, check))
	}
	return render(w, http.StatusOK, "active.html", v)
}

func (p *pages) activeRow(viewer sdk.Viewer, words sdk.Words, record sdk.SessionSwitch) activeRow {
	row := activeRow{
		logRow: p.row(words, viewer.Location(), record),
		ID:     strconv.FormatInt(record.ID, 10), Ends: stampOf(record.ExpiresAt, viewer.Location()),
	}
	row.Timeline = viewer.BasePath + "/log/entry?id=" + row.ID
	if record.ExpiresAt.Sub(p.now()) < 24*time.Hour && row.Ends.Text != "" {
		row.Ends.Text = row.Ends.Text[len(dateLayout)+1:]
	}
	return row
}

func checkRowOf(words sdk.Words, check sdk.SwitchingCheck) checkRow {
	key := "check_" + check.Code
	if !words.Has(key) {
		return checkRow{Text: check.Code, Detail: check.Detail, OK: check.OK}
	}
	return checkRow{Text: words.T(key), Detail: check.Detail, OK: check.OK}
}

// endActive ends somebody's impersonation; the host records who did.
func (p *pages) endActive(w http.ResponseWriter, r *http.Request) error {
	if !sdk.ViewerFrom(r).Actor.Administrator {
		return sentence{http.StatusForbidden, "error_administrators"}
	}
	record, err := recordFrom(r)
	if err != nil {
		return err
	}
	if err := end(r, record); err != nil {
		return err
	}
	back(w, r, "/active?ended=1")
	return nil
}

// end ends one that runs. That it has ended by itself meanwhile is a sentence of its own.
func end(r *http.Request, record sdk.SessionSwitch) error {
	_, err := sdk.HostOf(r.Context()).SwitchLog.End(r.Context(), record.ID)
	if sdk.KindOf(err) == sdk.Conflict {
		return sentence{http.StatusConflict, "error_ended"}
	}
	return err
}
