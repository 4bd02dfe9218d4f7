package app

import (
	"context"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// AppendModuleLog adds lines to a module's log and drops the oldest beyond MaxModuleLogKept.
func (a *App) AppendModuleLog(ctx context.Context, id string, lines []crm.ModuleLogLine) error {
	return a.store.Write(ctx, func(tx store.Tx) error {
		for _, l := range lines {
			if err := tx.AppendModuleLog(ctx, id, l); err != nil {
				return err
			}
		}
		return tx.TrimModuleLog(ctx, id, MaxModuleLogKept)
	})
}

// ModuleLog lists a module's log, newest first. Filter "level" keeps that level and those above.
func (a *App) ModuleLog(ctx context.Context, who crm.Who, id string, q crm.Query) (crm.Page[crm.ModuleLogLine], error) {
	if err := a.allowAdministrator(who, crm.ReadRoute); err != nil {
		return crm.Page[crm.ModuleLogLine]{}, err
	}
	return a.store.Read().ModuleLog(ctx, id, q)
}
