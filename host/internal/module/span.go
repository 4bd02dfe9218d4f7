package module

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	protobuf "google.golang.org/protobuf/proto"

	"github.com/understudy-crm/understudy/host/internal/trace"
	"github.com/understudy-crm/understudy/proto"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// spans tells a module which step of the host a call belongs to, and takes what the module measured
// of it. A module has no network, so the host passes that on; it is the module's word on times, held
// to the call it was given with.
type spans struct {
	from string // which module, as the steps are marked

	mu   sync.Mutex
	open map[[16]byte]*openTrace
}

// openTrace is a trace that some calls underway belong to.
type openTrace struct {
	span  trace.Span
	calls int
}

func newSpans(module string) *spans {
	return &spans{from: "module/" + module, open: map[[16]byte]*openTrace{}}
}

// unary measures one call, where somebody collects that, and names the request it is made for.
func (s *spans) unary(ctx context.Context, method string, request, answer any, conn *grpc.ClientConn, call grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if of := trace.Of(ctx); of != nil {
		ctx = metadata.AppendToOutgoingContext(ctx, proto.RequestID, of.Client.RequestID)
	}
	span := trace.Current(ctx)
	if !span.On() {
		return call(ctx, method, request, answer, conn, options...)
	}
	leave, began := s.enter(span), time.Now()
	defer leave()
	var trailer metadata.MD
	ctx = metadata.AppendToOutgoingContext(ctx, proto.TraceParent, span.Parent())
	err := call(ctx, method, request, answer, conn, append(options, grpc.Trailer(&trailer))...)
	s.take(span, trailer, began)
	return err
}

// stream measures an answer in parts.
func (s *spans) stream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
	span := trace.Current(ctx)
	if !span.On() {
		return open(ctx, desc, conn, method, options...)
	}
	began, leave := time.Now(), s.enter(span)
	context.AfterFunc(ctx, leave) // nobody may read it to its end
	stream, err := open(metadata.AppendToOutgoingContext(ctx, proto.TraceParent, span.Parent()), desc, conn, method, options...)
	if err != nil {
		return nil, err
	}
	return &measuredStream{ClientStream: stream, ended: func() { s.take(span, stream.Trailer(), began) }}, nil
}

type measuredStream struct {
	grpc.ClientStream
	ended func()
	once  sync.Once
}

// RecvMsg takes what was measured with the last part.
func (m *measuredStream) RecvMsg(message any) error {
	err := m.ClientStream.RecvMsg(message)
	if err != nil {
		m.once.Do(m.ended)
	}
	return err
}

// enter notes a call underway, until the function it returns is called.
func (s *spans) enter(span trace.Span) func() {
	id := span.TraceID()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[id] == nil {
		s.open[id] = &openTrace{span: span}
	}
	s.open[id].calls++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open[id].calls--; s.open[id].calls == 0 {
			delete(s.open, id)
		}
	})
}

// asked begins a step for what the module asks of the host, when it says for which call underway. Of
// any other trace a module has no business to speak.
func (s *spans) asked(ctx context.Context, method string) (context.Context, trace.Span) {
	said := metadata.ValueFromIncomingContext(ctx, proto.TraceParent)
	if len(said) != 1 {
		return ctx, trace.Span{}
	}
	id, parent, ok := trace.ParseParent(said[0])
	if !ok {
		return ctx, trace.Span{}
	}
	s.mu.Lock()
	open := s.open[id]
	s.mu.Unlock()
	if open == nil {
		return ctx, trace.Span{}
	}
	return open.span.Below(ctx, parent, "host "+method[strings.LastIndexByte(method, '/')+1:])
}

// take passes on what a module measured of a call, as far as it can be true.
func (s *spans) take(span trace.Span, trailer metadata.MD, began time.Time) {
	said := trailer.Get(proto.SpansTrailer)
	if len(said) != 1 || len(said[0]) > proto.MaxSpansBytes {
		return
	}
	var list modulev1.Spans
	if protobuf.Unmarshal([]byte(said[0]), &list) != nil {
		return
	}
	steps, err := believable(list.GetSpans(), span.ID(), began, time.Now())
	if err != nil {
		return
	}
	span.Report(s.from, steps)
}

var errSpans = errors.New("these steps can't be of this call")

// believable are the steps within the call: each below the call or one of the others, in its time.
func believable(list []*modulev1.Span, call [8]byte, began, ended time.Time) ([]trace.Measured, error) {
	if len(list) > proto.MaxSpans {
		return nil, errSpans
	}
	parents := map[[8]byte][8]byte{}
	steps := make([]trace.Measured, 0, len(list))
	for _, one := range list {
		m := trace.Measured{Name: printable(one.GetName()), Began: between(time.Unix(0, one.GetBegan()), began, ended), Ended: between(time.Unix(0, one.GetEnded()), began, ended), Failed: one.GetFailed()}
		if copy(m.ID[:], one.GetId()) != 8 || len(one.GetId()) != 8 || copy(m.Parent[:], one.GetParent()) != 8 || len(one.GetParent()) != 8 || m.ID == [8]byte{} || m.ID == call || len(m.Name) > proto.MaxSpanName {
			return nil, errSpans
		}
		if m.Ended.Before(m.Began) {
			m.Ended = m.Began
		}
		if _, twice := parents[m.ID]; twice {
			return nil, errSpans
		}
		parents[m.ID] = m.Parent
		steps = append(steps, m)
	}
	for id := range parents {
		if !leadsTo(call, id, parents) {
			return nil, errSpans
		}
	}
	return steps, nil
}

// leadsTo tells whether a step is below the call, and not in a circle, round which who draws the trace
// might go for ever.
func leadsTo(call, id [8]byte, parents map[[8]byte][8]byte) bool {
	for range len(parents) + 1 {
		if id == call {
			return true
		}
		id = parents[id] // of a step nobody knows: none
	}
	return false
}

func between(t, first, last time.Time) time.Time {
	if t.Before(first) {
		return first
	}
	if t.After(last) {
		return last
	}
	return t
}
