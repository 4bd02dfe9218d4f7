package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

type backupCommand struct {
	dataFlags
	Out string `help:"The SQLite file to write; in a folder that is there it is named by the time." required:"" type:"path" placeholder:"FILE"`
}

// Run writes a backup while servers may run, for nobody else on this machine to read. A file that is
// there is never written over, and one that is seen is whole.
func (c *backupCommand) Run(ctx context.Context, t *terminal) error {
	out := c.file()
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already: nothing is written over, choose another --out", out)
	}
	from, err := store.OpenAsIs(ctx, c.where())
	if err != nil {
		return err
	}
	return errors.Join(c.backUp(ctx, t, from, out), from.Close())
}

func (c *backupCommand) file() string {
	if info, err := os.Stat(c.Out); err == nil && info.IsDir() {
		return filepath.Join(c.Out, time.Now().UTC().Format("understudy-20060102T150405Z.db"))
	}
	return c.Out
}

func (c *backupCommand) backUp(ctx context.Context, t *terminal, from *store.Store, out string) error {
	beside, err := os.CreateTemp(filepath.Dir(out), ".understudy-backup-*") // 0600
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	defer removeBackup(beside.Name())
	if err := beside.Close(); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	if err := c.note(ctx, from, filepath.Base(out)); err != nil {
		return err
	}
	bar := progressBar{out: t.errs, drawn: isTerminal(t.errs), began: time.Now()}
	var report app.AuditReport
	err = from.BackUp(ctx, beside.Name(), bar.show, func(ctx context.Context, tx store.Tx) (err error) {
		report, err = c.audit(ctx, tx)
		return err
	})
	bar.end()
	if err == nil {
		err = putAt(beside.Name(), out)
	}
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	t.printf("wrote %s, and checked it. It holds passwords' hashes and sessions: keep it as safe as the database.\n", out)
	if !report.Intact() {
		t.printf("The Activity Log was not intact, and so is the backup's: see understudy audit verify\n")
	}
	return nil
}

// note records the backup before it is made. A database of another version, as before an upgrade, is
// left as it is.
func (c *backupCommand) note(ctx context.Context, from *store.Store, file string) error {
	if schema, err := from.Read().Version(ctx); err != nil || schema != store.Knows() {
		return err
	}
	replica, err := c.replica()
	if err != nil {
		return err
	}
	from.NameChain(replica.Name)
	return app.New(app.Options{Store: from, Version: version}).NoteBackup(ctx, crm.Operator(), file)
}

// audit checks the backup's Activity Log, where the version has one that can be.
func (c *backupCommand) audit(ctx context.Context, tx store.Tx) (app.AuditReport, error) {
	if schema, err := tx.Version(ctx); err != nil || schema != store.Knows() {
		return app.AuditReport{}, err
	}
	return app.AuditOf(ctx, tx)
}

// putAt gives a file its name, unless that is taken meanwhile.
func putAt(beside, out string) error {
	err := os.Link(beside, out)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// Some file systems have no links.
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", out, cmp.Or(err, fs.ErrExist))
	}
	return os.Rename(beside, out)
}

// removeBackup removes what has another name by now, or isn't whole.
func removeBackup(path string) {
	for _, with := range []string{"", "-wal", "-shm", "-journal"} {
		_ = os.Remove(path + with) // most aren't there
	}
}
