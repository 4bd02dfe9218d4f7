package app

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// LogKept is how much of a module's log is kept. What is zero is not bounded by this process: a
// command leaves that to the server, which knows.
type LogKept struct {
	Lines int // of each module
	Days  int
}

// LogKept is how much of a module's log is kept.
func (a *App) LogKept() LogKept { return a.logKept }

// logTrims counts what came since a module's log was last trimmed. Trimming reads as many lines as
// it keeps, so it is done once in a tenth of those: a module that fills its log stays bounded, and
// a line costs no more than a few.
type logTrims struct {
	mu    sync.Mutex
	since map[string]int // by module; one that isn't here is due
}

// due counts lines, and tells whether more have come than may wait.
func (t *logTrims) due(module string, lines, most int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since == nil {
		t.since = map[string]int{}
	}
	before, known := t.since[module]
	if t.since[module] = before + lines; known && t.since[module] <= most {
		return false
	}
	t.since[module] = 0
	return true
}

// AppendModuleLog adds lines to an installed module's log; of any other nobody could read them. Of the oldest beyond what is kept at most a tenth
// stays until the next Sweep.
func (a *App) AppendModuleLog(ctx context.Context, id string, lines []crm.ModuleLogLine) error {
	return a.store.Write(ctx, func(tx store.Tx) error {
		if installed, err := tx.ModuleInstalled(ctx, id); err != nil || !installed {
			return err
		}
		for _, l := range lines {
			if err := tx.AppendModuleLog(ctx, id, l); err != nil {
				return err
			}
		}
		if a.logKept.Lines <= 0 || !a.logTrims.due(id, len(lines), a.logKept.Lines/10) {
			return nil
		}
		return tx.TrimModuleLog(ctx, id, a.logKept.Lines)
	})
}

// sweepModuleLogs drops what is too old or too much, of every module that ever logged.
func (a *App) sweepModuleLogs(ctx context.Context, tx store.Tx, now time.Time) error {
	modules, err := tx.LoggedModules(ctx)
	if err != nil {
		return err
	}
	for _, id := range modules {
		if a.logKept.Days > 0 {
			if err := tx.ExpireModuleLog(ctx, id, now.AddDate(0, 0, -a.logKept.Days)); err != nil {
				return err
			}
		}
		if a.logKept.Lines > 0 && a.logTrims.due(id, 0, 0) {
			if err := tx.TrimModuleLog(ctx, id, a.logKept.Lines); err != nil {
				return err
			}
		}
	}
	return nil
}

// ModuleLog lists a module's log, newest first. Filter "level" keeps that level and those above,
// "request" one request's lines, "from" and "until" are dates (2006-01-02, both included, UTC),
// "since" is the id of a line: only newer ones come.
func (a *App) ModuleLog(ctx context.Context, who crm.Who, id string, q crm.Query) (crm.Page[crm.ModuleLogLine], error) {
	s, err := a.moduleLogQuery(who, q)
	if err != nil {
		return crm.Page[crm.ModuleLogLine]{}, err
	}
	return a.store.Read().ModuleLog(ctx, id, s)
}

// ReadModuleLog gives the lines ModuleLog would list to each, oldest first and all of them: those
// there were when it began. It holds no more than a page of them in memory.
func (a *App) ReadModuleLog(ctx context.Context, who crm.Who, id string, q crm.Query, each func(crm.ModuleLogLine) error) error {
	s, err := a.moduleLogQuery(who, q)
	if err != nil {
		return err
	}
	read := a.store.Read()
	last, err := read.LastModuleLog(ctx, id)
	if err != nil {
		return err
	}
	for s.Limit = 500; ; {
		lines, err := read.ModuleLogOnward(ctx, id, s)
		if err != nil {
			return err
		}
		for _, l := range lines {
			if l.ID > last {
				return nil
			}
			if err := each(l); err != nil {
				return err
			}
			s.Since = l.ID
		}
		if len(lines) < s.Limit {
			return nil
		}
	}
}

func (a *App) moduleLogQuery(who crm.Who, q crm.Query) (store.ModuleLogQuery, error) {
	if err := a.allowAdministrator(who, crm.ReadRoute); err != nil {
		return store.ModuleLogQuery{}, err
	}
	s := store.ModuleLogQuery{Term: q.Term, Level: q.Filter["level"], RequestID: q.Filter["request"], After: q.After, Limit: q.Limit}
	var err error
	if s.From, s.Until, err = days(q); err != nil {
		return s, err
	}
	if since := q.Filter["since"]; since != "" {
		if s.Since, err = strconv.ParseInt(since, 10, 64); err != nil {
			return s, crm.Refuse(crm.Invalid, "page_token_invalid")
		}
	}
	return s, nil
}
