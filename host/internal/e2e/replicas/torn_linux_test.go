package replicas

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// The whole host, with the module and its process, dies by kill -9 while people start, stop and let
// their time run out: the next one finds nothing torn, and everybody is themselves or validly switched.
// UNDERSTUDY_TEST_KILLS says how often, 25 times without it.
func TestAKilledHostLeavesNoSwitchTorn(t *testing.T) {
	t.Parallel()
	kills := 25
	if hosttest.Race {
		kills = 6
	}
	if given := os.Getenv("UNDERSTUDY_TEST_KILLS"); given != "" {
		var err error
		if kills, err = strconv.Atoi(given); err != nil {
			t.Fatal(err)
		}
	}
	seed, began := rand.Uint64(), time.Now()
	r := rand.New(rand.NewPCG(seed, 0))
	starts := 0
	for done := 0; done < kills && !t.Failed(); done += killsOfOne {
		starts += dieOften(t, min(killsOfOne, kills-done), r)
	}
	t.Logf("%d kills in %s, seed %d; %d starts", kills, time.Since(began).Round(time.Second), seed, starts)
	if starts < kills {
		t.Errorf("%d starts show little", starts)
	}
}

// killsOfOne is how often a database sees its host die: what is checked after each grows with it.
const killsOfOne = 50

func dieOften(t *testing.T, kills int, r *rand.Rand) (starts int) {
	t.Helper()
	d := e2e.RunDemo(t)
	people := []*passerby{newPasserby(t, e2e.Ann), newPasserby(t, e2e.Ben), newPasserby(t, e2e.Ann)}
	for i := range kills {
		busyWith(t, d, people, r)
		d.Kill()
		wantWholeDemo(t, d)
		d.Process = serveAgain(t, d)
		for _, p := range people {
			p.wantThemselves(t, d.Address)
		}
		if t.Failed() {
			t.Fatalf("after %d kills", i)
		}
		if i%2 == 1 {
			// Three deaths soon after a start, and the next one is in safe mode: what is stopped in order
			// between them is no death.
			if err := d.Stop(); err != nil {
				t.Fatal(err)
			}
			d.Process = serveAgain(t, d)
		}
	}
	d.Query(t, "SELECT COUNT(*) FROM session_switches WHERE refusal = ''", func(scan func(...any)) { scan(&starts) })
	d.Kill()
	return starts
}

func serveAgain(t *testing.T, d e2e.Demo) *hosttest.Process {
	t.Helper()
	return hosttest.StartProgram(t, "serve", "--listen", "127.0.0.1:0", "--data", d.Data, "--modules", filepath.Join(d.Data, "modules"))
}

// busy has all people do things at once while time runs out for some; it returns in the midst of that,
// at any moment after each has begun.
func busyWith(t *testing.T, d e2e.Demo, people []*passerby, r *rand.Rand) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	t.Cleanup(wait.Wait)
	t.Cleanup(cancel)
	for _, p := range people {
		own := rand.New(rand.NewPCG(r.Uint64(), 1))
		done := p.done()
		wait.Go(func() {
			defer close(done)
			p.wander(ctx, d.Address, own)
		})
	}
	hosttest.Eventually(t, "everybody is signed in", func() bool {
		return !slices.ContainsFunc(people, func(p *passerby) bool { return p.acts.Load() == 0 })
	})
	time.Sleep(time.Duration(r.Int64N(int64(60 * time.Millisecond))))
	d.Exec(t, fmt.Sprintf("UPDATE session_switches SET expires_at = %d WHERE ended_at = 0", time.Now().Add(time.Duration(r.IntN(20))*time.Millisecond).UnixMilli()))
	time.Sleep(time.Duration(r.Int64N(int64(60 * time.Millisecond))))
}

// wantWhole looks at what a killed host left.
func wantWholeDemo(t *testing.T, d e2e.Demo) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(d.Data, "understudy.db"))
	if err != nil {
		t.Fatal(err)
	}
	hosttest.WantWhole(t, db)
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if said, err := exec.CommandContext(t.Context(), hosttest.Program(t), "audit", "verify", "--data", d.Data).CombinedOutput(); err != nil {
		t.Errorf("audit verify: %v\n%s", err, said)
	}
}

// passerby is a person whose host may die at any moment.
type passerby struct {
	client http.Client
	email  string
	idle   chan struct{} // closed when they do nothing
	acts   atomic.Int64  // since the host was started
}

func newPasserby(t *testing.T, email string) *passerby {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &passerby{email: email, client: http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	close(p.done())
	return p
}

func (p *passerby) done() chan struct{} {
	p.idle = make(chan struct{})
	p.acts.Store(0)
	return p.idle
}

var errGone = errors.New("the host is gone")

func (p *passerby) send(ctx context.Context, method, address string, form url.Values) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := p.client.Do(req)
	if err != nil {
		return 0, "", errors.Join(errGone, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

// wander becomes somebody and returns, over and over, until the host is gone.
func (p *passerby) wander(ctx context.Context, site string, r *rand.Rand) {
	for {
		_, page, err := p.send(ctx, http.MethodGet, site+"/session", nil)
		if err != nil {
			return
		}
		form := url.Values{}
		if found := e2e.TokenField.FindStringSubmatch(page); found != nil {
			form.Set("form_token", html.UnescapeString(found[1]))
		}
		address := "/session/restore"
		switch {
		case !strings.Contains(page, "/logout"):
			address = "/admin/login"
			form.Set("email", p.email)
			form.Set("password", e2e.DemoPassword)
		case !strings.Contains(page, "/session/restore"):
			address = "/session/switch"
			form.Set("target", fmt.Sprintf("contact:%d", 1+r.IntN(3)))
		}
		status, _, err := p.send(ctx, http.MethodPost, site+address, form)
		if err != nil {
			return
		}
		if status == http.StatusSeeOther && address != "/admin/login" {
			p.acts.Add(1)
		}
	}
}

// wantThemselves comes back to a host that was started anew: as nobody, when a new secret went down
// with the old one, as the actor or as whom the banner says, and with a way out.
func (p *passerby) wantThemselves(t *testing.T, site string) {
	t.Helper()
	<-p.idle
	name := map[string]string{e2e.Ann: "Ann Lee", e2e.Ben: "Ben Ortiz"}[p.email]
	status, page, err := p.send(t.Context(), http.MethodGet, site+"/session", nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s comes back: %d, %v", name, status, err)
	}
	says := e2e.Answer{Body: page}.Text()
	switch {
	case !strings.Contains(page, "/logout"):
		if strings.Contains(says, name) {
			t.Errorf("nobody is %s: %s", name, says)
		}
	case !strings.Contains(says, name):
		t.Errorf("%s isn't named: %s", name, says)
	}
}
