package replicas

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// What a load is made of.
const (
	agents, clients = 16, 48
	thinkInCI       = 150 * time.Millisecond
	thinkForLong    = 400 * time.Millisecond
)

// loadTime is how long: UNDERSTUDY_TEST_LOAD, eight seconds without it.
func loadTime(t *testing.T) (long time.Duration, given bool) {
	t.Helper()
	text := os.Getenv("UNDERSTUDY_TEST_LOAD")
	if text == "" {
		return 8 * time.Second, false
	}
	long, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return long, true
}

// Visitors of every kind over three replicas, while modules' processes die at random: each page is
// checked for whose it is, each entry that was promised stands in the Activity Log, each start has its
// end, and no replica grows. UNDERSTUDY_TEST_LOAD says for how long.
func TestMixedLoadWhileModulesCrash(t *testing.T) {
	long, given := loadTime(t)
	think, between := thinkInCI, 2*time.Second
	if given {
		think, between = thinkForLong, 12*time.Second
	}
	l := underLoad(t, hosttest.PostgresURL(t))
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	finish := l.everybody(ctx, think)
	crashes := l.crash(ctx, between, given)
	sizes := l.weigh(ctx, long)
	finish()
	t.Logf("%d module processes died or stood still", <-crashes)
	l.wantFlat(<-sizes, given)
	l.finish()
}

// Replicas are stopped in order and started anew, one after the other, while visitors of every kind go
// on: none of them sees an error.
func TestRollingRestartUnderLoad(t *testing.T) {
	l := underLoad(t, hosttest.PostgresURL(t))
	ctx, cancel := context.WithCancel(t.Context())
	finish := l.everybody(ctx, thinkInCI)
	for _, one := range l.List {
		l.goesOn()
		if err := one.Stop(); err != nil {
			t.Errorf("%s ended: %v", one.Name, err)
		}
		one.Start()
	}
	l.goesOn()
	cancel()
	finish()
	for what, n := range l.answers {
		if status := what[strings.LastIndexByte(what, ' ')+1:]; status >= "500" {
			l.mistake("%d times %s", n, what)
		}
	}
	l.finish()
}

// goesOn waits until some more visits have been answered.
func (l *load) goesOn() {
	l.t.Helper()
	before := l.answered()
	hosttest.Eventually(l.t, "the load goes on", func() bool { return l.answered() >= before+300 })
}

func (l *load) answered() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, took := range l.took {
		n += len(took)
	}
	return n
}

// underLoad is a site of three replicas with a crowd and the module.
func underLoad(t *testing.T, database string) *load {
	t.Helper()
	hosttest.FillDemo(t, database, agents, clients, supportMay...)
	l := newLoad(startReplicas(t, database))
	boss := l.signedIn(e2e.Ann)
	boss.Install(hosttest.Package(t, e2e.ShippedModule))
	boss.Activate("impersonation")
	boss.Settings(false, true, true)
	l.wantRunning(boss, "1.0.0", l.List...)
	return l
}

// finish is how each load ends.
func (l *load) finish() {
	l.t.Helper()
	if n := count(l.t, l.db, "SELECT COUNT(*) FROM session_switches WHERE refusal = '' AND ended_at = 0"); n != 0 {
		l.mistake("%d switches have no end", n)
	}
	l.wantNothingLost()
	l.report(l.t)
	l.wantWhole()
}

// everybody begins: people of every kind, each of whom goes on until the time is up. The function it
// returns waits for all of them to be out.
func (l *load) everybody(ctx context.Context, think time.Duration) (finish func()) {
	var wait sync.WaitGroup
	begin := func(email, self string, think time.Duration, does func(*guest, context.Context)) {
		v := l.guest(email, self, think)
		wait.Go(func() {
			if !v.signIn() {
				return
			}
			for ctx.Err() == nil {
				does(v, ctx)
				v.pause(ctx)
			}
			v.signOut()
		})
	}
	for i, self := range l.staff {
		email := fmt.Sprintf("agent%d@example.com", i+1)
		switch i % 4 {
		case 0:
			begin(email, self, think, (*guest).looksAround)
		case 1:
			begin(email, self, think, (*guest).comesAndGoes)
		default:
			begin(email, self, think, (*guest).impersonates)
		}
	}
	for i, self := range l.crowd[:clients/6] {
		begin(fmt.Sprintf("client%d@crowd.example", i+1), self, think, (*guest).usesThePortal)
	}
	begin(e2e.Ann, "staff:1", 3*think, (*guest).administers)
	return wait.Wait
}

