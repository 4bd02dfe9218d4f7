package module

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// replicas are several hosts on one database, each with modules of its own. Requests are made of the
// first, unless a story says otherwise.
func replicas(t *testing.T, site *hosttest.Site, names ...string) []*stage {
	t.Helper()
	return replicasWith(t, site, func(string, *Manager) {}, names...)
}

// replicasWith have their Managers changed before they start.
func replicasWith(t *testing.T, site *hosttest.Site, change func(name string, m *Manager), names ...string) []*stage {
	t.Helper()
	var list []*stage
	for i, name := range names {
		at := site
		if i > 0 {
			at = site.Beside(t)
		}
		list = append(list, replica(t, at, name, change))
	}
	return list
}

func replica(t *testing.T, at *hosttest.Site, name string, change func(string, *Manager)) *stage {
	t.Helper()
	at.Store.NameChain(name)
	if err := at.App.JoinReplicas(t.Context(), crm.Replica{Name: name, Home: name, Run: name}); err != nil {
		t.Fatal(err)
	}
	signing, stop := context.WithCancel(context.Background())
	var signs sync.WaitGroup
	signs.Go(func() {
		for signing.Err() == nil {
			_ = at.App.SignReplica(signing) // while it is cut off it can't
			time.Sleep(200 * time.Millisecond)
		}
	})
	t.Cleanup(func() { stop(); signs.Wait() })
	s := &stage{t: t, site: at, m: newManager(t, at, func(q *timing) { q.maxCrashes = 3 }), ann: at.SignIn(t, "admin@example.com")}
	change(name, s.m)
	if err := s.m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}

// states are a module's on each replica, as this one shows them.
func (s *stage) states(id string) (list []string) {
	s.t.Helper()
	for _, r := range s.row(id).Replicas {
		list = append(list, r.Replica+" "+r.Version+" "+string(r.State))
	}
	return list
}

func (s *stage) wantStates(id string, want ...string) {
	s.t.Helper()
	eventually(s.t, "the replicas are "+want[0]+" and so on", func() bool { return slices.Equal(s.states(id), want) })
}

func TestEveryReplicaFollowsWhatIsDoneOnOne(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, site *hosttest.Site) {
		list := replicas(t, site, "a", "b", "c")
		a, c := list[0], list[2]
		a.active(kit{})
		for _, s := range list { // at once: who activated has waited for the others
			if _, err := s.m.active("sample"); err != nil {
				t.Errorf("it isn't active everywhere when Activate returns: %v", err)
			}
			if got := s.states("sample"); !slices.Equal(got, []string{"a 1.0.0 active", "b 1.0.0 active", "c 1.0.0 active"}) {
				t.Errorf("states: %v", got)
			}
		}
		c.install(kit{version: "1.1.0"})
		if got := a.states("sample"); !slices.Equal(got, []string{"a 1.1.0 active", "b 1.1.0 active", "c 1.1.0 active"}) {
			t.Errorf("states after an upgrade: %v", got)
		}
		if err := list[1].m.Deactivate(t.Context(), list[1].ann.Who(), "sample"); err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			if _, err := s.m.active("sample"); err == nil {
				t.Error("it is still active somewhere when Deactivate returns")
			}
		}
	})
}

func TestAMachineThatCantRunAModuleSaysNothingOfTheOthers(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, site *hosttest.Site) {
		list := replicas(t, site, "a", "b")
		a, b := list[0], list[1]
		a.active(kit{})
		before := a.revision()
		crash := func(s *stage) {
			for range 3 {
				eventually(t, "it runs", func() bool { _, err := s.m.active("sample"); return err == nil })
				kill(t, s.pid("sample"))
				eventually(t, "it is down", func() bool { _, err := s.m.active("sample"); return err != nil })
			}
		}
		crash(b)
		a.wantStates("sample", "a 1.0.0 active", "b 1.0.0 failed")
		if row := a.row("sample"); row.State != Active || row.Failure != "" || row.Crashes != 0 || row.Replicas[1].Problem == nil {
			t.Errorf("on the other replica: %s, failure %q, %d crashes, %+v", row.State, row.Failure, row.Crashes, row.Replicas)
		}
		if row := b.row("sample"); row.State != Failed || row.Crashes != 3 {
			t.Errorf("on this replica: %s, %d crashes", row.State, row.Crashes)
		}
		if now := a.revision(); now != before {
			t.Error("one machine's trouble has everybody's switches decided again")
		}
		crash(a) // now it runs nowhere
		a.wantStates("sample", "a 1.0.0 failed", "b 1.0.0 failed")
		if now := a.revision(); now == before {
			t.Error("it runs nowhere, and nobody asks again")
		}
		if err := a.m.Retry(t.Context(), a.ann.Who(), "sample"); err != nil {
			t.Fatal(err)
		}
		b.wantStates("sample", "a 1.0.0 active", "b 1.0.0 active") // it was given up on both, and is retried on both
	})
}

