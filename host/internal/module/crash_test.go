package module

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/store"
)

func TestAKilledModuleLeavesTheScreenAtOnceAndComesBack(t *testing.T) {
	needLinux(t)
	s := newStage(t, func(q *timing) { q.backoff = time.Second })
	s.active(kit{})
	before, revision := s.pid("sample"), s.revision()
	kill(t, before)
	eventually(t, "its items are gone", func() bool { return len(s.m.Surface().Navbar(s.viewer())) == 0 })
	v, calls := s.viewer(), s.m.Calls()
	for range 100 {
		if _, err := s.m.servePage(t.Context(), PageRequest{Module: "sample", Method: "GET", Path: "/pick", Viewer: v}); crm.KindOf(err) != crm.Unavailable {
			t.Fatalf("a call to a dead module: %v", err)
		}
	}
	if n := s.m.Calls() - calls; n != 0 {
		t.Errorf("a dead module is called %d times", n)
	}
	if _, err := s.m.DecideSwitch(t.Context(), crm.SwitchQuestion{}); crm.KeyOf(err) != "switch_module_off" {
		t.Errorf("decide: %v", err)
	}
	row := s.row("sample")
	if row.State != Restarting || row.Problem == nil || row.Problem.Key != "module_crashed_signal" || row.Problem.Args["Signal"] != "SIGKILL" {
		t.Errorf("row: %v %v", row.State, row.Problem)
	}
	eventually(t, "it is back", func() bool { return s.row("sample").State == Active })
	if s.pid("sample") == before || len(s.m.Surface().Navbar(s.viewer())) != 1 {
		t.Error("it is not back on the screen")
	}
	if s.revision() <= revision {
		t.Error("nobody was told: the revision did not move")
	}
	if row := s.row("sample"); row.Crashes != 1 {
		t.Errorf("crashes: %d", row.Crashes)
	}
}

func (s *stage) revision() int64 {
	s.t.Helper()
	n, err := s.site.App.Revision(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func TestAModuleThatKeepsCrashingIsGivenUpUntilRetry(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(q *timing) { q.maxCrashes = 3 })
	s.active(kit{})
	for range 3 {
		eventually(t, "it runs", func() bool { _, err := s.m.active("sample"); return err == nil })
		_, _, _ = s.tryAsk("GET", "/kill", "")
		eventually(t, "it is down", func() bool { _, err := s.m.active("sample"); return err != nil })
	}
	eventually(t, "it is given up", func() bool { return s.row("sample").State == Failed })
	row := s.row("sample")
	if row.Crashes != 3 || row.Problem == nil || row.Problem.Key != "module_crashed_exit" || row.Failure == "" {
		t.Errorf("row: %+v %v", row.State, row.Problem)
	}

	// Another host on the same database remembers.
	other := newManager(t, s.site, nil)
	if err := other.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := other.Modules(t.Context(), s.ann.Who())
	if err != nil || rows[0].State != Failed || rows[0].Problem.Key != "module_crashed_exit" || len(rows[0].LastLines) == 0 {
		t.Errorf("after a restart: %v %+v", err, rows)
	}
	if err := other.Stop(context.Background()); err != nil {
		t.Error(err)
	}

	if err := s.m.Retry(t.Context(), s.ann.Who(), "sample"); err != nil {
		t.Fatal(err)
	}
	if row := s.row("sample"); row.State != Active || row.Crashes != 0 || row.Failure != "" {
		t.Errorf("after retry: %+v", row)
	}
}

func TestAnEndThatWasAskedForIsNotCounted(t *testing.T) {
	needLinux(t)
	t.Parallel()
	s := newStage(t, func(q *timing) { q.maxCrashes = 1 })
	s.active(kit{})
	before := s.pid("sample")
	terminate(t, before)
	eventually(t, "it is back", func() bool {
		r, err := s.m.active("sample")
		return err == nil && r.process.child.ID() != strconv.Itoa(before)
	})
	if row := s.row("sample"); row.Crashes != 0 {
		t.Errorf("crashes: %d", row.Crashes)
	}
}

func TestAStoppedProcessIsDeactivatedInBoundedTime(t *testing.T) {
	needLinux(t)
	t.Parallel()
	s := newStage(t, func(q *timing) { q.deactivate, q.grace = 100*time.Millisecond, 100*time.Millisecond })
	s.active(kit{})
	freeze(t, s.pid("sample"))
	promptly(t, "deactivate", func() {
		if err := s.m.Deactivate(t.Context(), s.ann.Who(), "sample"); err != nil {
			t.Error(err)
		}
	})
	if left := processesBelow(s.m.shelf.path); len(left) != 0 {
		t.Errorf("processes are left: %v", left)
	}
}

func TestAModuleThatStopsAnsweringIsStartedAnew(t *testing.T) {
	needLinux(t)
	s := newStage(t, func(q *timing) { q.health, q.healthLimit = 30*time.Millisecond, 150*time.Millisecond })
	s.active(kit{})
	before := s.pid("sample")
	freeze(t, before)
	eventually(t, "a new process answers", func() bool {
		r, err := s.m.active("sample")
		return err == nil && r.process.child.ID() != strconv.Itoa(before)
	})
}

func TestARemovedSocketIsNoticed(t *testing.T) {
	needLinux(t)
	t.Parallel()
	s := newStage(t, func(q *timing) { q.health = time.Hour })
	s.active(kit{})
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(r.process.socket); err != nil {
		t.Fatal(err)
	}
	s.m.known("sample").lookAfter(t.Context(), r) // once is enough
	eventually(t, "a new process answers", func() bool {
		next, err := s.m.active("sample")
		return err == nil && next != r
	})
}

// A module that still answers over the connection it has, but takes no other, is noticed, too.
func TestASocketNobodyListensOnIsNoticed(t *testing.T) {
	needLinux(t)
	s := newStage(t, func(q *timing) { q.health = 30 * time.Millisecond })
	s.active(kit{})
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(r.process.child.folder, "dead")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	if err := errors.Join(listener.Close(), os.Rename(dead, r.process.socket)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new process answers", func() bool {
		next, err := s.m.active("sample")
		return err == nil && next != r
	})
}

