package module

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// State is what an installed module is doing.
type State string

// The states of a module.
const (
	Installed  State = "installed"      // not activated
	Starting   State = "starting"       // its process is on its way
	Active     State = app.ModuleActive // it answers
	Restarting State = "restarting"     // it ended by itself, and will be started again
	Failed     State = "failed"         // it ended too often; somebody has to press Retry
	Withheld   State = "withheld"       // activated, but not started: safe mode
)

// unit is one installed module as this process knows it. Who changes what runs holds busy, so that
// there is one start, swap or stop of a module at a time; all else is guarded by Manager.mu.
type unit struct {
	m        *Manager
	id       string
	log      *moduleLog
	meter    *meter
	busy     chan struct{}
	counting sync.Mutex              // held while crashes are read and written, never over a call
	reading  sync.Mutex              // held while languages are read and taken over
	current  atomic.Pointer[running] // nil unless active

	row       crm.Module
	manifest  manifest.Manifest
	state     State
	problem   *crm.Error
	texts     *texts
	print     string // fingerprint of the folders translations are dropped into
	placed    placed // the verified folder
	notBefore time.Time
	refused   string // the SHA-256 of an upgrade that would not start; it is tried again after notBefore
	refusals  int    // how often that was in vain
	fell      bool   // it ended by itself, or would not start, and hasn't been started since
	wrong     int    // health checks failed in a row
	dirty     bool   // somebody wanted to look at it while it was busy
}

// lock waits for the module to be idle. Unavailable when ctx ends before.
func (u *unit) lock(ctx context.Context) error {
	select {
	case u.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &crm.Error{Kind: crm.Unavailable, Key: "module_changing", Args: map[string]any{"Module": u.id}, Err: ctx.Err()}
	}
}

// alone gives a module's unit to a change, to be unlocked at its end. Whoever waited for a module
// that was uninstalled meanwhile gets the unit of the one that is installed now.
func (m *Manager) alone(ctx context.Context, row crm.Module) (*unit, error) {
	for {
		u := m.unit(row)
		if err := u.lock(ctx); err != nil {
			return nil, err
		}
		if m.known(row.ID) == u {
			return u, nil
		}
		u.unlock()
	}
}

func (u *unit) unlock() {
	<-u.busy
	u.m.mu.Lock()
	again := u.dirty
	u.dirty = false
	u.m.mu.Unlock()
	if again {
		u.m.kick()
	}
	u.m.tellSoon()
}

func (u *unit) set(state State, problem *crm.Error) {
	u.m.mu.Lock()
	defer u.m.mu.Unlock()
	u.state, u.problem = state, problem
}

// settle brings the module to what its row wants. Its caller holds busy.
func (u *unit) settle(ctx context.Context) {
	row, err := u.m.app.Module(ctx, u.id) // as it is now: a crash may have changed it since the list was read
	if err != nil {
		u.m.kickIn(u.m.timing.poll) // the database is gone, and will be back; or the module is
		return
	}
	r := u.current.Load()
	switch {
	case !row.Activated:
		u.halt(Installed)
		u.learnTexts(ctx, row)
	case u.m.mayStart() != nil:
		u.set(Withheld, nil)
		u.learnTexts(ctx, row)
	case r != nil && r.row.SHA256 == row.SHA256 && !r.sameGrants(row):
		u.regrant(ctx, row)
	case r != nil && r.row.SHA256 == row.SHA256:
		u.refresh(ctx, r)
	case r != nil:
		u.follow(ctx, row)
	case row.Failure != "":
		u.set(Failed, decodeProblem(row.Failure))
	case u.unfit(row):
	case u.waiting():
	default:
		u.bringUp(ctx, row)
	}
}

// unfit tells whether the module can't run on this host, be it that a newer replica took it in: that
// is nobody's crash, and ends when the host or the module is another.
func (u *unit) unfit(row crm.Module) bool {
	problems := u.m.unfit(manifestOf(row))
	if len(problems) == 0 {
		return false
	}
	u.set(Failed, &problems[0])
	u.learnTexts(u.m.background(), row)
	return true
}

