package replicas

import (
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// cutFor is how long a replica has no database at least: UNDERSTUDY_TEST_PARTITION. Without it that is
// until everybody has noticed.
func cutFor(t *testing.T) time.Duration {
	t.Helper()
	given := os.Getenv("UNDERSTUDY_TEST_PARTITION")
	if given == "" {
		return 0
	}
	long, err := time.ParseDuration(given)
	if err != nil {
		t.Fatal(err)
	}
	return long
}

// One replica is cut off from PostgreSQL, by a network that says nothing: it answers 503 to everybody,
// shows nobody to be another or signed out, and is well by itself once the network is. The others
// never notice. What was done elsewhere meanwhile counts on it then.
func TestAReplicaCutOffFromItsDatabase(t *testing.T) {
	r := runReplicas(t, hosttest.PostgresURL(t))
	boss := r.signedIn(e2e.Ann)
	boss.Install(hosttest.Package(t, e2e.ShippedModule))
	boss.Activate("impersonation")
	r.wantRunning(boss, "1.0.0", r.List...)

	cut := r.List[0]
	lost, stopLost := r.watchers(cut)
	elsewhere, stopElsewhere := r.watchers(r.List[1])
	module := hosttest.Children(t, cut.PID())

	cut.Wire.Cut()
	long := time.After(cutFor(t))
	wantAll(t, lost, "unavailable")
	hosttest.Eventually(t, "it says that it isn't ready", func() bool { return ready(t.Context(), cut) == http.StatusServiceUnavailable })
	meanwhile := e2e.NewClient(t, e2e.Demo{Process: r.List[2].Process})
	meanwhile.SignIn(e2e.Ben, e2e.DemoPassword)
	meanwhile.Want(meanwhile.Post("/session/switch", "target", "contact:2"), http.StatusSeeOther)
	meanwhile.WantPage("/", "contact:2", "You (Ben Ortiz) are signed in as Omar Haddad (Acme Ltd)")
	<-long

	cut.Wire.Mend()
	wantAll(t, lost, "page")
	hosttest.Eventually(t, "it is ready", func() bool { return ready(t.Context(), cut) == http.StatusOK })
	atReplica(meanwhile, cut).WantPage("/", "contact:2", "You (Ben Ortiz) are signed in as Omar Haddad (Acme Ltd)")
	if now := hosttest.Children(t, cut.PID()); fmt.Sprint(now) != fmt.Sprint(module) {
		t.Errorf("its modules were %v and are %v", module, now)
	}
	stopLost()
	stopElsewhere()
	wantHonest(t, append(lost, elsewhere...))
	for _, w := range elsewhere {
		if w.count("unavailable") > 0 {
			t.Errorf("the others noticed: %v", w.seen)
		}
	}
	r.wantWhole()
}
