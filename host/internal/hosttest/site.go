package hosttest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// Site is the CRM's use cases over a database of their own, with the example people of the demo.
type Site struct {
	App    *app.App
	Store  *store.Store
	Clock  *Clock
	Policy *Policy

	database string
}

// Support is what role Support may in a Site beyond the host's own customer rights.
var Support = []crm.Capability{"sample/staff", "sample/customers"}

// NewSite makes a Site on SQLite.
func NewSite(t testing.TB) *Site {
	t.Helper()
	filled, err := filledDatabase()
	if err != nil {
		t.Fatal(err)
	}
	database := filepath.Join(t.TempDir(), "understudy.db")
	if err := os.WriteFile(database, filled, 0o600); err != nil {
		t.Fatal(err)
	}
	return OpenSite(t, database)
}

// filledDatabase is an SQLite file with the example people. Migrating and filling one takes longer
// than most stories about it, so this is done once per test process.
var filledDatabase = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "understudy-site-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it has been read
	database := filepath.Join(dir, "understudy.db")
	if err := fill(database); err != nil { // all of it is in the one file now
		return nil, err
	}
	return os.ReadFile(database)
})

// filledOnServer is the name of such a database on PostgreSQL, to be copied.
var filledOnServer = sync.OnceValues(func() (string, error) {
	server, err := cluster()
	if err != nil {
		return "", err
	}
	name := "filled_" + strings.ToLower(rand.Text())
	if err := onServer(server, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	address, err := databaseURL(server, name)
	if err != nil {
		return "", err
	}
	return name, fill(address)
})

// fill puts the example people into an empty database.
func fill(database string) error {
	db, err := store.Open(context.Background(), database, "NORMAL")
	if err != nil {
		return err
	}
	filled := app.New(app.Options{Store: db, Now: NewClock().Now, Version: "3.1.0"}).FillDemo(context.Background(), Support...)
	return errors.Join(filled, db.Close())
}

// OnBothEngines tells the story once on SQLite and once on PostgreSQL, where there is one.
func OnBothEngines(t *testing.T, story func(*testing.T, *Site)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		story(t, NewSite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		filled, err := filledOnServer()
		if err != nil {
			Missing(t, "postgres", err.Error())
		}
		story(t, OpenSite(t, newDatabase(t, filled)))
	})
}

// OpenSite makes a Site over a database that is there, with nobody in it but who is.
func OpenSite(t testing.TB, database string) *Site {
	t.Helper()
	db, err := store.Open(t.Context(), database, "NORMAL")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &Site{Store: db, Clock: NewClock(), Policy: &Policy{}, database: database}
	s.App = app.New(app.Options{Store: db, Now: s.Clock.Now, Version: "3.1.0"})
	s.App.SetSwitchPolicy(s.Policy)
	return s
}

// Beside is the use cases of another process on the same database: another replica. It has the same
// clock and policy.
func (s *Site) Beside(t testing.TB) *Site {
	t.Helper()
	other := OpenSite(t, s.database)
	other.Clock, other.Policy = s.Clock, s.Policy
	other.App = app.New(app.Options{Store: other.Store, Now: s.Clock.Now, Version: "3.1.0"})
	other.App.SetSwitchPolicy(s.Policy)
	return other
}

// Exec runs a statement behind the store's back: what an accident or an intruder would do.
func (s *Site) Exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	s.behind(t, func(db *sql.DB) error {
		_, err := db.ExecContext(t.Context(), statement, args...)
		return err
	})
}

// Database is where the Site's database is, as the store is told.
func (s *Site) Database() string { return s.database }

// Rows reads behind the store's back, row by row.
func (s *Site) Rows(t testing.TB, query string, row func(scan func(...any))) {
	t.Helper()
	s.behind(t, func(db *sql.DB) error {
		rows, err := db.QueryContext(t.Context(), query) //nolint:sqlclosecheck // it is, below
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			row(func(into ...any) { err = errors.Join(err, rows.Scan(into...)) })
		}
		return errors.Join(err, rows.Err())
	})
}

// HasColumn tells whether a table has a column.
func (s *Site) HasColumn(t testing.TB, table, column string) (has bool) {
	t.Helper()
	s.behind(t, func(db *sql.DB) error {
		rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table+" LIMIT 0")
		if err != nil {
			return err
		}
		defer rows.Close()
		columns, err := rows.Columns()
		has = slices.Contains(columns, column)
		return errors.Join(err, rows.Err())
	})
	return has
}

