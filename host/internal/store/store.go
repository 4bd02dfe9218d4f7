// Package store keeps rows: one SQL text for SQLite and PostgreSQL. It knows no rule but those of
// the schema, and nothing outside it writes SQL.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/trace"
)

// Engine is the kind of database behind a Store.
type Engine string

// The two engines.
const (
	SQLite     Engine = "sqlite"
	PostgreSQL Engine = "postgres"
)

// Store is an open database. Its methods may be called from any goroutine.
type Store struct {
	engine  Engine
	read    *sql.DB
	write   *sql.DB
	reads   *prepared    // over read
	writes  *prepared    // over write, of SQLite only: PostgreSQL's driver does it by itself
	chain   string       // of the Activity Log
	full    int          // entries at which a segment of the search index is split
	schema  fs.FS        // holds migrations/
	pulse   *pulse       // nil for SQLite, which is never far away
	says    atomic.Int32 // 1 once the database is known to say what hosts have to know
	writing sync.RWMutex // held for reading while something is written
	barred  atomic.Bool  // its schema is too new
}

// Open opens the database at where, a PostgreSQL URL or the path of an SQLite file, and brings its
// schema up to date. Refused when a copy into it is unfinished. synchronous is SQLite's own setting, NORMAL or FULL.
func Open(ctx context.Context, where, synchronous string) (*Store, error) {
	s, err := connect(where, "journal_mode(WAL)", "synchronous("+synchronous+")")
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := s.complete(ctx, s.read); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), s.Close())
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("bring the database's schema up to date: %w", err), s.Close())
	}
	if err := s.readySearch(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("make the search index: %w", err), s.Close())
	}
	return s, nil
}

// connect opens a database; the pragmas are for SQLite alone.
func connect(where string, pragmas ...string) (*Store, error) {
	if isPostgres(where) {
		return connectPostgres(where)
	}
	dsn := fileAddress(where) + "?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)"
	for _, p := range pragmas {
		dsn += "&_pragma=" + p
	}
	// One writer: several would spend their time in busy back-off (performance.md).
	write, err := sql.Open("sqlite", dsn+"&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", dsn+"&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(8)
	read.SetMaxIdleConns(8)
	return &Store{engine: SQLite, read: read, write: write, reads: newPrepared(read), writes: newPrepared(write), chain: DefaultChain, full: segmentSlots, schema: migrations}, nil
}

// fileAddress is how SQLite is told of a file: a folder's name may hold what means something else in an
// address.
func fileAddress(path string) string {
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(path))
}

// Close closes the database.
func (s *Store) Close() error {
	err := s.reads.Close()
	if s.writes != nil {
		err = errors.Join(err, s.writes.Close())
	}
	if s.read != s.write {
		err = errors.Join(err, s.read.Close())
	}
	return errors.Join(err, s.write.Close())
}

// Engine is the kind of database.
func (s *Store) Engine() Engine { return s.engine }

// Tx runs statements, in a transaction (Write) or each by itself (Read).
type Tx struct {
	db      handle
	engine  Engine
	chain   string            // of the Activity Log, and the replica's name
	audits  *[]crm.AuditEntry // written at the end; nil outside a transaction
	touched *touched          // indexed at the end; nil outside a transaction
	full    int               // as the Store's
	after   *[]func(bool)     // called at the very end; nil outside a transaction
	pulse   *pulse            // nil where nothing is limited
}

// Then calls do once the transaction has ended, with whether it was kept. It must not fail, nor use
// the transaction.
func (t Tx) Then(do func(kept bool)) { *t.after = append(*t.after, do) }

type handle interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Read gives statements that read, each by itself.
func (s *Store) Read() Tx {
	if s.barred.Load() {
		return Tx{db: barred{s.read}, engine: s.engine, chain: s.chain, full: s.full}
	}
	return Tx{db: s.reads, engine: s.engine, chain: s.chain, full: s.full, pulse: s.pulse}
}

