package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// table copies one table's rows and reads them back.
func (c *copier) table(ctx context.Context, name string, read, write *sql.Tx, conn *sql.Conn) error {
	list, err := columns(ctx, read, name)
	if err != nil {
		return err
	}
	if theirs, err := columns(ctx, write, name); err != nil || !slices.Equal(list, theirs) {
		return errors.Join(fmt.Errorf("the columns are %v there, and %v in the target", columnNames(list), columnNames(theirs)), err)
	}
	source, err := readRows(ctx, read, name, list, c.step)
	if err != nil {
		return err
	}
	source.mend, source.sealed = c.to.engine == PostgreSQL, name == "audit_entries"
	err = c.write(ctx, name, source, write, conn)
	if err := errors.Join(err, source.close()); err != nil {
		return err
	}
	copy, err := readRows(ctx, write, name, list, c.step)
	if err != nil {
		return err
	}
	for copy.Next() { // reading is what sums up
	}
	if err := copy.close(); err != nil {
		return err
	}
	if copy.sum != source.sum {
		return fmt.Errorf("the target's %d rows are not the source's %d", copy.sum.rows, source.sum.rows)
	}
	c.done.Rows, c.done.Mended = c.done.Rows+source.sum.rows, c.done.Mended+source.mended
	return c.sequence(ctx, name, read, write)
}

const tellEvery = 1000

func (c *copier) step() {
	if c.steps++; c.steps%tellEvery == 0 && c.options.Progress != nil {
		c.options.Progress(c.steps, c.total)
	}
}

// write writes the rows, on PostgreSQL as one stream.
func (c *copier) write(ctx context.Context, name string, source *rowReader, tx *sql.Tx, conn *sql.Conn) error {
	list := columnNames(source.columns)
	if c.to.engine == PostgreSQL {
		return conn.Raw(func(driver any) error {
			_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{name}, list, source) //nolint:errcheck,forcetypeassert // it is this store's driver
			return failed("write rows", err)
		})
	}
	marks := make([]string, len(list))
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", i+1)
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO `+name+` (`+strings.Join(list, ", ")+`) VALUES (`+strings.Join(marks, ", ")+`)`) //nolint:gosec // G202: names of the schema's own
	if err != nil {
		return failed("write rows", err)
	}
	defer insert.Close()
	for source.Next() {
		if _, err := insert.ExecContext(ctx, source.values...); err != nil {
			return failed("write rows", err)
		}
	}
	return nil
}

// sequence has the target's next automatic key follow on the source's: a key that was given once, and
// stands in the Activity Log, is never given again.
func (c *copier) sequence(ctx context.Context, name string, read, write handle) error {
	last, err := c.from.lastKey(ctx, read, name)
	if err != nil || last == 0 {
		return err
	}
	if c.to.engine == PostgreSQL {
		_, err := Tx{db: write}.count(ctx, `SELECT setval(pg_get_serial_sequence($1, 'id'), $2)`, name, last)
		return err
	}
	set, err := Tx{db: write}.changed(ctx, "set next key", `UPDATE sqlite_sequence SET seq = $1 WHERE name = $2`, last, name)
	if err != nil || set {
		return err
	}
	return Tx{db: write}.exec(ctx, "set next key", `INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)`, name, last)
}

// lastKey is the last automatic key a table gave, 0 for none.
func (s *Store) lastKey(ctx context.Context, db handle, table string) (int64, error) {
	if s.engine == SQLite {
		return Tx{db: db}.count(ctx, `SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = $1`, table)
	}
	var has bool
	err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM information_schema.columns WHERE table_schema = current_schema()
		AND table_name = $1 AND column_name = 'id' AND is_identity = 'YES')`, table).Scan(&has)
	if err != nil || !has {
		return 0, failed("read next key", err)
	}
	var sequence string
	if err := db.QueryRowContext(ctx, `SELECT pg_get_serial_sequence($1, 'id')`, table).Scan(&sequence); err != nil {
		return 0, failed("read next key", err)
	}
	given, err := Tx{db: db}.count(ctx, `SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM `+sequence)
	if err != nil {
		return 0, err
	}
	greatest, err := Tx{db: db}.count(ctx, `SELECT COALESCE(MAX(id), 0) FROM `+table)
	return max(given, greatest), err
}
