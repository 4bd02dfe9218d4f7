package replicas

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// One of three replicas dies by kill -9 in the midst of starts and stops, of an upload, an installation,
// an activation, an upgrade and the way back: nothing is lost or doubled, the others go on, and every one
// runs what the database says within five seconds. UNDERSTUDY_TEST_KILLS says how often each, once
// without it.
func TestAKilledReplicaIsNoLoss(t *testing.T) {
	rounds := 1
	if given := os.Getenv("UNDERSTUDY_TEST_KILLS"); given != "" {
		var err error
		if rounds, err = strconv.Atoi(given); err != nil {
			t.Fatal(err)
		}
	}
	seed := rand.Uint64()
	k := &killer{replicas: runReplicas(t, hosttest.PostgresURL(t)), rand: rand.New(rand.NewPCG(seed, 0)), deaths: map[*hosttest.Replica]int{}}
	k.ann = k.signedIn(e2e.Ann)
	first, second := hosttest.Package(t, e2e.ShippedModule), e2e.NewerPackage(t, "1.1.0")
	for done := range rounds {
		k.upload(first)
		k.installs(first, "1.0.0")
		k.activates()
		k.upload(second)
		k.installs(second, "1.1.0")
		k.switches()
		k.returns("1.0.0")
		k.wantWhole()
		if t.Failed() {
			t.Fatalf("in round %d, seed %d", done, seed)
		}
		if done+1 < rounds {
			k.command("module", "deactivate", "impersonation")
			k.command("module", "uninstall", "impersonation")
		}
	}
	t.Logf("%d rounds, %d kills, seed %d", rounds, k.kills, seed)
}

// killer ends replicas in the midst of what an administrator and others do.
type killer struct {
	replicas
	ann    *e2e.Client
	rand   *rand.Rand
	kills  int
	deaths map[*hosttest.Replica]int
}

// send posts to one replica, kills it at some moment within that, and returns it, with what it answered
// if it still did.
func (k *killer) send(within time.Duration, path string, body io.Reader, kind string, token string) (*hosttest.Replica, e2e.Answer, error) {
	k.t.Helper()
	one := k.List[k.rand.IntN(len(k.List))]
	c := atReplica(k.ann, one)
	died := make(chan struct{})
	time.AfterFunc(time.Duration(k.rand.Int64N(int64(within))), func() {
		one.Kill()
		close(died)
	})
	got, err := c.TrySend(http.MethodPost, path, body, kind, http.Header{"X-Form-Token": {token}})
	<-died
	k.kills++
	return one, got, err
}

// post is send for a form.
func (k *killer) post(within time.Duration, path string, pairs ...string) (*hosttest.Replica, e2e.Answer, error) {
	k.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return k.send(within, path, strings.NewReader(form.Encode()), "application/x-www-form-urlencoded", k.ann.Token())
}

// rise starts a dead replica anew. Three deaths soon after a start, and the next is in safe mode: what
// is stopped in order between them is no death.
func (k *killer) rise(one *hosttest.Replica) {
	k.t.Helper()
	one.Start()
	if k.deaths[one]++; k.deaths[one]%2 == 0 {
		if err := one.Stop(); err != nil {
			k.t.Fatal(err)
		}
		one.Start()
	}
}

// others are the replicas but one.
func (k *killer) others(dead *hosttest.Replica) []*hosttest.Replica {
	return slices.DeleteFunc(slices.Clone(k.List), func(r *hosttest.Replica) bool { return r == dead })
}

// installed is what the database says of the module.
func (k *killer) installed() (version string, activated bool) {
	k.t.Helper()
	if count(k.t, k.db, "SELECT COUNT(*) FROM modules") == 0 {
		return "", false
	}
	if err := k.db.QueryRowContext(k.t.Context(), "SELECT version, activated FROM modules").Scan(&version, &activated); err != nil {
		k.t.Fatal(err)
	}
	return version, activated
}

// agree waits until replicas run what the database says, and nothing else.
func (k *killer) agree(list ...*hosttest.Replica) {
	k.t.Helper()
	for _, one := range list {
		var version string
		var activated bool
		hosttest.Eventually(k.t, one.Name+" runs what the database says", func() bool {
			version, activated = k.installed()
			is := runs(k.t, one, "impersonation")
			if !activated {
				return len(is) == 0 && !offers(k.ann, one)
			}
			return len(is) == 1 && strings.HasPrefix(is[0], version) && offers(k.ann, one)
		})
	}
}

// survive is how each story ends: the others agree while the one is dead, and it with them afterwards.
func (k *killer) survive(dead *hosttest.Replica) {
	k.t.Helper()
	k.agree(k.others(dead)...)
	k.rise(dead)
	k.agree(k.List...)
}

// latest is the newest entry of the Activity Log.
func (k *killer) latest() int {
	k.t.Helper()
	return count(k.t, k.db, "SELECT COALESCE(MAX(id), 0) FROM audit_entries")
}

// wantEntries checks how often something stands in the Activity Log since then.
func (k *killer) wantEntries(since, want int, action string) {
	k.t.Helper()
	if n := count(k.t, k.db, "SELECT COUNT(*) FROM audit_entries WHERE id > $1 AND action = $2", since, action); n != want {
		k.t.Errorf("%s stands in the log %d times, want %d", action, n, want)
	}
}

