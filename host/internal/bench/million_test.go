package bench

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/store"
)

const (
	few  = 1_000
	many = 1_000_000
)

// million measures the picker among a million contacts on both engines, and what else grows from a
// thousand accounts to a million.
func (b *run) million(t *testing.B) {
	contacts := many
	if quick() {
		contacts = 100_000
	}
	s := section{Title: fmt.Sprintf("Among %d contacts", contacts)}
	large := b.seeded(t, "", contacts, &s)
	s.Rows = append(s.Rows, b.picker(t, "SQLite", large.database(), contacts, &s)...)
	if url, why := postgres(t); time.Since(b.began) > enough+enough/2 {
		s.Notes = append(s.Notes, "PostgreSQL: no time was left for it on a machine as busy as this")
	} else if why == "" {
		b.seed(t, url, contacts, &s)
		s.Rows = append(s.Rows, b.picker(t, "PostgreSQL", url, contacts, &s)...)
	} else {
		s.Notes = append(s.Notes, "PostgreSQL: "+why)
	}
	if time.Since(b.began) > 2*enough {
		s.Notes = append(s.Notes, "growth: no time was left for it on a machine as busy as this")
		b.add(s)
		return
	}
	small := b.seeded(t, "", few, nil)
	s.Rows = append(s.Rows, b.growth(t, small, large)...)
	b.add(s)
}

func (s *site) database() string { return filepath.Join(s.data, "understudy.db") }

// seeded is a site whose database holds so many invented contacts, not running yet.
func (b *run) seeded(t *testing.B, database string, contacts int, told *section) *site {
	t.Helper()
	s := &site{data: shortFolder(t)}
	b.seedInto(t, s.data, database, contacts, told)
	return s
}

func (b *run) seed(t *testing.B, database string, contacts int, told *section) {
	t.Helper()
	b.seedInto(t, shortFolder(t), database, contacts, told)
}

// seedInto fills a database by the program's own command, and tells how long that took.
func (b *run) seedInto(t *testing.B, data, database string, contacts int, into *section) {
	t.Helper()
	b.progress("seeding %d contacts", contacts)
	args := []string{"seed", "--data", data, "--contacts", fmt.Sprint(contacts), "--staff", fmt.Sprint(max(5, contacts/200))}
	engine := "SQLite"
	if database != "" {
		args, engine = append(args, "--database", database), "PostgreSQL"
	}
	began := time.Now()
	if text, err := within(5*time.Minute, exec.Command(hosttest.Program(t), args...)); err != nil {
		t.Fatalf("seed: %v\n%s", err, text)
	}
	if into != nil {
		into.Rows = append(into.Rows, told("understudy seed, "+engine+", index included", duration(time.Since(began)), ""))
	}
}

// picker measures the first twenty of every kind of term, as whoever chooses a target asks for them.
func (b *run) picker(t *testing.B, engine, where string, contacts int, s *section) []row {
	t.Helper()
	b.progress("picker, %s", engine)
	db, err := store.Open(t.Context(), where, "NORMAL")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows := b.index(t, engine, where, db)
	a := app.New(app.Options{Store: db, Version: "3.1.0"})
	by := crm.AccountKey{Kind: crm.Staff, ID: 1}
	terms, limit := pickerTerms(t, a, b.rounds(60), contacts), time.Now().Add(time.Minute)
	var each, worst []time.Duration
	worstKind, asked := "", 0
	for _, kind := range terms {
		var its []time.Duration
		for _, term := range kind.terms {
			for range 2 { // the second finds what the first has read from disk
				if time.Now().After(limit) {
					break
				}
				began := time.Now()
				if _, err := a.SearchAccounts(t.Context(), app.AccountQuery{Kind: crm.Contact, Term: term, Limit: 20, TargetOf: by}); err != nil {
					t.Fatal(err)
				}
				its = append(its, time.Since(began))
				asked++
			}
		}
		each = append(each, its...)
		if quantile(its, 0.99) > quantile(worst, 0.99) {
			worst, worstKind = its, kind.name
		}
	}
	p99 := quantile(each, 0.99)
	s.Notes = append(s.Notes, fmt.Sprintf("%s: %d searches of %d kinds of term; the worst kind is %s, p50 %s, p99 %s", engine, asked, len(terms), worstKind, duration(quantile(worst, 0.5)), duration(quantile(worst, 0.99))))
	return append(rows, row{
		"picker, first 20, " + engine + ", p99 of all terms", fmt.Sprintf("%s, p50 %s", duration(p99), duration(quantile(each, 0.5))), "", "", "≤ 2 ms",
		target{most: 2}.met(p99.Seconds() * 1e3),
	})
}

