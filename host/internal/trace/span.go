package trace

import (
	"context"
	"encoding/hex"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// scope is what our own spans are said to come from.
const scope = "understudy"

// Span is one step's time. The zero Span measures nothing and costs nothing, and so does every span
// below it.
type Span struct{ span oteltrace.Span }

// Start begins a step of what the context's own step does, where that is measured.
func Start(ctx context.Context, name string) (context.Context, Span) {
	parent := oteltrace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, Span{}
	}
	ctx, span := parent.TracerProvider().Tracer(scope).Start(ctx, name)
	return ctx, Span{span}
}

// Current is the step a context belongs to.
func Current(ctx context.Context) Span {
	if span := oteltrace.SpanFromContext(ctx); span.IsRecording() {
		return Span{span}
	}
	return Span{}
}

// On tells whether the step is measured.
func (s Span) On() bool { return s.span != nil }

// Set notes something of the step: which, never whose secrets.
func (s Span) Set(key, value string) {
	if s.On() {
		s.span.SetAttributes(attribute.String(key, value))
	}
}

// SetInt notes a number.
func (s Span) SetInt(key string, value int64) {
	if s.On() {
		s.span.SetAttributes(attribute.Int64(key, value))
	}
}

// Fail marks the step as failed. Why stands in the log, not here: an error's words may quote anything.
func (s Span) Fail() {
	if s.On() {
		s.span.SetStatus(codes.Error, "")
	}
}

// End ends the step, failed when there is an error.
func (s Span) End(err error) {
	if !s.On() {
		return
	}
	if err != nil {
		s.Fail()
	}
	s.span.End()
}

// Parent is the step as a W3C traceparent, under which another process measures its own.
func (s Span) Parent() string {
	at := s.span.SpanContext()
	return "00-" + at.TraceID().String() + "-" + at.SpanID().String() + "-" + at.TraceFlags().String()
}

// ID is the step's own.
func (s Span) ID() [8]byte { return s.span.SpanContext().SpanID() }

// TraceID is that of everything the request did.
func (s Span) TraceID() [16]byte { return s.span.SpanContext().TraceID() }

// Below begins a step below one that another process measures in the same trace.
func (s Span) Below(ctx context.Context, parent [8]byte, name string) (context.Context, Span) {
	at := oteltrace.NewSpanContext(oteltrace.SpanContextConfig{TraceID: s.TraceID(), SpanID: parent, TraceFlags: s.span.SpanContext().TraceFlags(), Remote: true})
	ctx, span := s.span.TracerProvider().Tracer(scope).Start(oteltrace.ContextWithRemoteSpanContext(ctx, at), name, oteltrace.WithSpanKind(oteltrace.SpanKindServer))
	return ctx, Span{span}
}

// ParseParent reads a W3C traceparent.
func ParseParent(text string) (traceID [16]byte, spanID [8]byte, ok bool) {
	parts := strings.Split(text, "-")
	if len(parts) != 4 || parts[0] != "00" || len(parts[1]) != 32 || len(parts[2]) != 16 || len(parts[3]) != 2 {
		return traceID, spanID, false
	}
	if _, err := hex.Decode(traceID[:], []byte(parts[1])); err != nil {
		return traceID, spanID, false
	}
	if _, err := hex.Decode(spanID[:], []byte(parts[2])); err != nil {
		return traceID, spanID, false
	}
	return traceID, spanID, traceID != [16]byte{} && spanID != [8]byte{}
}