// crash has module processes die at random, this often, or stand still, until the host finds that out;
// it tells how many at the end.
func (l *load) crash(ctx context.Context, between time.Duration, still bool) <-chan int {
	done := make(chan int, 1)
	r := rand.New(rand.NewPCG(rand.Uint64(), 9))
	go func() {
		n := 0
		defer func() { done <- n }()
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Duration(r.Int64N(int64(2 * between)))):
			}
			one := l.List[r.IntN(len(l.List))]
			signal := syscall.SIGKILL
			if still && r.IntN(8) == 0 {
				signal = syscall.SIGSTOP
			}
			for _, pid := range hosttest.Children(l.t, one.PID()) {
				if syscall.Kill(pid, signal) == nil {
					n++
				}
			}
		}
	}()
	return done
}

// size is what a replica takes at a moment.
type size struct {
	memory int // KiB resident
	files  int
}

func sizeOf(pid int) size {
	var s size
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // none of a process that is gone
	if _, after, found := bytes.Cut(status, []byte("VmRSS:")); found {
		fields := bytes.Fields(after)
		s.memory, _ = strconv.Atoi(string(fields[0]))
	}
	open, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	s.files = len(open)
	return s
}

// weigh takes the size of each replica all along, and gives it all at the end.
func (l *load) weigh(ctx context.Context, long time.Duration) <-chan map[string][]size {
	done := make(chan map[string][]size, 1)
	go func() {
		sizes := map[string][]size{}
		every := time.NewTicker(max(long/200, 100*time.Millisecond))
		defer every.Stop()
		for {
			select {
			case <-ctx.Done():
				done <- sizes
				return
			case <-every.C:
			}
			for _, one := range l.List {
				sizes[one.Name] = append(sizes[one.Name], sizeOf(one.PID()))
			}
		}
	}()
	return done
}

// wantFlat compares what replicas took after they were warm with what they took in the end: the
// medians of the third fifth and of the last one.
func (l *load) wantFlat(sizes map[string][]size, long bool) {
	l.t.Helper()
	share, spare := 3, 48<<10 // a short load says little more than that nothing explodes
	if long {
		share, spare = 10, 8<<10
	}
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		list := sizes[name]
		fifth := len(list) / 5
		warm, end := median(list[fifth:2*fifth]), median(list[len(list)-fifth:])
		l.t.Logf("%s: %d MiB and %d files when warm, %d MiB and %d files in the end", name, warm.memory>>10, warm.files, end.memory>>10, end.files)
		if end.memory > warm.memory+warm.memory/share+spare || end.files > warm.files+40 {
			l.mistake("%s grew from %+v to %+v", name, warm, end)
		}
	}
}

func median(list []size) size {
	memory, files := make([]int, len(list)), make([]int, len(list))
	for i, s := range list {
		memory[i], files[i] = s.memory, s.files
	}
	slices.Sort(memory)
	slices.Sort(files)
	return size{memory[len(list)/2], files[len(list)/2]}
}

// wantNothingLost compares what answers promised with the Activity Log.
func (l *load) wantNothingLost() {
	l.t.Helper()
	rows, err := l.db.QueryContext(l.t.Context(), `SELECT request_id, action, COUNT(*) FROM audit_entries GROUP BY request_id, action`)
	if err != nil {
		l.t.Fatal(err)
	}
	defer rows.Close()
	entries := map[string]int{}
	for rows.Next() {
		var id, action string
		var n int
		if err := rows.Scan(&id, &action, &n); err != nil {
			l.t.Fatal(err)
		}
		entries[id+" "+action] = n
	}
	if err := rows.Err(); err != nil {
		l.t.Fatal(err)
	}
	for id, action := range l.written {
		if n := entries[id+" "+action]; n != 1 {
			l.mistake("request %s: %s stands %d times in the Activity Log", id, action, n)
		}
	}
}

// report says what happened, and fails for what must not have.
func (l *load) report(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	total := 0
	for _, n := range l.answers {
		total += n
	}
	t.Logf("%d answers: %v", total, l.answers)
	for _, kind := range slices.Sorted(maps.Keys(l.took)) {
		took := l.took[kind]
		slices.Sort(took)
		at := func(share float64) time.Duration {
			return took[int(share*float64(len(took)-1))].Round(100 * time.Microsecond)
		}
		t.Logf("%-12s %7d: median %s, p99 %s, longest %s", kind, len(took), at(0.5), at(0.99), at(1))
	}
	t.Logf("%d entries of the Activity Log were promised; switches that ended by themselves: %v", len(l.written), l.causes)
	for _, wrong := range l.wrong {
		t.Error(wrong)
	}
	if l.rest > 0 {
		t.Errorf("and %d more", l.rest)
	}
}
