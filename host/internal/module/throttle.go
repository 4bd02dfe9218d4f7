package module

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// throttle has a module that prints without end wait for the host, not the host for it: reading a
// line and taking it apart is the host's work, and who prints decides how much there is.
type throttle struct {
	mu     sync.Mutex
	credit float64 // bytes that are taken at once
	at     time.Time
}

const (
	printedAtOnce    = 4 << 20 // bytes
	printedPerSecond = 2 << 20
	lineCost         = 100 // bytes that a line counts for besides its own
)

// took accounts for what was read and waits when that is too much. The next is read after that, so
// the module waits at a full pipe.
func (t *throttle) took(text []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.at.IsZero() {
		t.credit = printedAtOnce
	} else {
		t.credit = min(printedAtOnce, t.credit+now.Sub(t.at).Seconds()*printedPerSecond)
	}
	t.at = now
	t.credit -= float64(len(text) + lineCost*bytes.Count(text, []byte("\n")))
	if t.credit < 0 {
		time.Sleep(time.Duration(-t.credit / printedPerSecond * float64(time.Second)))
	}
}

// throttled is what a process prints, no faster than the throttle lets it.
type throttled struct {
	io.ReadCloser
	throttle *throttle
}

func (r throttled) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.throttle.took(p[:n])
	return n, err
}
