package hosttest

import (
	"os"
	"syscall"
	"testing"
)

// Postgres is a PostgreSQL server of one test's own, which it may stop and start anew.
type Postgres struct {
	t      testing.TB
	server *postgresServer
}

// NewPostgres starts a server. What was committed outlives a [Postgres.Crash]. The test is
// [Missing] "postgres" where there is none.
func NewPostgres(t testing.TB) *Postgres {
	t.Helper()
	server, err := newPostgresServer()
	if err == nil {
		err = server.start()
	}
	if err != nil {
		Missing(t, "postgres", err.Error())
	}
	p := &Postgres{t, server}
	t.Cleanup(func() {
		p.Crash()
		if err := os.RemoveAll(server.dir); err != nil {
			t.Error(err)
		}
	})
	return p
}

// URL is the address of its one database.
func (p *Postgres) URL() string { return p.server.address }

// Stop ends it as a service manager does: every connection is closed, what was committed is kept.
func (p *Postgres) Stop() { p.end(syscall.SIGINT) }

// Crash ends it and all its processes at once.
func (p *Postgres) Crash() { p.end(syscall.SIGQUIT) }

func (p *Postgres) end(signal syscall.Signal) {
	if p.server.running == nil {
		return
	}
	_ = p.server.running.Process.Signal(signal) // it may have ended by itself
	<-p.server.exited                           // how it ended is how it was told to
	p.server.running = nil
}

// Start starts it after Stop or Crash, and returns once it answers.
func (p *Postgres) Start() {
	p.t.Helper()
	if err := p.server.start(); err != nil {
		p.t.Fatal(err)
	}
}
