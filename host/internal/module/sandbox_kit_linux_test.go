package module

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// hostileProgram names a built one, for a test process that can't build.
const hostileProgram = "UNDERSTUDY_TEST_HOSTILE"

var hostile = sync.OnceValues(func() (*program, error) {
	if name := os.Getenv(hostileProgram); name != "" {
		content, err := os.ReadFile(name)
		return &program{content: content, sum: sha256.Sum256(content)}, err
	}
	return built("hostile")
})

// cell is a place for a hostile program: its package, its run folder, and beside them what it must
// not touch, which nothing but the sandbox keeps from it.
type cell struct {
	t         *testing.T
	base      string
	enclosure enclosure
	level     Level
	stderr    string
	code      int
	signal    string
}

func newCell(t *testing.T) *cell {
	t.Helper()
	needSandbox(t)
	base, err := os.MkdirTemp("", "u")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	c := &cell{t: t, base: base, enclosure: enclosure{
		Program: filepath.Join(base, "pkg/bin/hostile"), Folder: filepath.Join(base, "pkg"), Run: filepath.Join(base, "run"), Require: RequireFull,
	}}
	for _, dir := range []string{"pkg/bin", "pkg/assets", "run", "outside"} {
		err = errors.Join(err, os.MkdirAll(filepath.Join(base, dir), 0o755))
	}
	err = errors.Join(err, os.WriteFile(c.enclosure.Program, the(t, hostile).content, 0o755), os.WriteFile(filepath.Join(base, "pkg/assets/mode"), nil, 0o644),
		os.WriteFile(filepath.Join(base, "understudy.db"), []byte("secret"), 0o666))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// needSandbox says what this kernel lacks.
func needSandbox(t *testing.T) {
	t.Helper()
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION); errno != 0 {
		hosttest.Missing(t, "landlock", "this kernel has none, or does not let us use it: "+errno.Error())
	}
	if action := uint32(unix.SECCOMP_RET_USER_NOTIF); !seccompKnows(&action) {
		hosttest.Missing(t, "seccomp", "this kernel does not let a program answer system calls")
	}
}

// start starts the hostile program; direct is without a sandbox, to show that the tries are real.
func (c *cell) start(mode string, direct bool, env ...string) (*child, error) {
	c.t.Helper()
	env = append(env, "MODE="+mode, "TMPDIR="+c.enclosure.Run, "FOLDER="+c.enclosure.Folder,
		"DATABASE="+filepath.Join(c.base, "understudy.db"), "OUTSIDE="+filepath.Join(c.base, "outside"))
	if err := os.Rename(c.enclosure.Run+"-left", c.enclosure.Run); err != nil && !errors.Is(err, fs.ErrNotExist) { // it is put aside at a process' end
		c.t.Fatal(err)
	}
	child, err := newChild(c.enclosure.Program, c.enclosure.Run, env)
	if err != nil {
		c.t.Fatal(err)
	}
	if !direct {
		file, err := os.Open(c.enclosure.Program)
		if err != nil {
			c.t.Fatal(err)
		}
		defer file.Close()
		if err := child.enclose(c.enclosure, file); err != nil {
			c.t.Fatal(err)
		}
	}
	c.t.Cleanup(func() {
		_ = child.Kill(context.Background())
		if child.cmd.Process != nil {
			<-child.done
		}
	})
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	err = child.Start(ctx)
	if err != nil {
		<-child.done
	}
	return child, err
}

// try runs the hostile program to its end and returns its answers by name.
func (c *cell) try(mode string, direct bool, env ...string) map[string]string {
	c.t.Helper()
	child, err := c.start(mode, direct, env...)
	if err != nil {
		c.t.Fatalf("start: %v", err)
	}
	var out, errs []byte
	var reading sync.WaitGroup
	reading.Go(func() { out, _ = io.ReadAll(child.Stdout()) })
	reading.Go(func() { errs, _ = io.ReadAll(child.Stderr()) })
	<-child.done
	reading.Wait()
	c.level, c.stderr = *child.level(), string(errs)
	c.code, c.signal, _ = child.ended()
	answers := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, answer, _ := strings.Cut(strings.TrimSpace(line), ": ")
		answers[name] = answer
	}
	if len(answers) == 0 {
		c.t.Fatalf("it said nothing: exit %d %s\n%s", c.code, c.signal, errs)
	}
	return answers
}

func (c *cell) refused(answers map[string]string, names ...string) {
	c.t.Helper()
	wantRefused(c.t, answers, names...)
}

// wantRefused looks whether the kernel has refused each of these tries.
func wantRefused(t *testing.T, answers map[string]string, names ...string) {
	t.Helper()
	for _, name := range names {
		answer, tried := answers[name]
		if _, refusal, wrapped := strings.Cut(answer, ": "); wrapped {
			answer = refusal // after the operation and the path
		}
		switch answer {
		case "permission denied", "operation not permitted", "function not implemented", "invalid cross-device link":
		default:
			t.Errorf("%s: %q, tried %v", name, answers[name], tried)
		}
	}
}

func (c *cell) allowed(answers map[string]string, names ...string) {
	c.t.Helper()
	for _, name := range names {
		if answers[name] != "ok" {
			c.t.Errorf("%s: %q", name, answers[name])
		}
	}
}

// asOrdinaryUser runs tests of this process once more, as nobody: host and modules alike.
func asOrdinaryUser(t *testing.T, tests string) {
	t.Helper()
	needSandbox(t)
	dir, err := os.MkdirTemp("", "u")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	name := filepath.Join(dir, "hostile")
	if err := errors.Join(os.WriteFile(name, the(t, hostile).content, 0o755), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "-test.run="+tests, "-test.v", "-test.count=1")
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, hostileProgram + "=" + name, "UNDERSTUDY_TEST_REQUIRE=all"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	said, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(said), "--- PASS") || strings.Contains(string(said), "--- SKIP") {
		t.Errorf("as an ordinary user: %v\n%s", err, said)
	}
}

func seccompKnows(action *uint32) bool {
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(action)))
	return errno == 0
}
