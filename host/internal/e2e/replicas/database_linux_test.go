package replicas

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// watcher asks one replica for pages over and over while its database comes and goes. Each answer must
// be a page of who the browser is, or 503: never another's, never a sign-in page.
type watcher struct {
	t       *testing.T
	who     *e2e.Client
	path    string
	subject string
	banner  string

	mu    sync.Mutex
	seen  map[string]int // by what it was
	slow  time.Duration  // the longest answer, to be told
	wrong []string
}

// watch asks until the context ends.
func (w *watcher) watch(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		what, wrong := w.look()
		took := time.Since(began)
		w.mu.Lock()
		w.seen[what]++
		w.slow = max(w.slow, took)
		if wrong != "" && len(w.wrong) < 5 {
			w.wrong = append(w.wrong, wrong)
		}
		w.mu.Unlock()
		time.Sleep(20 * time.Millisecond)
	}
}

func (w *watcher) look() (what, wrong string) {
	got, err := w.who.TrySend(http.MethodGet, w.path, http.NoBody, "", nil)
	if err != nil {
		return "nothing", err.Error()
	}
	whose, page := got.Whose()
	switch {
	case got.Status == http.StatusOK && page && whose.Subject == w.subject && whose.Banner == w.banner:
		return "page", ""
	case got.Status == http.StatusServiceUnavailable && (!page || whose.Subject == "" || whose.Subject == w.subject):
		return "unavailable", ""
	}
	return fmt.Sprint(got.Status), fmt.Sprintf("%s for %s: %d, %q under %q: %s", w.path, w.subject, got.Status, whose.Subject, whose.Banner, got.Text())
}

// wantAll waits until everybody has been answered this way a few times more.
func wantAll(t *testing.T, list []*watcher, what string) {
	t.Helper()
	var began []int
	for _, w := range list {
		began = append(began, w.count(what))
	}
	for i, w := range list {
		hosttest.Eventually(t, w.subject+" sees "+what, func() bool { return w.count(what) >= began[i]+2 })
	}
}

func (w *watcher) count(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[what]
}

// watchers are three people at one replica, until stop or the test's end: Ann, Ben as Jane, and Jane
// herself.
func (r replicas) watchers(one *hosttest.Replica) (list []*watcher, stop func()) {
	r.t.Helper()
	switched := r.signedIn(e2e.Ben)
	switched.Want(switched.Post("/session/switch", "target", "contact:1"), http.StatusSeeOther)
	list = []*watcher{
		{who: r.signedIn(e2e.Ann), path: "/admin", subject: "staff:1"},
		{who: switched, path: "/", subject: "contact:1", banner: "You (Ben Ortiz) are signed in as Jane Doe (Acme Ltd)"},
		{who: r.signedIn(e2e.Jane), path: "/profile", subject: "contact:1"},
	}
	var wait sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	for _, w := range list {
		w.t, w.who, w.seen = r.t, atReplica(w.who, one), map[string]int{}
		w.who.Timeout = hosttest.Patience
		wait.Go(func() { w.watch(ctx) })
	}
	stop = func() {
		cancel()
		wait.Wait()
	}
	r.t.Cleanup(stop)
	wantAll(r.t, list, "page")
	return list, stop
}

// wantHonest is how each such story ends.
func wantHonest(t *testing.T, list []*watcher) {
	t.Helper()
	for _, w := range list {
		w.mu.Lock()
		t.Logf("%s %s: %v, the slowest answer after %s", w.path, w.subject, w.seen, w.slow.Round(time.Millisecond))
		for _, wrong := range w.wrong {
			t.Error(wrong)
		}
		w.mu.Unlock()
	}
}

// ready is what /readyz of a replica says; 0 when it says nothing.
func ready(ctx context.Context, one *hosttest.Replica) int {
	ctx, cancel := context.WithTimeout(ctx, hosttest.Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, one.Process.Address+"/readyz", nil)
	if err != nil {
		return 0
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body) // only its status is asked for
	return res.StatusCode
}

// PostgreSQL is stopped, or crashes, and is started again: every replica answers 503 meanwhile and is
// well by itself afterwards.
func TestPostgresIsRestarted(t *testing.T) {
	p := hosttest.NewPostgres(t)
	r := runReplicas(t, p.URL())
	boss := r.signedIn(e2e.Ann)
	boss.Install(hosttest.Package(t, e2e.ShippedModule))
	boss.Activate("impersonation")
	r.wantRunning(boss, "1.0.0", r.List...)

	var all []*watcher
	var stops []func()
	for _, one := range r.List {
		list, stop := r.watchers(one)
		all, stops = append(all, list...), append(stops, stop)
	}
	for _, end := range []func(){p.Stop, p.Crash} {
		end()
		wantAll(t, all, "unavailable")
		for _, one := range r.List {
			hosttest.Eventually(t, one.Name+" says that it isn't ready", func() bool { return ready(t.Context(), one) == http.StatusServiceUnavailable })
		}
		p.Start()
		wantAll(t, all, "page")
		for _, one := range r.List {
			hosttest.Eventually(t, one.Name+" is ready", func() bool { return ready(t.Context(), one) == http.StatusOK })
		}
	}
	for _, stop := range stops {
		stop()
	}
	wantHonest(t, all)
	r.wantRunning(boss, "1.0.0", r.List...)
	back := r.signedIn(e2e.Cleo)
	if got := back.Get("/session"); !strings.Contains(got.Text(), "Cleo Park") {
		t.Errorf("nobody can sign in: %s", got.Text())
	}
	r.wantWhole()
}
