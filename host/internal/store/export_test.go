package store

import (
	"context"
	"errors"
	"io/fs"
	"testing/fstest"
)

// Listed are the tables by what becomes of them in a copy, for tests.
func Listed() (copies, others []string) {
	for _, t := range tables {
		if t.copying == copied {
			copies = append(copies, t.name)
		} else {
			others = append(others, t.name)
		}
	}
	return copies, others
}

// TablesOf names the tables a database has.
func TablesOf(ctx context.Context, s *Store) ([]string, error) {
	return listTables(ctx, s.read, s.engine)
}

// ColumnsOf names the columns of a table, and checks that each can be copied.
func ColumnsOf(ctx context.Context, s *Store, table string) ([]string, error) {
	list, err := columns(ctx, s.read, table)
	return columnNames(list), err
}

// SplitSearchAt makes segments of the search index small, so that few rows fill many.
func (s *Store) SplitSearchAt(entries int) { s.full = entries }

// OpenNewer opens a database as a program of a newer version would that has one more migration.
func OpenNewer(ctx context.Context, where, name, text string) (*Store, error) {
	s, err := connect(where, "journal_mode(WAL)", "synchronous(NORMAL)")
	if err != nil {
		return nil, err
	}
	newer := fstest.MapFS{"migrations/" + name: {Data: []byte(text)}}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	for _, name := range names {
		known, readErr := migrations.ReadFile(name)
		newer[name], err = &fstest.MapFile{Data: known}, errors.Join(err, readErr)
	}
	s.schema = newer
	if err = errors.Join(err, s.migrate(ctx)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}
