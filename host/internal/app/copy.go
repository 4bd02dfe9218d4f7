package app

import (
	"context"
	"errors"
	"reflect"

	"github.com/understudy-crm/understudy/host/internal/store"
)

// SameAudit tells what the Activity Log of a database and of its copy are, or that they differ. One
// that was tampered with before is copied with its faults: they are the evidence.
func SameAudit(ctx context.Context, from, to store.Tx) (AuditReport, error) {
	source, err := auditOf(ctx, from)
	if err != nil {
		return source, err
	}
	copied, err := auditOf(ctx, to)
	if err != nil {
		return copied, err
	}
	if !reflect.DeepEqual(source, copied) {
		return copied, errors.New("the copy's Activity Log is not the source's")
	}
	return source, nil
}

func auditOf(ctx context.Context, tx store.Tx) (AuditReport, error) {
	heads, err := tx.AuditHeads(ctx)
	if err != nil {
		return AuditReport{}, err
	}
	return checkChains(ctx, tx, heads, nil)
}
