package module

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

var unrulyProgram = sync.OnceValues(func() (*program, error) { return built("unruly") })

// unruly is a package of the unruly module in a mode.
func unruly(t testing.TB, mode string, files map[string]string) kit {
	t.Helper()
	all := map[string]string{
		"languages/en.json": `{ "item": "Unruly", "other": "Another" }`, "languages/es.json": `{ "item": "Rebelde", "other": "Otro" }`,
	}
	maps.Copy(all, files)
	return kit{mode: mode, program: the(t, unrulyProgram), files: all}
}

// neverComes shortens the one wait that a module of this mode never ends.
var neverComes = map[string]func(*timing){
	"hang":          func(q *timing) { q.start = time.Second },
	"describe-hang": func(q *timing) { q.lifecycle = time.Second },
	"page-hangs":    func(q *timing) { q.page = time.Second },
	"clings":        func(q *timing) { q.deactivate = time.Second },
}

// examined is what the kit finds out about a module of this mode.
func examined(t testing.TB, mode string, pkg []byte, static bool) *Findings {
	t.Helper()
	site := hosttest.NewSite(t)
	m := newManager(t, site, func(q *timing) {
		q.maxCrashes, q.grace = 2, time.Second
		if shorten := neverComes[mode]; shorten != nil {
			shorten(q)
		}
	})
	m.log = discarded
	f, err := m.Examine(t.Context(), site.SignIn(t, "admin@example.com").Who(), "sample.zip", bytes.NewReader(pkg), static)
	if err != nil {
		t.Fatal(err)
	}
	if left := processesOf(m.shelf.path); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	if files := tree(m.runDir); len(files) > 0 {
		t.Errorf("the run folder holds %v", files)
	}
	return f
}

func TestAGoodModulePassesEveryPoint(t *testing.T) {
	needLinux(t)
	f := examined(t, "", unruly(t, "good", nil).zip(t), false)
	var names []string
	for _, p := range f.Points {
		names = append(names, p.Name)
		if p.Result != PointPassed || (len(p.Warnings) > 0 && p.Name != pointPages) {
			t.Errorf("%+v", p)
		}
	}
	if !slices.Equal(names, allPoints) || !f.OK() || f.Sandbox == nil {
		t.Errorf("%v %v", names, f.Sandbox)
	}
	if f.Measured.IdleBytes < 1<<20 || f.Measured.ExecutableBytes < 1<<20 || f.Measured.DescriptionBytes == 0 {
		t.Errorf("%+v", f.Measured)
	}
}

// Each module gets one thing wrong: that point fails, and says what; those after it that need it are
// skipped, and nothing of it is left.
func TestTheKitFindsWhatIsWrongWithAModule(t *testing.T) {
	needLinux(t)
	for _, c := range []struct {
		mode, point, says string
		files             map[string]string
	}{
		{"exit", pointStart, "module_start_exit map[Code:7]", nil},
		{"garbage", pointStart, "module_start_handshake", nil},
		{"hang", pointStart, "module_start_timeout", nil},
		{"lies", pointDescribe, "sample 6.6.6", nil},
		{"no-label", pointContributions, `no text "item"`, map[string]string{"languages/en.json": `{ "other": "Another" }`, "languages/es.json": ""}},
		{"impure", pointPure, "a second process describes itself differently", nil},
		{"unhealthy", pointActivate, "module_call_failed", nil},
		{"picky", pointSettings, "its own default values", nil},
		{"page-500", pointPages, "/: it answered with status 500", nil},
		{"page-dies", pointPages, "/: module_crashed_exit map[Code:3]", nil},
		{"page-hangs", pointPages, "/: module_call_timeout", nil},
		{"page-endless", pointPages, "/: module_call_failed", nil},
		{"page-json", pointPages, "/: module_call_failed", nil},
		{"clings", pointDeactivate, "module_call_timeout", nil},
		{"mortal", pointKill, "did not come back", nil},
		{"no-english", pointLanguages, `languages/en.json lacks "more", which languages/es.json has`, map[string]string{"languages/es.json": `{ "more": "Más" }`}},
	} {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			f := examined(t, c.mode, unruly(t, c.mode, c.files).zip(t), false)
			i := slices.IndexFunc(f.Points, func(p Point) bool { return p.Result == PointFailed })
			if i < 0 || f.OK() {
				t.Fatalf("nothing failed: %+v", f.Points)
			}
			if p := f.Points[i]; p.Name != c.point || !strings.Contains(p.Reason, c.says) {
				t.Errorf("%s failed: %s", p.Name, p.Reason)
			}
			for _, p := range f.Points[i+1:] {
				if p.Result == PointFailed || (p.Result == PointSkipped && !strings.Contains(p.Reason, c.point)) {
					t.Errorf("and then %+v", p)
				}
			}
		})
	}
}

// What is left out of a page is a warning for its author, with line and reason; nothing fails by it.
func TestTheKitTellsWhatIsLeftOutOfAPage(t *testing.T) {
	needLinux(t)
	f := examined(t, "page-dirty", unruly(t, "page-dirty", nil).zip(t), false)
	i := slices.IndexFunc(f.Points, func(p Point) bool { return p.Name == pointPages })
	for _, want := range []string{
		"/: left out: line 2: <p> onclick: the attribute is not on the list of this element",
		"/: left out: line 2: <p> class modal: the class is not on the list",
		"/: left out: line 3: <iframe>: the element is not on the list of what a page may hold (with all it holds)",
	} {
		if !slices.Contains(f.Points[i].Warnings, want) {
			t.Errorf("no warning %q among %q", want, f.Points[i].Warnings)
		}
	}
	if !f.OK() {
		t.Errorf("%+v", f.Points)
	}
}

