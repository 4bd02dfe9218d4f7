package module

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// Folders in one another, deeper than the host may have files open, go away with the rest, and so
// does one that was shut.
func TestADeepRunFolderIsClearedAway(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(q *timing) { q.backoff = time.Hour })
	s.active(kit{})
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	const depth = 2000
	nest(t, r.process.child.folder, depth)
	if err := os.MkdirAll(filepath.Join(r.process.child.folder, "shut", "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(r.process.child.folder, "shut"), 0); err != nil {
		t.Fatal(err)
	}
	fewFiles(t, depth/2)
	if err := r.process.child.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-r.process.child.done
	if _, err := os.Lstat(r.process.child.folder); err == nil {
		t.Error("go-plugin finds it, and removes it in its own way")
	}
	eventually(t, "its run folder is empty", func() bool {
		left, err := os.ReadDir(filepath.Dir(r.process.child.folder))
		return err == nil && len(left) == 0
	})
}

// A host that died left sockets, of modules that died with it.
func TestAStartClearsAwayWhatADeadHostLeft(t *testing.T) {
	t.Parallel()
	m := newManager(t, hosttest.NewSite(t), nil)
	folder := filepath.Join(m.runDir, "gone", "plugin-dir1")
	if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, "plugin2"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer stopped(t, m)
	if left, err := os.ReadDir(m.runDir); err != nil || len(left) > 0 {
		t.Errorf("left in the run folder: %v %v", left, err)
	}
}

func nest(t *testing.T, folder string, depth int) {
	t.Helper()
	at, err := unix.Open(folder, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for range depth {
		if err == nil {
			err = unix.Mkdirat(at, "d", 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
		above := at
		at, err = unix.Openat(above, "d", unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		_ = unix.Close(above)
	}
	_ = unix.Close(at)
}

// fewFiles lets this process have no more than so many files open until the test ends.
func fewFiles(t *testing.T, most uint64) {
	t.Helper()
	var usual unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &usual); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: most, Max: usual.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &usual) })
}
