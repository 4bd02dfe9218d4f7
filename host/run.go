package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/understudy-crm/understudy/host/internal/mail"
	"github.com/understudy-crm/understudy/host/internal/trace"
	"github.com/understudy-crm/understudy/host/internal/web"
)

// Bounds of one request, and of stopping: everything is down within ten seconds.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	drainTimeout      = 3 * time.Second
	stopTimeout       = 9 * time.Second
	sweepEvery        = time.Minute
	flushEvery        = time.Second
	tellMarksEvery    = time.Hour
)

type serveCommand struct {
	dataFlags
	moduleFlags
	webFlags
	metricsFlags
	mailFlags
	logFlags
	traceFlags
	SecureCookies bool `help:"Send cookies over TLS only. Off by itself on a loopback address." env:"UNDERSTUDY_SECURE_COOKIES" default:"true" negatable:""`
}

// Validate refuses settings that make no sense, before anything is opened.
func (c *serveCommand) Validate() error {
	return errors.Join(c.logKeptFlags.check(), c.webFlags.check(), c.metricsFlags.check(), c.mailFlags.check(), c.checkLinks())
}

// checkLinks refuses links in mails that would lead beside the site.
func (c *serveCommand) checkLinks() error {
	if c.Links == "" || strings.HasSuffix(strings.TrimRight(c.Links, "/"), c.base()) {
		return nil
	}
	return fmt.Errorf("--mail.links is %q, and the site stands below --base-path %s: put that at its end", c.Links, c.BasePath)
}

// Run serves until the context ends.
func (c *serveCommand) Run(ctx context.Context, t *terminal) error {
	log := c.logger(t.errs)
	release, err := c.own()
	if err != nil {
		return err
	}
	if err := c.settle(); err != nil {
		return errors.Join(err, release())
	}
	s, err := c.open(ctx, c.moduleFlags, log)
	if err != nil {
		return errors.Join(err, release())
	}
	sender, err := c.sender(s, log)
	traces, wrong := c.collector(ctx, c.Replica, log)
	if err = errors.Join(err, wrong); err == nil {
		err = s.join(ctx)
	}
	if err != nil {
		return errors.Join(err, s.close(), release())
	}
	serving := server{site: s, mail: sender, traces: traces, at: c.webFlags, secure: c.SecureCookies && !isLoopback(c.Listen), maxUpload: c.MaxUpload, metrics: c.access(), log: log, ready: func(base string) error {
		t.printf("Understudy %s listens on %s\n", version, base)
		token, needed, err := s.app.FirstLink(ctx)
		if err != nil || !needed {
			return err
		}
		t.printf("Nobody can sign in yet. Create the first administrator here, within 24 hours:\n  %s/setup/%s\n", base, token)
		return nil
	}}
	err = serving.run(ctx)
	s.leave(log)
	return errors.Join(err, s.close(), release())
}

// server runs a site behind an address.
type server struct {
	site   *site
	mail   *mail.Sender // nil when no mail is sent
	traces *trace.Collector
	at     webFlags
	secure bool
	// maxUpload is the largest module package, in bytes.
	maxUpload int64
	metrics   web.MetricsAccess
	log       *slog.Logger
	ready     func(base string) error // called once it listens and the modules have been started
}

