package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
)

// rogue is the module that does whatever it is asked to, and never anything good.
var rogue = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "understudy-rogue-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "rogue")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", out, "../module/testdata/hostile")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the rogue: %w\n%s", err, said)
	}
	return os.ReadFile(out)
})

func roguePackage(t testing.TB, id string) []byte {
	t.Helper()
	binary, err := rogue()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	manifest := fmt.Sprintf(`{"id": %q, "name": %[1]q, "version": "1.0.0", "requires": {"host": ">=3.1.0", "protocol": 1}, "executables": {%q: "bin/rogue"}}`,
		id, runtime.GOOS+"/"+runtime.GOARCH)
	for name, content := range map[string][]byte{"module.json": []byte(manifest), "bin/rogue": binary, "assets/mode": []byte("rogue ")} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "languages"), os.DirFS("../module/testdata/sample/languages")); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := module.Pack(dir, &out, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// letIn installs and activates a rogue.
func (s *site) letIn(t testing.TB, id string) {
	t.Helper()
	m := s.server.modules
	review, err := m.Upload(t.Context(), crm.Operator(), id+".zip", bytes.NewReader(roguePackage(t, id)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Install(t.Context(), crm.Operator(), review.StagedID); err != nil {
		t.Fatal(err)
	}
	if err := m.Activate(t.Context(), crm.Operator(), id); err != nil {
		t.Fatal(err)
	}
}

// attacks are made by a module each, again and again as long as there is somebody to annoy. The
// number is how many do so at a time.
var attacks = map[string]struct {
	path    string
	at      int
	respite time.Duration // between one and the next
}{
	"hangs":   {"/hang", 16, 0},
	"crashes": {"/kill", 1, time.Second / 4}, // many more than the host's own back-off lets through
	"logs":    {"/log", 1, 0},
	"sends":   {"/big-message", 1, 0},
	"streams": {"/big-page", 1, 0},
	"burns":   {"/burn", 1, 0},
	"asks":    {"/ask-on", 1, 0},
}

// attack is on while ctx is.
func (s *site) attack(ctx context.Context, names []string) *sync.WaitGroup {
	var underway sync.WaitGroup
	viewer := module.Viewer{Who: crm.Operator(), Area: crm.Admin, Language: "en"}
	for _, name := range names {
		a := attacks[name]
		for range a.at {
			underway.Go(func() {
				for ctx.Err() == nil {
					answer, err := s.server.modules.Answer(ctx, module.PageRequest{Module: name, Method: "GET", Path: a.path, Viewer: viewer})
					if err == nil && answer.File.Body != nil {
						_, _ = io.Copy(io.Discard, answer.File.Body)
						answer.File.Body.Close()
					} else if name == "crashes" {
						_ = s.server.modules.Retry(ctx, crm.Operator(), name)
					}
					time.Sleep(a.respite + time.Millisecond)
				}
			})
		}
	}
	return &underway
}

// BenchmarkPagesUnderAttack is how long core pages take, at worst, while a module hangs, one
// crashes, one fills its log, two send 100 MiB, one burns processors and one asks the host for
// everything, each again and again;
// against the same pages of the same host while they are quiet, by turns. The goal is that the 99th
// percentile moves by less than 5 ms.
func BenchmarkPagesUnderAttack(b *testing.B) {
	all := slices.Sorted(maps.Keys(attacks))
	b.Run("all", func(b *testing.B) { benchmarkAttack(b, all) })
	for _, name := range all {
		b.Run(name, func(b *testing.B) { benchmarkAttack(b, []string{name}) })
	}
}

func benchmarkAttack(b *testing.B, names []string) {
	s := newSite(b)
	s.activate(b, 1)
	for _, name := range names {
		s.letIn(b, name)
	}
	ann := s.as(ann)
	var quiet, attacked []time.Duration
	s.endure(names)
	b.ResetTimer()
	for b.Loop() {
		for range 4 {
			quiet = append(quiet, s.visits(ann, 1000)...)
			ctx, stop := context.WithCancel(context.Background())
			underway := s.attack(ctx, names)
			time.Sleep(50 * time.Millisecond) // for the attack to be at its best
			attacked = append(attacked, s.visits(ann, 1000)...)
			stop()
			underway.Wait()
		}
	}
	for _, q := range []struct {
		name string
		of   float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		before, meanwhile := quantile(quiet, q.of), quantile(attacked, q.of)
		b.ReportMetric(before, q.name+"-quiet-ms")
		b.ReportMetric(meanwhile, q.name+"-attacked-ms")
		b.ReportMetric(meanwhile-before, q.name+"-moved-ms")
		b.ReportMetric(meanwhile/before, q.name+"-ratio")
	}
	b.ReportMetric(0, "ns/op")
}

// endure has the attack go on until the host has noticed who takes more than its share.
func (s *site) endure(names []string) {
	ctx, stop := context.WithTimeout(context.Background(), 4*time.Second)
	defer stop()
	s.attack(ctx, names).Wait()
}

// visits goes round the core pages, and tells how long each took.
func (s *site) visits(who *browser, n int) []time.Duration {
	pages := []string{"/admin", "/admin/customers", "/admin/staff", "/admin/activity", "/admin/profile"}
	took := make([]time.Duration, n)
	for i := range n {
		began := time.Now()
		who.get(pages[i%len(pages)]).wants(s.t, 200)
		took[i] = time.Since(began)
	}
	return took
}

// quantile is in milliseconds.
func quantile(of []time.Duration, q float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return float64(sorted[int(float64(len(sorted)-1)*q)]) / float64(time.Millisecond)
}

func TestTheTokenOfAModuleWithoutTheGrantDoesNotOpenTheSwitch(t *testing.T) {
	s := newSite(t)
	s.activate(t, 1)
	s.letIn(t, "rogue")
	b := s.as(ann)
	resolution, err := s.app.Resolve(t.Context(), b.cookie().Value, crm.Client{})
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"form_token": {s.app.FormToken(resolution.Who, "rogue")}, "target": {s.account(jane).String()}}
	b.do("POST", "/session/switch", form).wants(t, 403).says(t, "a module that is not running, or that may not switch sessions")
}
