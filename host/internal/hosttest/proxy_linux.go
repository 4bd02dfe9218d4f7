package hosttest

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"syscall"
	"testing"
	"time"
)

func nginxProgram() (string, error) {
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("it is neither in PATH nor in /usr/sbin: install nginx-light")
}

// startNginx runs nginx until the test ends, and tells whether it came up.
func startNginx(t testing.TB, n *Proxy, program, configuration string) bool {
	t.Helper()
	args := []string{"-c", configuration, "-e", "stderr"}
	if me, err := user.Current(); err == nil && os.Geteuid() == 0 {
		args = append(args, "-g", "user "+me.Username+";") // who may read the test's folders
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = n.output, n.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // its master takes its worker along
	cmd.WaitDelay = 5 * time.Second
	ended, started := make(chan struct{}), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the kernel tells a child of its parent's death when the thread that started it ends
		started <- cmd.Start()
		_ = cmd.Wait() // it is ended below
		close(ended)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		<-ended
		if t.Failed() {
			t.Logf("nginx said:\n%s", n.Output())
		}
	})
	return n.answers(t, ended)
}

// answers waits until nginx does, or has ended.
func (n *Proxy) answers(t testing.TB, ended <-chan struct{}) bool {
	t.Helper()
	client := n.Client(t, "127.0.0.1")
	client.Timeout = 5 * time.Second
	up := false
	Eventually(t, "nginx answers", func() bool {
		select {
		case <-ended:
			return true
		default:
		}
		response, err := client.Get(n.Plain + "/")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		up = response.StatusCode == http.StatusPermanentRedirect
		return true
	})
	return up
}
