package store

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// For how long a database over the network is waited for. A cut network tells nobody that it is cut,
// and a request that waits for it holds everything it has.
const (
	statementLimit = 8 * time.Second // an ordinary statement, or the wait for a connection
	probeLimit     = time.Second     // while the last one was in vain: most requests are told at once
	patientLimit   = 5 * time.Minute // for Patient
	connectLimit   = 5 * time.Second
)

// PoolSize is how many connections to PostgreSQL a process has at most.
const PoolSize = 20

// sessionLimits are PostgreSQL's own: what a replica that was cut off has locked is free again soon,
// and its connections are.
const sessionLimits = `SET idle_in_transaction_session_timeout = '10s'; SET statement_timeout = '60s';
	SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET tcp_user_timeout = '20s'`

// connectPostgres opens a PostgreSQL database.
func connectPostgres(where string) (*Store, error) {
	config, err := pgx.ParseConfig(where)
	if err != nil {
		return nil, err
	}
	if config.ConnectTimeout <= 0 || config.ConnectTimeout > time.Minute { // nobody asked for less: pgx waits for two
		config.ConnectTimeout = connectLimit
	}
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}}
	config.DialFunc = dialer.DialContext
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sessionLimits, pgx.QueryExecModeSimpleProtocol)
		return err
	}))
	db.SetMaxOpenConns(PoolSize)
	db.SetMaxIdleConns(PoolSize)
	return &Store{engine: PostgreSQL, read: db, write: db, reads: newPrepared(db), chain: DefaultChain, full: segmentSlots, schema: migrations, pulse: &pulse{}}, nil
}

type patience struct{}

// Patient is for work in the background, whose statements may take long.
func Patient(ctx context.Context) context.Context {
	return context.WithValue(ctx, patience{}, true)
}

func patient(ctx context.Context) bool { return ctx.Value(patience{}) != nil }

// pulse is whether the database answered when it was asked last.
type pulse struct{ weak atomic.Bool }

// limit is for how long it is waited for now.
func (p *pulse) limit(ctx context.Context) time.Duration {
	switch {
	case p.weak.Load():
		return probeLimit
	case patient(ctx):
		return patientLimit
	}
	return statementLimit
}

// note learns from how a statement ended, within the time it had. Who cancelled says nothing of the
// database.
func (p *pulse) note(asked, bounded context.Context, err error) {
	_, unreachable := errors.AsType[*pgconn.ConnectError](err)
	_, answered := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil, errors.Is(err, sql.ErrNoRows), answered && !unreachable:
		if p.weak.Load() {
			p.weak.Store(false)
		}
	case asked.Err() == nil && (unreachable || bounded.Err() != nil):
		p.weak.Store(true)
	}
}

// takePatience has a transaction take as long as Patient allows. It may hold up others meanwhile, so
// there is an end.
func (s *Store) takePatience(ctx context.Context, tx handle) error {
	if s.engine != PostgreSQL {
		return nil
	}
	return Tx{db: tx}.exec(ctx, "lift time limits", `SET LOCAL statement_timeout = '5min'; SET LOCAL idle_in_transaction_session_timeout = '1min'`)
}

// bound limits a statement on a database that is far away. Call the function it returns with how the
// statement ended.
func (t Tx) bound(ctx context.Context) (context.Context, func(error)) {
	if t.pulse == nil {
		return ctx, func(error) {}
	}
	bounded, cancel := context.WithTimeout(ctx, t.pulse.limit(ctx))
	return bounded, func(err error) {
		t.pulse.note(ctx, bounded, err)
		cancel()
	}
}

// boundTx is a transaction whose beginning and end are limited, too.
type boundTx struct {
	transaction
	pulse  *pulse
	asked  context.Context //nolint:containedctx // of who began it
	ctx    context.Context //nolint:containedctx // the transaction's own
	cancel context.CancelFunc
}

// boundBegin begins a transaction that its end gives back.
func boundBegin[T transaction](ctx context.Context, p *pulse, begin func(context.Context) (T, error)) (transaction, error) {
	if p == nil {
		return begin(ctx)
	}
	b := &boundTx{pulse: p, asked: ctx}
	b.ctx, b.cancel = context.WithCancel(ctx)
	err := b.within(func() (err error) {
		b.transaction, err = begin(b.ctx)
		return err
	})
	if err != nil {
		b.cancel()
		return nil, err
	}
	return b, nil
}

func (b *boundTx) within(do func() error) error {
	late := time.AfterFunc(b.pulse.limit(b.asked), b.cancel)
	err := do()
	late.Stop()
	b.pulse.note(b.asked, b.ctx, err)
	return err
}

// Commit commits, or fails in time: then nobody knows whether it was.
func (b *boundTx) Commit() error { return b.within(b.transaction.Commit) }

// Rollback undoes what wasn't committed.
func (b *boundTx) Rollback() error {
	defer b.cancel()
	late := time.AfterFunc(probeLimit, b.cancel)
	defer late.Stop()
	return b.transaction.Rollback()
}
