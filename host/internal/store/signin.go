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

// SignInFailures reads the failures of a source; none is the zero value.
func (t Tx) SignInFailures(ctx context.Context, source string) (Failures, error) {
	list, err := all(ctx, t, "read sign-in failures", scanFailures, `SELECT failures, first_at, locked_until FROM sign_in_failures WHERE source = $1`, source)
	if err != nil || len(list) == 0 {
		return Failures{}, err
	}
	return list[0], nil
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
