package module

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// measure reads the metrics as name{label="value",…}.
func (s *stage) measure() map[string]float64 {
	s.t.Helper()
	families, err := s.m.Metrics().Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	found := map[string]float64{}
	for _, family := range families {
		for _, one := range family.GetMetric() {
			var labels []string
			for _, l := range one.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			name := family.GetName() + "{" + strings.Join(labels, ",") + "}"
			found[name] = one.GetCounter().GetValue() + one.GetGauge().GetValue() + float64(one.GetHistogram().GetSampleCount())
		}
	}
	return found
}

func (s *stage) wantMetrics(want map[string]float64) {
	s.t.Helper()
	got := s.measure()
	for name, value := range want {
		if got["understudy_"+name] != value {
			s.t.Errorf("%s is %v, want %v", name, got["understudy_"+name], value)
		}
	}
}

func TestCallsAreCountedAndTimedPerModuleAndCall(t *testing.T) {
	s := newStage(t, func(q *timing) { q.page = 50 * time.Millisecond })
	s.active(kit{})
	ann := s.ann.Who()
	if _, err := s.m.DecideSwitch(t.Context(), crm.SwitchQuestion{Actor: ann.Actor, Target: ann.Actor}); err != nil {
		t.Fatal(err)
	}
	s.get("/log/a-path-a-stranger-chose")
	s.wantMetrics(map[string]float64{
		"module_calls_total{call=describe,module=sample}": 1, "module_calls_total{call=activate,module=sample}": 1,
		"module_calls_total{call=decide_switch,module=sample}": 1, "module_call_seconds{call=decide_switch,module=sample}": 1,
		"module_calls_total{call=serve_page,module=sample}": 1, "module_call_seconds{call=serve_page,module=sample}": 1,
		"module_state{module=sample,state=active}": 1, "module_state{module=sample,state=failed}": 0,
		"module_breaker_open{module=sample}": 0, "module_calls_in_flight{module=sample}": 0, "build_info{version=3.1.0}": 1,
	})
	for range 6 {
		_, _, _ = s.tryAsk(http.MethodGet, "/slow", "")
	}
	s.wantMetrics(map[string]float64{
		"module_calls_total{call=serve_page,module=sample}":                          7,
		"module_call_seconds{call=serve_page,module=sample}":                         6,
		"module_errors_total{call=serve_page,code=deadline_exceeded,module=sample}":  5,
		"module_errors_total{call=serve_page,code=resting,module=sample}":            1,
		"module_breaker_open{module=sample}":                                         1,
		"module_log_lines_dropped_total{module=sample}":                              0,
		"module_errors_total{call=serve_page,code=stranger,module=a-path-of-theirs}": 0,
	})
	for name := range s.measure() {
		if strings.Contains(name, "stranger") || strings.Contains(name, "/slow") {
			t.Errorf("a path became a label: %s", name)
		}
	}
	if got := s.measure(); got["go_goroutines{}"] == 0 {
		t.Error("nothing about the program itself")
	}
}

func TestCrashesAndRestartsAreCounted(t *testing.T) {
	needLinux(t)
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	kill(t, s.pid("sample"))
	eventually(t, "it is counted", func() bool { return s.measure()["understudy_module_restarts_total{module=sample}"] == 1 })
	s.wantMetrics(map[string]float64{"module_crashes_total{module=sample}": 1, "module_state{module=sample,state=active}": 1})
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := r.gate.enter(callServePage); err != nil {
			t.Fatal(err)
		}
	}
	s.wantMetrics(map[string]float64{"module_calls_in_flight{module=sample}": 3})
}

func TestNothingIsMeasuredOfAModuleThatIsGone(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	ann := s.ann.Who()
	if err := s.m.Deactivate(t.Context(), ann, "sample"); err != nil {
		t.Fatal(err)
	}
	s.wantMetrics(map[string]float64{"module_state{module=sample,state=installed}": 1, "module_calls_total{call=deactivate,module=sample}": 1})
	if err := s.m.Uninstall(t.Context(), ann, "sample", false, ""); err != nil {
		t.Fatal(err)
	}
	r.gate.meter.done(callServePage, time.Now(), errors.New("late"))
	_, _, _ = s.tryAsk(http.MethodGet, "/pick", "")
	for name := range s.measure() {
		if strings.Contains(name, "sample") {
			t.Errorf("still there: %s", name)
		}
	}
}

// A module may answer with any number for a code: each would be a series of its own.
func TestLabelsComeFromClosedLists(t *testing.T) {
	m := newMeter("m")
	for code := range codes.Code(200) {
		m.done(callServePage, time.Now(), status.Error(code+1, "x"))
	}
	m.done(callServePage, time.Now(), fmt.Errorf("anything"))
	if n := len(seriesOf(m)); n > len(codeNames)+1 {
		t.Errorf("%d codes", n)
	}
	if names := slices.Sorted(slices.Values(callNames[:])); len(slices.Compact(names)) != int(callCount) || names[0] == "" {
		t.Errorf("calls without a name of their own: %v", names)
	}
}

func seriesOf(m *meter) []string {
	found := make(chan prometheus.Metric, 1000)
	m.errors.Collect(found)
	close(found)
	var names []string
	for one := range found {
		names = append(names, one.Desc().String())
	}
	return names
}
