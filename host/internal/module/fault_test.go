package module

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// changingHost tells this test binary to be a host that changes a module's version in a folder, and
// changingHow which way, what for, and at which step it dies.
const (
	changingHost = "UNDERSTUDY_TEST_CHANGING_HOST"
	changingHow  = "UNDERSTUDY_TEST_CHANGING_HOW"
	changingDies = "UNDERSTUDY_TEST_CHANGING_DIES"
)

const (
	withAudit = `[{ "name": "session.switch", "why": "To decide." }, { "name": "audit.write", "why": "To say what it did." }]`
	v1, v2    = "1.0.0", "1.1.0"
)

// versionChange is a way from one version of the sample module, active and with data, to another.
type versionChange struct {
	old, next string
	prepare   func(t *testing.T, m *Manager) // from version 1, active
	make      func(m *Manager) error
}

var versionChanges = map[string]versionChange{
	"install": {
		old: v1, next: v2,
		prepare: func(t *testing.T, m *Manager) { uploadHere(t, m, kit{version: v2, mode: "migrate", grants: withAudit}) },
		make: func(m *Manager) error {
			_, err := m.Install(context.Background(), crm.Operator(), uploaded(m))
			return err
		},
	},
	"accept": {
		old: v1, next: v2,
		prepare: func(t *testing.T, m *Manager) { installHere(t, m, kit{version: v2, mode: "migrate"}) },
		make: func(m *Manager) error {
			_, err := m.AcceptGrants(context.Background(), crm.Operator(), "sample")
			return err
		},
	},
	"roll back": {
		old: v2, next: v1,
		prepare: func(t *testing.T, m *Manager) {
			installHere(t, m, kit{version: v2, mode: "migrate", grants: withAudit})
		},
		make: func(m *Manager) error {
			_, err := m.RollBack(context.Background(), crm.Operator(), "sample", "")
			return err
		},
	},
}

// uploadHere uploads a package and notes in the modules' folder how its upload is called.
func uploadHere(t *testing.T, m *Manager, k kit) {
	t.Helper()
	review, err := m.Upload(t.Context(), crm.Operator(), "sample.zip", bytes.NewReader(k.zip(t)))
	if err == nil {
		err = os.WriteFile(filepath.Join(m.shelf.path, "upload"), []byte(review.StagedID), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func uploaded(m *Manager) string {
	id, _ := os.ReadFile(filepath.Join(m.shelf.path, "upload"))
	return string(id)
}

// beChangingHost serves, changes the module's version and writes down each step it comes to, until
// it dies at one as a process dies by kill -9.
func beChangingHost(folder string) {
	a, _, err := openApp(folder)
	if err != nil {
		panic(err)
	}
	dies, err := strconv.Atoi(os.Getenv(changingDies))
	if err != nil {
		panic(err)
	}
	var (
		m     = managerOf(a, folder)
		armed atomic.Bool
		step  = 0
	)
	m.fault = func(name string) error {
		if !armed.Load() {
			return nil
		}
		fmt.Println(name)
		if step == dies {
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			select {}
		}
		step++
		return nil
	}
	if err := m.Start(context.Background()); err != nil {
		panic(err)
	}
	armed.Store(true)
	if err := versionChanges[os.Getenv(changingHow)].make(m); err != nil {
		panic(err)
	}
}

// changing runs a host that changes the version and dies at a step, never when it is negative. It
// returns the steps it came to.
func changing(t *testing.T, folder, how string, dies int) []string {
	t.Helper()
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), changingHost+"="+folder, changingHow+"="+how, changingDies+"="+strconv.Itoa(dies))
	said, err := host.Output()
	if killed := host.ProcessState != nil && !host.ProcessState.Exited(); killed != (dies >= 0) {
		t.Fatalf("dying at %d it ended by %v\n%s", dies, err, said)
	}
	steps := strings.Fields(strings.ReplaceAll(string(said), " ", "_"))
	modules := filepath.Join(folder, "modules")
	eventually(t, "its modules are gone", func() bool { return len(processesBelow(modules)) == 0 })
	return steps
}

// Killed by kill -9 at any step of an upgrade, of accepting one or of going back, a host leaves the old
// version or the new one, whole: row, folder, process and data agree, and nothing else is left.
func TestKilledAtAnyStepLeavesOldOrNew(t *testing.T) {
	needLinux(t)
	for how, c := range versionChanges {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			ready := shortFolder(t)
			prepareChange(t, ready, c)
			all := copyOf(t, ready)
			steps := changing(t, all, how, -1)
			if got := agrees(t, all, c); got != c.next {
				t.Errorf("undisturbed it leaves %s", got)
			}
			for _, step := range []string{"unpacked", "started", "activated", "recording", "recorded", "swapped", "old_stopped", "pruned"} {
				if !slices.Contains(steps, step) {
					t.Errorf("%q is not among the steps %v", step, steps)
				}
			}
			point := slices.Index(steps, "recorded") // from here on it is the new one
			for _, i := range firstAndLast(steps) {
				if how != "install" && i < slices.Index(steps, "unpacked") {
					continue // the files come as they do there
				}
				folder := copyOf(t, ready)
				changing(t, folder, how, i)
				want := c.old
				if i >= point {
					want = c.next
				}
				if got := agrees(t, folder, c); got != want {
					t.Errorf("killed at %s it leaves %s", steps[i], got)
				}
				comesUp(t, folder, c, steps[i])
				_ = os.RemoveAll(folder)
			}
		})
	}
}

