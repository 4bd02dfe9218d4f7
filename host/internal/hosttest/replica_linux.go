package hosttest

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// Replicas are several hosts on one PostgreSQL behind a real nginx, which sends each request to one
// of them at random.
type Replicas struct {
	*Balancer
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

// StartReplicas starts three at once on an empty database, to which people, when given, are added
// first.
func StartReplicas(t testing.TB, database string, people ...crm.Capability) *Replicas {
	t.Helper()
	r := &Replicas{Database: database}
	if len(people) > 0 {
		fillDemo(t, database, people)
	}
	var upstream strings.Builder
	for _, name := range ReplicaNames {
		address := OwnAddress(t)
		one := &Replica{Name: name, Wire: NewWire(t, database), Data: filepath.Join(t.TempDir(), name), t: t}
		one.args = []string{
			"serve", "--listen", address, "--data", one.Data, "--modules", filepath.Join(one.Data, "modules"),
			"--database", one.Wire.URL(t, database), "--replica", name,
		}
		r.List = append(r.List, one)
		fmt.Fprintf(&upstream, "server %s max_fails=1 fail_timeout=1s;\n", address)
	}
	for _, one := range r.List {
		one.Begin()
	}
	for _, one := range r.List {
		one.WaitReady()
	}
	address := OwnAddress(t)
	r.Balancer = StartNginx(t, address, strings.NewReplacer("UPSTREAM", upstream.String(), "ADDRESS", address).Replace(`
	upstream understudy { random; UPSTREAM }
	server {
		listen ADDRESS;
		client_max_body_size 70m;
		location / {
			proxy_pass http://understudy;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Proto $scheme;
			proxy_connect_timeout 2s;
			proxy_read_timeout 30s;
			proxy_next_upstream error timeout;
		}
	}`))
	return r
}

// fillDemo puts the example people into an empty database.
func fillDemo(t testing.TB, database string, supportMay []crm.Capability) {
	t.Helper()
	db, err := store.Open(t.Context(), database, "NORMAL")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // all was committed
	if err := app.New(app.Options{Store: db, Version: "3.1.0"}).FillDemo(t.Context(), supportMay...); err != nil {
		t.Fatal(err)
	}
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

// Named is a replica by its name.
func (r *Replicas) Named(t testing.TB, name string) *Replica {
	t.Helper()
	for _, one := range r.List {
		if one.Name == name {
			return one
		}
	}
	t.Fatalf("no replica is called %q", name)
	return nil
}

// Soon is how long a replica may take to follow what another did.
const Soon = 5 * time.Second
