package hosttest

import (
	"crypto/rand"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// ReplicaHeader names the address of the replica that gave an answer of [Replicas]; several, when
// nginx had to ask more than one.
const ReplicaHeader = "X-Replica"

// Replicas are several hosts on one PostgreSQL behind nginx as we ship it, but that it sends each
// request to one of them at random and says to which.
type Replicas struct {
	*Proxy
	List     []*Replica
	Database string // a URL that leads around every wire
}

// Replica is one of several hosts: a real process with folders of its own.
type Replica struct {
	*Process // as it runs now, or ran last
	Name     string
	Wire     *Wire // its way to the database
	Data     string

	t    testing.TB
	args []string
}

// ReplicaNames are those of a site's replicas.
var ReplicaNames = []string{"ada", "bob", "cyd"}

// StartReplicas starts three at once, on a database that may be empty.
func StartReplicas(t testing.TB, database string) *Replicas {
	t.Helper()
	r := &Replicas{Database: database}
	var addresses []string
	for _, name := range ReplicaNames {
		address := OwnAddress(t)
		one := &Replica{Name: name, Wire: NewWire(t, database), Data: filepath.Join(t.TempDir(), name), t: t}
		one.args = []string{
			"serve", "--listen", address, "--trusted-proxies", "127.0.0.1", "--drain-delay", "2s", "--data", one.Data, "--modules", filepath.Join(one.Data, "modules"),
			"--database", one.Wire.URL(t, database), "--replica", name,
		}
		r.List, addresses = append(r.List, one), append(addresses, address)
	}
	for _, one := range r.List {
		one.Begin()
	}
	for _, one := range r.List {
		one.WaitReady()
	}
	const ours, header = "upstream understudy {\n", "    add_header Strict-Transport-Security"
	file := ProxyFile(t)
	if !strings.Contains(file, ours) || !strings.Contains(file, header) {
		t.Fatal("nginx.conf isn't as it was")
	}
	file = strings.NewReplacer(ours, ours+"    random;\n", header, "    add_header "+ReplicaHeader+" $upstream_addr always;\n"+header).Replace(file)
	r.Proxy = StartProxy(t, file, addresses...)
	return r
}

// Begin starts it and doesn't wait. It must not run already.
func (r *Replica) Begin() {
	r.t.Helper()
	r.Process = runProgram(r.t, r.args...)
}

// WaitReady returns once it has started.
func (r *Replica) WaitReady() {
	r.t.Helper()
	r.waitReady()
}

// Start starts it anew where it was, and returns once it is ready.
func (r *Replica) Start() {
	r.t.Helper()
	r.Begin()
	r.WaitReady()
}

// Args are what a command is given to work on the same database, with a folder of its own.
func (r *Replicas) Args(t testing.TB) []string {
	t.Helper()
	dir := t.TempDir()
	return []string{"--database", r.Database, "--data", dir, "--modules", filepath.Join(dir, "modules")}
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
