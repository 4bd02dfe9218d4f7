package store

import (
	"context"
	"time"
)

// ActiveSwitches is how many switches are open.
func (t Tx) ActiveSwitches(ctx context.Context) (int64, error) {
	return t.count(ctx, `SELECT COUNT(*) FROM session_switches WHERE ended_at = 0`)
}

// DanglingSessions is how many sessions are under a switch there is no record of, or that is recorded
// of others.
func (t Tx) DanglingSessions(ctx context.Context) (int64, error) {
	return t.count(ctx, `SELECT COUNT(*) FROM sessions s LEFT JOIN session_switches w ON `+ownSwitch+` WHERE s.switch_id <> 0 AND w.id IS NULL`)
}

// DatabaseTime is the database server's time; false where the database is part of this process.
func (t Tx) DatabaseTime(ctx context.Context) (time.Time, bool, error) {
	if t.engine != PostgreSQL {
		return time.Time{}, false, nil
	}
	ms, err := t.count(ctx, `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)`)
	return at(ms), true, err
}
