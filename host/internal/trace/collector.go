package trace

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// Options say where spans go, and whose they are.
type Options struct {
	Endpoint string // such as http://127.0.0.1:4318, whose /v1/traces takes OTLP
	Version  string // of the host
	Replica  string
	Log      *slog.Logger
}

// Collector sends spans to where somebody collects them. A nil Collector measures nothing.
type Collector struct{ provider *sdktrace.TracerProvider }

// New makes a Collector. It doesn't wait for anybody to answer: spans that nobody takes are dropped,
// and so are more than fit into memory. OpenTelemetry's own environment (OTEL_EXPORTER_OTLP_HEADERS,
// OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES and the like) says the rest.
func New(ctx context.Context, o Options) (*Collector, error) {
	address, err := url.Parse(o.Endpoint)
	if err != nil || (address.Scheme != "http" && address.Scheme != "https") || address.Host == "" {
		return nil, fmt.Errorf("the address %q to send traces to is none; it must be like http://127.0.0.1:4318", o.Endpoint)
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(address.JoinPath("v1", "traces").String()))
	if err != nil {
		return nil, fmt.Errorf("send traces: %w", err)
	}
	who, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "understudy"), attribute.String("service.version", o.Version), attribute.String("service.instance.id", o.Replica),
	), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("say whose traces these are: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { o.Log.Warn("traces are not sent", "error", err) }))
	return &Collector{sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(who), sdktrace.WithIDGenerator(ids{}))}, nil
}

// Close sends what is left, as long as the context allows.
func (c *Collector) Close(ctx context.Context) error {
	if c == nil {
		return nil
	}
	return c.provider.Shutdown(ctx)
}

// Request begins to measure a request, below the step that traceparent names, empty for none.
func (c *Collector) Request(ctx context.Context, name, traceparent, tracestate string) (context.Context, Span) {
	if c == nil {
		return ctx, Span{}
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent, "tracestate": tracestate})
	ctx, span := c.provider.Tracer(scope).Start(ctx, name, oteltrace.WithSpanKind(oteltrace.SpanKindServer))
	if !span.IsRecording() {
		return ctx, Span{} // not sampled
	}
	return ctx, Span{span}
}

// Measured is a step that another process has measured.
type Measured struct {
	ID, Parent   [8]byte
	Name         string
	Began, Ended time.Time
	Failed       bool
}

// Report passes on what another process measured below this step, as from.
func (s Span) Report(from string, steps []Measured) {
	tracer := s.span.TracerProvider().Tracer(from)
	for _, m := range steps {
		at := oteltrace.NewSpanContext(oteltrace.SpanContextConfig{TraceID: s.TraceID(), SpanID: m.Parent, TraceFlags: s.span.SpanContext().TraceFlags(), Remote: true})
		ctx := oteltrace.ContextWithRemoteSpanContext(context.WithValue(context.Background(), idKey{}, m.ID), at)
		_, span := tracer.Start(ctx, strings.ToValidUTF8(m.Name, "?"), oteltrace.WithTimestamp(m.Began))
		if m.Failed {
			Span{span}.Fail()
		}
		span.End(oteltrace.WithTimestamp(m.Ended))
	}
}

// ids makes random ids, and keeps those other processes gave their steps.
type ids struct{}

type idKey struct{}

// NewIDs makes both.
func (g ids) NewIDs(ctx context.Context) (id oteltrace.TraceID, span oteltrace.SpanID) {
	_, _ = rand.Read(id[:]) // it never fails
	return id, g.NewSpanID(ctx, id)
}

// NewSpanID is the one given, or a random one.
func (ids) NewSpanID(ctx context.Context, _ oteltrace.TraceID) (id oteltrace.SpanID) {
	if given, ok := ctx.Value(idKey{}).([8]byte); ok {
		return given
	}
	_, _ = rand.Read(id[:]) // it never fails
	return id
}
