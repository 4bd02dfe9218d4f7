package app

import (
	"context"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// SwitchEvents lists what happened during a switch, oldest first: pages that were seen, those that
// still wait here to be written included, and the entries of the Activity Log. NotFound when there is no such switch. For modules: who may see it is
// the module's to say, and its grant the host's to check.
func (a *App) SwitchEvents(ctx context.Context, switchID int64, after string, limit int) (crm.Page[crm.SwitchEvent], error) {
	if _, err := a.store.Read().Switch(ctx, switchID); err != nil {
		return crm.Page[crm.SwitchEvent]{}, found(err, "switch_not_found")
	}
	if err := a.FlushPages(ctx); err != nil {
		a.log.WarnContext(ctx, "the latest pages are missing from what happened during a switch", "switch", switchID, "error", err)
	}
	return a.store.Read().SwitchEvents(ctx, switchID, after, limit)
}

// CheckClass says whether who may use what is of this class, as crm.CheckClass does, and records
// what a borrowed name was refused. It is asked where something is about to be done, once; to say
// beforehand what would be refused, ask crm.CheckClass.
func (a *App) CheckClass(who crm.Who, class crm.RouteClass) error {
	err := crm.CheckClass(who, class)
	if err == nil || !who.Switched() {
		return err
	}
	if failed := a.RecordRefusal(context.Background(), who, who.Client.Doing, crm.KeyOf(err)); failed != nil {
		return failed
	}
	return err
}

// RecordRefusal notes that something was refused because of a switch, and by which rule. It is
// written even when the one who asked has gone meanwhile.
func (a *App) RecordRefusal(ctx context.Context, who crm.Who, what, rule string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalTime)
	defer cancel()
	return a.store.Write(ctx, func(tx store.Tx) error {
		return a.audit(tx, who, "refused", crm.Cut(what, 200), map[string]string{"rule": rule})
	})
}

// RecordModuleForm notes that a module's page is sent something under a borrowed name, before it is:
// what the module then changes is its own, and leaves no entry unless it writes one.
func (a *App) RecordModuleForm(ctx context.Context, who crm.Who, module string) error {
	return a.change(ctx, who, "module_form_sent", func(store.Tx) (string, map[string]string, error) {
		return crm.Cut(who.Client.Doing, 200), map[string]string{"module": module}, nil
	})
}

// refusalTime bounds how long a refusal waits to be written.
const refusalTime = 10 * time.Second
