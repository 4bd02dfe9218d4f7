package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/module"
	"github.com/understudy-crm/understudy/host/internal/store"
)

const databaseTimeout = 10 * time.Second

// checkDatabase looks at the database and, when this program knows its schema, at what it says.
func (c *doctorCommand) checkDatabase(ctx context.Context, d *doctor) {
	if _, err := os.Stat(c.where()); c.Database == "" && errors.Is(err, fs.ErrNotExist) {
		d.ok("database", "%s isn't there yet; understudy serve makes it", c.where())
		return
	}
	asking, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	db, err := store.OpenAsIs(asking, c.where())
	if err != nil {
		d.unreachable(c.Database, err)
		return
	}
	defer func() { _ = db.Close() }() // it was only read
	f, err := db.Facts(asking)
	if err != nil {
		d.unreachable(c.Database, err)
		return
	}
	d.engine(f, redacted(c.where()))
	if f.Engine == store.SQLite {
		c.checkFile(d, f)
	} else {
		d.server(f)
	}
	d.schema(f)
	if !f.Known || f.Unfinished {
		return
	}
	d.people(f)
	c.checkAddresses(d, f)
	d.replicas(asking, db)
	c.checkModules(ctx, d, db, f)
}

func (d *doctor) unreachable(database string, err error) {
	do := "see whether the file is an SQLite database, and whose it is; a backup is restored by understudy db copy"
	if database != "" {
		do = "see whether PostgreSQL runs, and whether --database names the right host, user, password and database"
	}
	d.fail("database", do, "it doesn't answer: %s", strings.Join(strings.Fields(sentence(err)), " "))
}

func (d *doctor) engine(f store.Facts, where string) {
	d.ok("database", "%s %s, at %s", map[store.Engine]string{store.SQLite: "SQLite", store.PostgreSQL: "PostgreSQL"}[f.Engine], f.Server, where)
	const slow = 5 * time.Millisecond
	if f.Latency > slow {
		d.warn("database", "bring the CRM and its database closer together: each page asks several times", "a small question takes %s", f.Latency.Round(time.Microsecond))
	} else {
		d.ok("database", "a small question takes %s", f.Latency.Round(time.Microsecond))
	}
	if f.Unfinished {
		d.fail("database", "wait for the copy, or run understudy db copy once more with the same --from and --to", "a copy into it is under way, or was broken off: nobody can serve it")
	}
}

func (c *doctorCommand) checkFile(d *doctor, f store.Facts) {
	if mode := f.Settings["journal_mode"]; mode != "wal" {
		d.ok("database", "its journal is %s; understudy serve sets wal", mode)
	}
	const large = 1 << 30
	if info, err := os.Stat(c.where() + "-wal"); err == nil && info.Size() > large {
		d.warn("database", "see which program keeps the database open, such as a long backup; stopping the server lets it shrink", "what waits to be written into it has grown to %s", amount(uint64(info.Size())))
	}
	if c.Synchronous == "NORMAL" {
		d.warn("database", "set --synchronous=FULL, unless the machine never loses power", "a loss of power may take the last commits along (--synchronous=NORMAL)")
	}
}

// server looks at PostgreSQL's settings.
func (d *doctor) server(f store.Facts) {
	const oldest = 130000
	if n, err := strconv.Atoi(f.Settings["server_version_num"]); err == nil && n < oldest {
		d.warn("database", "upgrade PostgreSQL", "PostgreSQL %s gets no repairs any more", f.Server)
	}
	if f.Settings["server_encoding"] != "UTF8" {
		d.fail("database", "make a database with ENCODING 'UTF8', and copy everything into it", "its encoding is %s: names can't be kept", f.Settings["server_encoding"])
	}
	if f.Settings["fsync"] != "on" {
		d.fail("database", "set fsync = on", "fsync is off: a crash of the machine may destroy the database")
	}
	if f.Settings["synchronous_commit"] == "off" {
		d.warn("database", "set synchronous_commit = on", "synchronous_commit is off: a crash may lose the last commits")
	}
	if f.Settings["ssl"] == "false" && f.Settings["local"] == "false" {
		d.warn("database", "add sslmode=verify-full to --database", "what goes to PostgreSQL, on another machine, isn't encrypted")
	}
	if n, err := strconv.Atoi(f.Settings["max_connections"]); err == nil && n < store.PoolSize+10 {
		d.warn("database", "raise max_connections", "it takes %d connections, and each replica up to %d", n, store.PoolSize)
	}
	const little, much = time.Second, 30 * time.Second
	do := "set both machines' clocks by the same source"
	switch off := f.Ahead.Abs(); {
	case off > much:
		d.fail("clock", do, "the database's clock is %s away from this machine's: time limits of switches and links are wrong", f.Ahead.Round(time.Second))
	case off > little:
		d.warn("clock", do, "the database's clock is %s away from this machine's", f.Ahead.Round(time.Millisecond))
	default:
		d.ok("clock", "the database's is %s away", f.Ahead.Round(time.Millisecond))
	}
}