// staged are the packages that wait for their review's end.
func (k *killer) staged() int {
	k.t.Helper()
	return count(k.t, k.db, "SELECT COUNT(*) FROM staged_packages")
}

// upload dies while a package comes in, or right after: it is there whole, or not at all.
func (k *killer) upload(file string) {
	k.t.Helper()
	since, before := k.latest(), k.staged()
	body, kind := k.ann.PackageForm(file)
	var slowly io.Reader = body
	if k.rand.IntN(2) == 0 {
		slowly = &slowReader{body, 30 * time.Millisecond}
	}
	dead, got, err := k.send(200*time.Millisecond, "/admin/modules/upload", slowly, kind, k.ann.Token())
	there := k.staged() - before
	if there < 0 || there > 1 || (err == nil && got.Status == http.StatusSeeOther && there == 0) {
		k.t.Errorf("%d packages wait after %d, %v", there, got.Status, err)
	}
	k.wantEntries(since, there, "module_uploaded")
	if err == nil && got.Status == http.StatusSeeOther {
		k.ann.Want(k.ann.Get(got.Header.Get("Location")), http.StatusOK, "SHA-256") // on another
	}
	k.survive(dead)
}

// slowReader gives out a piece at a time.
type slowReader struct {
	io.Reader
	pause time.Duration
}

// Read takes its time.
func (s *slowReader) Read(p []byte) (int, error) {
	time.Sleep(s.pause)
	return s.Reader.Read(p[:min(len(p), 64<<10)])
}

// installs dies while it installs what was uploaded, over the version before if there is one: every
// replica runs the old one or every replica the new one.
func (k *killer) installs(file, version string) {
	k.t.Helper()
	review := k.ann.Upload(file)
	before, _ := k.installed()
	since := k.latest()
	dead, got, err := k.post(700*time.Millisecond, review+"/install", "over", before, "password", e2e.DemoPassword)
	after, _ := k.installed()
	if after != before && after != version || (err == nil && got.Status == http.StatusSeeOther && after != version) {
		k.t.Errorf("%q is installed over %q after %d, %v", after, before, got.Status, err)
	}
	k.survive(dead)
	if after != version {
		k.ann.Want(k.ann.Post(review+"/install", "over", before, "password", e2e.DemoPassword), http.StatusSeeOther)
	}
	k.wantEntries(since, 1, "module_installed")
	k.agree(k.List...)
}

// activates dies while it activates the module.
func (k *killer) activates() {
	k.t.Helper()
	since := k.latest()
	dead, got, err := k.post(300*time.Millisecond, "/admin/modules/impersonation/activate")
	_, active := k.installed()
	if err == nil && got.Status == http.StatusSeeOther && !active {
		k.t.Errorf("not activated after %d", got.Status)
	}
	k.survive(dead)
	if !active {
		k.ann.Want(k.ann.Post("/admin/modules/impersonation/activate"), http.StatusSeeOther)
	}
	k.wantEntries(since, 1, "module_activated")
	k.agree(k.List...)
}

// returns dies on the way back to a version the module had before.
func (k *killer) returns(version string) {
	k.t.Helper()
	var sha256 string
	if err := k.db.QueryRowContext(k.t.Context(), "SELECT sha256 FROM module_versions WHERE version = $1", version).Scan(&sha256); err != nil {
		k.t.Fatal(err)
	}
	since := k.latest()
	dead, _, _ := k.post(700*time.Millisecond, "/admin/modules/impersonation/rollback", "sha256", sha256, "password", e2e.DemoPassword)
	after, _ := k.installed()
	k.survive(dead)
	if after != version {
		k.ann.Want(k.ann.Post("/admin/modules/impersonation/rollback", "sha256", sha256, "password", e2e.DemoPassword), http.StatusSeeOther)
	}
	k.wantEntries(since, 1, "module_rolled_back")
	k.agree(k.List...)
}

// switches has people become others and return, all over the site, while replicas die: whoever loses
// an answer is nobody or themselves, and the others take over.
func (k *killer) switches() {
	k.t.Helper()
	ctx, cancel := context.WithCancel(k.t.Context())
	defer cancel()
	people := []*passerby{newPasserby(k.t, e2e.Ann), newPasserby(k.t, e2e.Ben), newPasserby(k.t, e2e.Ann), newPasserby(k.t, e2e.Ben)}
	for _, p := range people {
		p.client.Transport = k.Transport(k.t, "127.0.0.1")
	}
	var wait sync.WaitGroup
	for _, p := range people {
		own := rand.New(rand.NewPCG(k.rand.Uint64(), 1))
		done := p.done()
		wait.Go(func() {
			defer close(done)
			p.wander(ctx, k.Address, own)
		})
	}
	busy := func(when string) {
		k.t.Helper()
		var acts []int64
		for _, p := range people {
			acts = append(acts, p.acts.Load())
		}
		hosttest.Eventually(k.t, "everybody starts and stops "+when, func() bool {
			return !slices.ContainsFunc(people, func(p *passerby) bool { return p.acts.Load() < acts[slices.Index(people, p)]+2 })
		})
	}
	busy("before")
	for _, one := range k.List {
		time.Sleep(time.Duration(k.rand.Int64N(int64(60 * time.Millisecond))))
		one.Kill()
		k.kills++
		busy("without " + one.Name)
		k.survive(one)
	}
	cancel()
	wait.Wait()
	for _, p := range people {
		p.wantThemselves(k.t, k.Address)
	}
}
