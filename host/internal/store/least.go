package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// How long hosts that are too old are given to stop before a migration they can't live with, and how
// often one looks whether they have. A host looks every five seconds; a dead one counts as gone after
// ReplicaSilence.
const (
	leastPatience = ReplicaSilence + 15*time.Second
	leastLook     = time.Second / 5
)

// leastLine stands in a migration that an older host can't live with.
var leastLine = regexp.MustCompile(`(?m)^-- least: (\d+)$`)

// Knows is the number of the last migration this program has.
func Knows() int64 { return lastOf(migrations) }

// Knows is the number of the last migration this Store's program has.
func (s *Store) Knows() int64 { return lastOf(s.schema) }

func lastOf(schema fs.FS) (last int64) {
	names, _ := fs.Glob(schema, "migrations/*.sql") // the pattern is well formed
	for _, name := range names {
		last = max(last, numberOf(name))
	}
	return last
}

func numberOf(name string) int64 {
	number, _, _ := strings.Cut(path.Base(name), "_")
	n, _ := strconv.ParseInt(number, 10, 64) // one that is none fails where it is run
	return n
}

// wants is what the migrations after a version ask hosts to know at least; 0 when they ask nothing.
func (s *Store) wants(after int64) (least int64) {
	names, _ := fs.Glob(s.schema, "migrations/*.sql")
	for _, name := range names {
		text, err := fs.ReadFile(s.schema, name)
		if found := leastLine.FindSubmatch(text); err == nil && found != nil && numberOf(name) > after {
			n, _ := strconv.ParseInt(string(found[1]), 10, 64) // digits
			least = max(least, n)
		}
	}
	return least
}

// CheckSchema refuses a database that was brought to a schema this program can't live with, or is about
// to be. Conflict schema_too_new; what is being written is done by then, and from then on this Store
// neither reads nor writes.
func (s *Store) CheckSchema(ctx context.Context) error {
	least, err := s.least(ctx)
	if err != nil || least <= s.Knows() {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.barred.Store(true)
	return crm.Refuse(crm.Conflict, "schema_too_new", "Least", least, "Knows", s.Knows())
}

// Depart gives a process' name back although its Store is barred.
func (s *Store) Depart(ctx context.Context, r crm.Replica) error {
	return Tx{db: s.write, engine: s.engine, pulse: s.pulse}.LeaveReplica(ctx, r)
}

// least reads what hosts have to know; 0 where nothing says it.
func (s *Store) least(ctx context.Context) (int64, error) {
	if s.says.Load() == 0 {
		names, err := all(ctx, s.near(), "list tables", func(row scanner) (name string, err error) { return name, row.Scan(&name) }, tablesQuery(s.engine))
		if err != nil {
			return 0, err
		}
		if !slices.Contains(names, "schema_least") {
			return 0, nil
		}
		s.says.Store(1)
	}
	return s.near().count(ctx, `SELECT least FROM schema_least WHERE id = 1`)
}

// clearTheWay has hosts stop that can't live with what is about to be migrated, and waits until they
// have. It gives what undoes the announcement, should the migration fail.
func (s *Store) clearTheWay(ctx context.Context) (undo func(), err error) {
	undo = func() {}
	before, err := s.least(ctx)
	if err != nil || before == 0 {
		return undo, err // no host that would look is there
	}
	version, err := Tx{db: s.read}.Version(ctx)
	if err != nil {
		return undo, err
	}
	least := s.wants(version)
	if least <= before {
		return undo, nil
	}
	announce := func(ctx context.Context, from, to int64) error {
		_, err := s.write.ExecContext(ctx, `UPDATE schema_least SET least = $1 WHERE id = 1 AND least = $2`, to, from)
		return err
	}
	if err := announce(ctx, before, least); err != nil {
		return undo, fmt.Errorf("tell older hosts to stop: %w", err)
	}
	undo = func() { _ = announce(context.WithoutCancel(ctx), least, before) } // the cause is told
	return undo, s.awaitOlder(ctx, least)
}

// awaitOlder waits until no host is there that knows less.
func (s *Store) awaitOlder(ctx context.Context, least int64) error {
	ctx, cancel := context.WithTimeout(ctx, leastPatience)
	defer cancel()
	for {
		list, err := Tx{db: s.read, engine: s.engine}.Replicas(ctx)
		older := slices.IndexFunc(list, func(r crm.Replica) bool { return r.Knows < least })
		if err == nil && older < 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			if err == nil {
				err = fmt.Errorf("replica %s, version %s, is too old for the new schema and still runs: stop it first", list[older].Name, list[older].Version)
			}
			return err
		case <-time.After(leastLook):
		}
	}
}

// near reads whether barred or not.
func (s *Store) near() Tx { return Tx{db: s.read, engine: s.engine, pulse: s.pulse} }

var errBarred = unavailable(errors.New("the database's schema is too new for this host"))

// barred is what statements run on once the schema is too new: none does.
type barred struct{ db *sql.DB }

// ExecContext refuses.
func (b barred) ExecContext(context.Context, string, ...any) (sql.Result, error) {
	return nil, errBarred
}

// QueryContext refuses.
func (b barred) QueryContext(context.Context, string, ...any) (*sql.Rows, error) {
	return nil, errBarred
}

// QueryRowContext refuses: a row of a query that was cancelled before it began.
func (b barred) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return b.db.QueryRowContext(ctx, query, args...)
}
