package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
	"github.com/understudy-crm/understudy/host/internal/trace"
)

// Options is what the web pages need. App and Modules are required.
type Options struct {
	App            *app.App
	Modules        *module.Manager
	Log            *slog.Logger
	Secure         bool             // the site is reached by https alone: secure cookies whatever a request says, HSTS
	BasePath       string           // where the site stands below its host, such as "/crm"; empty at the root
	TrustedProxies []netip.Prefix   // whose X-Forwarded-For, X-Forwarded-Proto and X-Request-Id are believed
	Version        string           // of the host, shown to staff
	Draining       func() bool      // true once the program is stopping: /readyz says so, connections end; may be nil
	Metrics        MetricsAccess    // who may read /metrics
	Traces         *trace.Collector // takes what requests' steps took; nil for nobody
	MaxUpload      int64            // the largest module package taken, in bytes; 0 for 64 MiB
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
	traces      *trace.Collector
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
	bars      atomic.Pointer[bars]
	still     sync.Map // template.HTML by name and language, see Page.Still
}

// New makes the handler of every address. It fails when a template, a language file or a route is
// wrong, so that such a host doesn't start.
func New(o Options) (http.Handler, error) {
	if o.App == nil || o.Modules == nil {
		return nil, errors.New("web: App and Modules are required")
	}
	s := &server{
		app: o.App, modules: o.Modules, log: o.Log, secure: o.Secure,
		base: strings.TrimRight(o.BasePath, "/"), proxies: o.TrustedProxies, version: o.Version, maxUpload: o.MaxUpload, traces: o.Traces,
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
	s.sessions = newSessionStore(s.app, s.base)
	s.metricsHandler = newMetricsHandler(s)
	s.mux, err = s.router(routes())
	return err
}

// ServeHTTP sets what every answer carries and hands the request to its route.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setSecurityHeaders(w.Header(), s.secure && s.base == "")
	if s.draining() {
		w.Header().Set("Connection", "close") // the next request comes by a connection to somebody who stays
	}
	inner, clean := s.below(r)
	switch {
	case inner == nil:
		s.serve(w, r, nil, (*visit).elsewhere)
	case !clean:
		s.serve(w, inner, nil, (*visit).toCleanAddress)
	default:
		s.mux.ServeHTTP(w, inner)
	}
}

// below is the request as the routes know it, without the base path; nil when it isn't for this site.
// It isn't clean when its address has steps that lead nowhere, such as "//" and "..": the routes know
// none of those, and http.ServeMux would lead away without the base path.
func (s *server) below(r *http.Request) (inner *http.Request, clean bool) {
	if s.base == "" {
		return r, cleanAddress(r.URL.EscapedPath())
	}
	escaped, ok := strings.CutPrefix(r.URL.EscapedPath(), s.base)
	if ok && escaped == "" {
		escaped = "/"
	} else if !ok || escaped[0] != '/' {
		return nil, false
	}
	inner = new(*r)
	inner.URL = new(*r.URL)
	inner.URL.Path, inner.URL.RawPath = "/"+strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, s.base), "/"), ""
	if r.URL.RawPath != "" {
		inner.URL.RawPath = escaped
	}
	return inner, r.URL.Path != s.base && cleanAddress(escaped)
}

// cleanAddress tells whether a path is as path.Clean leaves it, but for a slash at its end.
func cleanAddress(escaped string) bool {
	if escaped == "*" { // of OPTIONS
		return true
	}
	clean := path.Clean(escaped)
	return clean == escaped || clean+"/" == escaped
}

// elsewhere answers what isn't below the base path. There is no page to show: nobody is signed in there.
func (v *visit) elsewhere() error {
	return v.plain(http.StatusNotFound, "This site is at "+v.path("/")+"\n")
}

// toCleanAddress leads to the address without the steps that lead nowhere.
func (v *visit) toCleanAddress() error {
	escaped := v.r.URL.EscapedPath()
	to := path.Clean("/" + escaped)
	if strings.HasSuffix(escaped, "/") && to != "/" {
		to += "/"
	}
	if v.r.URL.RawQuery != "" {
		to += "?" + v.r.URL.RawQuery
	}
	v.answered = true
	v.w.Header().Set("Location", v.path(to))
	v.w.WriteHeader(http.StatusTemporaryRedirect)
	return nil
}

func setSecurityHeaders(h http.Header, strict bool) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "+
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "+
		"require-trusted-types-for 'script'; trusted-types default") // the policy is in assets/page.js
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if strict { // below a path the host isn't ours alone to speak for
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}
