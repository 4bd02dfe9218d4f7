// Package module runs modules: it verifies their packages, unpacks them, starts each as a process
// of its own, compiles what they add into a snapshot the web can draw without asking, and stands
// between them and the rest of the program in both directions.
package module

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// Options are what a Manager is made of.
type Options struct {
	App              *app.App
	Dir              string // modules are unpacked here, as <id>/<version>/
	RunDir           string // sockets and temporary files of their processes; a short path
	HostVersion      string // a semantic version; the App's own when empty
	Log              *slog.Logger
	MaxUpload        int64              // bytes; DefaultMaxUpload when zero
	AllowUpload      bool               // off: packages come by the command line only
	RequireSignature bool               // on: only packages signed by a trusted key are installed
	SafeMode         bool               // on: no module is started until an administrator says so
	Journal          string             // file that tells the next start how this one went; none is kept when empty
	Debug            []string           // ids of modules that somebody looks at with a debugger: no deadlines, no restarts
	RequireSandbox   Requirement        // a module that can't be held to it isn't started; RequireNothing when empty
	Icons            func(string) bool  // the host's icons; nil takes any well-formed name
	Sentence         func(error) string // an error in words, for logs; nil for error.Error
}

// timing is every wait there is, so that tests need not wait as long.
type timing struct {
	start, lifecycle, deactivate, grace    time.Duration
	firstStart                             time.Duration
	hook, page, idle                       time.Duration
	poll, health, healthLimit, flush, load time.Duration
	backoff, backoffMax, crashWindow       time.Duration
	maxCrashes                             int
	through, others, again                 time.Duration
}

func usualTiming() timing {
	return timing{
		start: 10 * time.Second, lifecycle: 10 * time.Second, deactivate: 5 * time.Second, grace: 2 * time.Second,
		firstStart: 10 * time.Second,
		hook:       2 * time.Second, page: 15 * time.Second, idle: 30 * time.Second,
		poll: time.Second, health: 10 * time.Second, healthLimit: 5 * time.Second, flush: 500 * time.Millisecond, load: time.Second,
		backoff: time.Second, backoffMax: 5 * time.Minute, crashWindow: 10 * time.Minute, maxCrashes: 5,
		through: 30 * time.Second, others: 5 * time.Second, again: 30 * time.Second,
	}
}

// patient is for a module that stands still in a debugger. It is stopped in bounded time even so.
func (t timing) patient() timing {
	const day = 24 * time.Hour
	t.start, t.lifecycle, t.hook, t.page, t.idle, t.healthLimit = day, day, day, day, day, day
	return t
}

// Manager runs the installed modules. The database says what should run; the Manager makes it so,
// also when another process, such as the command line, changed it. Without Start it runs nothing,
// and its other methods work on the database and the modules' folder alone.
//
// Its methods may be called from any goroutine. None holds a lock while it waits for a module.
type Manager struct {
	app              *app.App
	shelf            shelf
	runDir           string
	hostVersion      string
	log              *slog.Logger
	maxUpload        int64
	allowUpload      bool
	requireSignature bool
	requireSandbox   Requirement
	safeAsked        bool
	debug            []string
	safe             atomic.Pointer[SafeMode]
	safeLeft         string // App.SafeModeLeft when safe mode was entered, at the start
	journal          journal
	direct           bool // tests only: modules start without the launcher
	groups           func() *cgroups
	icons            func(string) bool
	sentence         func(error) string
	words            ActivityWords
	timing           timing
	fault            func(step string) error // tests only: they fail or die between steps
	calls            atomic.Uint64
	registry         *prometheus.Registry
	switches         *switchMeter
	surface          atomic.Pointer[Surface]
	kicked           chan struct{} // somebody wants the loop to look at the modules
	raised           chan struct{} // the revision was raised, in whatever process
	changed          chan struct{} // something may be to be told to the other replicas
	decidingRows     atomic.Pointer[decidingAt]
	caught           atomic.Int64       // the revision up to which running modules' settings are known
	catching         chan struct{}      // held by whoever finds out
	running          context.Context    //nolint:containedctx // from Start to Stop, for work nobody waits for
	cancel           context.CancelFunc // ends it
	work             sync.WaitGroup

	mu      sync.Mutex // never held over a call to a module, the database or the disk
	units   map[string]*unit
	adopted int // processes so far
	started bool
	closing bool
}