// index makes what is searched by anew, and measures the database against its plain tables.
func (b *run) index(t *testing.B, engine, where string, db *store.Store) (rows []row) {
	t.Helper()
	if made, is := any(db).(interface{ RebuildSearch(context.Context) error }); is {
		began := time.Now()
		if err := made.RebuildSearch(t.Context()); err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		rows = append(rows, row{"index made anew, " + engine, duration(took), "", "", "≤ 20 s", target{most: 20}.met(took.Seconds())})
	}
	if engine != "SQLite" {
		return rows
	}
	plain := plainSize(t, where)
	var size float64
	for _, end := range []string{"", "-wal"} {
		if info, err := os.Stat(where + end); err == nil {
			size += float64(info.Size()) / 1e6
		}
	}
	return append(rows, compared("database against its plain tables, "+engine, fmt.Sprintf("%.0f MB", size), fmt.Sprintf("%.0f MB", plain), size/plain, atMost(5)))
}

// plainSize is how large a database with the people and companies alone would be, in MB, without any
// index.
func plainSize(t *testing.B, where string) float64 {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "plain.db")
	db, err := sql.Open("sqlite", "file:"+where)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range []string{
		"PRAGMA wal_checkpoint(TRUNCATE)", "ATTACH '" + copied + "' AS plain", "CREATE TABLE plain.contacts AS SELECT * FROM main.contacts",
		"CREATE TABLE plain.customers AS SELECT * FROM main.customers", "CREATE TABLE plain.staff AS SELECT * FROM main.staff", "DETACH plain",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	info, err := os.Stat(copied)
	if err != nil {
		t.Fatal(err)
	}
	return float64(info.Size()) / 1e6
}

type termKind struct {
	name  string
	terms []string
}