// waiting tells whether the module's next start is still to come. A module somebody pressed Retry
// for, in whatever process, waits no longer.
func (u *unit) waiting() bool {
	u.m.mu.Lock()
	defer u.m.mu.Unlock()
	return u.state != Failed && time.Now().Before(u.notBefore)
}

// bringUp starts an activated module. A failure counts as a crash: it is tried again, but not for ever.
func (u *unit) bringUp(ctx context.Context, row crm.Module) {
	u.set(Starting, nil)
	ended := u.m.journal.starting(u.id)
	r, err := u.m.start(ctx, u, row)
	if err == nil {
		err = u.takeOver(r, func(t crm.ModuleTrial) error { return u.m.app.KeepModuleTrial(ctx, u.id, t) })
	}
	ended()
	if err != nil {
		if ctx.Err() != nil {
			return // we are stopping
		}
		u.log.say(slog.LevelError, "start: %v", err)
		u.crashed(ctx, asProblem(err), false, slices.Contains(u.m.debug, u.id))
		return
	}
	if row.Crashes > 0 {
		u.recovered(ctx, r)
	}
}

// recovered tells the database that a module runs again, unless it has crashed once more meanwhile:
// that crash must not be written over.
func (u *unit) recovered(ctx context.Context, r *running) {
	u.counting.Lock()
	defer u.counting.Unlock()
	if row, err := u.m.app.Module(ctx, u.id); err == nil && u.current.Load() == r {
		u.record(ctx, Active, nil, nil, row.Crashes, row.CrashedAt)
	}
}

// takeOver makes a process that stood its trial the module's, in the place of the running one if there
// is one, without a moment in between. keep writes what makes it so; when it fails the process is
// ended and the other one goes on.
func (u *unit) takeOver(r *running, keep func(crm.ModuleTrial) error) error {
	old := u.current.Load()
	err := u.m.at("recording")
	if err == nil {
		err = r.own.handOver(old, keep)
	}
	if err != nil {
		r.stop(false)
		return err
	}
	_ = u.m.at("recorded") // from here on there is no way back
	u.adopt(r)
	_ = u.m.at("swapped")
	if old != nil {
		old.stop(true)
		_ = u.m.at("old stopped")
	}
	u.m.prune(u.m.background(), u)
	return nil
}

// adopt makes a started process the module's: from here on it is on the surface.
func (u *unit) adopt(r *running) {
	u.m.mu.Lock()
	if u.m.closing {
		u.m.mu.Unlock()
		r.stop(false)
		return
	}
	if u.fell {
		u.meter.restarts.Inc()
	}
	u.state, u.problem, u.wrong, u.notBefore, u.refused, u.fell = Active, nil, 0, time.Time{}, "", false
	u.texts, u.print, u.placed = r.texts.Load(), r.print, r.placed
	u.current.Store(r)
	u.m.adopted++
	u.m.caught.Store(0) // its settings are those of its start
	u.m.mu.Unlock()
	u.m.recompile()
	u.log.say(slog.LevelInfo, "version %s is active, process %s", r.manifest.Version, r.process.child.ID())
	u.m.work.Go(func() { u.watch(r) })
}

// watch waits for the process' end. Unless that was our wish, what the module added is gone from
// the surface before anything else happens.
func (u *unit) watch(r *running) {
	<-r.process.child.done
	if r.expected() || !u.current.CompareAndSwap(r, nil) {
		return
	}
	u.m.recompile()
	code, signal, _ := r.process.child.ended()
	problem := r.process.child.end("module_crashed")
	u.m.mu.Lock()
	u.state, u.problem, u.notBefore = Restarting, problem, time.Now().Add(u.m.timing.backoff)
	u.m.mu.Unlock()
	r.process.stop(0)
	u.log.say(slog.LevelError, "the process ended by itself: %s", howEnded(code, signal, r.process.child.sated))
	u.crashed(context.WithoutCancel(u.m.running), problem, signal == "SIGTERM", r.debugged)
}

