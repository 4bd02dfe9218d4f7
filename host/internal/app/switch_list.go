package app

import (
	"context"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// SwitchQuery narrows and pages the record of switches.
type SwitchQuery = store.SwitchQuery

// Switches lists switches and refused attempts, newest first. For modules: who may see it is the
// module's to say, and its grant the host's to check.
func (a *App) Switches(ctx context.Context, q SwitchQuery) (crm.Page[crm.Switch], error) {
	return a.store.Read().Switches(ctx, q)
}

// Switch reads one switch, NotFound when there is none. For modules, as Switches.
func (a *App) Switch(ctx context.Context, id int64) (crm.Switch, error) {
	w, err := a.store.Read().Switch(ctx, id)
	return w, found(err, "switch_not_found")
}

// RecheckSwitches has every switch that runs decided again with its next request: something a hook
// decides by has changed that the host knows nothing of.
func (a *App) RecheckSwitches(ctx context.Context) error {
	return a.store.Write(ctx, func(tx store.Tx) error { return tx.RaiseRevision(ctx) })
}
