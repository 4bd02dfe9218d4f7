package module

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

func TestSandboxFiles(t *testing.T) {
	t.Parallel()
	c := newCell(t)
	database := filepath.Join(c.base, "understudy.db")
	got := c.try("files", false)
	c.refused(got, "read /etc/passwd", "read "+database, fmt.Sprintf("read /proc/%d/environ", os.Getpid()), "read /proc/self/mem", "list /",
		"write outside", "write database", "truncate database", "chmod database", "touch database", "label database", "remove database",
		"take database", "link database", "symlink", "device", "write package", "execute run", "execute shell")
	c.allowed(got, "read package", "write run", "read run", "write null", "create big")
	if got["grow big"] != "file too large" || got["open many"] != "too many open files" {
		t.Errorf("grow: %q, open: %q", got["grow big"], got["open many"])
	}
	if text, err := os.ReadFile(database); err != nil || string(text) != "secret" {
		t.Errorf("the database holds %q, %v", text, err)
	}
	if !c.level.Reaches(RequireFull) || c.level.Landlock == 0 || c.level.String() != "files, network, sockets, privileges, resources" {
		t.Errorf("level %+v", c.level)
	}
}

func TestSandboxNetwork(t *testing.T) {
	t.Parallel()
	c := newCell(t)
	tcp, udp := listen(t)
	env := []string{fmt.Sprintf("TCP_PORT=%d", tcp), fmt.Sprintf("UDP_PORT=%d", udp)}
	c.allowed(c.try("network", true, env...), "tcp", "mptcp", "udp") // each try reaches its listener where nothing keeps it from it
	got := c.try("network", false, env...)
	c.refused(got, "tcp", "tcp6", "mptcp", "udp", "raw", "packet", "netlink", "vsock", "alg", "local datagram", "local datagram pair", "io_uring")
	c.allowed(got, "local stream")

	c.enclosure.Network = true
	got = c.try("network", false, env...)
	c.allowed(got, "tcp", "tcp6", "mptcp", "udp", "local stream")
	c.refused(got, "raw", "packet", "netlink", "vsock", "alg", "local datagram", "io_uring")
	if !c.level.Granted || c.level.Sockets || !c.level.Reaches(RequireFull) {
		t.Errorf("level %+v", c.level)
	}
}

// listen opens loopback listeners for both kinds of connection; Go's TCP listeners take MPTCP too.
func listen(t *testing.T) (tcp, udp int) {
	t.Helper()
	stream, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stream.Close() })
	packets, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { packets.Close() })
	return stream.Addr().(*net.TCPAddr).Port, packets.LocalAddr().(*net.UDPAddr).Port
}

// Another program's socket may take its user for a friend: a database, a container engine.
func TestSandboxSockets(t *testing.T) {
	t.Parallel()
	c := newCell(t)
	own, other, abstract := filepath.Join(c.enclosure.Run, "own"), filepath.Join(c.base, "outside/other"), "@understudy-"+filepath.Base(c.base)
	heard := make(chan string, 10)
	for _, name := range []string{own, other, abstract} {
		l, err := new(net.ListenConfig).Listen(t.Context(), "unix", name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
				text, _ := io.ReadAll(conn)
				conn.Close()
				heard <- name + " " + string(text)
			}
		}()
	}
	linked := filepath.Join(c.enclosure.Run, "linked")
	if err := os.Symlink(other, linked); err != nil { // the module can't make one; if it could, it must not help
		t.Fatal(err)
	}
	env := []string{"OWN=" + own, "OTHER=" + other, "ABSTRACT=" + abstract, "LINKED=" + linked}
	c.allowed(c.try("sockets", true, env...), "OWN", "OTHER", "ABSTRACT", "LINKED")
	for range 4 {
		<-heard
	}
	got := c.try("sockets", false, env...)
	c.allowed(got, "OWN")
	c.refused(got, "OTHER", "ABSTRACT", "LINKED")
	if said := <-heard; said != own+" hello" {
		t.Errorf("heard %q", said)
	}
	if len(heard) > 0 {
		t.Errorf("and heard %q", <-heard)
	}
}

func TestSandboxProcesses(t *testing.T) {
	t.Parallel()
	c := newCell(t)
	got := c.try("processes", false)
	c.refused(got, "ptrace", "process_vm_readv", "pidfd_open", "kill", "kill group", "kill all", "tgkill", "tkill", "sigqueue", "own",
		"limit host", "pin host", "priority", "survive", "leave group", "new session", "fork", "clone3", "start")
	c.allowed(got, "kill itself")
	if got["forked"] != "0" {
		t.Errorf("it forked %s times", got["forked"])
	}
}

