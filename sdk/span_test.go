package sdk

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/metadata"
	protobuf "google.golang.org/protobuf/proto"

	"github.com/understudy-crm/understudy/proto"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// incoming is a call of the host's that belongs to a trace.
func incoming(t *testing.T) context.Context {
	t.Helper()
	return metadata.NewIncomingContext(t.Context(), metadata.Pairs(proto.TraceParent, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", proto.RequestID, "r1"))
}

func TestStepsOfACallStandBelowIt(t *testing.T) {
	ctx, done := measureCall(incoming(t), "/understudy.module.v1.PageService/Serve")
	outer, end := Measure(ctx, "outer")
	_, endInner := Measure(outer, "inner")
	endInner(errors.New("refused"))
	end(nil)
	_, endLate := Measure(ctx, "late")
	trailer := done(nil)
	endLate(nil)

	var sent modulev1.Spans
	if err := protobuf.Unmarshal([]byte(trailer.Get(proto.SpansTrailer)[0]), &sent); err != nil {
		t.Fatal(err)
	}
	spans := sent.GetSpans()
	if len(spans) != 3 || spans[0].GetName() != "PageService/Serve" || spans[1].GetName() != "inner" || spans[2].GetName() != "outer" {
		t.Fatalf("%v", spans)
	}
	if string(spans[1].GetParent()) != string(spans[2].GetId()) || string(spans[2].GetParent()) != string(spans[0].GetId()) || spans[0].GetParent()[7] != 0xb7 {
		t.Errorf("which stands below which: %v", spans)
	}
	if !spans[1].GetFailed() || spans[2].GetFailed() || spans[1].GetBegan() < spans[0].GetBegan() || spans[2].GetEnded() > spans[0].GetEnded() {
		t.Errorf("times and ends: %v", spans)
	}
}

// However many steps an author measures, the host takes what it is sent.
func TestTooManyStepsFitStill(t *testing.T) {
	ctx, done := measureCall(incoming(t), "/x/Y")
	for range 10 * proto.MaxSpans {
		_, end := Measure(ctx, string(make([]byte, 10*proto.MaxSpanName)))
		end(nil)
	}
	said := done(nil).Get(proto.SpansTrailer)[0]
	var sent modulev1.Spans
	if err := protobuf.Unmarshal([]byte(said), &sent); err != nil || len(sent.GetSpans()) != proto.MaxSpans || len(said) > proto.MaxSpansBytes {
		t.Errorf("%d steps in %d bytes, %v", len(sent.GetSpans()), len(said), err)
	}
}

func TestWhereNobodyCollectsNothingIsMeasured(t *testing.T) {
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs(proto.RequestID, "r1"))
	got, done := measureCall(ctx, "/x/Y")
	if done != nil {
		t.Error("it is measured")
	}
	again, end := Measure(got, "step")
	if end(nil); again != got {
		t.Error("a step was kept")
	}
	if id, _ := got.Value(requestIDKey{}).(string); id != "r1" {
		t.Errorf("the request is called %q", id)
	}
	if n := testing.AllocsPerRun(100, func() { _, end := Measure(t.Context(), "step"); end(nil) }); n > 0 {
		t.Errorf("%v allocations for nothing", n)
	}
}
