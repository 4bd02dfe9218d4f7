package module

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func mustBundle(t testing.TB, k kit) *bundle {
	t.Helper()
	b, err := readBundle("sample.zip", k.zip(t))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Dying between any two steps leaves the old version or the new one, whole; the next start clears
// away the rest.
func TestDyingWhileUnpackingLeavesOldOrNew(t *testing.T) {
	t.Parallel()
	old := mustBundle(t, kit{files: map[string]string{"assets/which": "old"}})
	next := mustBundle(t, kit{files: map[string]string{"assets/which": "new", "assets/extra": "x"}})
	steps := 0
	count := shelf{path: t.TempDir(), fault: func(string) error { steps++; return nil }}
	if err := unpackSample(count, old); err != nil {
		t.Fatal(err)
	}
	if err := unpackSample(count, next); err != nil {
		t.Fatal(err)
	}
	if steps < 20 {
		t.Fatalf("only %d steps were seen", steps)
	}
	for die := range steps {
		s := shelf{path: t.TempDir()}
		if err := unpackSample(s, old); err != nil {
			t.Fatal(err)
		}
		at := dieAt(&s, die, next)
		s.fault = nil
		if err := s.sweep(); err != nil {
			t.Fatalf("dying at %q: sweep: %v", at, err)
		}
		isOld, isNew := s.check("sample", "1.0.0", old.sums), s.check("sample", "1.0.0", next.sums)
		if isOld != nil && isNew != nil {
			t.Errorf("dying at %q left neither: %v; %v", at, isOld, isNew)
		}
		if names := list(t, filepath.Join(s.path, "sample")); !slices.Equal(names, []string{"1.0.0"}) {
			t.Errorf("dying at %q left %v", at, names)
		}
		if err := unpackSample(s, next); err != nil || s.check("sample", "1.0.0", next.sums) != nil {
			t.Errorf("after dying at %q it can't be unpacked: %v", at, err)
		}
	}
}

// unpackSample unpacks a package over what stands in its place.
func unpackSample(s shelf, b *bundle) error { return s.unpack(b, b.manifest.Version, dropped{}) }

// dieAt unpacks and panics at a step, as if the host had been killed there.
func dieAt(s *shelf, die int, b *bundle) (at string) {
	step := 0
	s.fault = func(name string) error {
		if at = fmt.Sprint(step, " ", name); step == die {
			panic(at)
		}
		step++
		return nil
	}
	defer func() { _ = recover() }()
	_ = unpackSample(*s, b)
	return at
}

func list(t testing.TB, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestAFolderIsTakenOnlyAsItsPackageSays(t *testing.T) {
	b := mustBundle(t, kit{})
	for name, c := range map[string]struct {
		change func(folder string) error
		fine   bool
	}{
		"untouched":            {func(string) error { return nil }, true},
		"a translation more":   {func(f string) error { return os.WriteFile(f+"/languages/fr.json", []byte("{}"), 0o600) }, true},
		"a translation less":   {func(f string) error { return os.Remove(f + "/languages/es.json") }, false},
		"a changed executable": {func(f string) error { return appendTo(f + "/bin/sample") }, false},
		"a program more":       {func(f string) error { return os.WriteFile(f+"/bin/evil", nil, 0o700) }, false},
		"a link":               {func(f string) error { return os.Symlink("/etc/passwd", f+"/languages/xx.json") }, false},
		"gone":                 {os.RemoveAll, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := shelf{path: t.TempDir()}
			if err := unpackSample(s, b); err != nil {
				t.Fatal(err)
			}
			if err := c.change(filepath.Join(s.path, "sample", "1.0.0")); err != nil {
				t.Fatal(err)
			}
			if err := s.check("sample", "1.0.0", b.sums); (err == nil) != c.fine {
				t.Errorf("check: %v", err)
			}
		})
	}
}

func appendTo(name string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString("!")
	return err
}

// Whatever happened to the folder, the package in the database brings the module back.
func TestTheDatabaseBringsBackTheFolder(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(folder string) error{
		"lost":    os.RemoveAll,
		"changed": func(f string) error { return swapFile(filepath.Join(f, "1.0.0", "bin", "sample")) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, nil)
			s.active(kit{})
			before := s.pid("sample")
			if err := change(filepath.Join(s.m.shelf.path, "sample")); err != nil {
				t.Fatal(err)
			}
			kill(t, before)
			eventually(t, "it runs again", func() bool {
				r, err := s.m.active("sample")
				return err == nil && r.process.child.ID() != fmt.Sprint(before)
			})
			if err := s.m.shelf.check("sample", "1.0.0", mustBundle(t, kit{}).sums); err != nil {
				t.Error(err)
			}
		})
	}
}

// swapFile puts other content in the place of a file that may be running.
func swapFile(name string) error {
	if err := os.Rename(name, name+".gone"); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(strings.Repeat("evil", 100)), 0o700)
}

func TestAFolderNobodyMayWriteIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := unpackSample(shelf{path: filepath.Join(file, "modules")}, mustBundle(t, kit{}))
	if e := asProblem(err); e.Key != "module_folder_not_writable" || e.Args["User"] == "" {
		t.Errorf("got %v", err)
	}
}