// pickerTerms are so many terms of each kind, taken from people there are.
func pickerTerms(t *testing.B, a *app.App, n, contacts int) []termKind {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	var people []crm.Account
	for range n + 1 {
		account, err := a.Account(t.Context(), crm.AccountKey{Kind: crm.Contact, ID: 1 + random.Int64N(int64(contacts))})
		for err != nil {
			account, err = a.Account(t.Context(), crm.AccountKey{Kind: crm.Contact, ID: 1 + random.Int64N(int64(contacts))})
		}
		people = append(people, account)
	}
	word := func(i int, text string) string {
		words := strings.Fields(text + " x")
		return words[min(i, max(len(words)-2, 0))]
	}
	part := func(from, length int, text string) string {
		letters := []rune(text)
		from = min(from, max(len(letters)-length, 0))
		return string(letters[from:min(from+length, len(letters))])
	}
	kinds := []struct {
		name string
		term func(i int, x, y crm.Account) string
	}{
		{"one letter", func(i int, x, _ crm.Account) string { return part(i%5, 1, word(0, x.Name)) }},
		{"two letters", func(i int, x, _ crm.Account) string { return part(i%3, 2, word(1, x.Name)) }},
		{"a name's beginning", func(i int, x, _ crm.Account) string { return part(0, 3+i%3, word(i%2, x.Name)) }},
		{"a name's inside", func(i int, x, _ crm.Account) string { return part(1+i%3, 3, word(1, x.Name)) }},
		{"a first name", func(_ int, x, _ crm.Account) string { return word(0, x.Name) }},
		{"a whole name", func(_ int, x, _ crm.Account) string { return word(0, x.Name) + " " + word(1, x.Name) }},
		{"a name and a company", func(_ int, x, _ crm.Account) string { return word(1, x.Name) + " " + word(0, x.Company) }},
		{"names of two people", func(_ int, x, y crm.Account) string { return word(0, x.Name) + " " + word(1, y.Name) }},
		{"two letters of two people", func(_ int, x, y crm.Account) string {
			return part(0, 2, word(0, x.Name)) + " " + part(0, 2, word(1, y.Name))
		}},
		{"an address", func(_ int, x, _ crm.Account) string { return x.Email }},
		{"a rare and a common word", func(_ int, x, y crm.Account) string {
			local, _, _ := strings.Cut(x.Email, "@")
			return local + " " + word(0, y.Name)
		}},
		{"a part and a letter of two people", func(_ int, x, y crm.Account) string {
			return part(0, 3, word(0, x.Name)) + " " + part(0, 1, word(1, y.Name))
		}},
		{"nobody, of pieces there are", func(_ int, x, y crm.Account) string { return part(0, 4, word(0, x.Name)) + part(0, 4, word(1, y.Name)) }},
		{"nobody", func(i int, _, _ crm.Account) string { return fmt.Sprintf("zqx%dw", i) }},
		{"nobody and a common word", func(i int, x, _ crm.Account) string { return fmt.Sprintf("zqx%dw %s", i, word(0, x.Name)) }},
	}
	var list []termKind
	for _, kind := range kinds {
		its := termKind{name: kind.name}
		for i := range n {
			its.terms = append(its.terms, kind.term(i, people[i], people[i+1]))
		}
		list = append(list, its)
	}
	return list
}

// growth compares the same pages and switches among a few accounts and among many.
func (b *run) growth(t *testing.B, small, large *site) (rows []row) {
	t.Helper()
	b.progress("growth")
	turns := map[*site]map[string]*contender{}
	var all []*contender
	names := []string{"dashboard", "list of customers", "list of staff", "Activity Log", "portal", "switch start"}
	for _, s := range []*site{small, large} {
		p := plan{packages: [][]byte{shipped(t)}, synchronous: "NORMAL"}
		p.fillIn(t, s)
		s.serve(t, p)
		start, _ := switching(t, s, crowd/4, 8)
		turns[s] = map[string]*contender{
			"dashboard": visits(t, s, "/admin", 60, s.admins[crowd/2:]), "list of customers": visits(t, s, "/admin/customers", 60, s.admins[crowd/2:]),
			"list of staff": visits(t, s, "/admin/staff", 60, s.admins[crowd/2:]), "Activity Log": visits(t, s, "/admin/activity", 60, s.admins[crowd/2:]),
			"portal": visits(t, s, "/", 60, s.contacts), "switch start": start,
		}
	}
	for _, name := range names {
		all = append(all, turns[small][name], turns[large][name])
	}
	contend(b.rounds(16), all...)
	for _, name := range names {
		ours, theirs := turns[large][name], turns[small][name]
		if n, err := ours.failed(); n > 0 {
			t.Errorf("%s: %d failed: %v", name, n, err)
		}
		rows = append(rows, row{
			fmt.Sprintf("%s, 8 at once, against %d contacts", name, few), fmt.Sprintf("%s, p99 %s", perSecond(ours.of(spell.rate)), duration(quantile(ours.all(), 0.99))),
			fmt.Sprintf("%s, p99 %s", perSecond(theirs.of(spell.rate)), duration(quantile(theirs.all(), 0.99))), fmt.Sprintf("%.2f", ours.to(theirs, spell.rate)), "", "",
		})
	}
	return rows
}
