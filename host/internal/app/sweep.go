package app

import (
	"context"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// Sweep closes what nobody came back for: sessions past their time, switches past theirs, and
// switches whose session is gone. It is called now and then, on every replica; no answer depends on it.
func (a *App) Sweep(ctx context.Context) error {
	ctx, now := store.Patient(ctx), a.Now()
	_ = a.clock.look(a.clock.read()) // CheckSwitching tells of it
	for _, sweep := range []func(context.Context, store.Tx, time.Time) error{a.sweepSessions, a.sweepOverdue, a.sweepLost, a.sweepRest, a.sweepModuleLogs, a.sweepAudit, a.sweepNotices, a.sweepPages} {
		err := a.store.Write(ctx, func(tx store.Tx) error {
			if mine, err := tx.LockSweep(ctx); err != nil || !mine {
				return err // another replica is at it
			}
			return sweep(ctx, tx, now)
		})
		if err != nil {
			return err
		}
	}
	return a.indexAudits(ctx, now)
}

// segmentsASweep bounds how long one sweep makes others wait for the index.
const segmentsASweep = 200

// indexAudits indexes what the Activity Log has grown by, a transaction for each few thousand entries.
func (a *App) indexAudits(ctx context.Context, now time.Time) error {
	if err := a.store.Write(ctx, func(tx store.Tx) error { return tx.DropAuditIndex(ctx) }); err != nil {
		return err
	}
	for more, left := true, segmentsASweep; more && left > 0; left-- {
		err := a.store.Write(ctx, func(tx store.Tx) (err error) {
			more, err = tx.IndexAudits(ctx, now)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *App) sweepSessions(ctx context.Context, tx store.Tx, now time.Time) error {
	list, err := tx.ExpiredSessions(ctx, now)
	if err != nil {
		return err
	}
	for _, s := range list {
		if err := a.dropSession(ctx, tx, s, crm.EndExpired); err != nil {
			return err
		}
	}
	return nil
}

// sweepOverdue closes the record; the session itself is set back when it is next used, since only
// then is there a browser to take the new secret.
func (a *App) sweepOverdue(ctx context.Context, tx store.Tx, now time.Time) error {
	list, err := tx.OverdueSessions(ctx, now)
	if err != nil {
		return err
	}
	for _, s := range list {
		if err := a.closeSwitchOf(ctx, tx, s, crm.EndExpired); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) sweepLost(ctx context.Context, tx store.Tx, _ time.Time) error {
	list, err := tx.LostSwitches(ctx)
	if err != nil {
		return err
	}
	for _, w := range list {
		if err := a.closeSwitch(ctx, tx, whoRecorded(sessionRecorded(w), w), crm.EndSessionLost); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) sweepRest(ctx context.Context, tx store.Tx, now time.Time) error {
	if err := tx.SweepStaged(ctx, now.Add(-24*time.Hour)); err != nil {
		return err
	}
	if err := tx.SweepConfirmations(ctx, now.Add(-confirmationLife)); err != nil {
		return err
	}
	return tx.SweepSignInFailures(ctx, now.Add(-lockWindow))
}
