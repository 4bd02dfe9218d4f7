package module

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// troubled is a data folder with a good module, and one that never gets up, both activated.
func troubled(t *testing.T) (folder string, a *app.App) {
	t.Helper()
	folder, err := os.MkdirTemp("", "us")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	prepareHost(t, folder, kit{id: "good"})
	a, db, err := openApp(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	installHere(t, managerOf(a, folder), kit{id: "bad", mode: "hang"})
	err = db.Write(t.Context(), func(tx store.Tx) error {
		row, err := tx.Module(t.Context(), "bad")
		if err != nil {
			return err
		}
		row.Activated = true
		return tx.PutModule(t.Context(), row)
	})
	if err != nil {
		t.Fatal(err)
	}
	return folder, a
}

// dies runs a host until the bad module is the only one on its way up, and kills it then.
func dies(t *testing.T, folder string) {
	t.Helper()
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), hostFolder+"="+folder)
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bad module is all that is still starting", func() bool {
		var r startRecord
		text, err := os.ReadFile(filepath.Join(folder, "starting.json"))
		return err == nil && json.Unmarshal(text, &r) == nil && slices.Equal(r.Starting, []string{"bad"}) &&
			len(processesBelow(filepath.Join(folder, "modules", "good"))) == 1
	})
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait()
	eventually(t, "its modules are gone", func() bool { return len(processesBelow(filepath.Join(folder, "modules"))) == 0 })
}

func started(t *testing.T, a *app.App, folder string) *Manager {
	t.Helper()
	m := managerOf(a, folder)
	m.timing = quick()
	m.timing.firstStart = time.Millisecond
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopped(t, m) })
	return m
}

func stopped(t *testing.T, m *Manager) {
	t.Helper()
	if err := m.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func stateOf(t *testing.T, m *Manager, id string) State {
	t.Helper()
	rows, err := m.Modules(t.Context(), crm.Operator())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rows, func(r Row) bool { return r.ID == id })
	return rows[i].State
}

func TestAHostThatDiesWithAModuleComesUpWithoutModules(t *testing.T) {
	needLinux(t)
	t.Parallel()
	folder, a := troubled(t)
	for range maxFailedStarts {
		dies(t, folder)
	}
	m := started(t, a, folder)
	s := m.SafeMode()
	if s == nil || s.Asked || s.Starts != maxFailedStarts || s.Suspect != "Sample bad" || !s.Caught {
		t.Fatalf("safe mode: %+v", s)
	}
	if left := processesBelow(filepath.Join(folder, "modules")); len(left) != 0 || stateOf(t, m, "good") != Withheld {
		t.Errorf("in safe mode there are %v, and good is %s", left, stateOf(t, m, "good"))
	}
	if err := m.Retry(t.Context(), crm.Operator(), "good"); crm.KeyOf(err) != "safe_mode" {
		t.Errorf("retry in safe mode: %v", err)
	}
	wantActivity(t, a, "safe_mode_entered")

	// It is the same after another start, as long as nobody has done anything about it.
	stopped(t, m)
	again := started(t, a, folder)
	if again.SafeMode() == nil {
		t.Fatal("the next start forgot")
	}
	if err := again.Deactivate(t.Context(), crm.Operator(), "bad"); err != nil {
		t.Fatal(err)
	}
	if err := again.LeaveSafeMode(t.Context(), crm.Operator()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the good module runs", func() bool { return stateOf(t, again, "good") == Active })
	wantKey(t, again.LeaveSafeMode(t.Context(), crm.Operator()), crm.Conflict, "safe_mode_off")
	wantActivity(t, a, "safe_mode_left")
}

func TestSafeModeEndsWhenTheSuspectIsGone(t *testing.T) {
	needLinux(t)
	t.Parallel()
	folder, a := troubled(t)
	for range maxFailedStarts {
		dies(t, folder)
	}
	m := started(t, a, folder)
	stopped(t, m)
	if err := managerOf(a, folder).Deactivate(t.Context(), crm.Operator(), "bad"); err != nil { // as the command line does
		t.Fatal(err)
	}
	m = started(t, a, folder)
	if m.SafeMode() != nil {
		t.Error("somebody deactivated the suspect, and the host doesn't believe it")
	}
	eventually(t, "the good module runs", func() bool { return stateOf(t, m, "good") == Active })
}

func TestAStartThatGotThroughIsNotHeldAgainstAModule(t *testing.T) {
	needLinux(t)
	t.Parallel()
	folder, a := troubled(t)
	journal := filepath.Join(folder, "starting.json")
	for range maxFailedStarts - 1 {
		dies(t, folder)
	}
	m := managerOf(a, folder)
	m.timing = quick()
	m.timing.firstStart, m.timing.through = time.Millisecond, 10*time.Millisecond
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the record is gone", func() bool { _, err := os.Stat(journal); return os.IsNotExist(err) })
	stopped(t, m)
	dies(t, folder)
	if err := os.WriteFile(journal, []byte("{ not JSON"), 0o600); err != nil { // and a broken record keeps nobody from starting
		t.Fatal(err)
	}
	if m := started(t, a, folder); m.SafeMode() != nil {
		t.Error("safe mode without reason")
	}
}

func TestSafeModeThatWasAskedFor(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	revision := s.revision()
	m := newManager(t, s.site, nil)
	m.safeAsked = true
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer stopped(t, m)
	if got := m.SafeMode(); got == nil || !got.Asked || stateOf(t, m, "sample") != Withheld {
		t.Errorf("safe mode: %+v, the module is %s", got, stateOf(t, m, "sample"))
	}
	if s.revision() <= revision {
		t.Error("switches go on unasked: the revision did not move")
	}
	_, err := m.DecideSwitch(t.Context(), crm.SwitchQuestion{})
	wantKey(t, err, crm.Unavailable, "switch_module_off")

	// A better version is installed without being started.
	b := kit{version: "1.1.0"}
	installHere(t, m, b)
	if got := m.known("sample").row.Version; got != "1.1.0" {
		t.Errorf("the version is %s", got)
	}
	if err := m.Deactivate(t.Context(), crm.Operator(), "sample"); err != nil {
		t.Fatal(err)
	}
	wantKey(t, m.Activate(t.Context(), crm.Operator(), "sample"), crm.Conflict, "safe_mode")
	if left := processesBelow(m.shelf.path); len(left) != 0 {
		t.Errorf("processes in safe mode: %v", left)
	}
}

func wantActivity(t *testing.T, a *app.App, action string) {
	t.Helper()
	page, err := a.Activity(t.Context(), crm.Operator(), crm.Query{Filter: map[string]string{"action": action}})
	if err != nil || len(page.Rows) == 0 {
		t.Errorf("the Activity Log has no %s: %v", action, err)
	}
}