func TestAModulesChildrenGoWithIt(t *testing.T) {
	needLinux(t)
	t.Parallel()
	s := newStage(t, nil)
	s.m.direct = true // in the sandbox a module starts no process
	s.active(kit{mode: "leave-child"})
	group := s.pid("sample")
	if got := processesOfGroup(group); len(got) != 2 {
		t.Fatalf("the group is %v", got)
	}
	if err := s.m.Deactivate(t.Context(), s.ann.Who(), "sample"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the group is gone", func() bool { return len(processesOfGroup(group)) == 0 })
}

// processesOfGroup lists the living processes of a process group.
func processesOfGroup(group int) []string {
	var found []string
	names, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range names {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		if len(fields) > 2 && fields[0] != "Z" && fields[2] == strconv.Itoa(group) {
			found = append(found, name)
		}
	}
	return found
}

func TestStartAndStopLeaveNothingBehind(t *testing.T) {
	site := hosttest.NewSite(t)
	before := goleak.IgnoreCurrent()
	m := newManager(t, site, nil)
	s := &stage{t: t, site: site, m: m, ann: site.SignIn(t, "admin@example.com")}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.active(kit{})
	s.get("/pick")
	for range 3 {
		kill(t, s.pid("sample"))
		eventually(t, "it is down", func() bool { _, err := m.active("sample"); return err != nil })
		eventually(t, "it is back", func() bool { _, err := m.active("sample"); return err == nil })
	}
	if err := m.Deactivate(t.Context(), s.ann.Who(), "sample"); err != nil {
		t.Fatal(err)
	}
	s.stop()
	if list, err := os.ReadDir(m.runDir); err != nil || len(list) != 0 {
		t.Errorf("the run folder holds %v, %v", list, err)
	}
	goleak.VerifyNone(t, before)
}

// The parent-death signal means the thread that started the child. Go ends threads when a
// goroutine ends that had locked its own; none of ours may be among them.
func TestEndingThreadsDontKillModules(t *testing.T) {
	needLinux(t)
	s := newStage(t, nil)
	s.active(kit{})
	before := s.pid("sample")
	for range 500 {
		done := make(chan struct{})
		go func() {
			runtime.LockOSThread() // and ends without unlocking: the thread ends too
			close(done)
		}()
		<-done
	}
	s.get("/pick")
	if got := s.pid("sample"); got != before {
		t.Errorf("the module was started anew: %d, then %d", before, got)
	}
}

// hostFolder tells this test binary to be a host until it is killed.
const hostFolder = "UNDERSTUDY_TEST_HOST_DATABASE"

func TestMain(m *testing.M) {
	if path := os.Getenv(hostFolder); path != "" {
		beHost(path)
		return
	}
	if path := os.Getenv(changingHost); path != "" {
		beChangingHost(path)
		return
	}
	os.Exit(m.Run())
}

// openApp opens a database by hand: a host that is going to be killed tidies nothing.
func openApp(folder string) (*app.App, *store.Store, error) {
	db, err := store.Open(context.Background(), filepath.Join(folder, "understudy.db"), "NORMAL")
	if err != nil {
		return nil, nil, err
	}
	return app.New(app.Options{Store: db, Version: "3.1.0"}), db, nil
}

func beHost(folder string) {
	a, _, err := openApp(folder)
	if err != nil {
		panic(err)
	}
	if err := managerOf(a, folder).Start(context.Background()); err != nil {
		panic(err)
	}
	select {}
}

// The module here is stopped, so that it can't end by itself.
func TestAKilledHostLeavesNoModuleBehind(t *testing.T) {
	needLinux(t)
	folder, err := os.MkdirTemp("", "uh")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	prepareHost(t, folder, kit{})
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), hostFolder+"="+folder)
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(folder, "modules")
	eventually(t, "the host's module runs", func() bool { return len(processesBelow(modules)) == 1 })
	number, _, _ := strings.Cut(processesBelow(modules)[0], " ")
	pid, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	freeze(t, pid)
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait()
	eventually(t, "the module is gone", func() bool { return len(processesBelow(modules)) == 0 })
}