// howEnded is for the log, which is in English.
func howEnded(code int, signal string, sated bool) string {
	if sated {
		return "killed by " + signal + ", out of memory: it may take " + strconv.Itoa(maxMemory>>20) + " MB"
	}
	if signal != "" {
		return "killed by " + signal
	}
	return "exit code " + strconv.Itoa(code)
}

// crashed counts, plans the next start or gives the module up, and tells the database, so that
// whoever depends on the module asks again. An end that was asked for isn't counted: service
// managers end a host and its modules together, by SIGTERM, at every deployment. A debugged module
// isn't started anew: whoever debugs it wants to see why it ended.
func (u *unit) crashed(ctx context.Context, problem *crm.Error, asked, debugged bool) {
	u.counting.Lock()
	defer u.counting.Unlock()
	now, t := u.m.app.Now(), u.m.timing
	row, err := u.m.app.Module(ctx, u.id)
	if err != nil {
		u.log.host.Error("read the module's row after its crash", "error", err)
	}
	crashes, since := row.Crashes, row.CrashedAt
	if since.IsZero() || now.Sub(since) > t.crashWindow {
		crashes, since = 0, now
	}
	if !asked {
		crashes++
		u.meter.crashes.Inc()
	}
	wait := backoff(t.backoff, t.backoffMax, crashes)
	u.m.mu.Lock()
	u.state, u.problem, u.notBefore, u.fell = Restarting, problem, time.Now().Add(wait), true
	u.m.mu.Unlock()
	if crashes < t.maxCrashes && !debugged {
		u.record(ctx, Restarting, problem, nil, crashes, since)
		time.AfterFunc(wait+time.Millisecond, u.m.kick)
		return
	}
	u.record(ctx, Failed, problem, problem, crashes, since)
	u.set(Failed, problem)
	u.log.say(slog.LevelError, "given up after %d crashes", crashes)
}

func (u *unit) record(ctx context.Context, state State, reason, failure *crm.Error, crashes int, since time.Time) {
	report := u.report()
	report.State, report.Problem, report.Since = string(state), encodeProblem(reason), u.m.app.Now()
	err := u.m.app.RecordModuleState(ctx, app.ModuleState{
		Report: report, Reason: tellProblem(reason), Failure: encodeProblem(failure), Crashes: crashes, CrashedAt: since,
	})
	if err != nil {
		u.log.host.Error("record the module's state", "state", state, "error", err)
	}
}

// backoff doubles from base with every crash, up to most, give or take a quarter, so that modules
// that fell together don't rise together.
func backoff(base, most time.Duration, crashes int) time.Duration {
	wait := most
	if shift := max(0, crashes-1); shift < 20 {
		wait = min(most, base<<shift)
	}
	return wait*3/4 + rand.N(wait/2+1) //nolint:gosec // it has to be spread, not secret
}

// halt takes the module off the surface and ends its process.
func (u *unit) halt(state State) {
	r := u.current.Swap(nil)
	u.m.mu.Lock()
	u.state, u.notBefore, u.wrong = state, time.Time{}, 0
	if r != nil {
		u.problem = nil
	}
	u.m.mu.Unlock()
	if r == nil {
		return
	}
	u.m.recompile()
	r.stop(true)
	u.log.say(slog.LevelInfo, "version %s is stopped", r.manifest.Version)
}

// shutDown is halt for the end of the host: it doesn't wait for a start that is underway longer
// than ctx allows.
func (u *unit) shutDown(ctx context.Context) {
	if err := u.lock(ctx); err != nil {
		if r := u.current.Swap(nil); r != nil {
			r.stop(false)
		}
		return
	}
	defer u.unlock()
	u.halt(Installed)
}

