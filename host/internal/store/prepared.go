package store

import (
	"context"
	"database/sql"
	"errors"
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
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.by[query]; s != nil {
		return s
	}
	s, err := p.db.PrepareContext(ctx, query) //nolint:sqlclosecheck // kept until Close
	if err != nil {
		return nil
	}
	p.by[query] = s
	return s
}

// ExecContext runs a statement unprepared: reading is what is done often.
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
