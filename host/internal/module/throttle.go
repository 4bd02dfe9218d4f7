package module

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"
)

// throttle has a module that prints or asks without end wait for the host, not the host for it: each
// line to read and each call to answer is the host's work, and how much there is the module decides.
type throttle struct {
	mu     sync.Mutex
	credit float64 // what is taken at once
	at     time.Time
}

const (
	printedAtOnce    = 4 << 20 // bytes
	printedPerSecond = 2 << 20
	lineCost         = 100  // bytes that a line counts for besides its own
	askedAtOnce      = 4000 // calls
	askedPerSecond   = 2000
)

// took accounts for what was read and waits when that is too much. The next is read after that, so
// the module waits at a full pipe.
func (t *throttle) took(text []byte) {
	t.spend(float64(len(text)+lineCost*bytes.Count(text, []byte("\n"))), printedAtOnce, printedPerSecond)
}

// asked accounts for a call, likewise; each KiB of it counts as one more.
func (t *throttle) asked(size int) { t.spend(float64(1+size>>10), askedAtOnce, askedPerSecond) }

func (t *throttle) spend(cost, atOnce, perSecond float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.at.IsZero() {
		t.credit = atOnce
	} else {
		t.credit = min(atOnce, t.credit+now.Sub(t.at).Seconds()*perSecond)
	}
	t.at = now
	if t.credit -= cost; t.credit < 0 {
		time.Sleep(time.Duration(-t.credit / perSecond * float64(time.Second)))
	}
}

// together does one thing for all who ask for it meanwhile, and no more often than is said.
type together struct {
	mu   sync.Mutex
	last time.Time
	next *turn // for who asks before it begins
}

// turn is one time it is done.
type turn struct {
	done chan struct{}
	err  error
}

// do returns when act, begun after do was called, has ended. Act goes on when who asked gives up, for
// others may have asked, too.
func (g *together) do(ctx context.Context, every time.Duration, act func(context.Context) error) error {
	t := g.join(context.WithoutCancel(ctx), every, act)
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *together) join(ctx context.Context, every time.Duration, act func(context.Context) error) *turn {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next != nil {
		return g.next
	}
	t := &turn{done: make(chan struct{})}
	g.next = t
	time.AfterFunc(every-time.Since(g.last), func() {
		g.mu.Lock()
		g.next, g.last = nil, time.Now()
		g.mu.Unlock()
		ctx, cancel := context.WithTimeout(ctx, hostCallLimit)
		defer cancel()
		t.err = act(ctx)
		close(t.done)
	})
	return t
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