// New makes a Manager. It touches neither disk nor database.
func New(o Options) *Manager {
	m := &Manager{
		app: o.App, shelf: shelf{path: o.Dir}, runDir: o.RunDir, hostVersion: o.HostVersion, log: o.Log, maxUpload: o.MaxUpload,
		allowUpload: o.AllowUpload, requireSignature: o.RequireSignature, requireSandbox: o.RequireSandbox, icons: o.Icons, sentence: o.Sentence, timing: usualTiming(), groups: sync.OnceValue(findCgroups), kicked: make(chan struct{}, 1), raised: make(chan struct{}, 1), changed: make(chan struct{}, 1), catching: make(chan struct{}, 1), units: map[string]*unit{},
		safeAsked: o.SafeMode, debug: o.Debug, journal: journal{path: o.Journal},
	}
	m.shelf.fault = m.at
	if m.hostVersion == "" && o.App != nil {
		m.hostVersion = o.App.Version()
	}
	if m.log == nil {
		m.log = slog.Default()
	}
	m.journal.log = m.log
	m.words = noWords{}
	if m.sentence == nil {
		m.sentence = error.Error
	}
	if m.maxUpload <= 0 {
		m.maxUpload = DefaultMaxUpload
	}
	for _, path := range []*string{&m.shelf.path, &m.runDir} {
		if absolute, err := filepath.Abs(*path); err == nil {
			*path = absolute
		}
	}
	m.surface.Store(&Surface{})
	m.switches = newSwitchMeter()
	m.registry = newRegistry(m)
	return m
}

// Start clears away what earlier runs left, starts every activated module and keeps them as the
// database wants them until Stop. A module that can't start never keeps the host from it: its row
// says why. Start gives the modules some seconds to come up before it returns.
func (m *Manager) Start(ctx context.Context) error {
	m.mu.Lock()
	if m.started {
		m.mu.Unlock()
		return errors.New("start modules: started already")
	}
	m.started = true
	m.running, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
	m.mu.Unlock()
	m.probeFolders()
	m.decideSafeMode(ctx)
	m.groups()
	revision, err := m.app.Revision(ctx)
	if err == nil {
		m.pruneAll(ctx)
		err = m.reconcile(ctx, true)
	}
	m.work.Go(func() { m.loop(revision) })
	m.work.Go(func() { m.listen(m.running) })
	return err
}

// probeFolders says at once what would otherwise show at the first upload or start.
func (m *Manager) probeFolders() {
	if err := m.shelf.sweep(); err != nil {
		m.log.Error("modules folder: clear away leftovers", "path", m.shelf.path, "error", m.sentence(err))
	}
	if noExec(m.shelf.path) {
		m.log.Error("modules folder: its file system does not let programs run (noexec), so modules can't start: remount it, or choose another with --modules", "path", m.shelf.path)
	}
	if err := checkRunDir(filepath.Join(m.runDir, "a-module")); err != nil {
		m.log.Error("run folder: its path is too long for sockets; choose a shorter one", "path", m.runDir)
	}
	if err := emptyRunDir(m.runDir); err != nil {
		m.log.Error("run folder: make and empty", "path", m.runDir, "error", m.sentence(err))
	}
}

// Stop ends every module. It returns when no process is left, or when ctx ends, with what is left
// killed.
func (m *Manager) Stop(ctx context.Context) error {
	m.mu.Lock()
	if !m.started || m.closing {
		m.mu.Unlock()
		return nil
	}
	m.closing = true
	units := slices.Collect(maps.Values(m.units))
	m.mu.Unlock()
	m.cancel()
	var stopping sync.WaitGroup
	for _, u := range units {
		stopping.Go(func() { u.shutDown(ctx) })
	}
	stopping.Wait()
	m.work.Wait()
	m.flush(context.WithoutCancel(ctx))
	_ = emptyRunDir(m.runDir)
	if m.safe.Load() == nil {
		m.journal.through()
	}
	return ctx.Err()
}

