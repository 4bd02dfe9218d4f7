package hosttest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the host, built once per test process.
var program = sync.OnceValues(func() (string, error) {
	dir, err := processDir("program")
	if err != nil {
		return "", err
	}
	root, err := findRoot()
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "bin", "understudy")
	return out, goBuild(root, out, "./host")
})

// goBuild builds as make does: what is built is small, and on a new machine make finds it made.
func goBuild(root, out, source string) error {
	cmd := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, source)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", source, err, text)
	}
	return nil
}

// Built is an executable's content, built from its source in this tree, such as
// "host/internal/module/testdata/sample".
func Built(source string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "understudy-built-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it has been read
	root, err := findRoot()
	if err != nil {
		return nil, err
	}
	out := filepath.Join(dir, filepath.Base(source))
	if err := goBuild(root, out, "./"+source); err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}

// Program is the path of the host's own executable, built from this tree.
func Program(t testing.TB) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var packages sync.Map // source folder → func() (string, error)

// Package is the path of a module's package, packed by the host from its source in this tree, such
// as "host/internal/hosttest/testdata/sample". change, when given, edits a copy of the source first
// and the result is packed anew.
func Package(t testing.TB, source string, change ...func(dir string)) string {
	t.Helper()
	if len(change) > 0 {
		dir := filepath.Join(t.TempDir(), "source")
		if err := os.CopyFS(dir, os.DirFS(prepared(t, source))); err != nil {
			t.Fatal(err)
		}
		for _, edit := range change {
			edit(dir)
		}
		return pack(t, dir, filepath.Join(t.TempDir(), filepath.Base(source)+".zip"))
	}
	path := prepared(t, source) + ".zip"
	if _, err := os.Stat(path); err == nil {
		return path
	}
	return pack(t, prepared(t, source), path)
}

// prepared is a folder with the module's files and its executable for this machine, as make lays it
// out.
func prepared(t testing.TB, source string) string {
	t.Helper()
	prepare, _ := packages.LoadOrStore(source, sync.OnceValues(func() (string, error) {
		dir, err := processDir("package")
		if err != nil {
			return "", err
		}
		root, err := findRoot()
		if err != nil {
			return "", err
		}
		name := filepath.Base(source)
		dir = filepath.Join(dir, name)
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, source))); err != nil {
			return "", fmt.Errorf("copy %s: %w", source, err)
		}
		return dir, goBuild(root, filepath.Join(dir, "bin", name+"-"+platform()), "./"+source)
	}))
	dir, err := prepare.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func pack(t testing.TB, dir, out string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Program(t), "module", "pack", dir, "--out", out, "--platform", strings.Replace(platform(), "-", "/", 1))
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("pack %s: %v\n%s", dir, err, text)
	}
	return out
}

// Process is a running host.
type Process struct {
	t       testing.TB
	cmd     *exec.Cmd
	Address string // such as http://127.0.0.1:40123
	ready   chan struct{}
	ended   chan struct{}
	err     error
	output  syncBuffer
}

var address = regexp.MustCompile(`https?://127\.\d+\.\d+\.\d+:\d+`)

// StartProgram runs the host with these arguments until the test ends or it is stopped, and waits
// until it is ready.
func StartProgram(t testing.TB, args ...string) *Process {
	t.Helper()
	p := runProgram(t, args...)
	p.waitReady()
	return p
}

// runProgram is StartProgram without waiting.
func runProgram(t testing.TB, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, ready: make(chan struct{}), ended: make(chan struct{})}
	p.cmd = exec.Command(Program(t), args...)
	p.cmd.Dir = t.TempDir()
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = &p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("the host said:\n%s", p.Output())
		}
	})
	go p.read(out)
	return p
}

func (p *Process) waitReady() {
	p.t.Helper()
	select {
	case <-p.ready:
	case <-p.ended:
		p.t.Fatalf("the host ended: %v\n%s", p.err, p.Output())
	case <-time.After(Patience):
		p.t.Fatalf("the host is not ready after %s\n%s", Patience, p.Output())
	}
}

func (p *Process) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		_, _ = p.output.Write([]byte(line + "\n")) // a buffer takes everything
		if found := address.FindString(line); found != "" && p.Address == "" {
			p.Address = found
			close(p.ready)
		}
	}
	p.err = p.cmd.Wait()
	close(p.ended)
}

// Output is what the host has printed so far.
func (p *Process) Output() string { return p.output.String() }

// Setup is the one-time address of the first administrator, empty until it has been printed.
func (p *Process) Setup() string {
	for line := range strings.Lines(p.Output()) {
		if strings.Contains(line, "/setup/") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// PID is the host's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends the host at once, as kill -9 does.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.ended
}

// Stop asks the host to end, as a service manager does, and says how it did.
func (p *Process) Stop() error {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(Patience):
		p.t.Fatalf("the host doesn't end\n%s", p.Output())
	}
	return p.err
}

// syncBuffer is a buffer two goroutines may write to.
type syncBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write adds to the buffer.
func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String is what was written so far.
func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Patience is how long a test waits for what must come. It ends a test that hangs, and says nothing of
// how long a thing may take: a slow and busy machine is far from it.
const Patience = 2 * time.Minute

// Eventually polls until it is so, and fails when it never is.
func Eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !so(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", Patience, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func platform() string { return runtime.GOOS + "-" + runtime.GOARCH }
