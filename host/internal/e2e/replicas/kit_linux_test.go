// Package replicas tells of several hosts on one database, under load, and when one of them dies.
package replicas

import (
	"database/sql"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// supportMay is what the example role Support may besides customers.
var supportMay = []crm.Capability{"impersonation/staff", "impersonation/customers", "impersonation/view_log"}

// replicas are three replicas of the demo's site behind nginx.
type replicas struct {
	*hosttest.Replicas
	t  *testing.T
	db *sql.DB // past every replica
}

// runReplicas starts three on a database of their own, with the example people.
func runReplicas(t *testing.T, database string) replicas {
	t.Helper()
	hosttest.FillDemo(t, database, 0, 0, supportMay...)
	return startReplicas(t, database)
}

func startReplicas(t *testing.T, database string) replicas {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // what was asked has been answered
	return replicas{hosttest.StartReplicas(t, database), t, db}
}

// client is a client whose every request goes where nginx sends it; asked counts which replicas
// answered.
func (r replicas) client(asked *tally) *e2e.Client {
	r.t.Helper()
	c := e2e.NewClient(r.t, e2e.Demo{Process: &hosttest.Process{Address: r.Address}})
	c.Transport = counting{r.Transport(r.t, "127.0.0.1"), asked}
	return c
}

// signedIn is a client of the whole site.
func (r replicas) signedIn(email string) *e2e.Client {
	r.t.Helper()
	c := r.client(&tally{})
	c.SignIn(email, e2e.DemoPassword)
	return c
}

// at is the same browser, asking one replica past nginx. It must not change the session: the browser
// would not learn of its new secret.
func atReplica(c *e2e.Client, one *hosttest.Replica) *e2e.Client {
	c.T.Helper()
	d := e2e.NewClient(c.T, e2e.Demo{Process: one.Process})
	d.Cookie(c.Secret())
	return d
}

// tally counts answers by who gave them.
type tally struct {
	mu sync.Mutex
	by map[string]int
}

func (a *tally) add(who string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by == nil {
		a.by = map[string]int{}
	}
	a.by[who]++
}

func (a *tally) all() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.by)
}

// counting notes which replica answered.
type counting struct {
	http.RoundTripper
	tally *tally
}

// RoundTrip asks and notes.
func (c counting) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := c.RoundTripper.RoundTrip(req)
	if err == nil {
		c.tally.add(res.Header.Get(hosttest.ReplicaHeader))
	}
	return res, err
}

// runs are the versions of a module whose processes a replica has.
func runs(t *testing.T, one *hosttest.Replica, id string) []string {
	t.Helper()
	var versions []string
	for _, pid := range hosttest.Children(t, one.PID()) {
		program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil {
			continue // it has ended meanwhile
		}
		inside, found := strings.CutPrefix(program, filepath.Join(one.Data, "modules", id)+"/")
		if version, _, _ := strings.Cut(inside, "/"); found {
			versions = append(versions, version)
		}
	}
	return versions
}

// offers tells whether a replica draws what the module adds.
func offers(c *e2e.Client, one *hosttest.Replica) bool {
	c.T.Helper()
	return strings.Contains(atReplica(c, one).Get("/admin").Body, "/admin/m/impersonation/start")
}

// wantRunning waits until each of these replicas runs one process of the module, of this version, and
// draws what it adds.
func (r replicas) wantRunning(c *e2e.Client, version string, list ...*hosttest.Replica) {
	r.t.Helper()
	for _, one := range list {
		hosttest.Eventually(r.t, fmt.Sprintf("%s runs %s", one.Name, version), func() bool {
			is := runs(r.t, one, "impersonation")
			return len(is) == 1 && strings.HasPrefix(is[0], version) && offers(c, one)
		})
	}
}

// command runs a command of the program on the replicas' database.
func (r replicas) command(args ...string) string {
	r.t.Helper()
	said, err := exec.CommandContext(r.t.Context(), hosttest.Program(r.t), append(args, r.Args(r.t)...)...).CombinedOutput()
	if err != nil {
		r.t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, said)
	}
	return string(said)
}

func count(t *testing.T, db *sql.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// wantWhole looks at what is in the database, as the last line of every story: nothing torn, nothing
// lost from the record, every chain intact.
func (r replicas) wantWhole() {
	r.t.Helper()
	hosttest.WantWhole(r.t, r.db)
	said := r.command("audit", "verify")
	for _, one := range r.List {
		if count(r.t, r.db, "SELECT COUNT(*) FROM audit_entries WHERE chain = $1", one.Name) > 0 && !strings.Contains(said, one.Name) {
			r.t.Errorf("no chain of %s: %s", one.Name, said)
		}
	}
}

// wantAllAsked checks that a story took place on every replica.
func (r replicas) wantAllAsked(asked *tally) {
	r.t.Helper()
	by := asked.all()
	for _, one := range r.List {
		if address := strings.TrimPrefix(one.Process.Address, "http://"); by[address] == 0 {
			r.t.Errorf("%s answered nothing: %v", one.Name, by)
		}
	}
	r.t.Logf("answers: %v", slices.Collect(maps.Values(by)))
}
