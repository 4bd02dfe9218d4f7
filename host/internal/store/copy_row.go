package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"hash"
	"strings"
	"unicode/utf8"
)

// rowReader reads a table's rows as values both engines take, and sums up what they hold.
type rowReader struct {
	rows    *sql.Rows
	columns []column
	cells   []any // pointers, one for each column
	values  []any
	sum     tally
	hash    hash.Hash
	mend    bool // texts become such as PostgreSQL takes
	sealed  bool // but none of these may be altered
	mended  int64
	each    func()
	err     error
}

func readRows(ctx context.Context, db handle, table string, list []column, each func()) (*rowReader, error) {
	rows, err := db.QueryContext(ctx, `SELECT `+strings.Join(columnNames(list), ", ")+` FROM `+table) //nolint:rowserrcheck // the reader's close does both
	if err != nil {
		return nil, failed("read rows", err)
	}
	r := &rowReader{rows: rows, columns: list, cells: make([]any, len(list)), values: make([]any, len(list)), hash: sha256.New(), each: each}
	for i, c := range list {
		switch c.kind {
		case numbers:
			r.cells[i] = new(sql.NullInt64)
		case texts:
			r.cells[i] = new(sql.NullString)
		case truths:
			r.cells[i] = new(sql.NullBool)
		case blobs:
			r.cells[i] = new([]byte)
		}
	}
	return r, nil
}

// Next goes to the next row.
func (r *rowReader) Next() bool {
	if r.err != nil || !r.rows.Next() {
		return false
	}
	if r.err = r.rows.Scan(r.cells...); r.err != nil {
		return false
	}
	r.hash.Reset()
	for i, c := range r.columns {
		if r.values[i], r.err = r.value(c, r.cells[i]); r.err != nil {
			return false
		}
		r.add(c.kind, r.values[i])
	}
	r.sum.add(r.hash.Sum(nil))
	r.each()
	return true
}

// Values are the row's. They are the next one's after Next.
func (r *rowReader) Values() ([]any, error) { return r.values, nil }

// Err says why Next stopped early.
func (r *rowReader) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.rows.Err()
}

// close ends the reading.
func (r *rowReader) close() error {
	if err := r.rows.Close(); err != nil {
		return failed("read rows", err)
	}
	return r.Err()
}

// value is what a cell holds, nil for NULL.
func (r *rowReader) value(c column, cell any) (any, error) {
	switch cell := cell.(type) {
	case *sql.NullInt64:
		if cell.Valid {
			return cell.Int64, nil
		}
	case *sql.NullBool:
		if cell.Valid {
			return cell.Bool, nil
		}
	case *sql.NullString:
		if cell.Valid {
			return r.text(c, cell.String)
		}
	case *[]byte:
		// SQLite's driver makes no difference between none and an empty one; no column may be NULL.
		return append([]byte{}, *cell...), nil
	}
	return nil, nil //nolint:nilnil // NULL is a value
}

// text is one that the target takes: SQLite keeps any bytes. A sealed one is never altered.
func (r *rowReader) text(c column, s string) (string, error) {
	if !r.mend || (utf8.ValidString(s) && !strings.Contains(s, "\x00")) {
		return s, nil
	}
	if r.sealed {
		return "", fmt.Errorf("column %s holds what is no text, %.40q, in a row that is sealed", c.name, s)
	}
	r.mended++
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD"), nil
}

func (r *rowReader) add(k kind, value any) {
	mark := [9]byte{byte(k)}
	var body []byte
	switch v := value.(type) {
	case nil:
		mark[0] = 0
	case int64:
		binary.BigEndian.PutUint64(mark[1:], uint64(v))
	case bool:
		if v {
			mark[8] = 1
		}
	case string:
		body = []byte(v)
	case []byte:
		body = v
	}
	if body != nil {
		binary.BigEndian.PutUint64(mark[1:], uint64(len(body)))
	}
	_, _ = r.hash.Write(mark[:]) // a hash takes everything
	_, _ = r.hash.Write(body)
}

// tally tells whether two tables hold the same rows, in whatever order they are read.
type tally struct {
	rows int64
	sum  [4]uint64
}

func (t *tally) add(hash []byte) {
	t.rows++
	for i := range t.sum {
		t.sum[i] += binary.BigEndian.Uint64(hash[8*i:])
	}
}
