package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Facts are what a database says of itself, for somebody who looks what may be wrong with it.
type Facts struct {
	Engine     Engine
	Server     string // the engine's version
	Schema     int64  // version, 0 for an empty database
	Least      int64  // what a program has to know to work with it
	Unfinished bool   // a copy into it was broken off
	Latency    time.Duration
	Ahead      time.Duration // its clock, of this machine's
	// Settings are those that matter of the server's or the file's.
	Settings map[string]string

	// The rest is known only of a schema this program knows.
	Known          bool
	LastEntry      time.Time // of the Activity Log
	Administrators int64     // who are active
	TrustedKeys    int
	Addresses      []string // from which people are signed in, a few
	Sessions       int64
}

// Facts asks the database about itself, and changes nothing.
func (s *Store) Facts(ctx context.Context) (f Facts, err error) {
	f.Engine, f.Settings = s.engine, map[string]string{}
	names, err := listTables(ctx, s.read, s.engine)
	if err != nil {
		return f, err
	}
	f.Unfinished = slices.Contains(names, unfinished)
	if err := s.ask(ctx, &f); err != nil {
		return f, err
	}
	if !slices.Contains(names, "goose_db_version") {
		return f, nil
	}
	t := s.Read()
	if f.Schema, err = t.Version(ctx); err != nil {
		return f, err
	}
	if f.Least, err = s.least(ctx); err != nil {
		return f, err
	}
	if f.Known = f.Schema == Knows(); !f.Known {
		return f, nil
	}
	return f, t.look(ctx, &f)
}

// ask asks the engine.
func (s *Store) ask(ctx context.Context, f *Facts) (err error) {
	t := s.Read()
	if f.Latency, f.Ahead, err = s.pace(ctx); err != nil {
		return err
	}
	if s.engine == SQLite {
		f.Server, err = t.word(ctx, `SELECT sqlite_version()`)
		if err == nil {
			f.Settings["journal_mode"], err = t.word(ctx, `SELECT journal_mode FROM pragma_journal_mode`)
		}
		return err
	}
	for _, name := range []string{"server_version", "server_version_num", "server_encoding", "fsync", "synchronous_commit", "max_connections"} {
		if f.Settings[name], err = t.word(ctx, `SELECT current_setting($1)`, name); err != nil {
			return err
		}
	}
	f.Server = f.Settings["server_version"]
	f.Settings["ssl"], err = t.word(ctx, `SELECT CAST(COALESCE((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), FALSE) AS TEXT)`)
	if err == nil {
		f.Settings["local"], err = t.word(ctx, `SELECT CAST(inet_server_addr() IS NULL OR inet_server_addr() << '127.0.0.0/8' OR inet_server_addr() = '::1' AS TEXT)`)
	}
	return err
}

// pace is how long a small question takes, the median of a few, and how far the database's clock is
// ahead. The two engines' clocks are this machine's, or another one's.
func (s *Store) pace(ctx context.Context) (latency, ahead time.Duration, err error) {
	const questions = 9
	var took, off []time.Duration
	t := s.Read()
	for range questions {
		began := time.Now()
		there, err := t.count(ctx, `SELECT `+t.clock())
		if err != nil {
			return 0, 0, err
		}
		passed := time.Since(began)
		took, off = append(took, passed), append(off, time.UnixMilli(there).Sub(began.Add(passed/2)))
	}
	slices.Sort(took)
	slices.Sort(off)
	return took[questions/2], off[questions/2], nil
}

// look asks what the CRM's own tables say.
func (t Tx) look(ctx context.Context, f *Facts) error {
	last, err := t.count(ctx, `SELECT COALESCE(MAX(at), 0) FROM (SELECT at FROM audit_entries ORDER BY id DESC LIMIT 20) AS newest`)
	if err != nil {
		return err
	}
	f.LastEntry = at(last)
	if f.Administrators, err = t.count(ctx, `SELECT COUNT(*) FROM staff WHERE administrator AND active`); err != nil {
		return err
	}
	keys, err := t.TrustedKeys(ctx)
	if err != nil {
		return err
	}
	f.TrustedKeys = len(keys)
	const newest = 500
	f.Addresses, err = all(ctx, t, "list addresses", func(row scanner) (ip string, err error) { return ip, row.Scan(&ip) },
		`SELECT DISTINCT ip FROM (SELECT ip FROM sessions ORDER BY id DESC LIMIT `+strconv.Itoa(newest)+`) AS newest LIMIT 5`)
	if err == nil {
		f.Sessions, err = t.count(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM sessions LIMIT `+strconv.Itoa(newest)+`) AS newest`)
	}
	return err
}

// word is the only text a query gives.
func (t Tx) word(ctx context.Context, query string, args ...any) (string, error) {
	word, err := one(ctx, t, "ask the database", func(row scanner) (word string, err error) { return word, row.Scan(&word) }, query, args...)
	if err != nil {
		return "", fmt.Errorf("%s: %w", query, err)
	}
	return word, nil
}
