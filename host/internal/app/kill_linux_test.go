package app_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// Whenever the program dies, by kill -9 in the midst of starts, stops, expiries, extensions, forced
// ends and sweeps, every start on record has its end or its session, every session is its actor's or
// switched as its record says, and nobody is told twice or not at all. UNDERSTUDY_TEST_KILLS says
// how often it dies; without it a thousand times, or as often as half a minute allows.
func TestKilledAtAnyMomentEveryStartHasItsEnd(t *testing.T) {
	kills, given := 1000, os.Getenv("UNDERSTUDY_TEST_KILLS")
	if hosttest.Race {
		kills = 25
	}
	if given != "" {
		var err error
		kills, err = strconv.Atoi(given)
		must(t, err)
	}
	began, seed, killed := time.Now(), rand.Uint64(), 0
	var d *deathbed
	for ; killed < kills && (given != "" || time.Since(began) < 30*time.Second); killed++ {
		if killed%25 == 0 {
			if d != nil {
				d.over(t)
			}
			d = newDeathbed(t)
		}
		if t.Failed() {
			t.Fatalf("after %d kills, seed %d", killed, seed)
		}
		d.kill(t, rand.New(rand.NewPCG(seed, uint64(killed))))
	}
	d.over(t)
	t.Logf("%d kills in %s, seed %d; %d starts", killed, time.Since(began).Round(time.Second), seed, starts)
	if killed < 10 || starts < killed/2 {
		t.Errorf("%d kills and %d starts show little", killed, starts)
	}
}

// starts counts the switches that all deathbeds saw.
var starts int

const busyDatabase = "UNDERSTUDY_TEST_BUSY_DATABASE" // set for a child: what it shall be busy on

func TestMain(m *testing.M) {
	if path := os.Getenv(busyDatabase); path != "" {
		beBusy(path, os.Getenv("UNDERSTUDY_TEST_BUSY_SINCE"))
		return
	}
	os.Exit(m.Run())
}

// hurried is a clock for which ten minutes pass in a tenth of a second, so that switches expire while
// they are looked at.
func hurried(since time.Time) func() time.Time {
	began := time.Now()
	return func() time.Time { return since.Add(6000 * time.Since(began)) }
}

// beBusy is the child: it does everything at once until it dies.
func beBusy(path, since string) {
	began, err := time.Parse(time.RFC3339Nano, since)
	if err != nil {
		log.Fatal(err)
	}
	db, err := store.Open(context.Background(), path, "NORMAL")
	if err != nil {
		log.Fatal(err)
	}
	a := app.New(app.Options{Store: db, Now: hurried(began), Version: "3.1.0"})
	a.SetSwitchPolicy(lenient{})
	for i := range 3 {
		go func() { log.Fatal(beSomebody(a, rand.New(rand.NewPCG(uint64(began.UnixNano()), uint64(i))))) }()
	}
	for {
		if err := a.Sweep(context.Background()); err != nil {
			log.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

// begun tells the parent that there is something to kill.
var begun = sync.OnceFunc(func() { fmt.Println("begun") })

// lenient allows everything for some minutes, and has the subject told.
type lenient struct{}

func (lenient) DecideSwitch(_ context.Context, q crm.SwitchQuestion) (crm.SwitchDecision, error) {
	limit := time.Duration(1+q.Target.Key.ID) * time.Minute
	if q.Moment == crm.SwitchExtend {
		limit *= 3
	}
	return crm.SwitchDecision{Limit: limit, Mode: crm.Full, Notices: []crm.SwitchNotice{{Module: "sample", TextKey: "ended", AtEnd: true}}}, nil
}

// beSomebody signs in, becomes somebody, and so on for ever. What is refused is refused; only the
// database must answer.
func beSomebody(a *app.App, r *rand.Rand) error {
	ctx := context.Background()
	actor, err := a.Account(ctx, crm.AccountKey{Kind: crm.Staff, ID: 1})
	if err != nil {
		return err
	}
	secret := ""
	for {
		if secret == "" {
			if secret, _, err = app.OpenSession(a, ctx, actor, app.LockSources(crm.Staff, actor.Email), hosttest.Client); err != nil {
				return err
			}
		}
		is, err := a.Resolve(ctx, secret, hosttest.Client)
		if err != nil {
			return err
		}
		switch {
		case !is.Who.SignedIn():
			secret = ""
			continue
		case is.NewSecret != "":
			secret = is.NewSecret
		}
		next, err := doSomething(ctx, a, is.Who, r)
		if crm.KeyOf(err) == "database_unavailable" {
			return err
		}
		if next != "" {
			secret = next
			begun()
		}
	}
}

func doSomething(ctx context.Context, a *app.App, who crm.Who, r *rand.Rand) (secret string, err error) {
	switch n := r.IntN(10); {
	case n < 4 && !who.Switched():
		target := crm.AccountKey{Kind: crm.Contact, ID: 1 + r.Int64N(3)}
		secret, _, err = a.SwitchSession(ctx, who, app.SwitchWish{Target: target, Reason: "to die"})
	case n < 3:
		secret, _, err = a.RestoreSession(ctx, who)
	case n < 5:
		_, err = a.ExtendSwitch(ctx, who, "not dead yet")
	case n == 5 && who.Switched():
		err = a.SaveOwnProfile(ctx, who, app.ProfileForm{Name: "Somebody Else"})
	case n == 6:
		var page crm.Page[crm.Switch]
		if page, err = a.Switches(ctx, app.SwitchQuery{Outcome: "active", Limit: 5}); err == nil && len(page.Rows) > 0 {
			_, err = a.EndSwitchByForce(ctx, who, page.Rows[r.IntN(len(page.Rows))].ID)
		}
	case n == 7:
		err = a.RecheckSwitches(ctx)
	case n == 8 && r.IntN(4) == 0:
		err = a.SignOut(ctx, who)
	}
	return secret, err
}

// deathbed is a database on which programs die.
type deathbed struct {
	path string
	now  time.Time
}

var demoDatabase = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "understudy")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a copy is all that is wanted
	path, ctx := filepath.Join(dir, "demo.db"), context.Background()
	db, err := store.Open(ctx, path, "NORMAL")
	if err != nil {
		return nil, err
	}
	if err := app.New(app.Options{Store: db, Version: "3.1.0"}).FillDemo(ctx); err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func newDeathbed(t *testing.T) *deathbed {
	t.Helper()
	text, err := demoDatabase()
	must(t, err)
	d := &deathbed{filepath.Join(t.TempDir(), "understudy.db"), time.Date(2027, 1, 1, 9, 0, 0, 0, time.UTC)}
	must(t, os.WriteFile(d.path, text, 0o600))
	return d
}

// kill runs a child and kills it some milliseconds after its first start, or now and then before.
func (d *deathbed) kill(t *testing.T, r *rand.Rand) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), busyDatabase+"="+d.path, "UNDERSTUDY_TEST_BUSY_SINCE="+d.now.Format(time.RFC3339Nano))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	if r.IntN(20) > 0 {
		_, _ = bufio.NewReader(out).ReadString('\n') // it has begun, or has died of itself, which shows
	}
	time.Sleep(time.Duration(r.Int64N(int64(30 * time.Millisecond))))
	must(t, child.Process.Kill())
	if err := child.Wait(); child.ProcessState.ExitCode() != -1 {
		t.Fatalf("it died of itself: %v", err)
	}
	d.now = d.now.Add(10 * time.Minute)
	d.holds(t)
}
