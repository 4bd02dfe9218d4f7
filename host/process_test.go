//go:build linux

package main

import (
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

func startDemo(t *testing.T) *hosttest.Process {
	t.Helper()
	dir := filepath.Dir(hosttest.Package(t, "plugins/impersonation"))
	return hosttest.StartProgram(t, "demo", "--listen", "127.0.0.1:0", "--packages", dir, "--data", filepath.Join(t.TempDir(), "data"))
}

func wantStatus(t *testing.T, address string, want int) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		t.Fatalf("%s: %s, want %d; %v", address, res.Status, want, err)
	}
	return string(body)
}

func TestStopEndsEverythingInTime(t *testing.T) {
	p := startDemo(t)
	wantStatus(t, p.Address+"/readyz", http.StatusOK)
	modules := hosttest.Children(t, p.PID())
	if len(modules) != 1 {
		t.Fatalf("%d module processes", len(modules))
	}
	if err := p.Stop(); err != nil {
		t.Errorf("it ended: %v", err)
	}
	for _, pid := range modules {
		if hosttest.Alive(pid) {
			t.Errorf("process %d is still there", pid)
		}
	}
}

// At the end /readyz fails first. Until the balancer has noticed, who comes is still served.
func TestStopFailsReadyzFirst(t *testing.T) {
	t.Parallel()
	p := hosttest.StartProgram(t, "demo", "--bare", "--listen", "127.0.0.1:0", "--drain-delay", "20s", "--data", filepath.Join(t.TempDir(), "data"))
	wantStatus(t, p.Address+"/readyz", http.StatusOK)
	if err := syscall.Kill(p.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	hosttest.Eventually(t, "/readyz fails", func() bool {
		res, err := http.Get(p.Address + "/readyz")
		if err != nil {
			t.Fatalf("nobody is served any more: %v", err)
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusServiceUnavailable
	})
	wantStatus(t, p.Address+"/healthz", http.StatusOK)
	wantStatus(t, p.Address+"/admin/login", http.StatusOK)
	if err := p.Stop(); err != nil {
		t.Errorf("it ended: %v", err)
	}
}

// A hung module doesn't hold the host up.
func TestStopEndsAHungModuleToo(t *testing.T) {
	p := startDemo(t)
	module := hosttest.Children(t, p.PID())[0]
	if err := syscall.Kill(module, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("it ended: %v", err)
	}
	if hosttest.Alive(module) {
		t.Error("the module is still there")
	}
}

// spiffe/spire #93, flanksource/mission-control #3169: the host dies, the modules live on.
func TestKilledHostLeavesNoProcess(t *testing.T) {
	p := startDemo(t)
	modules := hosttest.Children(t, p.PID())
	p.Kill()
	hosttest.Eventually(t, "every module process is gone", func() bool {
		for _, pid := range modules {
			if hosttest.Alive(pid) {
				return false
			}
		}
		return true
	})
}

// What was installed and activated is there again after a kill, from the database alone if need be.
func TestServeGoesOnWhereAKilledHostWas(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	dir := filepath.Dir(hosttest.Package(t, "plugins/impersonation"))
	first := hosttest.StartProgram(t, "demo", "--listen", "127.0.0.1:0", "--packages", dir, "--data", data)
	first.Kill()
	for _, modules := range []string{filepath.Join(data, "modules"), filepath.Join(t.TempDir(), "elsewhere")} {
		p := hosttest.StartProgram(t, "serve", "--listen", "127.0.0.1:0", "--data", data, "--modules", modules)
		wantStatus(t, p.Address+"/readyz", http.StatusOK)
		if n := len(hosttest.Children(t, p.PID())); n != 1 {
			t.Errorf("with modules in %s: %d module processes", modules, n)
		}
		p.Kill()
	}
}

func TestFirstStartPrintsAOneTimeAddress(t *testing.T) {
	data := t.TempDir()
	p := hosttest.StartProgram(t, "serve", "--listen", "127.0.0.1:0", "--data", data, "--modules", filepath.Join(data, "modules"))
	hosttest.Eventually(t, "the address is printed", func() bool { return p.Setup() != "" })
	wantStatus(t, p.Setup(), http.StatusOK)
	wantStatus(t, p.Setup()+"x", http.StatusNotFound)
}

func TestSafeModeServesWithoutModules(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	dir := filepath.Dir(hosttest.Package(t, "plugins/impersonation"))
	hosttest.StartProgram(t, "demo", "--listen", "127.0.0.1:0", "--packages", dir, "--data", data).Kill()
	p := hosttest.StartProgram(t, "serve", "--safe-mode", "--listen", "127.0.0.1:0", "--data", data, "--modules", filepath.Join(data, "modules"))
	wantStatus(t, p.Address+"/readyz", http.StatusOK)
	if left := hosttest.Children(t, p.PID()); len(left) != 0 {
		t.Errorf("module processes in safe mode: %v", left)
	}
}

// Two servers on one data folder would clear away each other's sockets.
func TestOneServerToADataFolder(t *testing.T) {
	data := t.TempDir()
	args := []string{"serve", "--listen", "127.0.0.1:0", "--data", data, "--modules", filepath.Join(data, "modules")}
	first := hosttest.StartProgram(t, args...)
	said, err := exec.CommandContext(t.Context(), hosttest.Program(t), args...).CombinedOutput()
	if err == nil || !strings.Contains(string(said), "another understudy serves "+data) {
		t.Errorf("the second: %v, %s", err, said)
	}
	if said, err := exec.CommandContext(t.Context(), hosttest.Program(t), "module", "list", "--data", data).CombinedOutput(); err != nil {
		t.Errorf("a command beside it: %v, %s", err, said)
	}
	first.Kill()
	hosttest.StartProgram(t, args...)
}
