package module

import (
	"context"
	"slices"
	"strconv"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// maxFailedStarts in a row are the host's own; the next one is in safe mode.
const maxFailedStarts = 3

// SafeMode says why no module is started.
type SafeMode struct {
	Asked   bool   // the operator wants it so
	Starts  int    // that failed in a row, when nobody asked
	Suspect string // the name of the module that may be why, empty when there is none
	Caught  bool   // the suspect was on its way up when the host died; otherwise it is the one installed last
}

// SafeMode is nil in ordinary times.
func (m *Manager) SafeMode() *SafeMode { return m.safe.Load() }

// decideSafeMode looks back at how the last starts went. Safe mode is entered when somebody asked
// for it, or when the host died three times in a row while it brought modules up, unless the module
// that was blamed has been deactivated or replaced since.
func (m *Manager) decideSafeMode(ctx context.Context) {
	if m.safeAsked {
		m.enterSafeMode(ctx, SafeMode{Asked: true})
		return
	}
	left := m.journal.open()
	modules, err := m.app.Modules(ctx)
	if err != nil {
		m.log.Error("look for the module that keeps the host from starting", "error", err)
	}
	suspect, caught := suspectOf(modules, left.Seen)
	if left.Blamed.ID != "" && left.Blamed != (blame{suspect.ID, suspect.SHA256}) {
		left = startRecord{} // somebody has done something about it
	}
	if left.Starts < maxFailedStarts || suspect.ID == "" {
		m.journal.keep(startRecord{Starts: left.Starts + 1, Seen: left.Seen})
		return
	}
	left.Blamed = blame{suspect.ID, suspect.SHA256}
	m.journal.keep(left)
	m.enterSafeMode(ctx, SafeMode{Starts: left.Starts, Suspect: manifestOf(suspect).Name, Caught: caught})
}

// suspectOf is the activated module that was on its way up most often when the host died; of equals,
// and when none was, the one installed last.
func suspectOf(modules []crm.Module, seen map[string]int) (suspect crm.Module, caught bool) {
	most := -1
	for _, row := range modules {
		n := seen[row.ID]
		if row.Activated && (n > most || n == most && row.InstalledAt.After(suspect.InstalledAt)) {
			suspect, most = row, n
		}
	}
	return suspect, most > 0
}

func (m *Manager) enterSafeMode(ctx context.Context, s SafeMode) {
	left, err := m.app.SafeModeLeft(ctx)
	if err != nil {
		m.log.Error("read when safe mode was left last", "error", err)
	}
	m.safeLeft = left
	m.safe.Store(&s)
	m.log.Warn("safe mode: no module is started", "asked", s.Asked, "failed_starts", s.Starts, "suspect", s.Suspect)
	detail := map[string]string{"asked": strconv.FormatBool(s.Asked), "failed_starts": strconv.Itoa(s.Starts), "suspect": s.Suspect}
	if err := m.app.RecordSafeMode(ctx, detail); err != nil {
		m.log.Error("record safe mode", "error", err)
	}
}

// LeaveSafeMode starts every activated module, as an ordinary start would have, here and on every other
// replica that is in safe mode. Conflict safe_mode_off when there is no safe mode to leave.
func (m *Manager) LeaveSafeMode(ctx context.Context, who crm.Who) error {
	if err := m.app.CheckModuleRights(who); err != nil {
		return err
	}
	s := m.safe.Load()
	if elsewhere, err := m.withheldElsewhere(ctx); err != nil {
		return err
	} else if s == nil && !elsewhere {
		return crm.Refuse(crm.Conflict, "safe_mode_off")
	}
	if err := m.app.LeaveSafeMode(ctx, who); err != nil {
		return err
	}
	m.leave(s)
	return nil
}

// leave ends safe mode, if it is still this one.
func (m *Manager) leave(s *SafeMode) {
	if s == nil || !m.safe.CompareAndSwap(s, nil) {
		return
	}
	if !s.Asked {
		m.journal.keep(startRecord{Starts: 1})
	}
	m.kick()
}

// leaveWithOthers ends safe mode when an administrator has ended it on another replica.
func (m *Manager) leaveWithOthers(ctx context.Context) {
	s := m.safe.Load()
	if s == nil {
		return
	}
	left, err := m.app.SafeModeLeft(ctx)
	if err != nil || left == m.safeLeft {
		return
	}
	m.log.Info("safe mode was ended on another replica")
	m.leave(s)
}

// withheldElsewhere tells whether another replica is in safe mode.
func (m *Manager) withheldElsewhere(ctx context.Context) (bool, error) {
	if m.app.ReplicaName() == "" {
		return false, nil
	}
	reports, err := m.app.ModuleReports(ctx)
	return slices.ContainsFunc(reports, func(r crm.ModuleReport) bool { return r.State == string(Withheld) }), err
}

// mayStart refuses in safe mode. Every start of a module's process passes it.
func (m *Manager) mayStart() error {
	if m.safe.Load() != nil {
		return crm.Refuse(crm.Conflict, "safe_mode")
	}
	return nil
}
