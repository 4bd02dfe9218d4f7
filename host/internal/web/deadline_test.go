package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/module"
)

// timed is an answer over a connection that remembers its deadlines.
type timed struct {
	*httptest.ResponseRecorder
	reads, writes []time.Time
}

func (w *timed) SetReadDeadline(at time.Time) error  { w.reads = append(w.reads, at); return nil }
func (w *timed) SetWriteDeadline(at time.Time) error { w.writes = append(w.writes, at); return nil }

func near(at time.Time, after time.Duration) bool {
	return time.Until(at) <= after && time.Until(at) > after-10*time.Second
}

func TestASlowBodyIsNotWaitedFor(t *testing.T) {
	s := newSite(t)
	for path, limit := range map[string]time.Duration{"/login": 15 * time.Second, "/nothing": 15 * time.Second, "/m/x/y": time.Minute, uploadPattern: 10 * time.Minute} {
		w := &timed{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("email=x"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		s.server.ServeHTTP(w, r)
		if len(w.reads) == 0 || !near(w.reads[0], limit) {
			t.Errorf("POST %s may take until %v", path, w.reads)
		}
		if path == "/login" && !w.reads[len(w.reads)-1].IsZero() {
			t.Error("the bound stays after the form was read")
		}
	}
	w := &timed{ResponseRecorder: httptest.NewRecorder()}
	s.server.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/login", http.NoBody))
	if len(w.reads) != 0 {
		t.Error("a request without a body is bounded")
	}
}

func TestAModulesFileIsNotReadForever(t *testing.T) {
	w := &timed{ResponseRecorder: httptest.NewRecorder()}
	v := &visit{server: newSite(t).server, w: w, r: httptest.NewRequest(http.MethodGet, "/m/x/y", http.NoBody)}
	if err := v.moduleFile(module.Answer{Status: 200, File: module.FileAnswer{Body: io.NopCloser(strings.NewReader("x"))}}); err != nil {
		t.Fatal(err)
	}
	if len(w.writes) != 1 || !near(w.writes[0], 2*time.Minute) {
		t.Error(w.writes)
	}
}
