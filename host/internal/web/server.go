package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
)

// Options is what the web pages need. App and Modules are required.
type Options struct {
	App            *app.App
	Modules        *module.Manager
	Log            *slog.Logger
	Secure         bool           // the site is reached by https: secure cookies, HSTS
	BasePath       string         // where the site stands below its host, such as "/crm"; empty at the root
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	Version        string         // of the host, shown to staff
	Draining       func() bool    // true once the program is stopping: /readyz says so; may be nil
	Metrics        MetricsAccess  // who may read /metrics
	MaxUpload      int64          // the largest module package taken, in bytes; 0 for 64 MiB
}

// server is the handler that New makes.
type server struct {
	app         *app.App
	modules     *module.Manager
	log         *slog.Logger
	secure      bool
	base        string
	proxies     []netip.Prefix
	version     string
	maxUpload   int64
	draining    func() bool
	assets      *assets
	languages   *languages
	templates   *templates
	sessions    *sessionStore
	crossOrigin *http.CrossOriginProtection
	mux         *http.ServeMux
	seen        func(who crm.Who, path, title string, status int) // App.NotePage

	metricsAccess  MetricsAccess
	metricsHandler http.Handler

	general   atomic.Pointer[generalSettings]
	spokenNow atomic.Pointer[spoken]
}

// New makes the handler of every address. It fails when a template, a language file or a route is
// wrong, so that such a host doesn't start.
func New(o Options) (http.Handler, error) {
	if o.App == nil || o.Modules == nil {
		return nil, errors.New("web: App and Modules are required")
	}
	s := &server{
		app: o.App, modules: o.Modules, log: o.Log, secure: o.Secure,
		base: strings.TrimRight(o.BasePath, "/"), proxies: o.TrustedProxies, version: o.Version, maxUpload: o.MaxUpload,
		crossOrigin: http.NewCrossOriginProtection(), metricsAccess: o.Metrics, seen: o.App.NotePage,
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.draining = o.Draining; s.draining == nil {
		s.draining = func() bool { return false }
	}
	if s.maxUpload <= 0 {
		s.maxUpload = 64 << 20
	}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	s.app.SetWayBack(s.checkWayBack)
	s.modules.SetActivityWords(activityWords{s})
	return s, nil
}

func (s *server) load() (err error) {
	if s.assets, err = loadAssets(s.base); err != nil {
		return fmt.Errorf("read assets: %w", err)
	}
	if s.languages, err = loadLanguages(); err != nil {
		return fmt.Errorf("read languages: %w", err)
	}
	if s.templates, err = loadTemplates(s.assets); err != nil {
		return fmt.Errorf("read templates: %w", err)
	}
	s.sessions = newSessionStore(s.app, s.base, s.secure)
	s.metricsHandler = newMetricsHandler(s)
	s.mux, err = s.router(routes())
	return err
}

// ServeHTTP sets what every answer carries and hands the request to its route.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setSecurityHeaders(w.Header(), s.secure)
	if s.base == "" {
		s.mux.ServeHTTP(w, r)
		return
	}
	if r.URL.Path == s.base {
		http.Redirect(w, r, s.base+"/", http.StatusSeeOther)
		return
	}
	http.StripPrefix(s.base, s.mux).ServeHTTP(w, r)
}

func setSecurityHeaders(h http.Header, secure bool) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "+
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}