func (d *doctor) schema(f store.Facts) {
	switch knows := store.Knows(); {
	case f.Schema == knows:
		d.ok("database", "its schema is version %d, as this program's", f.Schema)
	case f.Schema == 0:
		d.ok("database", "it is empty; understudy serve makes its tables")
	case f.Schema < knows:
		d.warn("database", "make a backup (understudy backup), then start understudy serve, which brings it up to date", "its schema is version %d, this program's is %d", f.Schema, knows)
	case f.Least <= knows:
		d.warn("database", "finish the upgrade", "its schema is version %d, of a newer program that has begun an upgrade; this one knows %d and goes on working", f.Schema, knows)
	default:
		d.fail("database", "run the newer program that wrote it, or restore a backup from before", "its schema is version %d and asks to know %d, this program knows only %d", f.Schema, f.Least, knows)
	}
}

func (d *doctor) people(f store.Facts) {
	if f.Administrators == 0 {
		d.warn("database", "open the address that understudy serve prints, or use understudy admin create", "there is no active administrator")
	}
	if module.FromTheFuture(f.LastEntry, time.Now()) {
		d.fail("clock", "set this machine's clock", "the Activity Log has an entry of %s, which is later than now", f.LastEntry.Format(time.RFC3339))
	}
}

// checkAddresses finds a proxy nobody was told of: everybody seems to come from it.
func (c *doctorCommand) checkAddresses(d *doctor, f store.Facts) {
	const enough = 3
	if f.Sessions < enough || len(f.Addresses) != 1 || len(c.TrustedProxies) > 0 {
		return
	}
	if ip, err := netip.ParseAddr(f.Addresses[0]); err == nil && (ip.IsLoopback() || ip.IsPrivate()) {
		d.warn("web", "if a proxy stands there, set --trusted-proxies="+ip.String()+" and have it send X-Forwarded-For", "everybody is signed in from %s: records and limits can't tell people apart", ip)
	}
}

func (d *doctor) replicas(ctx context.Context, db *store.Store) {
	live, err := db.Read().Replicas(ctx)
	if err != nil || len(live) == 0 {
		return
	}
	var names, versions []string
	for _, r := range live {
		names = append(names, r.Name)
		if !slices.Contains(versions, r.Version) {
			versions = append(versions, r.Version)
		}
	}
	d.ok("replicas", "%s", strings.Join(names, ", "))
	if len(versions) > 1 {
		d.warn("replicas", "finish the upgrade", "they are of different versions: %s", strings.Join(versions, ", "))
	}
}

// checkModules looks at what is installed, as far as that goes without starting it.
func (c *doctorCommand) checkModules(ctx context.Context, d *doctor, db *store.Store, f store.Facts) {
	if c.RequireSignature && f.TrustedKeys == 0 {
		d.warn("modules", "add the authors' keys: understudy module trust add", "--modules.require_signature is on and no key is trusted: nothing can be installed")
	}
	if c.SafeMode {
		d.warn("modules", "take --safe-mode away once the module is repaired", "no module will start (--safe-mode)")
	}
	if len(c.Debug) > 0 {
		d.warn("modules", "take --modules.debug away when nobody debugs", "without deadlines run: %s", strings.Join(c.Debug, ", "))
	}
	replica, err := c.replica()
	if err != nil {
		d.fail("replicas", "see what it says", "%s", sentence(err))
		return
	}
	db.NameChain(replica.Name)
	quiet := slog.New(slog.DiscardHandler)
	a := app.New(app.Options{Store: db, Version: version, Log: quiet})
	list, err := module.New(module.Options{App: a, Dir: c.Modules, RunDir: filepath.Join(c.Data, "run"), HostVersion: version, Log: quiet, Sentence: sentence}).Inspect(ctx)
	if err != nil {
		d.fail("modules", "see what is said of the database", "they can't be read: %s", sentence(err))
		return
	}
	for _, e := range list {
		d.module(e)
	}
}

func (d *doctor) module(e module.Inspected) {
	name, active := fmt.Sprintf("%s %s", e.Module.ID, e.Module.Version), "inactive"
	if e.Module.Activated {
		active = "active"
	}
	switch {
	case e.Problem != nil && e.Module.Activated:
		d.fail("modules", "install a package that fits (understudy module install), or go back (understudy module rollback)", "%s can't run: %s", name, sentence(e.Problem))
	case e.Problem != nil:
		d.warn("modules", "install a package that fits before you activate it", "%s can't run: %s", name, sentence(e.Problem))
	case e.Failure != nil:
		d.fail("modules", "look at its log in Setup → Modules, and press Retry there", "%s has failed: %s", name, sentence(e.Failure))
	case e.Changed:
		d.warn("modules", "find out who writes there; it is unpacked anew when it starts", "%s, %s: %s doesn't hold what its package brought", name, active, e.Folder)
	case e.Unpacked:
		d.ok("modules", "%s, %s, stands in %s as it was packed", name, active, e.Folder)
	default:
		d.ok("modules", "%s, %s, is unpacked from the database when it starts", name, active)
	}
}
