package store

import (
	"context"
	"time"
)

// Failures is what is remembered of failed sign-ins from one source.
type Failures struct {
	Count       int64
	FirstAt     time.Time
	LockedUntil time.Time
}

func scanFailures(row scanner) (Failures, error) {
	var (
		f            Failures
		first, until int64
	)
	err := row.Scan(&f.Count, &first, &until)
	f.FirstAt, f.LockedUntil = at(first), at(until)
	return f, err
}

// CountAttempt adds an attempt of a source and returns how many there were since the first, and until
// when it is locked. A first attempt from before since no longer counts.
func (t Tx) CountAttempt(ctx context.Context, source string, now, since time.Time) (Failures, error) {
	return one(ctx, t, "count sign-in attempt", scanFailures, `INSERT INTO sign_in_failures (source, failures, first_at, locked_until) VALUES ($1, 1, CAST($2 AS BIGINT), 0)
		ON CONFLICT (source) DO UPDATE SET
			failures = CASE WHEN sign_in_failures.first_at < CAST($3 AS BIGINT) THEN 1 ELSE sign_in_failures.failures + 1 END,
			first_at = CASE WHEN sign_in_failures.first_at < CAST($3 AS BIGINT) THEN CAST($2 AS BIGINT) ELSE sign_in_failures.first_at END
		RETURNING failures, first_at, locked_until`, source, millis(now), millis(since))
}

// ForgiveAttempt takes one attempt of a source back: it was a right one.
func (t Tx) ForgiveAttempt(ctx context.Context, source string) error {
	return t.exec(ctx, "forgive sign-in attempt", `UPDATE sign_in_failures SET failures = failures - 1 WHERE source = $1 AND failures > 0`, source)
}

// SetSignInFailures writes the failures of a source.
func (t Tx) SetSignInFailures(ctx context.Context, source string, f Failures) error {
	return t.exec(ctx, "write sign-in failures", `INSERT INTO sign_in_failures (source, failures, first_at, locked_until) VALUES ($1, $2, $3, $4)
		ON CONFLICT (source) DO UPDATE SET failures = excluded.failures, first_at = excluded.first_at, locked_until = excluded.locked_until`,
		source, f.Count, millis(f.FirstAt), millis(f.LockedUntil))
}

// ClearSignInFailures forgets the failures of a source.
func (t Tx) ClearSignInFailures(ctx context.Context, source string) error {
	return t.exec(ctx, "clear sign-in failures", `DELETE FROM sign_in_failures WHERE source = $1`, source)
}

// SweepSignInFailures forgets failures that began before a time and lock nobody out any more.
func (t Tx) SweepSignInFailures(ctx context.Context, before time.Time) error {
	return t.exec(ctx, "sweep sign-in failures", `DELETE FROM sign_in_failures WHERE first_at < $1 AND locked_until < $1`, millis(before))
}
