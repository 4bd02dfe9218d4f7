package app_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// world is the small model, and the real thing beside it.
type world struct {
	t     *rapid.T
	ctx   context.Context
	app   *app.App
	store *store.Store
	clock *hosttest.Clock

	roles     []*post
	companies []*company
	people    []*person
	browsers  []*browser
	sessions  []*session
	switches  []*borrowed
	answer    answer // of the module, whatever it is asked
	rights    int    // how often somebody's rights have changed
	saved     int    // how often something was
	slow      []*request
	wrong     int // wrong passwords given: a few lock out
	refused   int // starts on record as refused
	entries   []entry
	lastEntry int64
}

// post is a role staff may hold.
type post struct {
	id   int64
	name string
	may  crm.Capabilities
}

type company struct {
	id          int64
	name, phone string
	active      bool
}

type person struct {
	key           crm.AccountKey
	name, email   string
	password      string
	active, gone  bool
	administrator bool // staff: may everything
	primary       bool // contacts: may everything contacts may
	role          *post
	may           crm.Capabilities
	company       *company
	told          map[string]int // how often, by the notice's key
	lastSignIn    time.Time
}

// browser holds a cookie, and remembers those that were replaced.
type browser struct {
	secret  string
	dead    []string
	session *session
}

type session struct {
	id                     int64
	actor                  *person
	created, seen, expires time.Time
	confirmed              time.Time // when the own password was given again
	marker                 *borrowed // the switch it stands under, which may have ended elsewhere
	hands                  int       // how often its subject changed
	gone                   bool
}

// borrowed is a switch.
type borrowed struct {
	id                         int64
	session                    *session
	actor, subject             *person
	actorName, subjectName     string // at the start
	started, expires           time.Time
	mode                       crm.SwitchMode
	decided                    int // the count of rights at which it was last allowed
	extensions                 int
	cause                      crm.EndCause
	tellsEnd, elevated, forced bool
}

// answer is what the module says when it is asked, until it changes its mind.
type answer struct {
	kind     string // "allow", "refuse", "off", "crash" or "garbage"
	limit    time.Duration
	mode     crm.SwitchMode
	password time.Duration
	start    bool // tells administrators of the start
	end      bool // tells the subject of the end
}

// emptyDatabase is the path of a database without anything in it.
func emptyDatabase(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "empty.db")
	db, err := store.Open(t.Context(), path, "OFF")
	must(t, err)
	must(t, db.Close())
	return path
}

// copyOf is the path of a copy of its own.
func copyOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	own := filepath.Join(t.TempDir(), "understudy.db")
	must(t, os.WriteFile(own, text, 0o600))
	return own
}

const (
	onePassword     = "one-password-of-many"
	anotherPassword = "another-password-of-many"
)

var passwordHashes = map[string]string{onePassword: app.HashPassword(onePassword)}

// newWorld makes random people and signs some of them in.
func newWorld(t *rapid.T, database string) *world {
	w := &world{t: t, ctx: context.Background(), clock: hosttest.NewClock(), answer: answer{kind: "allow", limit: time.Hour, mode: someModes.Draw(t, "mode")}}
	var err error
	w.store, err = store.Open(w.ctx, database, "OFF")
	w.must("open", err)
	t.Cleanup(func() { _ = w.store.Close() }) // it goes with its folder
	w.app = app.New(app.Options{Store: w.store, Now: w.clock.Now, Version: "3.1.0"})
	w.app.SetSwitchPolicy(oracle{w})
	w.must("make people", w.store.Write(w.ctx, w.populate))
	for _, p := range w.people[:3] {
		w.signInAs(p)
	}
	return w
}

var someRights = rapid.SampledFrom([]string{"", "customers.view", "customers.view customers.edit", "customers.view customers.edit sample/act", "customers.view customers.edit staff.view sample/act"})

func drawRights(t *rapid.T) crm.Capabilities {
	return crm.ParseCapabilities(someRights.Draw(t, "rights"))
}

func (w *world) populate(tx store.Tx) error {
	t := w.t
	for i := range 2 {
		r := &post{name: fmt.Sprintf("Role %d", i), may: drawRights(t)}
		id, err := tx.InsertRole(w.ctx, crm.Role{Name: r.name, Capabilities: r.may})
		if err != nil {
			return err
		}
		r.id = id
		w.roles = append(w.roles, r)
	}
	for i := range 4 {
		p := &person{name: fmt.Sprintf("Staff %d", i), active: true, administrator: i == 0 || rapid.IntRange(0, 3).Draw(t, "administrator") == 0}
		p.may = crm.Capabilities{}
		if !p.administrator {
			p.role = w.roles[rapid.IntRange(0, 1).Draw(t, "role")]
			p.may = crm.ParseCapabilities(rapid.SampledFrom([]string{"", "", "customers.view customers.edit", "sample/act"}).Draw(t, "own rights"))
		}
		if err := w.hire(tx, p); err != nil {
			return err
		}
	}
	for i := range 2 {
		c := &company{name: fmt.Sprintf("Company %d", i), active: true}
		id, err := tx.InsertCustomer(w.ctx, crm.Customer{Company: c.name, Active: true, CreatedAt: w.clock.Now()})
		if err != nil {
			return err
		}
		c.id = id
		w.companies = append(w.companies, c)
		for j := range 2 {
			p := &person{name: fmt.Sprintf("Contact %d of %d", j, i), active: true, company: c, primary: j == 0, may: crm.Capabilities{}}
			if err := w.hire(tx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// hire writes a person's row.
func (w *world) hire(tx store.Tx, p *person) error {
	p.password, p.told = onePassword, map[string]int{}
	p.email = fmt.Sprintf("p%d@example.org", len(w.people))
	var err error
	if p.company == nil {
		m := crm.StaffMember{Name: p.name, Email: p.email, Administrator: p.administrator, Active: p.active, Capabilities: p.may, CreatedAt: w.clock.Now()}
		if p.role != nil {
			m.RoleID = p.role.id
		}
		p.key.Kind = crm.Staff
		p.key.ID, err = tx.InsertStaff(w.ctx, m)
	} else {
		p.key.Kind = crm.Contact
		p.key.ID, err = tx.InsertContact(w.ctx, crm.ContactPerson{CustomerID: p.company.id, Name: p.name, Email: p.email, Primary: p.primary, Active: p.active, CreatedAt: w.clock.Now()})
	}
	w.people = append(w.people, p)
	if err != nil {
		return err
	}
	return tx.SetPassword(w.ctx, p.key, passwordHashes[onePassword])
}

func (w *world) must(what string, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
}
