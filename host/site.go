package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
	"github.com/understudy-crm/understudy/host/internal/store"
	"github.com/understudy-crm/understudy/host/internal/web"
)

// site is the use cases and the modules over one database.
type site struct {
	store   *store.Store
	app     *app.App
	modules *module.Manager
	replica crm.Replica // as which it joins others on the database, once it serves

	removeRun func() error
}

// where is the database.
func (f dataFlags) where() string {
	return cmp.Or(f.Database, filepath.Join(f.Data, "understudy.db"))
}

// journal is where the program keeps how its last starts went.
func (f dataFlags) journal() string { return filepath.Join(f.Data, "starting.json") }

// open opens what the flags name. Close it.
func (f dataFlags) open(ctx context.Context, m moduleFlags, log *slog.Logger) (*site, error) {
	if err := os.MkdirAll(f.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder (choose another with --data): %w", err)
	}
	replica, err := f.replica()
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, f.where(), f.Synchronous)
	if err != nil {
		return nil, err
	}
	db.NameChain(replica.Name)
	a := app.New(app.Options{Store: db, Version: version, Log: log, LogKept: app.LogKept{Lines: m.LogLines, Days: m.LogDays}})
	run, removeRun, err := f.runFolder(log)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	manager := module.New(module.Options{
		App: a, Dir: f.Modules, RunDir: run, HostVersion: version, Log: log,
		Sentence: sentence, MaxUpload: m.MaxUpload, AllowUpload: m.AllowUpload, RequireSignature: m.RequireSignature,
		RequireSandbox: module.Requirement(m.RequireSandbox), SafeMode: m.SafeMode, Debug: m.Debug, Journal: f.journal(), Icons: web.Icons(),
	})
	a.SetSwitchPolicy(manager)
	a.SetSwitchObserver(manager)
	return &site{store: db, app: a, modules: manager, replica: replica, removeRun: removeRun}, nil
}

// own keeps the data folder and the modules folder to one server at a time: two would clear away each
// other's modules' sockets, and the versions of them that the other one has. Other commands go on
// beside it. Call the function it returns at the end; a killed process owns nothing any more.
func (f dataFlags) own() (func() error, error) {
	if err := os.MkdirAll(f.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder (choose another with --data): %w", err)
	}
	release, err := lockFolder(f.Data, servingLock)
	if errors.Is(err, errServed) {
		err = fmt.Errorf("another understudy serves %s: stop it first, or choose another folder with --data", f.Data)
	}
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(f.Modules, 0o750); err != nil {
		return release, nil //nolint:nilerr // where nothing can be unpacked nothing is cleared away; modules say so themselves
	}
	releaseModules, err := lockFolder(f.Modules, unpackingLock)
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return release, nil
	case errors.Is(err, errServed):
		err = fmt.Errorf("another understudy has its modules in %s: each needs a folder of its own, choose another with --modules", f.Modules)
		fallthrough
	case err != nil:
		return nil, errors.Join(err, release())
	}
	return func() error { return errors.Join(releaseModules(), release()) }, nil
}

var errServed = errors.New("another process holds the lock")

func lockFolder(folder, name string) (func() error, error) {
	lock := flock.New(filepath.Join(folder, name))
	switch mine, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("lock the folder %s: %w", folder, err)
	case !mine:
		return nil, errServed
	}
	return lock.Close, nil
}

// unpackingLock is held, in its modules folder, by the server.
const unpackingLock = ".serving.lock"

// servingLock is held, in its data folder, by the server.
const servingLock = "serving.lock"

// serves tells whether a server owns a data folder. Nothing is made there.
func serves(data string) bool {
	lock := flock.New(filepath.Join(data, servingLock), flock.SetFlag(os.O_RDONLY))
	mine, err := lock.TryRLock()
	return errors.Join(err, lock.Close()) == nil && !mine
}

// runFolder is where modules' sockets are: in the data folder, or where that one's path is too long
// for sockets in a temporary folder of this process.
func (f dataFlags) runFolder(log *slog.Logger) (string, func() error, error) {
	run := filepath.Join(f.Data, "run")
	if module.FitsSockets(run) {
		return run, func() error { return nil }, nil
	}
	sweepFolders(shortTemp(), runFolderPrefix, 0)
	short, err := os.MkdirTemp(shortTemp(), fmt.Sprintf("%s%d-", runFolderPrefix, os.Getpid()))
	if err != nil {
		return "", nil, fmt.Errorf("make a run folder, for %s is too long for sockets: %w", run, err)
	}
	log.Debug("the data folder's path is too long for sockets", "run_folder", short)
	return short, func() error { return os.RemoveAll(short) }, nil
}

const runFolderPrefix = "understudy-run-"

// sweepFolders removes the folders of processes that are dead: a killed one couldn't. What follows
// the prefix in their names is the process id. Younger ones stay: their process may live in another
// container, where it has that id.
func sweepFolders(in, prefix string, age time.Duration) {
	left, err := filepath.Glob(filepath.Join(in, prefix+"*"))
	if err != nil {
		return // a folder whose own name is a pattern: it keeps what is left
	}
	for _, folder := range left {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(folder), prefix), "-")
		pid, err := strconv.Atoi(owner)
		if err != nil {
			continue
		}
		if info, err := os.Lstat(folder); err != nil || time.Since(info.ModTime()) < age {
			continue
		}
		if process, err := os.FindProcess(pid); err != nil || errors.Is(process.Signal(syscall.Signal(0)), os.ErrProcessDone) {
			_ = os.RemoveAll(folder) // what stays is the next one's to remove
		}
	}
}

// shortTemp is a folder for temporary files with a short path: some systems' own is long.
func shortTemp() string {
	if info, err := os.Stat("/tmp"); err == nil && info.IsDir() {
		return "/tmp"
	}
	return os.TempDir()
}

// close gives everything back.
func (s *site) close() error { return errors.Join(s.removeRun(), s.store.Close()) }

// isLoopback tells whether an address to listen on is reached from this machine alone.
func isLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