// follow swaps to a version another process installed. When it would not start the old one goes on, and
// it is tried again after a while: the database may have been gone, or the machine busy.
func (u *unit) follow(ctx context.Context, row crm.Module) {
	u.m.mu.Lock()
	known := u.refused == row.SHA256 && time.Now().Before(u.notBefore)
	u.m.mu.Unlock()
	if known {
		return
	}
	r, err := u.m.start(ctx, u, row)
	if err == nil {
		err = u.takeOver(r, func(t crm.ModuleTrial) error { return u.m.app.KeepModuleTrial(ctx, u.id, t) })
	}
	if err != nil {
		u.m.mu.Lock()
		if u.refused != row.SHA256 {
			u.refusals = 0
		}
		u.refusals++
		wait := backoff(u.m.timing.again, time.Hour, u.refusals)
		u.refused, u.problem, u.notBefore = row.SHA256, asProblem(err), time.Now().Add(wait)
		u.m.mu.Unlock()
		u.m.kickIn(wait + time.Millisecond)
		u.log.say(slog.LevelError, "version %s would not start, the old one goes on: %v", row.Version, err)
	}
}

// refresh takes over changed settings and translations.
func (u *unit) refresh(ctx context.Context, r *running) {
	changed, err := u.m.refreshSettings(ctx, r)
	if err != nil {
		u.log.host.Error("read the module's settings", "error", err)
	}
	if u.loadTexts(ctx, r) || changed {
		u.m.recompile()
	}
}

// loadTexts reads the languages anew, and tells whether they differ.
func (u *unit) loadTexts(ctx context.Context, r *running) bool {
	u.reading.Lock() // who read before must not overtake who read later
	defer u.reading.Unlock()
	t, print, err := u.m.readTexts(ctx, u.id, u.place(), u.log)
	if err != nil {
		u.log.host.Warn("read the module's languages", "error", err)
		return false
	}
	u.m.mu.Lock()
	u.texts, u.print = t, print
	u.m.mu.Unlock()
	return r.setTexts(t)
}

// learnTexts reads the languages of a module that has not run yet: its sentences may be wanted.
func (u *unit) learnTexts(ctx context.Context, row crm.Module) {
	u.m.mu.Lock()
	known := u.texts != nil
	u.m.mu.Unlock()
	if known {
		return
	}
	t, _, err := u.m.readTexts(ctx, u.id, placed{folder: filepath.Join(u.m.shelf.path, u.id, u.m.folderOf(row))}, u.log)
	if err != nil {
		return // the folder comes with the first start
	}
	u.m.mu.Lock()
	u.texts = t
	u.m.mu.Unlock()
	u.m.recompile()
}

func (u *unit) place() placed {
	u.m.mu.Lock()
	defer u.m.mu.Unlock()
	return u.placed
}

// asProblem is the sentence within an error, or one that says only that something failed.
func asProblem(err error) *crm.Error {
	var e *crm.Error
	if errors.As(err, &e) {
		return e
	}
	return &crm.Error{Kind: crm.Internal, Key: "module_start_failed", Err: err}
}

// tellProblem names a problem for records: its key, and what fills its sentence.
func tellProblem(e *crm.Error) string {
	if e == nil {
		return ""
	}
	text := e.Key
	for _, name := range slices.Sorted(maps.Keys(e.Args)) {
		text += fmt.Sprintf(" %s=%v", name, e.Args[name])
	}
	return text
}

// encodeProblem writes a sentence's key and arguments for the database.
func encodeProblem(e *crm.Error) string {
	if e == nil {
		return ""
	}
	text, err := json.Marshal(map[string]any{"key": e.Key, "args": e.Args})
	if err != nil {
		return `{"key":"module_start_failed"}`
	}
	return string(text)
}

func decodeProblem(text string) *crm.Error {
	var stored struct {
		Key  string         `json:"key"`
		Args map[string]any `json:"args"`
	}
	_ = json.Unmarshal([]byte(text), &stored)
	return &crm.Error{Kind: crm.Unavailable, Key: cmp.Or(stored.Key, "module_start_failed"), Args: stored.Args}
}
