package store

import "context"

// Revision reads the authority revision: a counter raised by every change of anybody's rights.
func (t Tx) Revision(ctx context.Context) (int64, error) {
	return t.id(ctx, "read authority revision", `SELECT revision FROM authority WHERE id = 1`)
}

// LockRights lets one transaction at a time change anybody's rights: what it reads of them stays so
// until it commits.
func (t Tx) LockRights(ctx context.Context) error {
	if t.engine != PostgreSQL {
		return nil // SQLite has one writer, and this is it
	}
	_, err := t.count(ctx, `SELECT revision FROM authority WHERE id = 1 FOR UPDATE`)
	return err
}

// LockSweep lets one replica at a time close what nobody came back for; false while another one does.
func (t Tx) LockSweep(ctx context.Context) (bool, error) {
	if t.engine != PostgreSQL {
		return true, nil
	}
	const sweeping = 0x756e646572 // a number nobody else on this database locks
	n, err := t.count(ctx, `SELECT CASE WHEN pg_try_advisory_xact_lock($1) THEN 1 ELSE 0 END`, sweeping)
	return n == 1, err
}

// RaiseRevision makes every decision taken so far out of date.
//
// Replicas that listen hear of it once it is committed, others see it when they look next.
func (t Tx) RaiseRevision(ctx context.Context) error {
	const raise = `UPDATE authority SET revision = revision + 1 WHERE id = 1`
	if t.engine == PostgreSQL {
		return t.exec(ctx, "raise authority revision", `WITH raised AS (`+raise+` RETURNING id) SELECT pg_notify('`+revisionChannel+`', '') FROM raised`)
	}
	return t.exec(ctx, "raise authority revision", raise)
}

// Settings reads the saved values of a section.
func (t Tx) Settings(ctx context.Context, section string) (map[string]string, error) {
	type pair struct{ name, value string }
	list, err := all(ctx, t, "read settings", func(row scanner) (p pair, err error) {
		return p, row.Scan(&p.name, &p.value)
	}, `SELECT name, value FROM settings WHERE section = $1`, section)
	values := make(map[string]string, len(list))
	for _, p := range list {
		values[p.name] = p.value
	}
	return values, err
}

// SetSetting writes one value.
func (t Tx) SetSetting(ctx context.Context, section, name, value string) error {
	return t.exec(ctx, "write setting", `INSERT INTO settings (section, name, value) VALUES ($1, $2, $3)
		ON CONFLICT (section, name) DO UPDATE SET value = excluded.value`, section, name, value)
}

// DeleteSettings removes a section.
func (t Tx) DeleteSettings(ctx context.Context, section string) error {
	return t.exec(ctx, "delete settings", `DELETE FROM settings WHERE section = $1`, section)
}
