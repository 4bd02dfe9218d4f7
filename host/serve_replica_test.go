//go:build unix

package main

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// serveOn is a command line that serves a database from a folder of its own.
func serveOn(dir, database string, more ...string) []string {
	return append([]string{"serve", "--listen", "127.0.0.1:0", "--database", database, "--data", filepath.Join(dir, "data"), "--modules", filepath.Join(dir, "modules")}, more...)
}

func TestReplicasTellThemselvesApart(t *testing.T) {
	database, one, two := hosttest.PostgresURL(t), t.TempDir(), t.TempDir()
	first := hosttest.StartProgram(t, serveOn(one, database)...)
	second := hosttest.StartProgram(t, serveOn(two, database)...)
	a, b := residentOf(t, one), residentOf(t, two)
	if a.Name == b.Name || a.Name == "" {
		t.Errorf("they call themselves %q and %q", a.Name, b.Name)
	}
	refused := exec.CommandContext(t.Context(), hosttest.Program(t), serveOn(t.TempDir(), database, "--replica", a.Name)...)
	said, err := refused.CombinedOutput()
	if err == nil || !strings.Contains(string(said), "Another replica named "+a.Name) || !strings.Contains(string(said), "--replica") {
		t.Errorf("a second one of the name: %v\n%s", err, said)
	}
	first.Kill()
	hosttest.StartProgram(t, serveOn(one, database)...) // it needs not wait: the name is its own
	if again := residentOf(t, one); again != a {
		t.Errorf("after a restart it is %v, was %v", again, a)
	}
	if _, err := second.Stop(); err != nil {
		t.Error(err)
	}
}

// A newer program asks for a schema this one can't live with: it stops by itself, and says why.
func TestAHostTooOldForTheSchemaStops(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	site := hosttest.OpenSite(t, filepath.Join(dir, "understudy.db"))
	serve := exec.CommandContext(t.Context(), hosttest.Program(t), "serve", "--listen", "127.0.0.1:0", "--data", dir, "--modules", filepath.Join(dir, "modules"))
	var said bytes.Buffer
	serve.Stderr = &said
	out, err := serve.StdoutPipe()
	if err == nil {
		err = serve.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bufio.NewScanner(out).Scan() {
		t.Fatal("it doesn't come up")
	}
	site.Exec(t, "UPDATE schema_least SET least = 9000")
	_, _ = io.Copy(io.Discard, out) // until it ends
	if err := serve.Wait(); err == nil || !strings.Contains(said.String(), "they must know migration 9000") {
		t.Errorf("it ended with %v\n%s", err, said.String())
	}
}

func residentOf(t *testing.T, dir string) resident {
	t.Helper()
	lives, err := readResident(filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	return lives
}
