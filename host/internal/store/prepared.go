package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
)

// maxPrepared bounds the statements kept: lists make new ones from what people search for.
const maxPrepared = 200

// prepared runs statements, keeping each prepared: SQLite would compile them anew each time, which
// takes longer than running them. It may be called from any goroutine.
type prepared struct {
	db *sql.DB
	mu sync.RWMutex
	by map[string]*sql.Stmt

	wanted []string // what transactions ran unprepared
}

func newPrepared(db *sql.DB) *prepared { return &prepared{db: db, by: map[string]*sql.Stmt{}} }

// statement gives the prepared statement, nil when there are too many already or it can't be made:
// then it runs unprepared, and says itself what is wrong with it.
func (p *prepared) statement(ctx context.Context, query string) *sql.Stmt {
	p.mu.RLock()
	s, n := p.by[query], len(p.by)
	p.mu.RUnlock()
	if s != nil || n >= maxPrepared {
		return s
	}
	// Not under the lock: who has the connection may be waiting for that.
	s, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil
	}
	return p.keep(query, s)
}

// ExecContext runs a statement unprepared: outside a transaction only reading is done often.
func (p *prepared) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return p.db.ExecContext(ctx, query, args...)
}

// QueryContext runs a query.
func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := p.statement(ctx, query); s != nil { //nolint:sqlclosecheck // kept until Close
		return s.QueryContext(ctx, args...)
	}
	return p.db.QueryContext(ctx, query, args...)
}

// QueryRowContext runs a query for one row.
func (p *prepared) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := p.statement(ctx, query); s != nil { //nolint:sqlclosecheck // kept until Close
		return s.QueryRowContext(ctx, args...)
	}
	return p.db.QueryRowContext(ctx, query, args...)
}

// preparedTx runs a transaction's statements prepared, where they are by now.
type preparedTx struct {
	*sql.Tx
	p *prepared
}

// begin prepares what earlier transactions ran unprepared, and begins one. It can't be done within: the
// only connection there is to write is the transaction's.
func (p *prepared) begin(ctx context.Context, options *sql.TxOptions) (preparedTx, error) {
	for _, query := range p.takeWanted() {
		if s, err := p.db.PrepareContext(ctx, query); err == nil { // not under the lock, as above
			p.keep(query, s)
		}
	}
	tx, err := p.db.BeginTx(ctx, options)
	return preparedTx{tx, p}, err
}

func (p *prepared) takeWanted() (list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list, p.wanted = p.wanted, nil
	return list
}

// keep remembers a statement, unless somebody else was faster, and gives the one to use.
func (p *prepared) keep(query string, s *sql.Stmt) *sql.Stmt {
	p.mu.Lock()
	defer p.mu.Unlock()
	if faster := p.by[query]; faster != nil {
		_ = s.Close() // it was never used
		return faster
	}
	p.by[query] = s
	return s
}

// within gives the statement for use in the transaction, nil when it isn't prepared yet.
func (t preparedTx) within(ctx context.Context, query string) *sql.Stmt {
	t.p.mu.Lock()
	s := t.p.by[query]
	if s != nil {
		t.p.mu.Unlock()
		return t.StmtContext(ctx, s) // not under the lock: it may ask the database
	}
	defer t.p.mu.Unlock()
	if len(t.p.by)+len(t.p.wanted) < maxPrepared && !slices.Contains(t.p.wanted, query) {
		t.p.wanted = append(t.p.wanted, query)
	}
	return nil
}

// ExecContext runs a statement.
func (t preparedTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if s := t.within(ctx, query); s != nil { //nolint:sqlclosecheck // the transaction closes it
		return s.ExecContext(ctx, args...)
	}
	return t.Tx.ExecContext(ctx, query, args...)
}

// QueryContext runs a query.
func (t preparedTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := t.within(ctx, query); s != nil { //nolint:sqlclosecheck // the transaction closes it
		return s.QueryContext(ctx, args...)
	}
	return t.Tx.QueryContext(ctx, query, args...)
}

// QueryRowContext runs a query for one row.
func (t preparedTx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := t.within(ctx, query); s != nil { //nolint:sqlclosecheck // the transaction closes it
		return s.QueryRowContext(ctx, args...)
	}
	return t.Tx.QueryRowContext(ctx, query, args...)
}

// Close drops the statements.
func (p *prepared) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all error
	for _, s := range p.by {
		all = errors.Join(all, s.Close())
	}
	clear(p.by)
	return all
}
