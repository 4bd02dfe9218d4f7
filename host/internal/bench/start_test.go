package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// starts measures how long a module takes from nothing to its first reply, what the sandbox adds, and
// what a module takes while nobody wants anything of it.
func (b *run) starts(t *testing.B) {
	s := section{Title: "A module's start, and what it takes"}
	program := filepath.Join(b.root, "bin", "bench-module.test")
	build := exec.Command("go", "test", "-c", "-o", program, "./host/internal/module")
	build.Dir = b.root
	if text, err := within(3*time.Minute, build); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	took := b.firstReplies(t, program)
	ours, direct, raw := took["sandbox"], took["direct"], took["raw"]
	ratio := func(a, b []time.Duration) float64 {
		var list []float64
		for i := range a {
			list = append(list, a[i].Seconds()/b[i].Seconds())
		}
		return median(list)
	}
	var extra []float64
	for i := range ours {
		extra = append(extra, (ours[i]-direct[i]).Seconds()*1e3)
	}
	s.Rows = append(s.Rows,
		compared("cold start to first reply, p50", duration(quantile(ours, 0.5)), duration(quantile(raw, 0.5)), ratio(ours, raw), atMost(1.15)),
		compared("  without the sandbox", duration(quantile(direct, 0.5)), duration(quantile(raw, 0.5)), ratio(direct, raw), atMost(1.15)),
		row{"  what the sandbox adds", fmt.Sprintf("%.1f ms", median(extra)), "", "", "≤ 5 ms", target{most: 5}.met(median(extra))},
	)
	if g, err := startGrafana(t, b.grafana); err == nil {
		var list []time.Duration
		for range b.rounds(30) {
			list = append(list, g.ask(t, "start")[0])
		}
		s.Rows = append(s.Rows, told("  Grafana SDK, by turns of its own", "", duration(quantile(list, 0.5))))
	}
	s.Rows = append(s.Rows, b.memory(t)...)
	s.Rows = append(s.Rows, b.boot(t)...)
	b.add(s)
}

func (b *run) firstReplies(t *testing.B, program string) map[string][]time.Duration {
	t.Helper()
	out := filepath.Join(t.TempDir(), "starts.json")
	cmd := exec.Command(program, "-test.run", "^$", "-test.benchtime", "1x", "-test.bench", "^BenchmarkFirstReplies$", "-test.timeout", "5m")
	cmd.Dir = filepath.Join(b.root, "host", "internal", "module")
	cmd.Env = append(os.Environ(), "UNDERSTUDY_BENCH_STARTS="+out, "UNDERSTUDY_BENCH_RAW="+b.raw, "UNDERSTUDY_BENCH_ROUNDS="+strconv.Itoa(b.rounds(100)))
	if text, err := within(4*time.Minute, cmd); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	took := map[string][]time.Duration{}
	text, err := os.ReadFile(out)
	if err == nil {
		err = json.Unmarshal(text, &took)
	}
	if err != nil {
		t.Fatal(err)
	}
	return took
}

// memory is what the module we ship keeps resident, against a plugin of go-plugin alone; both have
// answered before.
func (b *run) memory(t *testing.B) []row {
	t.Helper()
	s := plan{packages: [][]byte{shipped(t)}}.start(t)
	ask := hookOfRaw(t, b.raw)
	c, err := dial(s.origin)
	for _, m := range s.admins[:10] {
		if err == nil {
			err = m.start(c)
		}
		if err == nil {
			err = ask()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	ours, raw, host := resident(t, filepath.Join(s.data, "modules")+"/"), resident(t, b.raw), resident(t, hosttest.Program(t))
	content, err := os.Stat(hosttest.Program(t))
	if err != nil {
		t.Fatal(err)
	}
	module, err := filepath.Glob(filepath.Join(s.data, "modules", "impersonation", "*", "bin", "*"))
	if err != nil || len(module) != 1 {
		t.Fatal(err, module)
	}
	executable, err := os.Stat(module[0])
	if err != nil {
		t.Fatal(err)
	}
	size := float64(executable.Size()) / 1e6
	return []row{
		compared("idle module, resident", fmt.Sprintf("%.1f MB", ours), fmt.Sprintf("%.1f MB", raw), ours/raw, atMost(1.3)),
		{"  against the 15 MB recorded", fmt.Sprintf("%.1f MB", ours), "15 MB", fmt.Sprintf("%.2f", ours/15), "≤ 1.3 ×", target{most: 1.3}.met(ours / 15)},
		{"  its executable, stripped", fmt.Sprintf("%.1f MB", size), "", "", "≤ 15 MB", target{most: 15}.met(size)},
		told("the host itself, resident; its executable", fmt.Sprintf("%.1f MB; %.1f MB", host, float64(content.Size())/1e6), ""),
	}
}

// resident is what the processes of a program, or of those in a folder, keep in memory, in MB each.
func resident(t *testing.B, program string) float64 {
	t.Helper()
	var sum, count float64
	names, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, name := range names {
		if executable, err := os.Readlink(name); err != nil || !strings.HasPrefix(executable, program) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(filepath.Dir(name), "status"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if value, is := strings.CutPrefix(line, "VmRSS:"); is {
				kb, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
				if err != nil {
					t.Fatal(err)
				}
				sum += kb * 1024 / 1e6
				count++
			}
		}
	}
	if count == 0 {
		t.Fatalf("no process of %s", program)
	}
	return sum / count
}

// boot is how long the program takes from its start until it is ready, with modules and without.
func (b *run) boot(t *testing.B) []row {
	t.Helper()
	took := map[int][]time.Duration{}
	plans := map[int]*site{}
	for _, n := range []int{0, 20} {
		p := plan{packages: packages(t, n), synchronous: "NORMAL"}
		plans[n] = &site{data: shortFolder(t)}
		p.fillIn(t, plans[n])
	}
	for range b.rounds(12) {
		for n, s := range plans {
			stop := s.serve(t, plan{synchronous: "NORMAL"})
			took[n] = append(took[n], s.ready)
			stop()
		}
	}
	many, none := quantile(took[20], 0.5), quantile(took[0], 0.5)
	return []row{{"boot with 20 modules until ready, against none", duration(many), duration(none), fmt.Sprintf("%.1f", many.Seconds()/none.Seconds()), "", ""}}
}
