package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/store"
)

type dbCommands struct {
	Copy dbCopyCommand `cmd:"" help:"Copy a whole installation into an empty database, from SQLite to PostgreSQL, back, or from a backup."`
}

type dbCopyCommand struct {
	From    string `help:"The database to copy: an SQLite file, a backup, or a postgres:// URL." required:"" env:"UNDERSTUDY_COPY_FROM" placeholder:"DATABASE"`
	To      string `help:"The empty database to fill, likewise. An SQLite file is made when it isn't there." required:"" env:"UNDERSTUDY_COPY_TO" placeholder:"DATABASE"`
	Running bool   `help:"Copy although a server runs on the source: what it writes from now on isn't in the copy."`
}

// Run copies, checks the copy, and says what was copied. Passwords in URLs are told to nobody.
func (c *dbCopyCommand) Run(ctx context.Context, t *terminal) error {
	from, err := store.OpenAsIs(ctx, c.From)
	if err != nil {
		return err
	}
	err = c.copy(ctx, t, from)
	return errors.Join(err, from.Close())
}

func (c *dbCopyCommand) copy(ctx context.Context, t *terminal, from *store.Store) error {
	if sameFile(c.From, c.To) {
		return errors.New("--from and --to are the same database")
	}
	if err := c.quiet(ctx, from); err != nil {
		return err
	}
	report, done, err := copyDatabase(ctx, t, from, c.To)
	if err != nil {
		return err
	}
	t.printf("copied %d rows of %d tables into %s, and compared each\n", done.Rows, done.Tables, redacted(c.To))
	if done.Mended > 0 {
		t.printf("%d texts held bytes that PostgreSQL doesn't take; they stand as replacement characters there\n", done.Mended)
	}
	if !report.Intact() {
		t.printf("The Activity Log was not intact, and so is the copy's: see understudy audit verify\n")
	}
	t.printf("What only this machine has, such as unpacked modules, is made again from the database: start understudy serve with it. The first start takes longer, for what is searched by is made anew.\n")
	return nil
}

// copyDatabase is the copy of one database into another, as commands do it.
func copyDatabase(ctx context.Context, t *terminal, from *store.Store, to string) (report app.AuditReport, done store.Copied, err error) {
	bar := progressBar{out: t.errs, drawn: isTerminal(t.errs), began: time.Now()}
	defer bar.end()
	done, err = store.Copy(ctx, from, to, store.CopyOptions{
		Progress: bar.show,
		Check: func(ctx context.Context, source, target store.Tx) (err error) {
			report, err = app.SameAudit(ctx, source, target)
			return err
		},
	})
	return report, done, err
}

// quiet refuses to copy what a server writes to: an installation that moves would lose that.
func (c *dbCopyCommand) quiet(ctx context.Context, from *store.Store) error {
	if c.Running {
		return nil
	}
	who := ""
	if from.Engine() == store.SQLite && serves(filepath.Dir(c.From)) {
		who = "a server"
	}
	if live, err := from.Read().Replicas(ctx); err == nil && len(live) > 0 { // an older schema has none, and is refused in the copy's own words
		who = live[0].Name
	}
	if who == "" {
		return nil
	}
	return fmt.Errorf("%s runs on the source: stop it first, or what it writes meanwhile is lost; one that was killed counts for half a minute (--running copies all the same; understudy backup is meant for that)", who)
}

func isURL(database string) bool { return strings.Contains(database, "://") }

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	other, err2 := os.Stat(b)
	return a == b || (err == nil && err2 == nil && os.SameFile(one, other))
}

// redacted is where a database is, without the password.
func redacted(database string) string {
	if !isURL(database) {
		return database
	}
	u, err := url.Parse(database)
	if err != nil {
		return "the given database"
	}
	return u.Redacted()
}