// Calls is how many calls were made to modules so far, health checks aside.
func (m *Manager) Calls() uint64 { return m.calls.Load() }

// Surface is what the running modules add, as of now.
func (m *Manager) Surface() *Surface { return m.surface.Load() }

// recompile makes a new snapshot of what is there now. It is quick: no call, no disk.
func (m *Manager) recompile() {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &Surface{texts: map[string]*texts{}, names: map[string]string{}}
	for _, id := range slices.Sorted(maps.Keys(m.units)) {
		u := m.units[id]
		if t := u.texts; t != nil {
			s.texts[id] = t
		}
		s.names[id] = u.manifest.Name
		r := u.current.Load()
		if r == nil {
			continue
		}
		t := r.texts.Load()
		s.texts[id] = t
		s.modules = append(s.modules, &surfaceModule{
			id: id, name: r.manifest.Name, added: r.added.Load(), texts: t, settings: *r.values.Load(), decides: r.decides,
			switches: slices.Contains(r.holds(), manifest.GrantSessionSwitch),
		})
	}
	m.surface.Store(s)
}

// unit finds an installed module, making its unit on first sight.
func (m *Manager) unit(row crm.Module) *unit {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.units[row.ID]
	if u == nil {
		u = &unit{m: m, id: row.ID, state: Installed, busy: make(chan struct{}, 1), log: newModuleLog(row.ID, m.app.Now, m.log, m.sentence), meter: newMeter(row.ID)}
		u.log.lost = u.meter.lost
		m.units[row.ID] = u
	}
	if u.row.SHA256 != row.SHA256 || u.manifest.ID == "" {
		u.manifest = manifestOf(row)
	}
	u.row = row
	return u
}

// manifestOf reads a row's manifest. One that can't be read names the module and no more.
func manifestOf(row crm.Module) manifest.Manifest {
	mf, err := manifest.Parse(row.Manifest)
	if err != nil {
		return manifest.Manifest{ID: row.ID, Name: row.ID, Version: row.Version}
	}
	return mf
}

// all are the units there are now.
func (m *Manager) all() []*unit {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.units))
}

// known finds a module's unit, nil when there is none.
func (m *Manager) known(id string) *unit {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.units[id]
}

// meter counts for a module; nobody reads what is counted for one that isn't installed.
func (m *Manager) meter(id string) *meter {
	if u := m.known(id); u != nil {
		return u.meter
	}
	return newMeter(id)
}

// active is the module's process, or Unavailable at once when it doesn't run.
func (m *Manager) active(id string) (*running, error) {
	u := m.known(id)
	if u == nil {
		return nil, notRunning(id)
	}
	if r := u.current.Load(); r != nil {
		return r, nil
	}
	return nil, notRunning(m.Surface().Name(id))
}

// serving tells whether Start was called: whether this process is the one that runs modules.
func (m *Manager) serving() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.started && !m.closing
}

// at stands between any two steps that change a module's version, so that tests can fail or die
// there. The error of a step past which there is no way back is ignored.
func (m *Manager) at(step string) error {
	if m.fault == nil {
		return nil
	}
	return m.fault(step)
}

// kick has the loop look at the database soon.
func (m *Manager) kick() {
	select {
	case m.kicked <- struct{}{}:
	default:
	}
}

// kickIn does so after a while.
func (m *Manager) kickIn(wait time.Duration) { time.AfterFunc(wait, m.kick) }

// ActivityWords puts what the Activity Log keeps as codes into words of a language.
type ActivityWords interface {
	Action(language, action string) string
	Detail(language, name, value string) (string, string)
}

// SetActivityWords says who does so for modules. Call it before the first module starts; until then
// they read codes.
func (m *Manager) SetActivityWords(words ActivityWords) { m.words = words }

type noWords struct{}

func (noWords) Action(_, action string) string                { return action }
func (noWords) Detail(_, name, value string) (string, string) { return name, value }
