package app

import (
	"context"
	"errors"
	"reflect"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// SameAudit tells what the Activity Log of a database and of its copy are, or that they differ. One
// that was tampered with before is copied with its faults: they are the evidence.
func SameAudit(ctx context.Context, from, to store.Tx) (AuditReport, error) {
	source, err := AuditOf(ctx, from)
	if err != nil {
		return source, err
	}
	copied, err := AuditOf(ctx, to)
	if err != nil {
		return copied, err
	}
	if !reflect.DeepEqual(source, copied) {
		return copied, errors.New("the copy's Activity Log is not the source's")
	}
	return source, nil
}

// AuditOf tells what the Activity Log of a database is that nobody writes to.
func AuditOf(ctx context.Context, tx store.Tx) (AuditReport, error) {
	heads, err := tx.AuditHeads(ctx)
	if err != nil {
		return AuditReport{}, err
	}
	return checkChains(ctx, tx, heads, nil)
}

// NoteBackup puts on record that everything the database holds is about to leave it. It is asked
// before: no copy goes without an entry.
func (a *App) NoteBackup(ctx context.Context, who crm.Who, file string) error {
	if err := a.allowAdministrator(who, crm.SensitiveRoute); err != nil {
		return err
	}
	return a.change(ctx, who, "backup_made", func(store.Tx) (string, map[string]string, error) {
		return "", map[string]string{"file": file}, nil
	})
}
