package module

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

var (
	_ app.SwitchObserver = (*Manager)(nil)
	_ app.SwitchPinger   = (*Manager)(nil)
)

// switchMeter counts session switches. Every label is there from the start, so that the first one
// of a kind is seen as a rise.
type switchMeter struct {
	started  prometheus.Counter
	ended    *prometheus.CounterVec
	refused  *prometheus.CounterVec
	duration prometheus.Histogram
}

// switchBuckets reach from a glance to the longest switch there can be, in seconds.
var switchBuckets = []float64{10, 30, 60, 300, 900, 1800, 3600, 7200, 14400, app.MaxSwitch.Seconds()}

func newSwitchMeter() *switchMeter {
	name := func(of string) string { return "understudy_session_switch" + of }
	m := &switchMeter{
		started: prometheus.NewCounter(prometheus.CounterOpts{Name: name("es_started_total"), Help: "Session switches that began."}),
		ended:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: name("es_ended_total"), Help: "Session switches that ended, by how."}, []string{"cause"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("es_refused_total"), Help: "Refused starts, and what was refused during switches, by the rule; module stands for any of a module's own.",
		}, []string{"code"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: name("_duration_seconds"), Help: "How long session switches lasted.", Buckets: switchBuckets}),
	}
	for _, cause := range crm.EndCauses() {
		m.ended.WithLabelValues(string(cause))
	}
	for _, code := range app.RefusalCodes() {
		m.refused.WithLabelValues(code)
	}
	return m
}

// Describe tells of all four.
func (m *switchMeter) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, to) }

// Collect gives all four.
func (m *switchMeter) Collect(to chan<- prometheus.Metric) {
	for _, c := range []prometheus.Collector{m.started, m.ended, m.refused, m.duration} {
		c.Collect(to)
	}
}

// SwitchStarted counts a switch that began.
func (m *Manager) SwitchStarted() { m.switches.started.Inc() }

// SwitchEnded counts one that ended.
func (m *Manager) SwitchEnded(cause crm.EndCause, lasted time.Duration) {
	m.switches.ended.WithLabelValues(string(cause)).Inc()
	m.switches.duration.Observe(lasted.Seconds())
}

// SwitchRefused counts a refusal.
func (m *Manager) SwitchRefused(code string) { m.switches.refused.WithLabelValues(code).Inc() }

// activeSwitches tells how many switches run, of all replicas, as the database has it.
type activeSwitches struct{ m *Manager }

var activeDesc = prometheus.NewDesc("understudy_session_switches_active", "Session switches that run now, on all replicas.", nil, nil)

// activeTime bounds how long somebody who asks for metrics waits for the database.
const activeTime = time.Second

// Describe tells of the one.
func (activeSwitches) Describe(to chan<- *prometheus.Desc) { to <- activeDesc }

// Collect counts. When the database doesn't answer the metric is missing, which isn't none.
func (c activeSwitches) Collect(to chan<- prometheus.Metric) {
	if c.m.app == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), activeTime)
	defer cancel()
	if n, err := c.m.app.ActiveSwitches(ctx); err == nil {
		to <- prometheus.MustNewConstMetric(activeDesc, prometheus.GaugeValue, float64(n))
	}
}

// PingSwitch asks every module that decides session switches for a sign of life, within the time it
// would have for a decision. The error says in words that none runs, or which one doesn't answer.
func (m *Manager) PingSwitch(ctx context.Context) error {
	deciders, err := m.deciders(ctx, 0)
	if err != nil {
		return errors.New(m.sentence(err))
	}
	for _, r := range deciders {
		within, cancel := context.WithTimeout(ctx, r.timing.hook)
		err := r.health(within)
		cancel()
		if err != nil {
			return fmt.Errorf("module %s: %s", r.manifest.ID, m.sentence(err))
		}
	}
	return nil
}
