package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// benchEnv asks for the table: "full", or "quick" for a look.
const benchEnv = "UNDERSTUDY_BENCH"

func quick() bool { return os.Getenv(benchEnv) == "quick" }

// run is one making of the table.
type run struct {
	root     string
	began    time.Time
	raw      string // go-plugin alone, built
	grafana  string // the plugin of Grafana's SDK, built; empty where it can't be
	sections []section
}

func (b *run) add(s section) {
	b.sections = append(b.sections, s)
	fmt.Fprint(os.Stderr, format([]section{s})+"\n")
}

// enough is after how long the rest takes fewer turns, so that all is done within a quarter of an hour
// on a busy machine, too.
const enough = 8 * time.Minute

// rounds is how many turns each contender takes.
func (b *run) rounds(full int) int {
	if quick() || time.Since(b.began) > enough {
		return max(3, full/6)
	}
	return full
}

// BenchmarkTable makes the table, prints it and keeps it in bench/latest.txt. A part that can't be measured
// is told in it, and fails the test once all others are done.
func BenchmarkTable(t *testing.B) {
	if os.Getenv(benchEnv) == "" {
		t.Skip("make bench runs this")
	}
	b := &run{root: hosttest.Root(t), began: time.Now()}
	head := machine(quick())
	b.build(t)
	for _, part := range []struct {
		title   string
		measure func(*testing.B)
	}{
		{"Hook call", b.hook},
		{"Pages", b.pages},
		{"Session switches", b.switches},
		{"Starts", b.starts},
		{"Many people", b.million},
	} {
		b.progress("%s", part.title)
		if !t.Run(part.title, part.measure) {
			b.add(section{Title: part.title, Notes: []string{"not all of this could be measured: see what the run said"}})
		}
		b.keep(t, head)
	}
	fmt.Print("\n" + b.keep(t, head))
}

// keep writes the table as it is by now, so that a run that is ended has not been for nothing.
func (b *run) keep(t *testing.B, head string) string {
	t.Helper()
	text := head + fmt.Sprintf("all of it took %s\n\n", time.Since(b.began).Round(time.Second)) + format(b.sections)
	out := filepath.Join(b.root, "bench", "latest.txt")
	if quick() {
		out = filepath.Join(b.root, "bin", "quick.txt")
	}
	if err := os.WriteFile(out, []byte(text), 0o644); err != nil {
		t.Error(err)
	}
	return text + "\nkept in " + out + "\n"
}

func (b *run) progress(what string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6s  %s\n", time.Since(b.began).Round(time.Second), fmt.Sprintf(what, args...))
}

// build builds what the rows need. A baseline that can't be built is left out.
func (b *run) build(t *testing.B) {
	t.Helper()
	b.progress("building")
	hosttest.Program(t)
	b.raw = filepath.Join(b.root, "bin", "bench-raw")
	content, err := hosttest.Built("host/internal/bench/testdata/raw")
	if err == nil {
		err = os.WriteFile(b.raw, content, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	grafana := filepath.Join(b.root, "bin", "bench-grafana")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", grafana, ".")
	cmd.Dir, cmd.Env = filepath.Join(b.root, "bench", "grafana"), append(os.Environ(), "CGO_ENABLED=0")
	if text, err := within(4*time.Minute, cmd); err != nil {
		b.progress("Grafana's SDK can't be built: %v\n%s", err, text)
		return
	}
	b.grafana = grafana
}

// within runs a command, and ends it when it takes longer.
func within(limit time.Duration, cmd *exec.Cmd) ([]byte, error) {
	timer := time.AfterFunc(limit, func() {
		if cmd.Process != nil {
			_ = cmd.Process.Kill()
		}
	})
	defer timer.Stop()
	return cmd.CombinedOutput()
}

func shortFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ub") // a test's own folder has too long a path for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func postgresVersion() string {
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/postgres", "/usr/local/bin/postgres", "/usr/bin/postgres"} {
		found, _ := filepath.Glob(pattern)
		for _, program := range found {
			if out, err := exec.Command(program, "--version").Output(); err == nil {
				return string(out[:len(out)-1])
			}
		}
	}
	return "no PostgreSQL"
}
