package module

import (
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

func TestSwitchesAreCounted(t *testing.T) {
	s := newStage(t, nil)
	s.site.App.SetSwitchObserver(s.m)
	if err := s.m.PingSwitch(t.Context()); err == nil || !strings.Contains(err.Error(), "switch_module_off") {
		t.Errorf("nobody decides: %v", err)
	}
	s.wantMetrics(map[string]float64{"session_switches_active{}": 0, "session_switches_started_total{}": 0, "session_switches_ended_total{cause=stopped}": 0, "session_switches_refused_total{code=module}": 0})
	s.active(kit{})
	if err := s.m.PingSwitch(t.Context()); err != nil {
		t.Errorf("the sample doesn't answer: %v", err)
	}
	ann, ben := s.site.SignIn(t, "admin@example.com"), s.site.SignIn(t, "ben@example.com")
	if err := ben.TryBecome("admin@example.com"); crm.KindOf(err) != crm.Denied {
		t.Errorf("Ben became an administrator: %v", err)
	}
	ann.Become("jane@acme.example")
	s.wantMetrics(map[string]float64{"session_switches_active{}": 1, "session_switches_started_total{}": 1})
	s.site.Clock.Advance(5 * time.Minute)
	ann.Return()
	s.wantMetrics(map[string]float64{
		"session_switches_active{}": 0, "session_switches_started_total{}": 1, "session_switches_ended_total{cause=stopped}": 1, "session_switches_ended_total{cause=expired}": 0,
		"session_switch_duration_seconds{}": 1, "session_switches_refused_total{code=switch_not_administrator}": 1, "session_switches_refused_total{code=module}": 0,
	})
	s.site.Exec(t, "ALTER TABLE session_switches RENAME TO lost")
	if _, there := s.measure()["understudy_session_switches_active{}"]; there {
		t.Error("without a database there are some active")
	}
	s.site.Exec(t, "ALTER TABLE lost RENAME TO session_switches")
}

// The ping stands within its time, and leaves no decision behind.
func TestAPingIsNoDecision(t *testing.T) {
	s := newStage(t, func(q *timing) { q.hook = 300 * time.Millisecond })
	s.active(kit{})
	before := s.measure()["understudy_module_calls_total{call=decide_switch,module=sample}"]
	for range 3 {
		if err := s.m.PingSwitch(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if after := s.measure()["understudy_module_calls_total{call=decide_switch,module=sample}"]; after != before {
		t.Errorf("%v decisions were asked for", after-before)
	}
}
