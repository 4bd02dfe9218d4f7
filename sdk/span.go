package sdk

import (
	"context"
	"crypto/rand"
	"sync"
	"time"
)

// Measure begins a step of what the module does for one call of the CRM, such as "read rates"; the
// function it returns ends it. Where the operator collects traces, the step stands in them below the
// call, between those of the CRM itself; everywhere else it costs nothing. Name what is done, never
// with what: traces are read by people who may see less than the page's viewer. At most 64 steps of a
// call are kept; calls to the [Host] are steps of their own already.
//
//	ctx, done := sdk.Measure(ctx, "read rates")
//	rates, err := read(ctx)
//	done(err)
func Measure(ctx context.Context, what string) (context.Context, func(error)) {
	m, on := ctx.Value(measuringKey{}).(measuring)
	if !on {
		return ctx, func(error) {}
	}
	s := m.recorder.begin(m.step, what)
	return context.WithValue(ctx, measuringKey{}, measuring{m.recorder, s.id}), func(err error) { m.recorder.end(s, err) }
}

type measuringKey struct{}

// measuring is the step a context belongs to.
type measuring struct {
	recorder *recorder
	step     spanID
}

type spanID [8]byte

// step is one that began, and ended when it has a time for that.
type step struct {
	id, parent   spanID
	name         string
	began, ended time.Time
	failed       bool
}

// recorder keeps the steps of one call.
type recorder struct {
	trace string // its id, as traceparent writes it

	mu    sync.Mutex
	steps []step
	over  bool // what still ends comes too late
}

func (r *recorder) begin(parent spanID, name string) step {
	s := step{parent: parent, name: name, began: time.Now()}
	_, _ = rand.Read(s.id[:]) // it never fails
	return s
}

// end keeps a step. Beyond as many as the host takes the first ones stay: the last to end is the call
// itself, for which there is always room.
func (r *recorder) end(s step, err error) {
	s.ended, s.failed = time.Now(), err != nil
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.steps) < maxSteps && !r.over {
		r.steps = append(r.steps, s)
	}
}

// all are the steps that have ended, and the call itself.
func (r *recorder) all(call step, err error) []step {
	call.ended, call.failed = time.Now(), err != nil
	r.mu.Lock()
	defer r.mu.Unlock()
	steps := append([]step{call}, r.steps...)
	r.over = true
	return steps
}
