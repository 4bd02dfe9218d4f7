package module

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/trace"
)

// maxInFlight bounds the calls one module has to answer at a time.
const maxInFlight = 64

// gate is the one way to a module's process: every call passes it. It bounds how many there are at
// a time and how long each takes, stops asking a module that only fails, and makes of whatever
// comes back a sentence for people; the module's own words go to its log.
type gate struct {
	id, name string
	gone     <-chan struct{} // closed when the process is
	slots    chan struct{}
	breaker  *gobreaker.TwoStepCircuitBreaker[any]
	calls    *atomic.Uint64
	meter    *meter
	log      *moduleLog
}

func newGate(id, name string, gone <-chan struct{}, calls *atomic.Uint64, meter *meter, log *moduleLog) *gate {
	return &gate{
		id: id, name: name, gone: gone, slots: make(chan struct{}, maxInFlight), calls: calls, meter: meter, log: log,
		breaker: gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
			MaxRequests:  1,
			Interval:     time.Minute,
			Timeout:      5 * time.Second,
			ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 5 },
			IsSuccessful: func(err error) bool { return !sick(err) },
		}),
	}
}

// sick tells failures of the module from answers, refusing ones included, and from callers that
// went away.
func sick(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	switch status.Code(err) {
	case codes.DeadlineExceeded, codes.Unavailable, codes.Unknown, codes.Internal, codes.DataLoss:
		return err != nil
	}
	return false
}

// open tells whether the module is let alone because it only failed.
func (g *gate) open() bool { return g.breaker.State() != gobreaker.StateClosed }

// call makes one call with a deadline. It fails at once when the process is gone, when 64 calls
// are underway and while the circuit is open.
func (g *gate) call(ctx context.Context, what call, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	leave, err := g.enter(what)
	if err != nil {
		return err
	}
	ctx, span := g.span(ctx, what)
	err = do(ctx)
	span.End(err)
	leave(err)
	return g.fault(ctx, what.String(), "", err)
}

// span measures a call, where somebody collects that.
func (g *gate) span(ctx context.Context, what call) (context.Context, trace.Span) {
	ctx, span := trace.Start(ctx, "module "+what.String())
	span.Set("understudy.module", g.id)
	return ctx, span
}

// enter lets a call through. Who entered leaves, with the call's raw error.
func (g *gate) enter(what call) (leave func(error), err error) {
	select {
	case <-g.gone:
		g.meter.refused(what, "not_running")
		return nil, notRunning(g.name)
	default:
	}
	select {
	case g.slots <- struct{}{}:
	default:
		g.meter.refused(what, "busy")
		return nil, crm.Refuse(crm.TooMany, "module_busy", "Module", g.name)
	}
	done, err := g.breaker.Allow()
	if err != nil {
		<-g.slots
		g.meter.refused(what, "resting")
		return nil, crm.Refuse(crm.Unavailable, "module_resting", "Module", g.name)
	}
	g.calls.Add(1)
	started := time.Now()
	return func(err error) {
		done(err)
		<-g.slots
		g.meter.done(what, started, err)
	}, nil
}

// kinds of failure by gRPC code, as the contract says. What isn't here is the module's own fault.
var codeKinds = map[codes.Code]crm.Kind{
	codes.InvalidArgument: crm.Invalid, codes.PermissionDenied: crm.Denied, codes.NotFound: crm.NotFound,
	codes.FailedPrecondition: crm.Conflict, codes.ResourceExhausted: crm.TooLarge,
	codes.Unavailable: crm.Unavailable, codes.DeadlineExceeded: crm.Unavailable,
}

// fault makes of a raw error what a person may read, and logs the rest. A nil error stays nil.
func (g *gate) fault(ctx context.Context, what, requestID string, err error) error {
	if err == nil {
		return nil
	}
	var ours *crm.Error
	if errors.As(err, &ours) {
		return err
	}
	code := status.Code(err)
	if errors.Is(err, context.DeadlineExceeded) {
		code = codes.DeadlineExceeded
	}
	if code == codes.Canceled {
		return &crm.Error{Kind: crm.Unavailable, Key: "module_call_cancelled", Args: map[string]any{"Module": g.name}, Err: err}
	}
	g.log.add("error", what+": "+status.Convert(err).Message()+" ("+code.String()+")", requestID)
	g.log.host.WarnContext(ctx, "module call failed", "call", what, "code", code.String(), "error", err)
	select {
	case <-g.gone:
		return notRunning(g.name)
	default:
	}
	key := "module_call_failed"
	if code == codes.DeadlineExceeded {
		key = "module_call_timeout"
	}
	return &crm.Error{Kind: codeKinds[code], Key: key, Args: map[string]any{"Module": g.name, "RequestID": requestID}}
}

func notRunning(name string) *crm.Error {
	return crm.Refuse(crm.Unavailable, "module_not_running", "Module", name)
}
