package module

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module/launcher"
)

// withoutLandlock has this test process play a host on a kernel without it.
const withoutLandlock = "UNDERSTUDY_TEST_WITHOUT_LANDLOCK"

func TestSandboxBelowTheRequiredIsNotStarted(t *testing.T) {
	t.Parallel()
	c := newCell(t)
	if os.Getenv(withoutLandlock) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
		cmd.Env = append(os.Environ(), withoutLandlock+"=1")
		if said, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(said), "--- PASS") {
			t.Errorf("without Landlock: %v\n%s", err, said)
		}
		return
	}
	takeLandlock(t)
	for _, required := range []Requirement{RequireFull, RequireFiles} {
		c.enclosure.Require = required
		child, err := c.start("wait", false)
		wantKey(t, err, crm.Unavailable, "module_sandbox_too_little")
		var refusal *crm.Error
		if !errors.As(err, &refusal) || refusal.Args["Required"] != string(required) || refusal.Args["Reached"] != "network, sockets, privileges, resources" {
			t.Errorf("%v", err)
		}
		if n, _ := child.Stdout().Read(make([]byte, 1)); n != 0 {
			t.Error("the module has run")
		}
	}
	c.enclosure.Require = RequireNothing
	if child, err := c.start("wait", false); err != nil || child.level().Files {
		t.Errorf("%v", err)
	}
}

// takeLandlock leaves this process, and all it starts, without it.
func takeLandlock(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_LANDLOCK_CREATE_RULESET, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		t.Fatal(errno)
	}
}

func TestLevelsReachWhatIsRequired(t *testing.T) {
	full := Level{Files: true, Network: true, Sockets: true, Privileges: true, Resources: true}
	granted := full
	granted.Sockets, granted.Granted = false, true
	files := Level{Files: true, Privileges: true}
	for _, c := range []struct {
		level Level
		least Requirement
		want  bool
	}{
		{Level{}, "", true},
		{Level{}, RequireNothing, true},
		{Level{}, RequireFiles, false},
		{Level{Files: true}, RequireFiles, false},
		{files, RequireFiles, true},
		{files, RequireFull, false},
		{full, RequireFull, true},
		{granted, RequireFull, true},
	} {
		if c.level.Reaches(c.least) != c.want {
			t.Errorf("%s reaches %q: %v", c.level, c.least, !c.want)
		}
	}
	if got := (Level{}).String(); got != "no sandbox here" {
		t.Errorf("nothing is called %q", got)
	}
}

func TestARowShowsTheSandboxWhileTheModuleRuns(t *testing.T) {
	needSandbox(t)
	t.Parallel()
	s := newStage(t, nil)
	s.m.requireSandbox = RequireFull
	s.install(kit{})
	if row := s.row("sample"); row.Sandbox != nil {
		t.Errorf("before: %v", row.Sandbox)
	}
	if err := s.m.Activate(t.Context(), s.ann.Who(), "sample"); err != nil {
		t.Fatal(err)
	}
	if row := s.row("sample"); row.Sandbox == nil || !row.Sandbox.Reaches(RequireFull) {
		t.Errorf("while it runs: %v", row.Sandbox)
	}
}

// hostileKit is a module that is the hostile program.
func hostileKit(t *testing.T, mode string) kit {
	t.Helper()
	return kit{mode: mode, program: the(t, hostile)}
}

func TestAModuleThatPrintsBeforeTheHandshakeIsNotBelieved(t *testing.T) {
	needSandbox(t)
	t.Parallel()
	s := newStage(t, nil)
	s.install(hostileKit(t, "print"))
	if err := s.m.Activate(t.Context(), s.ann.Who(), "sample"); crm.KindOf(err) != crm.Unavailable {
		t.Errorf("activate: %v", err)
	}
	if row := s.row("sample"); row.State != Installed || row.Problem == nil {
		t.Errorf("row: %s %v", row.State, row.Problem)
	}
}

// More log than the host wants to read costs the host a bounded part of its memory, and its time no more than the throttle gives.
func TestAModuleThatFillsTheLogIsCutShort(t *testing.T) {
	needSandbox(t)
	s := newStage(t, func(q *timing) { q.flush = time.Hour })
	s.install(hostileKit(t, "flood"))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if err := s.m.Activate(t.Context(), s.ann.Who(), "sample"); crm.KindOf(err) != crm.Unavailable {
		t.Errorf("activate: %v", err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 32<<20 {
		t.Errorf("the host holds %d MB more", grown>>20)
	}
	log := s.m.known("sample").log
	if lines := log.take(); len(lines) > maxPending+1 {
		t.Errorf("%d lines wait for the database", len(lines))
	}
	if row := s.row("sample"); len(row.LastLines) > lastLines {
		t.Errorf("%d last lines", len(row.LastLines))
	}
}

// BenchmarkStart is a module's cold start to its connection, with the sandbox and without.
func BenchmarkStart(b *testing.B) {
	l := sampleLaunch(b)
	for name, direct := range map[string]bool{"direct": true, "sandbox": false} {
		b.Run(name, func(b *testing.B) {
			l.direct = direct
			for b.Loop() {
				p, err := startProcess(b.Context(), l)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				p.stop(0)
				b.StartTimer()
			}
		})
	}
}

// A start costs a millisecond or two, not seven, because the launcher doesn't wait for packages it
// has no use for. An import too many in it would change that without a word.
func TestTheLauncherComesBeforeTheRestOfTheHost(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", launcher.Word, "by hand")
	cmd.Env = []string{"GODEBUG=inittrace=1"}
	said, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(said), "the host starts this by itself") || !strings.Contains(string(said), "init syscall") {
		t.Errorf("%v: %s", err, said)
	}
	for _, late := range []string{"net/http", "google.golang.org/grpc", "google.golang.org/protobuf/internal/impl", "html/template"} {
		if strings.Contains(string(said), "init "+late+" ") {
			t.Errorf("%s was made ready for nothing", late)
		}
	}
}
