package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// BackUp writes everything the database holds, as it is at one moment, into the SQLite file at path,
// which must not be there or be empty; others go on writing meanwhile. The file is checked, check looks at
// what it holds, and it is on the disk when BackUp returns. progress is told now and then.
//
// An SQLite database may be of any version, a PostgreSQL one must be of this program's.
func (s *Store) BackUp(ctx context.Context, path string, progress func(done, total int), check func(context.Context, Tx) error) error {
	if err := s.complete(ctx, s.read); err != nil {
		return err
	}
	var err error
	if s.engine == PostgreSQL {
		_, err = Copy(ctx, s, path, CopyOptions{Progress: progress})
	} else {
		err = s.vacuumInto(ctx, path, progress)
	}
	if err != nil {
		return err
	}
	if err := settleFile(ctx, path, check); err != nil {
		return fmt.Errorf("check what was written: %w", err)
	}
	return nil
}

// vacuumInto copies an SQLite database: within one reading transaction, so that writers need not wait.
func (s *Store) vacuumInto(ctx context.Context, path string, progress func(done, total int)) error {
	pages, err := Tx{db: s.read}.count(ctx, `SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)`)
	if err != nil {
		return err
	}
	watching, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watchSize(watching, path, int(pages), progress)
	}()
	_, err = s.write.ExecContext(ctx, `VACUUM INTO $1`, path)
	cancel()
	<-watched
	return failed("copy the database", err)
}

func watchSize(ctx context.Context, path string, total int, progress func(done, total int)) {
	every := time.NewTicker(200 * time.Millisecond)
	defer every.Stop()
	for progress != nil {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		if info, err := os.Stat(path); err == nil {
			progress(min(int(info.Size()), total)>>20, total>>20) // MiB
		}
	}
}

// settleFile makes the file stand by itself: nothing in it of processes that run, nothing beside it
// that belongs to it, everything checked and on the disk.
func settleFile(ctx context.Context, path string, check func(context.Context, Tx) error) error {
	db, err := sql.Open("sqlite", fileAddress(path)+"?_pragma=journal_mode(DELETE)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	return errors.Join(settle(ctx, Tx{db: db, engine: SQLite}, check), db.Close(), syncFile(path))
}

func settle(ctx context.Context, t Tx, check func(context.Context, Tx) error) error {
	names, err := listTables(ctx, t.db, SQLite)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !isOfProcess(name) {
			continue
		}
		if err := t.exec(ctx, "leave out what processes do", `DELETE FROM `+name); err != nil { //nolint:unqueryvet // every row
			return err
		}
	}
	for _, pragma := range []string{"integrity_check(1)", "foreign_key_check"} {
		problems, err := all(ctx, t, pragma, func(row scanner) (problem sql.NullString, err error) {
			if pragma == "foreign_key_check" {
				var rowid, parent, id any
				return problem, row.Scan(&problem, &rowid, &parent, &id)
			}
			return problem, row.Scan(&problem)
		}, `PRAGMA `+pragma)
		if err != nil {
			return err
		}
		if len(problems) > 0 && problems[0].String != "ok" {
			return fmt.Errorf("%s finds %s: the database itself may be damaged; try PRAGMA integrity_check on it", pragma, problems[0].String)
		}
	}
	if check == nil {
		return nil
	}
	return check(ctx, t)
}

// syncFile has a file and its name on the disk. Where folders can't be synced, systems do without.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if folder, err := os.Open(filepath.Dir(path)); err == nil {
		_ = folder.Sync()
		_ = folder.Close()
	}
	return nil
}