func TestAnIncompleteTranslationIsAWarning(t *testing.T) {
	f := examined(t, "", unruly(t, "good", map[string]string{"languages/es.json": `{ "item": "Rebelde" }`}).zip(t), true)
	if p := f.Points[0]; p.Result != PointPassed || len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], `es.json lacks 1 of 2 texts, which will be shown in English: "other"`) {
		t.Errorf("%+v", p)
	}
	for _, p := range f.Points[1:] {
		if p.Result != PointSkipped || f.Sandbox != nil {
			t.Errorf("with nothing run: %+v", p)
		}
	}
}

func TestAPackageForAnotherMachineIsLookedAtAndNotRun(t *testing.T) {
	needLinux(t)
	f := examined(t, "", otherPlatform(t), false)
	if !f.OK() || f.Review.Manifest.ID != "sample" || f.Sandbox != nil || !strings.Contains(f.Points[1].Reason, hostPlatform()) {
		t.Errorf("%+v", f)
	}
	changed := otherPlatform(t)
	f = examined(t, "", flip(changed, bytes.Index(changed, []byte("PK\x01\x02"))-40), false)
	if f.OK() || f.Refusal == nil {
		t.Errorf("damaged, and for another machine: %+v", f)
	}
}

func TestWhatTheInstallerRefusesIsNotRun(t *testing.T) {
	needLinux(t)
	for key, pkg := range map[string][]byte{
		"module_not_zip":       []byte("hello"),
		"module_tampered":      kit{files: map[string]string{sumsName: small(nil)[sumsName]}, noSums: true}.zip(t),
		"module_outer_package": zipOf(t, map[string]string{"sample.zip": string(zipOf(t, small(nil)))}),
	} {
		if f := examined(t, "", pkg, false); f.OK() || f.Refusal.Key != key || f.Sandbox != nil {
			t.Errorf("%s: %+v", key, f)
		}
	}
	f := examined(t, "", unruly(t, "good", map[string]string{"module.json": kit{host: ">=99.0.0"}.manifest()}).zip(t), false)
	if f.OK() || f.Refusal != nil || len(f.Review.Problems) != 1 || f.Sandbox != nil || f.Points[1].Result != PointSkipped {
		t.Errorf("for a newer host: %+v", f)
	}
}

// What a module prints can neither move the cursor nor turn the line around.
func TestTheLogOfAFailedModuleIsPlain(t *testing.T) {
	needLinux(t)
	f := examined(t, "", unruly(t, "exit", nil).zip(t), false)
	if !slices.Contains(f.Log, "[2Jall well: no") {
		t.Errorf("%q", f.Log)
	}
	if got := Plain("a\x1b]0;x\x07\u202e\u2066b\r\nc\u200b\xff"); got != "a]0;xbc?" {
		t.Errorf("%q", got)
	}
}

func TestAnInterruptedExaminationLeavesNothing(t *testing.T) {
	needLinux(t)
	t.Parallel()
	site := hosttest.NewSite(t)
	m := newManager(t, site, nil)
	m.log = discarded
	ctx, cancel := contextUntil(t, func() bool { return len(processesOf(m.shelf.path)) > 0 })
	defer cancel()
	pkg := unruly(t, "hang", nil).zip(t)
	_, err := m.Examine(ctx, site.SignIn(t, "admin@example.com").Who(), "sample.zip", bytes.NewReader(pkg), false)
	if !errors.Is(err, ctx.Err()) || ctx.Err() == nil {
		t.Errorf("got %v", err)
	}
	if left := processesOf(m.shelf.path); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

// Whatever moment of a start it is given up at, before there is a process, while there comes to be
// one or after, none is left, and nobody waits for the handshake that won't come.
func TestAStartGivenUpAtAnyMomentLeavesNothing(t *testing.T) {
	needLinux(t)
	t.Parallel()
	s := newStage(t, func(q *timing) { q.start = time.Hour })
	row := s.install(unruly(t, "hang", nil))
	u := s.m.unit(row)
	if err := u.lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer u.unlock()
	for moment := range 25 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(moment)*time.Millisecond)
		promptly(t, "giving up", func() {
			if _, err := s.m.probe(ctx, u, row); err == nil {
				t.Error("it started")
			}
		})
		cancel()
		if left := processesOf(s.m.shelf.path); len(left) > 0 {
			t.Errorf("given up after %d ms it left %v", moment, left)
		}
	}
}

func TestAChildKilledBeforeItsStartIsNotStarted(t *testing.T) {
	needLinux(t)
	folder := t.TempDir()
	c, err := newChild("/bin/sh", folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Args = []string{"sh", "-c", "echo > started"}
	if err := errors.Join(c.Kill(t.Context()), c.Start(t.Context())); !errors.Is(err, errGivenUp) {
		t.Errorf("got %v", err)
	}
	<-c.done
	if files := tree(folder); len(files) > 0 {
		t.Errorf("it left %v", files)
	}
}

var discarded = slog.New(slog.DiscardHandler)

// contextUntil ends once a condition holds.
func contextUntil(t *testing.T, holds func() bool) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for tick := time.Tick(2 * time.Millisecond); !holds() && ctx.Err() == nil; {
			<-tick
		}
		cancel()
	}()
	return ctx, cancel
}
