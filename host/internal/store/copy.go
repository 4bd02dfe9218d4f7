package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
)

// CopyOptions are what else happens when a database is copied.
type CopyOptions struct {
	// Progress is told now and then how far it is.
	Progress func(done, total int)
	// Check looks at source and target before the copy becomes whole; an error undoes it.
	Check func(ctx context.Context, from, to Tx) error
}

// Copied is what a copy held.
type Copied struct {
	Tables int
	Rows   int64
	Mended int64 // texts that PostgreSQL wouldn't take, with replacement characters now
}

// Copy puts everything the database holds, as it is at one moment, into the one at where, which must be
// empty. Others may write to the source meanwhile; that isn't copied. What is derived is made again by who
// opens the copy, and what only says what processes do now is left out. Every row is read back and compared.
//
// The copy becomes whole in one transaction. Until then the target says that it is unfinished, and
// [Open] refuses it; Copy takes it again.
func Copy(ctx context.Context, from *Store, where string, o CopyOptions) (Copied, error) {
	if err := from.complete(ctx, from.read); err != nil {
		return Copied{}, err
	}
	to, err := connectNew(where)
	if err != nil {
		return Copied{}, fmt.Errorf("open the target: %w", err)
	}
	c := copier{from: from, to: to, options: o}
	err = c.run(ctx)
	return c.done, errors.Join(err, to.Close())
}

// connectNew is connect; an SQLite file that isn't there is made for nobody else on this machine to read.
func connectNew(where string) (*Store, error) {
	if !isPostgres(where) {
		f, err := os.OpenFile(where, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	return connect(where, "journal_mode(WAL)", "synchronous(FULL)")
}

type copier struct {
	from, to     *Store
	options      CopyOptions
	done         Copied
	steps, total int // rows written and read back
}

func (c *copier) run(ctx context.Context) error {
	if err := c.claim(ctx); err != nil {
		return err
	}
	if err := c.to.migrate(ctx); err != nil {
		return fmt.Errorf("make the target's tables: %w", err)
	}
	if err := c.to.ExpectMany(ctx); err != nil {
		return err
	}
	read, err := c.from.snapshot(ctx)
	if err != nil {
		return err
	}
	defer read.Rollback() //nolint:errcheck // it wrote nothing
	conn, err := c.to.write.Conn(ctx)
	if err != nil {
		return unavailable(fmt.Errorf("open the target: %w", err))
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return unavailable(fmt.Errorf("begin: %w", err))
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing, before one its error adds nothing
	if err := c.fill(ctx, read, tx, conn); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return unavailable(fmt.Errorf("commit: %w", err))
	}
	return nil
}

// claim marks the target as unfinished, before it has tables that somebody might take for the CRM's.
func (c *copier) claim(ctx context.Context) error {
	if err := c.to.empty(ctx, c.to.write); err != nil {
		return err
	}
	return Tx{db: c.to.write}.exec(ctx, "mark the target", `CREATE TABLE IF NOT EXISTS `+unfinished+` (started_at BIGINT)`)
}

// snapshot begins a transaction that sees the database as it is now, for as long as it takes.
func (s *Store) snapshot(ctx context.Context) (*sql.Tx, error) {
	options := &sql.TxOptions{ReadOnly: true}
	if s.engine == PostgreSQL {
		options.Isolation = sql.LevelRepeatableRead
	}
	tx, err := s.read.BeginTx(ctx, options)
	if err != nil {
		return nil, unavailable(fmt.Errorf("begin: %w", err))
	}
	if err := s.takeTime(ctx, tx); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx, nil
}

// takeTime lifts bounds that are meant for requests.
func (s *Store) takeTime(ctx context.Context, tx handle) error {
	if s.engine != PostgreSQL {
		return nil
	}
	return Tx{db: tx}.exec(ctx, "lift time limits", `SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0`)
}

// fill writes the target within one transaction, checks it, and takes the mark away.
func (c *copier) fill(ctx context.Context, read, write *sql.Tx, conn *sql.Conn) error {
	if err := c.lock(ctx, write); err != nil {
		return err
	}
	if err := c.sameSchema(ctx, read, write); err != nil {
		return err
	}
	if err := c.count(ctx, read); err != nil {
		return err
	}
	for _, t := range tables {
		if t.copying != copied {
			continue
		}
		if err := c.table(ctx, t.name, read, write, conn); err != nil {
			return fmt.Errorf("copy %s: %w", t.name, err)
		}
		c.done.Tables++
	}
	if err := c.to.goStale(ctx, write); err != nil {
		return err
	}
	if c.options.Check != nil {
		if err := c.options.Check(ctx, Tx{db: read, engine: c.from.engine}, Tx{db: write, engine: c.to.engine}); err != nil {
			return err
		}
	}
	return Tx{db: write}.exec(ctx, "take the mark away", `DROP TABLE `+unfinished)
}

// lock keeps other copies away, and looks again whether the target is empty.
func (c *copier) lock(ctx context.Context, write *sql.Tx) error {
	if c.to.engine == PostgreSQL {
		if err := c.to.takeTime(ctx, write); err != nil {
			return err
		}
		if _, err := write.ExecContext(ctx, `LOCK TABLE `+unfinished+` IN ACCESS EXCLUSIVE MODE NOWAIT`); err != nil {
			return fmt.Errorf("another copy into the target seems to run: %w", err)
		}
	}
	if err := c.to.empty(ctx, write); err != nil {
		return err
	}
	for name := range born {
		if err := (Tx{db: write}).exec(ctx, "empty the target", `DELETE FROM `+name); err != nil { //nolint:unqueryvet // every row
			return err
		}
	}
	return nil
}

// sameSchema refuses a source of another version than this program's, which the target is of.
func (c *copier) sameSchema(ctx context.Context, read, write *sql.Tx) error {
	source, err := Tx{db: read}.Version(ctx)
	if err != nil {
		return fmt.Errorf("the source's schema: %w", err)
	}
	target, err := Tx{db: write}.Version(ctx)
	if err != nil {
		return fmt.Errorf("the target's schema: %w", err)
	}
	if source < target {
		return fmt.Errorf("the source's schema is version %d and this program's is %d: start this program on the source once, which brings it up to date, or copy with the program that wrote it", source, target)
	}
	if source > target {
		return fmt.Errorf("the source's schema is version %d and this program's is %d: copy with the newer program that wrote it", source, target)
	}
	names, err := listTables(ctx, read, c.from.engine)
	if foreign := unlisted(names); err == nil && len(foreign) > 0 {
		return fmt.Errorf("the source holds tables that aren't the CRM's, %s: they can't be copied; move them elsewhere", strings.Join(foreign, ", "))
	}
	return err
}

func (c *copier) count(ctx context.Context, read handle) error {
	for _, t := range tables {
		if t.copying != copied {
			continue
		}
		n, err := Tx{db: read}.count(ctx, `SELECT COUNT(*) FROM `+t.name)
		if err != nil {
			return err
		}
		c.total += 2 * int(n)
	}
	return nil
}