// run starts in the order store → modules → mail, whose words are the modules' → listener, and stops
// in the reverse one.
func (s *server) run(ctx context.Context) error {
	var draining atomic.Bool
	handler, err := s.pages(draining.Load)
	if err != nil {
		return fmt.Errorf("build the pages: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.at.Listen)
	if err != nil {
		return fmt.Errorf("listen (choose another address with --listen): %w", err)
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if err := s.site.modules.Start(running); err != nil {
		return errors.Join(fmt.Errorf("start modules: %w", err), listener.Close())
	}
	posting := s.post(running)
	web := &http.Server{Handler: handler, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	go s.sweep(running)
	go s.keepPages(running)
	lost := s.sign(running)
	if err := s.ready("http://" + listener.Addr().String() + s.at.base()); err != nil {
		posting.cancel()
		<-posting.done
		return errors.Join(err, web.Close(), s.site.modules.Stop(running))
	}
	select {
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	case err = <-lost:
	case <-ctx.Done():
		s.log.Info("stopping", "drain_delay", s.at.DrainDelay.String())
		draining.Store(true)
		err = s.linger(listener, failed)
	}
	draining.Store(true)
	posting.cancel() // what requests still write waits in the outbox
	return errors.Join(err, s.stop(web, posting.done))
}

// pages are the answers to every request.
func (s *server) pages(draining func() bool) (http.Handler, error) {
	proxies, err := s.at.proxies()
	if err != nil {
		return nil, err
	}
	return web.New(web.Options{
		App: s.site.app, Modules: s.site.modules, Log: s.log, Secure: s.secure, BasePath: s.at.base(), TrustedProxies: proxies, Version: version,
		MaxUpload: s.maxUpload, Metrics: s.metrics, Draining: draining, Traces: s.traces,
	})
}

// posting is the sending of mail while the program runs.
type posting struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// post sends mail until it is cancelled; done closes once the mail under way then is out.
func (s *server) post(ctx context.Context) posting {
	ctx, cancel := context.WithCancel(ctx)
	p := posting{cancel, make(chan struct{})}
	go func() {
		defer close(p.done)
		if s.mail != nil {
			s.mail.Run(ctx)
		}
	}()
	return p
}

// stop ends requests, waits for the mail under way, then ends modules, each within its bound.
func (s *server) stop(web *http.Server, mailed <-chan struct{}) error {
	all, cancelAll := context.WithTimeout(context.Background(), stopTimeout)
	defer cancelAll()
	drain, cancelDrain := context.WithTimeout(all, drainTimeout)
	defer cancelDrain()
	if err := web.Shutdown(drain); err != nil {
		s.log.Warn("requests were cut off", "error", err)
		if err := web.Close(); err != nil {
			s.log.Debug("close", "error", err)
		}
	}
	select {
	case <-mailed: // the mail under way has had as long as the requests
	case <-all.Done():
	}
	if err := s.site.app.FlushPages(all); err != nil {
		s.log.Warn("keep the pages that were seen", "error", err)
	}
	if err := s.site.modules.Stop(all); err != nil {
		return fmt.Errorf("stop modules: %w", err)
	}
	s.sendTraces(all)
	return nil
}

// sendTraces sends those that are left, but waits for nobody who doesn't take them.
func (s *server) sendTraces(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := s.traces.Close(ctx); err != nil {
		s.log.Warn("the last traces are not sent", "error", err)
	}
}

// tellMarks puts the ends of the Activity Log's chains where who can change the database may not
// reach: into the host's own log.
func (s *server) tellMarks(ctx context.Context) {
	marks, err := s.site.app.AuditHeads(ctx)
	if err != nil && ctx.Err() == nil {
		s.log.Warn("read the ends of the Activity Log", "error", err)
	}
	for _, m := range marks {
		s.log.Info("the Activity Log up to here", "mark", m.String())
	}
}

// sweep closes now and then what nobody came back for.
func (s *server) sweep(ctx context.Context) {
	var told time.Time
	every := time.NewTicker(sweepEvery)
	defer every.Stop()
	for {
		if err := s.site.app.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("sweep", "error", err)
		}
		if now := time.Now(); now.Sub(told) >= tellMarksEvery {
			told = now
			s.tellMarks(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// keepPages writes what was seen during switches, for the answers don't wait for that.
func (s *server) keepPages(ctx context.Context) {
	every := time.NewTicker(flushEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		if err := s.site.app.FlushPages(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("keep the pages that were seen", "error", err)
		}
	}
}
