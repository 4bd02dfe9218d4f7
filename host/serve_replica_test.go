//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
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
	if err := second.Stop(); err != nil {
		t.Error(err)
	}
}

// Who copies a data folder, or a machine, has two replicas that believe they are one.
func TestACopiedDataFolderIsNotTheSameReplica(t *testing.T) {
	t.Parallel()
	database, one, two := hosttest.PostgresURL(t), t.TempDir(), t.TempDir()
	first := hosttest.StartProgram(t, serveOn(one, database)...)
	lives, err := os.ReadFile(filepath.Join(one, "data", replicaFile))
	if err == nil {
		err = errors.Join(os.Mkdir(filepath.Join(two, "data"), 0o700), os.WriteFile(filepath.Join(two, "data", replicaFile), lives, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	said, err := exec.CommandContext(t.Context(), hosttest.Program(t), serveOn(two, database)...).CombinedOutput()
	if err == nil || !strings.Contains(string(said), "Another replica named "+residentOf(t, one).Name) || !strings.Contains(string(said), replicaFile) {
		t.Errorf("its copy: %v\n%s", err, said)
	}
	if err := first.Stop(); err != nil {
		t.Errorf("the first one: %v", err)
	}
}

func TestTwoServersDontShareAModulesFolder(t *testing.T) {
	t.Parallel()
	modules := t.TempDir()
	serve := func() []string {
		return []string{"serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--modules", modules}
	}
	first := hosttest.StartProgram(t, serve()...)
	said, err := exec.CommandContext(t.Context(), hosttest.Program(t), serve()...).CombinedOutput()
	if err == nil || !strings.Contains(string(said), modules) || !strings.Contains(string(said), "--modules") {
		t.Errorf("the second one: %v\n%s", err, said)
	}
	first.Kill()
	hosttest.StartProgram(t, serve()...) // a killed one holds nothing
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
