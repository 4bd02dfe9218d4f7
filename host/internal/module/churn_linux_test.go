package module

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// holdings is what a host holds that crashes could make it leak.
type holdings struct{ files, routines, threads, heap, zombies, folders, groups int }

func (s *stage) holdings() holdings {
	s.t.Helper()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h := holdings{routines: runtime.NumGoroutine(), heap: int(m.HeapAlloc), groups: len(s.groupsLeft())}
	for _, count := range []struct {
		glob string
		n    *int
	}{{"/proc/self/fd/*", &h.files}, {"/proc/self/task/*", &h.threads}, {s.m.runDir + "/*/*", &h.folders}} {
		found, _ := filepath.Glob(count.glob)
		*count.n = len(found)
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		text, _ := os.ReadFile(name)
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) > 1 && fields[0] == "Z" && fields[1] == strconv.Itoa(os.Getpid()) {
			h.zombies++
		}
	}
	return h
}

// grown lists what is more than it was, by more than a twentieth and a little.
func (h holdings) grown(before holdings) (list []string) {
	for _, c := range []struct {
		what               string
		now, then, besides int
	}{
		{"descriptors", h.files, before.files, 1},
		{"goroutines", h.routines, before.routines, 2},
		{"threads", h.threads, before.threads, 8}, // Go keeps those it once needed at a time
		{"bytes of heap", h.heap, before.heap, 1 << 20},
		{"zombies", h.zombies, before.zombies, 0},
		{"run folders", h.folders, before.folders, 0},
		{"control groups", h.groups, before.groups, 0},
	} {
		if c.now > c.then+c.then/20+c.besides {
			list = append(list, fmt.Sprintf("%s: %d, then %d", c.what, c.then, c.now))
		}
	}
	return list
}

// Most of the modules' lives here are as short as can be: they end before they say a word. The rest
// come up, are on the surface, and are killed.
func TestFiveHundredCrashesLeaveNothingBehind(t *testing.T) {
	s := newStage(t, func(q *timing) {
		q.maxCrashes, q.crashWindow, q.backoff, q.backoffMax = 1<<30, 24*time.Hour, time.Millisecond, 2*time.Millisecond
	})
	s.active(kit{})
	s.crash(1, 2) // until every pool is as full as it gets
	before, began := s.holdings(), time.Now()
	early, late := 430, 70
	if hosttest.Race {
		early, late = 80, 20
	}
	s.crash(early, late)
	t.Logf("%d crashes took %v", early+late, time.Since(began))
	if row := s.row("sample"); row.Crashes < early+late { // none is lost
		t.Errorf("%d crashes were counted", row.Crashes)
	}
	after := s.holdings()
	t.Logf("before %+v, after %+v", before, after)
	grown := after.grown(before)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what is held after them: %v", grown)
		}
	})
	eventually(t, "nothing more is held than before", func() bool { // what was closed may take a moment to be gone
		grown = s.holdings().grown(before)
		return len(grown) == 0
	})
}

// crash has the module end so often before its handshake, and so often after, and come back.
func (s *stage) crash(early, late int) {
	s.t.Helper()
	u := s.m.known("sample")
	mode := filepath.Join(u.place().folder, "assets/mode")
	kill := func() {
		var r *running
		eventually(s.t, "it runs", func() bool { r = u.current.Load(); return r != nil })
		_ = r.process.child.Kill(s.t.Context())
		eventually(s.t, "it is down", func() bool { return u.current.Load() != r })
	}
	for range late - 1 {
		kill()
	}
	eventually(s.t, "it runs", func() bool { return u.current.Load() != nil })
	s.write(mode, "exit")
	kill()
	before := s.row("sample").Crashes
	for n := range early { // on its own, as fast as it can
		eventually(s.t, "it crashes again", func() bool { return s.row("sample").Crashes > before+n })
	}
	s.write(mode, "normal")
	eventually(s.t, "it is back", func() bool { return u.current.Load() != nil })
	s.get("/pick")
}

func (s *stage) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// fleet is a host with many modules activated, none of them started yet.
func fleet(t testing.TB, n int, change func(*timing)) *stage {
	t.Helper()
	site := hosttest.NewSite(t)
	s := &stage{t: t, site: site, m: newManager(t, site, change), ann: site.SignIn(t, "admin@example.com")}
	for i := range n {
		s.active(kit{id: fmt.Sprintf("sample-%02d", i)})
	}
	return s
}

// stopFive leaves five of a fleet without a way to answer, or to hear that they should end.
func (s *stage) stopFive() {
	s.t.Helper()
	for i := range 5 {
		freeze(s.t, s.pid(fmt.Sprintf("sample-%02d", i)))
	}
}

// Modules start side by side, and end side by side: one that hangs costs the host its own time, not
// the others'.
func TestTwentyModulesStartAndStopSideBySide(t *testing.T) {
	t.Parallel()
	s := fleet(t, 20, func(q *timing) { q.deactivate, q.grace = time.Second, time.Second })
	if err := s.m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		s.pid(fmt.Sprintf("sample-%02d", i)) // Start has waited for them
	}
	s.stopFive()
	s.stop()
	if left, err := os.ReadDir(s.m.runDir); err != nil || len(left) > 0 {
		t.Errorf("the run folder holds %v, %v", left, err)
	}
}

// BenchmarkTwentyModules is the start of 20 modules at once, and their end with five of them hung,
// in the waits of earnest.
func BenchmarkTwentyModules(b *testing.B) {
	s := fleet(b, 20, func(q *timing) { *q = usualTiming() })
	var starts, stops time.Duration
	for b.Loop() {
		next := s.fresh()
		began := time.Now()
		if err := next.m.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		starts += time.Since(began)
		next.stopFive()
		began = time.Now()
		next.stop()
		stops += time.Since(began)
	}
	b.ReportMetric(starts.Seconds()/float64(b.N), "s-to-start-20")
	b.ReportMetric(stops.Seconds()/float64(b.N), "s-to-stop-20")
	b.ReportMetric(0, "ns/op")
}

// fresh is another host on the same database and folders.
func (s *stage) fresh() *stage {
	s.t.Helper()
	next := *s
	next.m = newManager(s.t, s.site, func(q *timing) { *q = s.m.timing })
	next.m.shelf = s.m.shelf
	return &next
}
