package module

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
)

func testLog() *moduleLog {
	return newModuleLog("m", func() time.Time { return time.Unix(1, 0) }, slog.New(slog.DiscardHandler), error.Error)
}

func TestTheLogKeepsTheLastLinesAndCountsTheRest(t *testing.T) {
	l := testLog()
	l.lost = newMeter("m").lost
	counted := prometheus.NewRegistry()
	counted.MustRegister(l.lost)
	for i := range maxPending + 7 {
		l.add("info", fmt.Sprint("line ", i), "")
	}
	if last := l.lines(); len(last) != lastLines || last[lastLines-1] != fmt.Sprint("line ", maxPending+6) {
		t.Errorf("last lines: %d, %q", len(last), last[len(last)-1])
	}
	lines := l.take()
	if len(lines) != maxPending+1 || lines[maxPending].Text != "7 more lines were left out" {
		t.Errorf("%d lines, the last is %+v", len(lines), lines[len(lines)-1])
	}
	if told, err := counted.Gather(); err != nil || told[0].GetMetric()[0].GetCounter().GetValue() != 7 {
		t.Errorf("counted: %v %v", told, err)
	}
	if again := l.take(); len(again) != 0 {
		t.Errorf("taken twice: %v", again)
	}
}

func TestLinesAreFitForAScreen(t *testing.T) {
	l := testLog()
	l.add("info", "a\x1b[31mb\u202ec\xffd\r\n", "")
	l.add("info", strings.Repeat("x", 2*maxLineText), "")
	l.add("info", "\x00 \n", "")
	lines := l.take()
	if len(lines) != 2 || lines[0].Text != "a[31mbc?d" || len(lines[1].Text) > maxLineText+8 {
		t.Errorf("%+v", lines)
	}
}

func TestAModulesLevelsAndRequestsAreKept(t *testing.T) {
	l := testLog()
	logger := l.hclog("sample")
	module := logger.Named("sample")
	module.Debug("a plain print")
	module.Debug("a debug line", "timestamp", "now")
	module.Warn("careful", "request_id", "r1", "n", 3, "timestamp", "now")
	logger.Info("go-plugin's own")
	var got []string
	for _, line := range l.take() {
		got = append(got, line.Level+":"+line.Text+":"+line.RequestID)
	}
	if want := "[info:a plain print: debug:a debug line: warn:careful n=3:r1]"; fmt.Sprint(got) != want {
		t.Errorf("got %v", got)
	}
	if levelName(hclog.Error) != "error" || levelName(hclog.Trace) != "debug" {
		t.Error("levels")
	}
}

// What a module calls a request's id stands in addresses and files.
func TestARequestsIDIsNoPlaceForAnythingElse(t *testing.T) {
	l := testLog()
	for _, id := range []string{"ok-1", strings.Repeat("x", maxRequestID+1), "a b", "a\nb", "a\u202eb"} {
		l.add("info", "line", id)
	}
	var got []string
	for _, line := range l.take() {
		got = append(got, line.RequestID)
	}
	if fmt.Sprintf("%q", got) != `["ok-1" "" "" "" ""]` {
		t.Errorf("%q", got)
	}
}

func TestPrintsBecomeLines(t *testing.T) {
	l := testLog()
	w := &lineWriter{log: l, level: "info"}
	for _, part := range []string{"on", "e\ntwo\nth", "ree", strings.Repeat("y", maxLineText+1)} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	lines := l.take()
	if len(lines) != 3 || lines[0].Text != "one" || lines[1].Text != "two" || !strings.HasPrefix(lines[2].Text, "threey") {
		t.Errorf("%d lines: %.40v", len(lines), lines)
	}
}
