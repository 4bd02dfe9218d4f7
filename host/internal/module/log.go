package module

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

const (
	lastLines   = 50
	maxPending  = 2000 // lines kept for the next write; what a module says beyond is counted, not kept
	maxLineText = 4096
)

// moduleLog is what a module says and what the host says about it: the last lines in memory for
// the module's row, all of them on their way to the database.
type moduleLog struct {
	sentence func(error) string
	id       string
	now      func() time.Time
	host     *slog.Logger

	mu      sync.Mutex
	last    []crm.ModuleLogLine
	pending []crm.ModuleLogLine
	dropped int
	lost    prometheus.Counter // counts them too, nil for nothing
}

func newModuleLog(id string, now func() time.Time, host *slog.Logger, sentence func(error) string) *moduleLog {
	return &moduleLog{id: id, now: now, host: host.With("module", id), sentence: sentence}
}

// add takes a line. It never blocks on anything but other lines.
func (l *moduleLog) add(level, text, requestID string) {
	text = cleanLine(text)
	if text == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	line := crm.ModuleLogLine{At: l.now(), Level: level, Text: text, RequestID: cleanRequestID(requestID)}
	if l.last = append(l.last, line); len(l.last) > lastLines {
		l.last = slices.Delete(l.last, 0, len(l.last)-lastLines)
	}
	l.keep(line)
}

// keep holds a line to be written; its caller holds mu.
func (l *moduleLog) keep(line crm.ModuleLogLine) {
	if len(l.pending) >= maxPending {
		l.dropped++
		if l.lost != nil {
			l.lost.Inc()
		}
		return
	}
	l.pending = append(l.pending, line)
}

// say writes a line of the host's about the module, to both logs; errors among args are said by
// their sentence. It is none of the lines the module wrote last.
func (l *moduleLog) say(level slog.Level, format string, args ...any) {
	for i, arg := range args {
		if err, ok := arg.(error); ok {
			args[i] = l.sentence(err)
		}
	}
	text := fmt.Sprintf(format, args...)
	l.host.Log(context.Background(), level, text)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep(crm.ModuleLogLine{At: l.now(), Level: strings.ToLower(level.String()), Text: cleanLine(text)})
}

// lines are the last ones, oldest first, as a row shows them.
func (l *moduleLog) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]string, len(l.last))
	for i, line := range l.last {
		out[i] = line.Text
	}
	return out
}

// take hands over what is to be written.
func (l *moduleLog) take() []crm.ModuleLogLine {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.pending
	if l.dropped > 0 {
		text := fmt.Sprintf("%d more lines were left out", l.dropped)
		lines = append(lines, crm.ModuleLogLine{At: l.now(), Level: "warn", Text: text})
	}
	l.pending, l.dropped = nil, 0
	return lines
}

// forget drops what was said up to now.
func (l *moduleLog) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last, l.pending, l.dropped = nil, nil, 0
}

// cleanLine cuts a line and takes out what could pose as something else on a terminal or screen.
func cleanLine(text string) string {
	text = strings.TrimRight(strings.ToValidUTF8(text, "?"), "\r\n\t ")
	if len(text) > maxLineText {
		text = strings.ToValidUTF8(text[:maxLineText], "") + " …"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return r
		case invisible(r):
			return -1
		}
		return r
	}, text)
}

// maxRequestID is longer than any of the host's own.
const maxRequestID = 64

// cleanRequestID keeps of what a module says is a request's id what can be one.
func cleanRequestID(id string) string {
	if len(id) > maxRequestID || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return id
}

// lineWriter makes log lines of what a module prints.
type lineWriter struct {
	log   *moduleLog
	level string

	throttle throttle
	mu       sync.Mutex
	partial  []byte
}

// Write never fails, but takes its time when there is more than the host should read.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.throttle.took(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partial = append(w.partial, p...)
	for {
		line, rest, whole := bytes.Cut(w.partial, []byte("\n"))
		if !whole && len(line) <= maxLineText {
			return len(p), nil
		}
		w.log.add(w.level, string(line), "")
		w.partial = bytes.Clone(rest)
	}
}

// hclog is the logger go-plugin writes to. Lines of the module's stderr come under the name of its
// executable and go to the module's log; go-plugin's own go to the host's, for debugging.
func (l *moduleLog) hclog(executable string) hclog.Logger {
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Trace, Output: io.Discard})
	logger.RegisterSink(&sink{log: l, module: executable})
	return logger
}

type sink struct {
	log    *moduleLog
	module string
}

// Accept takes a line from hclog.
func (s *sink) Accept(name string, level hclog.Level, text string, args ...any) {
	if name != s.module {
		s.log.host.Debug("go-plugin: "+text, args...)
		return
	}
	if level == hclog.Debug && len(args) == 0 {
		level = hclog.Info // a plain print: go-plugin calls it debug, people would miss it
	}
	var requestID string
	var out strings.Builder
	out.WriteString(text)
	for i := 0; i+1 < len(args); i += 2 {
		switch name := fmt.Sprint(args[i]); name {
		case "timestamp":
		case "request_id":
			requestID = fmt.Sprint(args[i+1])
		default:
			fmt.Fprintf(&out, " %s=%v", name, args[i+1])
		}
	}
	s.log.add(levelName(level), out.String(), requestID)
}

func levelName(level hclog.Level) string {
	switch level {
	case hclog.Error:
		return "error"
	case hclog.Warn:
		return "warn"
	case hclog.Info:
		return "info"
	}
	return "debug"
}
