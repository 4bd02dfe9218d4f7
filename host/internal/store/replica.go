package store

import (
	"context"
	"strconv"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// ReplicaSilence is for how long a replica may give no sign before it counts as gone.
const ReplicaSilence = 30 * time.Second

// clock is the database's own time, in milliseconds: replicas compare their signs by one clock, and
// those of their machines may differ.
func (t Tx) clock() string {
	if t.engine == PostgreSQL {
		return `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)`
	}
	return `CAST(unixepoch('subsec') * 1000 AS INTEGER)`
}

// gone is the time before which a replica must have been seen last to count as gone.
func (t Tx) gone() string {
	return t.clock() + ` - ` + strconv.FormatInt(ReplicaSilence.Milliseconds(), 10)
}

// ClaimReplica makes the process the replica of its name, and tells whether it is now. It isn't
// while another one has the name, unless that one is gone, or lived in the same home: who has a home
// has it alone.
func (t Tx) ClaimReplica(ctx context.Context, r crm.Replica) (bool, error) {
	return t.claimReplica(ctx, r, `replicas.home = excluded.home OR replicas.seen_at < `+t.gone())
}

// ReclaimReplica does so for one that was taken for gone. Whoever is heard keeps the name, of the same
// home as well: that one came later, and knows no more of this one than of a dead one.
func (t Tx) ReclaimReplica(ctx context.Context, r crm.Replica) (bool, error) {
	return t.claimReplica(ctx, r, `replicas.seen_at < `+t.gone())
}

func (t Tx) claimReplica(ctx context.Context, r crm.Replica, from string) (bool, error) {
	return t.changed(ctx, "claim replica's name", `INSERT INTO replicas (name, home, run, version, knows, started_at, seen_at) VALUES ($1, $2, $3, $4, $5, `+t.clock()+`, `+t.clock()+`)
		ON CONFLICT (name) DO UPDATE SET home = excluded.home, run = excluded.run, version = excluded.version, knows = excluded.knows, started_at = excluded.started_at, seen_at = excluded.seen_at
		WHERE `+from,
		r.Name, r.Home, r.Run, r.Version, r.Knows)
}

// BeatReplica notes a sign of the process, and tells whether it still is the replica of its name.
func (t Tx) BeatReplica(ctx context.Context, r crm.Replica) (bool, error) {
	return t.changed(ctx, "note replica's sign", `UPDATE replicas SET seen_at = `+t.clock()+` WHERE name = $1 AND run = $2`, r.Name, r.Run)
}

// LeaveReplica gives the process' name back, and what it said of its modules.
func (t Tx) LeaveReplica(ctx context.Context, r crm.Replica) error {
	if err := t.exec(ctx, "forget what replica said", `DELETE FROM module_replicas WHERE replica IN (SELECT name FROM replicas WHERE name = $1 AND run = $2)`, r.Name, r.Run); err != nil {
		return err
	}
	return t.exec(ctx, "give replica's name back", `DELETE FROM replicas WHERE name = $1 AND run = $2`, r.Name, r.Run)
}

// SweepReplicas forgets replicas that are gone and what they said of their modules, and tells whether
// there were any. How often modules crashed there is kept for another day, should they come back.
func (t Tx) SweepReplicas(ctx context.Context) (bool, error) {
	swept, err := t.changed(ctx, "sweep replicas", `DELETE FROM replicas WHERE seen_at < `+t.gone())
	if err != nil || !swept {
		return false, err
	}
	if err := t.exec(ctx, "sweep what replicas said", `DELETE FROM module_replicas WHERE replica NOT IN (SELECT name FROM replicas)`); err != nil {
		return false, err
	}
	const day = 24 * 60 * 60 * 1000
	return true, t.exec(ctx, "sweep crashes", `DELETE FROM module_crashes WHERE replica NOT IN (SELECT name FROM replicas) AND crashed_at < `+t.clock()+` - $1`, day)
}

// Replicas lists the replicas that aren't gone, by name.
func (t Tx) Replicas(ctx context.Context) ([]crm.Replica, error) {
	return all(ctx, t, "list replicas", scanReplica, t.replicas()+` WHERE seen_at >= `+t.gone()+` ORDER BY name`)
}

// Replica reads what is known of a replica, gone or not.
func (t Tx) Replica(ctx context.Context, name string) (crm.Replica, error) {
	return one(ctx, t, "read replica", scanReplica, t.replicas()+` WHERE name = $1`, name)
}

func (t Tx) replicas() string {
	return `SELECT name, home, run, version, knows, started_at, seen_at, ` + t.clock() + ` - seen_at FROM replicas`
}

func scanReplica(row scanner) (r crm.Replica, err error) {
	var started, seen, silent int64
	err = row.Scan(&r.Name, &r.Home, &r.Run, &r.Version, &r.Knows, &started, &seen, &silent)
	r.StartedAt, r.SeenAt, r.Silent = at(started), at(seen), time.Duration(max(silent, 0))*time.Millisecond
	return r, err
}