// prepareHost installs and activates a module in a folder, as the command line would.
func prepareHost(t *testing.T, folder string, k kit) {
	t.Helper()
	_, m, closed := hostIn(t, folder)
	defer closed()
	id := installHere(t, m, k).ID
	if err := m.Activate(t.Context(), crm.Operator(), id); err != nil {
		t.Fatal(err)
	}
}

// hostIn is a host on a folder, in this process and not started, until it is closed.
func hostIn(t *testing.T, folder string) (a *app.App, m *Manager, closed func()) {
	t.Helper()
	a, db, err := openApp(folder)
	if err != nil {
		t.Fatal(err)
	}
	m = managerOf(a, folder)
	m.timing = quick()
	return a, m, func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

func managerOf(a *app.App, folder string) *Manager {
	return New(Options{
		App: a, Dir: filepath.Join(folder, "modules"), RunDir: filepath.Join(folder, "run"), Journal: filepath.Join(folder, "starting.json"), AllowUpload: true,
	})
}

// installHere installs a package in the name of the command line.
func installHere(t *testing.T, m *Manager, k kit) crm.Module {
	t.Helper()
	review, err := m.Upload(t.Context(), crm.Operator(), "sample.zip", bytes.NewReader(k.zip(t)))
	if err != nil {
		t.Fatal(err)
	}
	row, err := m.Install(t.Context(), crm.Operator(), review.StagedID)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func TestALongRunFolderIsNamedAsTheCause(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.install(kit{})
	s.m.runDir = filepath.Join(s.m.runDir, strings.Repeat("x", 80))
	err := s.m.Activate(t.Context(), s.ann.Who(), "sample")
	wantKey(t, err, crm.Unavailable, "module_run_path_long")
}

func TestBackoffGrowsAndIsBounded(t *testing.T) {
	for crashes, most := range map[int]time.Duration{1: 1250 * time.Millisecond, 4: 10 * time.Second, 30: 375 * time.Second} {
		if wait := backoff(time.Second, 5*time.Minute, crashes); wait > most || wait < most/2 {
			t.Errorf("after %d crashes: %v", crashes, wait)
		}
	}
	spread := map[time.Duration]bool{}
	for range 10 {
		spread[backoff(time.Second, 5*time.Minute, 3)] = true
	}
	if len(spread) == 1 {
		t.Error("modules that fell together rise together")
	}
}

// mattermost's documentation PR 661: whoever stops a plugin in a debugger for five seconds finds it
// killed.
func TestADebuggedModuleMayTakeItsTime(t *testing.T) {
	needLinux(t)
	site := hosttest.NewSite(t)
	m := newManager(t, site, func(q *timing) {
		q.health, q.healthLimit = 10*time.Millisecond, 10*time.Millisecond
		q.page, q.lifecycle = 20*time.Millisecond, time.Second
	})
	m.debug = []string{"sample"}
	s := &stage{t: t, site: site, m: m, ann: site.SignIn(t, "admin@example.com")}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	s.active(kit{})
	pid, r := s.pid("sample"), m.known("sample").current.Load()
	freeze(t, pid)
	answered := make(chan error, 1)
	go func() {
		_, _, err := s.tryAsk("GET", "/pick", "")
		answered <- err
	}()
	if within(300*time.Millisecond, r.process.child.done) {
		t.Fatal("it was killed while it stood still")
	}
	resume(t, pid)
	if err := <-answered; err != nil {
		t.Errorf("the page: %v", err)
	}
	if !s.row("sample").Debugged {
		t.Error("its row doesn't say so")
	}
	kill(t, pid)
	eventually(t, "it stays as it ended", func() bool { return s.row("sample").State == Failed })
}