// firstAndLast picks of steps with the same name, such as files that are written, two.
func firstAndLast(steps []string) []int {
	var chosen []int
	for i, step := range steps {
		if slices.Index(steps, step) == i || !slices.Contains(steps[i+1:], step) {
			chosen = append(chosen, i)
		}
	}
	return chosen
}

// shortFolder has a path short enough for sockets.
func shortFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "uf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// prepareChange leaves in a folder what a host leaves that is stopped: version 1 active, with data,
// and what the change needs.
func prepareChange(t *testing.T, folder string, c versionChange) {
	t.Helper()
	_, m, closed := hostIn(t, folder)
	defer closed()
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := installHere(t, m, kit{version: v1, mode: "migrate", grants: withAudit}).ID
	if err := m.Activate(t.Context(), crm.Operator(), id); err != nil {
		t.Fatal(err)
	}
	c.prepare(t, m)
	if err := m.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// copyOf copies a folder; files that never change share their content.
func copyOf(t *testing.T, folder string) string {
	t.Helper()
	to := shortFolder(t)
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		local, _ := filepath.Rel(folder, name)
		target := filepath.Join(to, local)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(target, 0o750)
		case strings.HasPrefix(local, "modules"):
			return os.Link(name, target)
		}
		content, err := os.ReadFile(name)
		return errors.Join(err, os.WriteFile(target, content, 0o600))
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// agrees looks at what a killed host left in its database: the version that its row names, whose
// data and whose words the rest must be.
func agrees(t *testing.T, folder string, c versionChange) string {
	t.Helper()
	a, _, closed := hostIn(t, folder)
	defer closed()
	row, err := a.Module(t.Context(), "sample")
	if err != nil {
		t.Fatal(err)
	}
	wantData(t, a, row.Version)
	entries, err := a.Activity(t.Context(), crm.Operator(), crm.Query{Filter: map[string]string{"action": "module_entry"}})
	if err != nil || entries.Rows[0].Detail["to"] != row.Version {
		t.Errorf("version %s is installed and the audit says %v %v", row.Version, entries.Rows[0].Detail, err)
	}
	kept, err := a.KeptVersions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if row.Version == c.next && (len(kept) != 1 || kept[0].Version != c.old) {
		t.Errorf("%s replaced %s and %d versions are kept", c.next, c.old, len(kept))
	}
	return row.Version
}

// wantData wants the data to be a version's, all of it and no other's.
func wantData(t *testing.T, a *app.App, version string) {
	t.Helper()
	data := strings.Fields(dataOf(t, a))
	data = slices.DeleteFunc(data, func(v string) bool { return strings.HasPrefix(v, "last=") })
	if !slices.Equal(data, []string{"only-" + version + "=x", "version=" + version}) {
		t.Errorf("version %s is installed with the data %v", version, data)
	}
}

// comesUp starts a host on what was left: it must run what the row names, from a folder that is
// right, and leave nothing else there.
func comesUp(t *testing.T, folder string, c versionChange, killed string) {
	t.Helper()
	a, m, closed := hostIn(t, folder)
	defer closed()
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	row, err := a.Module(t.Context(), "sample")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it runs after the host was killed at "+killed, func() bool { _, err := m.active("sample"); return err == nil })
	r, err := m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	if r.manifest.Version != row.Version || r.row.SHA256 != row.SHA256 || m.shelf.check("sample", filepath.Base(r.placed.folder), r.placed.sums) != nil {
		t.Errorf("killed at %s: version %s runs from %s", killed, r.manifest.Version, r.placed.folder)
	}
	wantData(t, a, row.Version)
	for _, name := range list(t, filepath.Join(m.shelf.path, "sample")) {
		if name != row.Version && name != c.old && name != c.next {
			t.Errorf("killed at %s: %s is left", killed, name)
		}
	}
	if running := processesBelow(m.shelf.path); len(running) != 1 {
		t.Errorf("killed at %s: %v run", killed, running)
	}
	// What was interrupted can be done now.
	if row.Version == c.old && (killed == "moved_aside" || killed == "recording") {
		if err := c.make(m); err != nil {
			t.Errorf("killed at %s it can't be done afterwards: %v", killed, err)
		}
		wantData(t, a, c.next)
	}
	if err := m.Stop(t.Context()); err != nil {
		t.Errorf("stop: %v", err)
	}
}