func TestAnOlderReplicaSaysThatAModuleNeedsANewerHost(t *testing.T) {
	site := hosttest.NewSite(t)
	list := replicasWith(t, site, func(name string, m *Manager) {
		if name == "old" {
			m.hostVersion = "3.0.9"
		}
	}, "a", "old")
	a, old := list[0], list[1]
	a.active(kit{})
	a.wantStates("sample", "a 1.0.0 active", "old 1.0.0 failed")
	if p := a.row("sample").Replicas[1].Problem; p == nil || p.Key != "module_host_too_old" || p.Args["Least"] != "3.1.0" || p.Args["Host"] != "3.0.9" {
		t.Errorf("it says %+v", p)
	}
	if row := old.row("sample"); row.Crashes != 0 || row.WhyNot == nil {
		t.Errorf("on the old host: %d crashes, %v", row.Crashes, row.WhyNot)
	}
}

func TestSafeModeIsLeftOnEveryReplica(t *testing.T) {
	site := hosttest.NewSite(t)
	list := replicasWith(t, site, func(name string, m *Manager) { m.safeAsked = name == "b" }, "a", "b")
	a, b := list[0], list[1]
	a.active(kit{})
	a.wantStates("sample", "a 1.0.0 active", "b 1.0.0 withheld")
	if err := a.m.LeaveSafeMode(t.Context(), a.ann.Who()); err != nil { // whoever asks may reach the one that isn't in it
		t.Fatal(err)
	}
	a.wantStates("sample", "a 1.0.0 active", "b 1.0.0 active")
	if b.m.SafeMode() != nil {
		t.Error("it still says that it is in safe mode")
	}
	wantKey(t, a.m.LeaveSafeMode(t.Context(), a.ann.Who()), crm.Conflict, "safe_mode_off")
}

// A module that ends while the host is cut off from the database runs again once it isn't, and what was
// done meanwhile on another replica is taken up.
func TestWhatEndsWhileCutOffRunsAgain(t *testing.T) {
	t.Parallel()
	address := hosttest.PostgresURL(t)
	near := hosttest.OpenSite(t, address)
	if err := near.App.FillDemo(t.Context(), hosttest.Support...); err != nil {
		t.Fatal(err)
	}
	wire := hosttest.NewWire(t, address)
	nothing := func(string, *Manager) {}
	b := replica(t, near, "b", nothing)
	a := replica(t, hosttest.OpenSite(t, wire.URL(t, address)), "a", nothing)
	b.active(kit{})
	b.wantStates("sample", "a 1.0.0 active", "b 1.0.0 active")
	wire.Cut()
	kill(t, a.pid("sample"))
	eventually(t, "it is down", func() bool { _, err := a.m.active("sample"); return err != nil })
	b.install(kit{version: "1.1.0"})
	wire.Mend()
	eventually(t, "it runs again, and is the new one", func() bool {
		r, err := a.m.active("sample")
		return err == nil && r.manifest.Version == "1.1.0"
	})
	b.wantStates("sample", "a 1.1.0 active", "b 1.1.0 active")
}

// A version that would not take over on another replica leaves the old one running there, and is tried
// again by itself: that machine may have been busy, or cut off for a moment.
func TestAVersionThatWouldNotStartElsewhereIsTriedAgain(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	var tries atomic.Int32
	list := replicasWith(t, hosttest.NewSite(t), func(name string, m *Manager) {
		m.timing.again = 20 * time.Millisecond
		if name == "b" {
			m.fault = func(step string) error {
				if step != "recording" || !broken.Load() {
					return nil
				}
				tries.Add(1)
				return errors.New("broken")
			}
		}
	}, "a", "b")
	a := list[0]
	a.active(kit{})
	broken.Store(true)
	a.install(kit{version: "1.1.0"})
	if got := a.states("sample"); !slices.Equal(got, []string{"a 1.1.0 active", "b 1.0.0 active"}) || a.row("sample").Replicas[1].Problem == nil {
		t.Errorf("while it would not start: %v, %v", got, a.row("sample").Replicas)
	}
	eventually(t, "it is tried again and again", func() bool { return tries.Load() >= 3 })
	broken.Store(false)
	a.wantStates("sample", "a 1.1.0 active", "b 1.1.0 active")
	eventually(t, "nothing is wrong any more", func() bool { return a.row("sample").Replicas[1].Problem == nil })
}

// What should run could not be read when it had changed: it is read once more, though nothing else
// changes.
func TestWhatCouldNotBeReadIsReadAgain(t *testing.T) {
	t.Parallel()
	var vain counted
	list := replicasWith(t, hosttest.NewSite(t), func(name string, m *Manager) {
		if name == "b" {
			m.log = slog.New(slog.NewTextHandler(&vain, nil))
		}
	}, "a", "b")
	a, b := list[0], list[1]
	a.active(kit{})
	a.site.Exec(t, "ALTER TABLE modules RENAME TO modules_away")
	a.site.Exec(t, "UPDATE authority SET revision = revision + 1")
	eventually(t, "it is looked for again and again", func() bool { return vain.Load() >= 3 })
	a.site.Exec(t, "UPDATE modules_away SET activated = 0")
	a.site.Exec(t, "ALTER TABLE modules_away RENAME TO modules")
	b.wantStates("sample", "a 1.0.0 installed", "b 1.0.0 installed")
}

// counted counts how often what should run could not be read.
type counted struct{ atomic.Int32 }

func (c *counted) Write(line []byte) (int, error) {
	if strings.Contains(string(line), "read the installed modules") {
		c.Add(1)
	}
	return len(line), nil
}