// Write runs do in one transaction: all of it is kept when do returns nil, nothing otherwise.
func (s *Store) Write(ctx context.Context, do func(Tx) error) (err error) {
	ctx, span := trace.Start(ctx, "transaction") // waiting for its turn included
	defer func() { span.End(err) }()
	var (
		kept  bool
		after []func(bool)
	)
	defer func() {
		for _, do := range after {
			do(kept)
		}
	}()
	s.writing.RLock()
	defer s.writing.RUnlock()
	if s.barred.Load() {
		return errBarred
	}
	tx, err := s.begin(ctx)
	if err != nil {
		return unavailable(fmt.Errorf("begin: %w", err))
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing, before one its error adds nothing
	t := Tx{db: tx, engine: s.engine, chain: s.chain, audits: new([]crm.AuditEntry), touched: &touched{}, full: s.full, pulse: s.pulse, after: &after}
	if err := do(t); err != nil {
		return err
	}
	if err := t.reindex(ctx); err != nil {
		return err
	}
	if err := t.sealAudits(ctx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return unavailable(fmt.Errorf("commit: %w", err))
	}
	kept = true
	return nil
}

// snapshot runs statements that read, all from the same state of the database: within a transaction
// of its own, or the one there is.
func (t Tx) snapshot(ctx context.Context, do func(Tx) error) error {
	reads, outside := t.db.(*prepared)
	if !outside {
		return do(t)
	}
	var options *sql.TxOptions // a transaction of SQLite's is a snapshot as it is
	if t.engine == PostgreSQL {
		options = &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	tx, err := boundBegin(ctx, t.pulse, func(ctx context.Context) (preparedTx, error) { return reads.begin(ctx, options) })
	if err != nil {
		return unavailable(fmt.Errorf("begin to read: %w", err))
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	t.db = tx
	return do(t)
}

// transaction is what Write runs its statements in.
type transaction interface {
	handle
	Commit() error
	Rollback() error
}

func (s *Store) begin(ctx context.Context) (transaction, error) {
	if s.writes != nil {
		return s.writes.begin(ctx, nil)
	}
	tx, err := boundBegin(ctx, s.pulse, func(ctx context.Context) (*sql.Tx, error) { return s.write.BeginTx(ctx, nil) })
	if err != nil || !patient(ctx) {
		return tx, err
	}
	if err := s.takePatience(ctx, tx); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx, nil
}

// unavailable marks an error of the database itself: never an answer about anybody's rights.
func unavailable(err error) error {
	return &crm.Error{Kind: crm.Unavailable, Key: "database_unavailable", Err: err}
}

// failed names the statement and gives the error its kind: NotFound for no row, Conflict for a
// broken unique rule, Unavailable for the rest.
func failed(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return &crm.Error{Kind: crm.NotFound, Key: "not_found", Err: fmt.Errorf("%s: %w", what, err)}
	case isUnique(err):
		return &crm.Error{Kind: crm.Conflict, Key: "already_exists", Err: fmt.Errorf("%s: %w", what, err)}
	default:
		return unavailable(fmt.Errorf("%s: %w", what, err))
	}
}

func (t Tx) exec(ctx context.Context, what, query string, args ...any) error {
	ctx, done := t.bound(ctx)
	_, err := t.db.ExecContext(ctx, query, args...)
	done(err)
	return failed(what, err)
}

// changed runs a statement and tells whether it touched a row.
func (t Tx) changed(ctx context.Context, what, query string, args ...any) (bool, error) {
	ctx, done := t.bound(ctx)
	result, err := t.db.ExecContext(ctx, query, args...)
	done(err)
	if err != nil {
		return false, failed(what, err)
	}
	n, err := result.RowsAffected()
	return n > 0, failed(what, err)
}

// id runs an INSERT … RETURNING id.
func (t Tx) id(ctx context.Context, what, query string, args ...any) (int64, error) {
	var id int64
	ctx, done := t.bound(ctx)
	err := t.db.QueryRowContext(ctx, query, args...).Scan(&id)
	done(err)
	return id, failed(what, err)
}

type scanner interface{ Scan(dest ...any) error }

// all runs a query and reads every row.
func all[T any](ctx context.Context, t Tx, what string, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	ctx, done := t.bound(ctx)
	list, err := allRows(ctx, t, scan, query, args...)
	done(err)
	return list, failed(what, err)
}

func allRows[T any](ctx context.Context, t Tx, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := t.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		row, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, rows.Err()
}

// one runs a query and reads its only row, NotFound when there is none.
func one[T any](ctx context.Context, t Tx, what string, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	ctx, done := t.bound(ctx)
	row, err := scan(t.db.QueryRowContext(ctx, query, args...))
	done(err)
	return row, failed(what, err)
}

// millis and at convert times; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func (t Tx) count(ctx context.Context, query string, args ...any) (int64, error) {
	return t.id(ctx, "count", query, args...)
}
