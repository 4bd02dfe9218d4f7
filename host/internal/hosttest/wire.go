package hosttest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Wire is the way from a replica to PostgreSQL, which can be cut. While it is cut nothing comes
// through, and nobody is told: connections stay open and new ones are taken, as by a network that
// drops what it is given.
type Wire struct {
	listener        net.Listener
	network, target string

	mu    sync.Mutex
	whole *sync.Cond
	cut   bool
	open  map[net.Conn]struct{}
	ended bool
}

// NewWire leads from a port of its own to the server of a PostgreSQL URL.
func NewWire(t testing.TB, address string) *Wire {
	t.Helper()
	config, err := pgconn.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{open: map[net.Conn]struct{}{}}
	w.whole = sync.NewCond(&w.mu)
	w.network, w.target = pgconn.NetworkAddress(config.Host, config.Port)
	if w.listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	go w.serve()
	t.Cleanup(w.end)
	return w
}

// URL is the address of the same database by way of this wire.
func (w *Wire) URL(t testing.TB, address string) string {
	t.Helper()
	config, err := pgconn.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	credentials := config.User
	if config.Password != "" {
		credentials += ":" + config.Password
	}
	return "postgres://" + credentials + "@" + w.listener.Addr().String() + "/" + config.Database + "?sslmode=disable"
}

// Cut cuts it.
func (w *Wire) Cut() { w.set(true) }

// Mend makes it whole again. What was held up on its way comes through now, late.
func (w *Wire) Mend() { w.set(false) }

func (w *Wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	w.whole.Broadcast()
}

func (w *Wire) end() {
	_ = w.listener.Close() // nothing is lost
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	for conn := range w.open {
		_ = conn.Close() // its copier takes it off the list
	}
	w.whole.Broadcast()
}

func (w *Wire) serve() {
	for {
		conn, err := w.listener.Accept()
		if err != nil {
			return
		}
		go w.lead(conn)
	}
}

// lead carries a connection both ways until either side ends it.
func (w *Wire) lead(near net.Conn) {
	defer w.hold(near)()
	if !w.pass() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	far, err := new(net.Dialer).DialContext(ctx, w.network, w.target)
	cancel()
	if err != nil {
		return
	}
	defer w.hold(far)()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], gate{way[1], w}) // how it ended is for those at its ends
			_ = way[0].Close()
			_ = way[1].Close()
		})
	}
	both.Wait()
}

// hold keeps a connection on the list until the function it returns closes it.
func (w *Wire) hold(conn net.Conn) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		_ = conn.Close()
	}
	w.open[conn] = struct{}{}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, conn)
		_ = conn.Close()
	}
}

// pass waits while the wire is cut; false when it is gone.
func (w *Wire) pass() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.cut && !w.ended {
		w.whole.Wait()
	}
	return !w.ended
}

// gate lets through what comes while the wire is whole.
type gate struct {
	net.Conn
	wire *Wire
}

// Read reads, but gives nothing out while the wire is cut.
func (g gate) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if !g.wire.pass() {
		return 0, errors.Join(io.EOF, err)
	}
	return n, err
}
