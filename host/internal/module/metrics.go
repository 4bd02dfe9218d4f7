package module

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// call is something modules are asked. The list is closed: it becomes a label of metrics, which no
// stranger may add to.
type call int

const (
	callDescribe call = iota
	callActivate
	callDeactivate
	callHealth
	callDecideSwitch
	callServePage
	callValidateSettings
	callSettingsChanged
	callCount
)

var callNames = [callCount]string{"describe", "activate", "deactivate", "check_health", "decide_switch", "serve_page", "validate_settings", "settings_changed"}

// String names the call for logs.
func (c call) String() string { return strings.ReplaceAll(callNames[c], "_", " ") }

// codeNames are the labels of what went wrong. A module may answer with any number for a code: what
// isn't here is "unknown".
var codeNames = map[codes.Code]string{
	codes.Canceled: "canceled", codes.InvalidArgument: "invalid_argument", codes.DeadlineExceeded: "deadline_exceeded",
	codes.NotFound: "not_found", codes.AlreadyExists: "already_exists", codes.PermissionDenied: "permission_denied",
	codes.ResourceExhausted: "resource_exhausted", codes.FailedPrecondition: "failed_precondition", codes.Aborted: "aborted",
	codes.OutOfRange: "out_of_range", codes.Unimplemented: "unimplemented", codes.Internal: "internal",
	codes.Unavailable: "unavailable", codes.DataLoss: "data_loss", codes.Unauthenticated: "unauthenticated",
}

func codeName(err error) string {
	code := status.Code(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	}
	if name, known := codeNames[code]; known {
		return name
	}
	return "unknown"
}

// meter counts for one module. It belongs to the module's unit and is gone with it, so that nothing
// is told of a module that was uninstalled.
type meter struct {
	calls   *prometheus.CounterVec
	errors  *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	of      [callCount]struct {
		calls   prometheus.Counter
		seconds prometheus.Observer
	}
	crashes, restarts, lost prometheus.Counter
}

// callBuckets reach from a hook that decides by itself to a page that reports for its whole time.
var callBuckets = []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15}

func newMeter(id string) *meter {
	labels := prometheus.Labels{"module": id}
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Name: "understudy_module_" + name, Help: help, ConstLabels: labels}
	}
	m := &meter{
		calls:  prometheus.NewCounterVec(counter("calls_total", "Calls to the module, refused ones included."), []string{"call"}),
		errors: prometheus.NewCounterVec(counter("errors_total", "Calls that failed; not_running, busy and resting never reached the module."), []string{"call", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "understudy_module_call_seconds", Help: "How long calls took; a page's until its end was sent.", ConstLabels: labels, Buckets: callBuckets,
		}, []string{"call"}),
		crashes:  prometheus.NewCounter(counter("crashes_total", "Times its process ended by itself or would not start.")),
		restarts: prometheus.NewCounter(counter("restarts_total", "Times it was started again after that.")),
		lost:     prometheus.NewCounter(counter("log_lines_dropped_total", "Lines it wrote faster than they are kept.")),
	}
	for c, name := range callNames {
		m.of[c].calls, m.of[c].seconds = m.calls.WithLabelValues(name), m.seconds.WithLabelValues(name)
	}
	return m
}

// done counts a call that reached the module.
func (m *meter) done(c call, started time.Time, err error) {
	m.of[c].calls.Inc()
	m.of[c].seconds.Observe(time.Since(started).Seconds())
	if err != nil {
		m.errors.WithLabelValues(callNames[c], codeName(err)).Inc()
	}
}

// refused counts a call that didn't.
func (m *meter) refused(c call, why string) {
	m.of[c].calls.Inc()
	m.errors.WithLabelValues(callNames[c], why).Inc()
}

func (m *meter) collect(to chan<- prometheus.Metric) {
	for _, c := range []prometheus.Collector{m.calls, m.errors, m.seconds, m.crashes, m.restarts, m.lost} {
		c.Collect(to)
	}
}

// newRegistry makes the metrics of a Manager and of the program around it.
func newRegistry(m *Manager) *prometheus.Registry {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "understudy_build_info", Help: "1, with what runs as labels.", ConstLabels: prometheus.Labels{"version": m.hostVersion},
	})
	build.Set(1)
	r := prometheus.NewRegistry()
	r.MustRegister(moduleCollector{m}, m.switches, activeSwitches{m}, build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Metrics is what can be measured: modules by their calls and states, and the program itself.
func (m *Manager) Metrics() prometheus.Gatherer { return m.registry }

// moduleCollector tells of the modules that are installed at the moment somebody asks.
type moduleCollector struct{ m *Manager }

var (
	stateDesc    = prometheus.NewDesc("understudy_module_state", "1 for the state the module is in.", []string{"module", "state"}, nil)
	breakerDesc  = prometheus.NewDesc("understudy_module_breaker_open", "1 while the module is not asked, because it only failed.", []string{"module"}, nil)
	inFlightDesc = prometheus.NewDesc("understudy_module_calls_in_flight", "People's requests the module is answering.", []string{"module"}, nil)

	states = []State{Installed, Starting, Active, Restarting, Failed, Withheld}
)

// Describe says nothing: which modules there are changes.
func (moduleCollector) Describe(chan<- *prometheus.Desc) {}

// Collect reads what there is now. It waits for no module.
func (c moduleCollector) Collect(to chan<- prometheus.Metric) {
	for id, u := range c.installed() {
		u.meter.collect(to)
		for _, state := range states {
			to <- gauge(stateDesc, u.state == state, id, string(state))
		}
		to <- gauge(breakerDesc, u.gate != nil && u.gate.open(), id)
		inFlight := 0
		if u.gate != nil {
			inFlight = len(u.gate.slots)
		}
		to <- prometheus.MustNewConstMetric(inFlightDesc, prometheus.GaugeValue, float64(inFlight), id)
	}
}

func gauge(desc *prometheus.Desc, on bool, labels ...string) prometheus.Metric {
	value := 0.0
	if on {
		value = 1
	}
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}

// measured is what is told of one module.
type measured struct {
	state State
	meter *meter
	gate  *gate // nil unless it runs
}

func (c moduleCollector) installed() map[string]measured {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	found := map[string]measured{}
	for _, id := range slices.Sorted(maps.Keys(c.m.units)) {
		u := c.m.units[id]
		if u.row.InstalledAt.IsZero() {
			continue // its first installation is on its way, or was refused
		}
		one := measured{state: u.state, meter: u.meter}
		if r := u.current.Load(); r != nil {
			one.gate = r.gate
		}
		found[id] = one
	}
	return found
}