// behind opens the database beside the store.
func (s *Site) behind(t testing.TB, do func(*sql.DB) error) {
	t.Helper()
	driver := "sqlite"
	if s.Store.Engine() == store.PostgreSQL {
		driver = "pgx"
	}
	db, err := sql.Open(driver, s.database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // what was asked has been answered
	if driver == "sqlite" {           // a server may be writing
		db.SetMaxOpenConns(1)
		if _, err := db.ExecContext(t.Context(), "PRAGMA busy_timeout = 5000"); err != nil {
			t.Fatal(err)
		}
	}
	if err := do(db); err != nil {
		t.Fatal(err)
	}
}

// Visitor is a client's cookie: the secret it holds now.
type Visitor struct {
	t      testing.TB
	site   *Site
	Secret string
}

// SignIn signs an example person in.
func (s *Site) SignIn(t testing.TB, email string) *Visitor {
	t.Helper()
	area := crm.Portal
	if filepath.Ext(email) == ".com" {
		area = crm.Admin
	}
	secret, _, err := s.App.SignIn(t.Context(), area, email, app.DemoPassword, Client)
	if err != nil {
		t.Fatalf("sign in as %s: %v", email, err)
	}
	return &Visitor{t: t, site: s, Secret: secret}
}

// Client is the other end of every request in a Site.
var Client = crm.Client{IP: "192.0.2.7", Browser: "Test/1.0", RequestID: "test"}

// Who resolves the visitor, as a request would, and keeps a new secret.
func (v *Visitor) Who() crm.Who {
	v.t.Helper()
	r, err := v.site.App.Resolve(v.t.Context(), v.Secret, Client)
	if err != nil {
		v.t.Fatalf("resolve: %v", err)
	}
	if r.NewSecret != "" {
		v.Secret = r.NewSecret
	}
	return r.Who
}

// Become switches the visitor's session.
func (v *Visitor) Become(email string) {
	v.t.Helper()
	if err := v.TryBecome(email); err != nil {
		v.t.Fatalf("become %s: %v", email, err)
	}
}

// TryBecome switches the visitor's session, or says why not.
func (v *Visitor) TryBecome(email string) error {
	v.t.Helper()
	secret, _, err := v.site.App.SwitchSession(v.t.Context(), v.Who(), app.SwitchWish{Target: v.site.Key(v.t, email), Reason: "testing"})
	if err == nil {
		v.Secret = secret
	}
	return err
}

// Return restores the visitor's session.
func (v *Visitor) Return() {
	v.t.Helper()
	secret, _, err := v.site.App.RestoreSession(v.t.Context(), v.Who())
	if err != nil {
		v.t.Fatalf("return: %v", err)
	}
	v.Secret = secret
}

// Key finds an example person.
func (s *Site) Key(t testing.TB, email string) crm.AccountKey {
	t.Helper()
	kind := crm.Contact
	if filepath.Ext(email) == ".com" {
		kind = crm.Staff
	}
	page, err := s.App.SearchAccounts(t.Context(), app.AccountQuery{Kind: kind, Term: email})
	if err != nil || len(page.Rows) != 1 {
		t.Fatalf("find %s: %v %v", email, page.Rows, err)
	}
	return page.Rows[0].Key
}

// Switches lists the record, newest first.
func (s *Site) Switches(t testing.TB) []crm.Switch {
	t.Helper()
	page, err := s.App.Switches(t.Context(), app.SwitchQuery{Limit: 500})
	if err != nil {
		t.Fatal(err)
	}
	return page.Rows
}

// Audit lists the entries of an action, newest first.
func (s *Site) Audit(t testing.TB, action string) []crm.AuditEntry {
	t.Helper()
	page, err := s.App.Activity(t.Context(), crm.Operator(), crm.Query{Limit: 500, Filter: map[string]string{"action": action}})
	if err != nil {
		t.Fatal(err)
	}
	return page.Rows
}

// Clock is a time that stands still until it is moved.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock makes a Clock.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)} }

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the time on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Policy stands where a module's hook would and does what the story says: it allows an hour of
// everything until it is told otherwise.
type Policy struct {
	mu    sync.Mutex
	err   error
	mode  crm.SwitchMode
	limit time.Duration
	wants crm.SwitchDecision // password and notices
	asked []crm.SwitchQuestion
}

// Want makes it ask for a password and name whom to tell, as this decision does.
func (p *Policy) Want(d crm.SwitchDecision) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wants = d
}

// Refuse makes it refuse with err from now on; nil makes it allow again.
func (p *Policy) Refuse(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

// Allow makes it allow this much.
func (p *Policy) Allow(limit time.Duration, mode crm.SwitchMode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err, p.limit, p.mode = nil, limit, mode
}

// Asked lists the questions so far.
func (p *Policy) Asked() []crm.SwitchQuestion {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]crm.SwitchQuestion(nil), p.asked...)
}

// DecideSwitch answers as told.
func (p *Policy) DecideSwitch(_ context.Context, q crm.SwitchQuestion) (crm.SwitchDecision, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, q)
	d := crm.SwitchDecision{Limit: p.limit, Mode: p.mode, PasswordWithin: p.wants.PasswordWithin, Notices: p.wants.Notices}
	if d.Limit == 0 {
		d.Limit = time.Hour
	}
	if d.Mode == "" {
		d.Mode = crm.Full
	}
	return d, p.err
}
