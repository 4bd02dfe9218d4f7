package module

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Folders in one another, deeper than the host may have files open, go away with the rest, and so
// does one that was shut.
func TestADeepRunFolderIsClearedAway(t *testing.T) {
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
