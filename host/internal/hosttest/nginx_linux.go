package hosttest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// ReplicaHeader names the address of the replica that gave an answer of a [Balancer]; several, when
// it had to ask more than one.
const ReplicaHeader = "X-Replica"

// Balancer is a real nginx.
type Balancer struct {
	Address string // such as http://127.3.4.5:20123
	dir     string
}

// StartNginx serves what site says, the inside of nginx's http block that listens on address, until
// the test ends. Every answer carries [ReplicaHeader]. Without nginx the test is [Missing] "nginx".
func StartNginx(t testing.TB, address, site string) *Balancer {
	t.Helper()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		if nginx, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			Missing(t, "nginx", "it is neither in PATH nor in /usr/sbin: install nginx-light")
		}
	}
	b := &Balancer{Address: "http://" + address, dir: t.TempDir()}
	config := filepath.Join(b.dir, "nginx.conf")
	if err := os.WriteFile(config, []byte(nginxFrame(site)), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, nginx, "-p", b.dir, "-c", config, "-e", b.journal())
	// SIGTERM is nginx's fast shutdown, which takes its workers along.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // its end would be nginx's
		ended <- cmd.Run()
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		if t.Failed() {
			t.Logf("nginx said:\n%s", b.Said())
		}
	})
	Eventually(t, 10*time.Second, "nginx listens", func() bool {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("nginx ended: %v\n%s", err, b.Said())
		default:
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			_ = conn.Close() // it was taken, which is all that is asked
		}
		return err == nil
	})
	return b
}

func (b *Balancer) journal() string { return filepath.Join(b.dir, "error.log") }

// Said is what nginx complained of so far.
func (b *Balancer) Said() string {
	text, err := os.ReadFile(b.journal())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// nginxFrame puts a site into a configuration that keeps all it writes in its own folder.
func nginxFrame(site string) string {
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n" // nobody else may enter a test's folder
	}
	return user + `daemon off;
worker_processes 1;
pid nginx.pid;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	add_header ` + ReplicaHeader + ` $upstream_addr always;
` + site + `
}
`
}

// OwnAddress is a host and port nobody else listens on: a loopback address of this test's own, on
// which a program can be started anew.
func OwnAddress(t testing.TB) string {
	t.Helper()
	for range 20 {
		var b [5]byte
		_, _ = rand.Read(b[:]) // it never fails
		address := fmt.Sprintf("127.%d.%d.%d:%d", 1+b[0]%250, b[1], 1+b[2]%250, 10000+int(b[3])*50+int(b[4]))
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		return address
	}
	t.Fatal("no address is free")
	return ""
}
