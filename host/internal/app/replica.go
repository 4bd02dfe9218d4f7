package app

import (
	"context"
	"fmt"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// How often a replica gives a sign, and looks whether a name it wants has become free.
const (
	ReplicaSign = 5 * time.Second
	replicaLook = time.Second / 2
)

// JoinReplicas makes this process the replica r of the database, until LeaveReplicas. A name whose
// last holder is silent is waited for, as long as it takes to be sure that nobody is there. Conflict
// replica_name_taken once somebody is heard.
func (a *App) JoinReplicas(ctx context.Context, r crm.Replica) error {
	r.Version, r.Knows = a.version, a.store.Knows()
	for told := (crm.Replica{}); ; {
		held, err := a.claimReplica(ctx, r)
		if err != nil {
			return fmt.Errorf("join the replicas: %w", err)
		}
		if held.Name == "" {
			a.replica.Store(&r)
			a.joined.Add(1)
			return nil
		}
		if told.Run == held.Run && !told.SeenAt.Equal(held.SeenAt) {
			return crm.Refuse(crm.Conflict, "replica_name_taken", "Name", r.Name)
		}
		if told.Run != held.Run {
			told = held
			a.log.WarnContext(ctx, "another replica of this name was here a moment ago; waiting whether it gives a sign", "replica", r.Name, "silent", held.Silent)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("join the replicas: %w", ctx.Err())
		case <-time.After(replicaLook):
		}
	}
}

// claimReplica gives who holds the name of r, nobody once r does.
func (a *App) claimReplica(ctx context.Context, r crm.Replica) (held crm.Replica, err error) {
	err = a.store.Write(ctx, func(tx store.Tx) error {
		mine, err := tx.ClaimReplica(ctx, r)
		if err != nil || mine {
			return err
		}
		held, err = tx.Replica(ctx, r.Name)
		if crm.KindOf(err) == crm.NotFound {
			held, err = crm.Replica{Name: r.Name}, nil // it has left just now
		}
		return err
	})
	return held, err
}

// SignReplica gives a sign of this process, and forgets replicas that are gone. Conflict
// replica_name_lost when another process has the name by now: this one was silent too long, or
// its folder is a copy. Two that took it back would both go on for ever. Conflict
// schema_too_new when a newer host wants a schema this one can't live with: it has left, and has to
// stop.
func (a *App) SignReplica(ctx context.Context) error {
	if err := a.checkSchema(ctx); err != nil {
		return err
	}
	r := a.replica.Load()
	if r == nil {
		return nil
	}
	again := false
	err := a.store.Write(ctx, func(tx store.Tx) error {
		mine, err := tx.BeatReplica(ctx, *r)
		if err == nil && !mine {
			mine, err = tx.ReclaimReplica(ctx, *r) // it was taken for gone, and nobody has the name
			again = mine
		}
		if err != nil {
			return err
		}
		if !mine {
			return crm.Refuse(crm.Conflict, "replica_name_lost", "Name", r.Name)
		}
		return a.sweepReplicas(ctx, tx)
	})
	if err == nil && again {
		a.joined.Add(1)
	}
	return err
}

// checkSchema sees to it that this process does nothing more before it says that it has left: whoever
// waits for that goes on then.
func (a *App) checkSchema(ctx context.Context) error {
	err := a.store.CheckSchema(ctx)
	if r := a.replica.Load(); r != nil && crm.KeyOf(err) == "schema_too_new" {
		if left := a.store.Depart(ctx, *r); left != nil {
			a.log.WarnContext(ctx, "give the replica's name back", "error", left) // it counts as gone soon
		}
	}
	return err
}

// sweepReplicas has everybody who depends on a module ask again when a replica is gone: it may have
// been the last one that ran it.
func (a *App) sweepReplicas(ctx context.Context, tx store.Tx) error {
	swept, err := tx.SweepReplicas(ctx)
	if err != nil || !swept {
		return err
	}
	return tx.RaiseRevision(ctx)
}

// LeaveReplicas gives the name back.
func (a *App) LeaveReplicas(ctx context.Context) error {
	r := a.replica.Swap(nil)
	if r == nil {
		return nil
	}
	return a.store.Write(ctx, func(tx store.Tx) error { return tx.LeaveReplica(ctx, *r) })
}

// Replicas lists the processes that serve the database now; none where it has room for one only. It
// asks nobody's rights.
func (a *App) Replicas(ctx context.Context) ([]crm.Replica, error) {
	return a.store.Read().Replicas(ctx)
}

// ReplicaName is this process' own, empty when it hasn't joined.
func (a *App) ReplicaName() string {
	if r := a.replica.Load(); r != nil {
		return r.Name
	}
	return ""
}

// ReplicaJoined counts how often this process joined. What it told of its modules before the last
// time is forgotten.
func (a *App) ReplicaJoined() int64 { return a.joined.Load() }
