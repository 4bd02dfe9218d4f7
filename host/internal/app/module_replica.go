package app

import (
	"context"
	"strconv"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// ModuleState is how a module's process does on this replica.
type ModuleState struct {
	Report    crm.ModuleReport
	Reason    string    // why it is so, for the record
	Failure   string    // that it was given up here and why, empty while it isn't
	Crashes   int       // here, since CrashedAt
	CrashedAt time.Time // zero when it hasn't crashed
}

// RecordModuleState notes that a module's process came or went on this replica. Whoever depends on it
// asks again, unless it runs on another replica and did before: that one machine can't run a module
// changes nobody's rights, and nobody's switch ends for it on the others.
func (a *App) RecordModuleState(ctx context.Context, s ModuleState) error {
	id, replica := s.Report.Module, a.ReplicaName()
	return a.store.Write(ctx, func(tx store.Tx) error {
		if err := tx.LockRights(ctx); err != nil { // two that end at once mustn't take each other for the one that runs
			return err
		}
		m, err := tx.Module(ctx, id)
		if err != nil {
			return found(err, "module_not_found")
		}
		if err := tx.PutCrashes(ctx, id, s.Crashes, s.CrashedAt, s.Failure); err != nil {
			return err
		}
		detail := moduleDetail(m, s.Report.State)
		detail["reason"], detail["replica"] = crm.Cut(s.Reason, 300), replica
		if s.Crashes > 0 {
			detail["crashes"] = strconv.Itoa(s.Crashes)
		}
		if err := a.audit(tx, crm.Who{}, "module_state", "module:"+id, detail); err != nil {
			return err
		}
		return a.askAgain(ctx, tx, s, replica)
	})
}

func (a *App) askAgain(ctx context.Context, tx store.Tx, s ModuleState, replica string) error {
	if replica != "" {
		if err := tx.PutReport(ctx, s.Report); err != nil {
			return err
		}
		if elsewhere, err := tx.RunsElsewhere(ctx, s.Report.Module, ModuleActive, ""); err != nil || elsewhere {
			return err
		}
	}
	return tx.RaiseRevision(ctx)
}

// takesOver says in the transaction that makes a version the installed one that it runs here: what it
// replaces, on another replica, writes no more from then on. Should it not run after all, the next
// report says so.
func (a *App) takesOver(ctx context.Context, tx store.Tx, m crm.Module) error {
	replica := a.ReplicaName()
	if replica == "" || !m.Activated {
		return nil
	}
	tx.Then(func(bool) { a.joined.Add(1) })
	return tx.PutReport(ctx, crm.ModuleReport{Module: m.ID, Replica: replica, Version: m.Version, SHA256: m.SHA256, State: ModuleActive, Since: a.Now()})
}

// ModuleActive is the state in which a module answers, as reports name it.
const ModuleActive = "active"

// ReportModules tells the other replicas how every module does here, instead of what was told before.
func (a *App) ReportModules(ctx context.Context, list []crm.ModuleReport) error {
	return a.store.Write(ctx, func(tx store.Tx) error { return tx.PutReports(ctx, list) })
}

// ModuleReports lists what the replicas that are there say of their modules. It asks nobody's rights.
func (a *App) ModuleReports(ctx context.Context) ([]crm.ModuleReport, error) {
	return a.store.Read().Reports(ctx)
}
