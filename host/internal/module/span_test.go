package module

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/understudy-crm/understudy/host/internal/trace"
	"github.com/understudy-crm/understudy/proto"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

func eight(last byte) []byte { return []byte{0, 0, 0, 0, 0, 0, 0, last} }

// A module's word on times is held to the call it was given with: no step of another's trace, none
// twice, none before or after.
func TestWhatAModuleMeasuredIsOfTheCall(t *testing.T) {
	began := time.Unix(1000, 0)
	ended, call := began.Add(time.Second), [8]byte(eight(1))
	good := func() *modulev1.Span {
		return &modulev1.Span{Id: eight(2), Parent: eight(1), Name: "read rates", Began: began.Add(time.Millisecond).UnixNano(), Ended: began.Add(2 * time.Millisecond).UnixNano()}
	}
	steps, err := believable([]*modulev1.Span{good(), {Id: eight(3), Parent: eight(2), Name: "one\ntwo\x1b[31m\u202e", Began: 1, Ended: 1 << 62}, {Id: eight(4), Parent: eight(1), Began: ended.UnixNano(), Ended: began.UnixNano()}}, call, began, ended)
	if err != nil || len(steps) != 3 || steps[0].Name != "read rates" || !steps[0].Began.Equal(began.Add(time.Millisecond)) {
		t.Fatalf("%+v, %v", steps, err)
	}
	if s := steps[1]; !s.Began.Equal(began) || !s.Ended.Equal(ended) || strings.ContainsAny(s.Name, "\n\x1b\u202e") {
		t.Errorf("out of time, or unreadable: %+v", s)
	}
	if s := steps[2]; s.Ended.Before(s.Began) {
		t.Errorf("it ended before it began: %+v", s)
	}
	many := make([]*modulev1.Span, proto.MaxSpans+1)
	for i := range many {
		many[i] = &modulev1.Span{Id: eight(byte(i + 10)), Parent: eight(1)}
	}
	for what, list := range map[string][]*modulev1.Span{
		"below a stranger's":   {{Id: eight(2), Parent: eight(9)}},
		"the call's own":       {{Id: eight(1), Parent: eight(1)}},
		"round in a circle":    {{Id: eight(2), Parent: eight(3)}, {Id: eight(3), Parent: eight(2)}},
		"below itself":         {{Id: eight(2), Parent: eight(2)}},
		"twice":                {good(), good()},
		"none":                 {{Id: eight(0), Parent: eight(1)}},
		"too short":            {{Id: []byte{1}, Parent: eight(1)}},
		"too long":             {{Id: append(eight(2), 1), Parent: eight(1)}},
		"without a parent":     {{Id: eight(2)}},
		"with an endless name": {{Id: eight(2), Parent: eight(1), Name: strings.Repeat("x", 1<<10)}},
		"too many":             many,
		"nothing at all":       {nil},
	} {
		if steps, err := believable(list, call, began, ended); err == nil {
			t.Errorf("%s: %+v", what, steps)
		}
	}
}

// A module speaks of the calls it is just answering, and of no other trace.
func TestAModuleAsksWithinItsOwnTracesAlone(t *testing.T) {
	collector, err := trace.New(t.Context(), trace.Options{Endpoint: "http://127.0.0.1:1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		soon, cancel := context.WithCancel(context.Background())
		cancel()
		_ = collector.Close(soon) // nobody takes them
	})
	_, mine := collector.Request(t.Context(), "mine", "", "")
	_, other := collector.Request(t.Context(), "another module's", "", "")
	s := newSpans("sample")
	leave := s.enter(mine)
	again := s.enter(mine)
	asks := func(parent string) bool {
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs(proto.TraceParent, parent))
		_, span := s.asked(ctx, "/x/Y")
		span.End(nil)
		return span.On()
	}
	if !asks(mine.Parent()) {
		t.Error("of its own call it isn't heard")
	}
	for _, forged := range []string{other.Parent(), "", "00", "00-zz-zz-01", strings.Replace(mine.Parent(), "00-", "01-", 1), mine.Parent() + "-more"} {
		if asks(forged) {
			t.Errorf("it is heard of %q", forged)
		}
	}
	leave()
	leave()
	if !asks(mine.Parent()) {
		t.Error("one of two calls has ended, and of the other it isn't heard")
	}
	if again(); asks(mine.Parent()) || len(s.open) != 0 {
		t.Error("of a call that has ended it is heard")
	}
}

// What isn't a list of steps, or is too long for one, is dropped, and nothing else fails for it.
func TestWhatCannotBeReadIsDropped(t *testing.T) {
	collector, err := trace.New(t.Context(), trace.Options{Endpoint: "http://127.0.0.1:1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_, span := collector.Request(t.Context(), "mine", "", "")
	s := newSpans("sample")
	for _, said := range []string{"", "\xff\xff\xff", strings.Repeat("\x0a\x00", proto.MaxSpansBytes)} {
		s.take(span, metadata.Pairs(proto.SpansTrailer, said), time.Now())
	}
	s.take(span, metadata.Pairs(proto.SpansTrailer, "", proto.SpansTrailer, ""), time.Now())
	s.take(span, nil, time.Now())
}
