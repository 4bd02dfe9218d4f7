package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// OpenAsIs opens a database as it is, whatever its schema's version, to read or to copy it. Nothing
// about it changes; an SQLite file must be there.
func OpenAsIs(ctx context.Context, where string) (*Store, error) {
	if !isPostgres(where) {
		info, err := os.Stat(where)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no database at %s", where)
		}
		if err != nil {
			return nil, fmt.Errorf("open database: %w", err)
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is no file: the database is called understudy.db in the data folder", where)
		}
	}
	s, err := connect(where)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := s.read.PingContext(ctx); err != nil {
		return nil, errors.Join(unavailable(fmt.Errorf("open database: %w", err)), s.Close())
	}
	return s, nil
}

// Version is that of the database's schema: the last migration it has.
func (t Tx) Version(ctx context.Context) (int64, error) {
	return t.count(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version`)
}

func isPostgres(where string) bool {
	return strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://")
}

// complete refuses a database into which a copy was begun and not finished.
func (s *Store) complete(ctx context.Context, db handle) error {
	names, err := listTables(ctx, db, s.engine)
	if err == nil && slices.Contains(names, unfinished) {
		return errors.New("a copy into this database is under way, or was broken off: it is incomplete. Wait for it, or run understudy db copy once more with the same --from and --to, which begins anew")
	}
	return err
}

// empty refuses a database that holds anything but what the migrations put there.
func (s *Store) empty(ctx context.Context, db handle) error {
	names, err := listTables(ctx, db, s.engine)
	if err != nil {
		return err
	}
	if foreign := unlisted(names); len(foreign) > 0 {
		return fmt.Errorf("the target holds tables that aren't the CRM's, %s: give the copy a database of its own", strings.Join(foreign, ", "))
	}
	for _, t := range tables {
		if t.copying != copied || !slices.Contains(names, t.name) {
			continue
		}
		query := `SELECT COUNT(*) FROM (SELECT 1 FROM ` + t.name + ` LIMIT 1) AS any_row`
		if own := born[t.name]; own != "" {
			query = `SELECT COUNT(*) FROM ` + t.name + ` WHERE NOT (` + own + `)`
		}
		n, err := Tx{db: db}.count(ctx, query)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("the target is not empty, there are rows in %s: give the copy a database of its own, for nothing is written over", t.name)
		}
	}
	if !slices.Contains(names, "replicas") {
		return nil
	}
	live, err := Tx{db: db, engine: s.engine}.Replicas(ctx)
	if err == nil && len(live) > 0 {
		return fmt.Errorf("%s serves the target, as it seems: stop it first, or wait half a minute if it was killed", live[0].Name)
	}
	return err
}

// goStale notes that nothing derived is there yet.
func (s *Store) goStale(ctx context.Context, db handle) error {
	names, err := listTables(ctx, db, s.engine)
	if err != nil {
		return err
	}
	for name, statement := range stale {
		if !slices.Contains(names, name) {
			continue
		}
		if err := (Tx{db: db}).exec(ctx, "note what is stale", statement); err != nil {
			return err
		}
	}
	return nil
}