func TestSandboxMachine(t *testing.T) {
	t.Parallel()
	c := newCell(t)
	got := c.try("machine", false)
	c.refused(got, "unshare", "setns", "mount", "bpf", "keyctl", "userfaultfd", "perf", "chroot", "clock", "unknown call")
	for name, want := range map[string]string{
		"capabilities": "false", "no_new_privs": "1 <nil>", "parent death": "9 <nil>", "leads its group": "true",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
}

func TestSandboxMemory(t *testing.T) {
	t.Parallel()
	c := newCell(t)
	got := c.try("memory", false)
	if got["private"] != "cannot allocate memory" || got["shared"] != "cannot allocate memory" || got["core"] != "0" {
		t.Errorf("memory: %v", got)
	}
	c.refused(got, "memfd", "shmget", "raise")

	got = c.try("take", false)
	if c.code != 2 || !strings.Contains(c.stderr, "out of memory") {
		t.Errorf("it took %s blocks of 64 MB and ended by %d %s: %.200s", got["taken"], c.code, c.signal, c.stderr)
	}
	if blocks, err := strconv.Atoi(got["taken"]); err != nil || blocks >= 16 {
		t.Errorf("it took %d MB, %v", blocks*64, err)
	}
}

// The kernel counts an ordinary user's threads, and nobody's who is root.
func TestSandboxThreads(t *testing.T) {
	if os.Geteuid() == 0 {
		asOrdinaryUser(t, "^TestSandboxThreads$")
		return
	}
	c := newCell(t)
	got := c.try("threads", false)
	if c.code != 2 || !strings.Contains(c.stderr, "failed to create new OS thread") {
		t.Errorf("%s threads, then exit %d: %.200s", got["threads"], c.code, c.stderr)
	}
}

func TestSandboxBringsNothingOfTheHost(t *testing.T) {
	t.Parallel()
	c := newCell(t)
	got := c.try("surroundings", false, "ONLY=this")
	want := fmt.Sprintf("DATABASE=%s/understudy.db FOLDER=%[1]s/pkg MODE=surroundings ONLY=this OUTSIDE=%[1]s/outside TMPDIR=%[1]s/run", c.base)
	if got["env"] != want || got["args"] != "["+c.enclosure.Program+"]" {
		t.Errorf("it sees %v", got)
	}
	// Three of its own: none of ours.
	if got["open"] != "2" {
		t.Errorf("its last open file is %s", got["open"])
	}
}

// What the module says is nothing the host hears: the launcher's end was closed before.
func TestSandboxLevelCantBeFaked(t *testing.T) {
	t.Parallel()
	c := newCell(t)
	c.enclosure.Network = true // a real level that differs from the faked one
	if c.try("fake-report", false); c.level.Sockets || c.level.Landlock == 99 {
		t.Errorf("level %+v", c.level)
	}
}

// Whatever stands at the path once the file is hashed is not what runs.
func TestSandboxRunsTheFileThatWasHashed(t *testing.T) {
	t.Parallel()
	c := newCell(t)
	file, err := os.Open(c.enclosure.Program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	child, err := newChild(c.enclosure.Program, c.enclosure.Run, []string{"MODE=wait"})
	if err == nil {
		err = errors.Join(child.enclose(c.enclosure, file), os.Rename(c.enclosure.Program, c.enclosure.Program+".old"),
			os.WriteFile(c.enclosure.Program, []byte("another"), 0o755), child.Start(t.Context()))
	}
	if err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 9)
	if _, err := io.ReadFull(child.Stdout(), line); err != nil || string(line) != "ready: ok" {
		t.Errorf("%q %v", line, err)
	}
	_ = child.Kill(t.Context())
	<-child.done
	if _, signal, _ := child.ended(); signal != "SIGKILL" {
		t.Errorf("ended by %q", signal)
	}
}

func TestSandboxSaysWhatItCantExecute(t *testing.T) {
	t.Parallel()
	c := newCell(t)
	if err := os.WriteFile(c.enclosure.Program, []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := c.start("wait", false)
	wantKey(t, err, crm.Unavailable, "module_not_startable")
	c.enclosure.Folder = filepath.Join(c.base, "nowhere")
	_, err = c.start("wait", false)
	wantKey(t, err, crm.Unavailable, "module_sandbox_failed")
}

func TestSandboxAsAnOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		return // this is one: the other tests tell
	}
	asOrdinaryUser(t, "^TestSandbox(Files|Network|Sockets|Processes|Machine|Memory|Brings.*|Level.*|Runs.*|Says.*)$")
}
