package app_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// The picker among a million: p50 and p99 of the first 20 by class of term, of a database that
// `understudy seed` has filled. UNDERSTUDY_TEST_MILLION names it, as --database does, or by its file.
func TestTermsAmongAMillion(t *testing.T) {
	where := os.Getenv("UNDERSTUDY_TEST_MILLION")
	if where == "" {
		t.Skip("UNDERSTUDY_TEST_MILLION names no database")
	}
	began := time.Now()
	db, err := store.Open(t.Context(), where, "NORMAL")
	must(t, err)
	defer db.Close()
	t.Logf("opened, index made if it had to be, in %s", time.Since(began).Round(time.Millisecond))
	a := app.New(app.Options{Store: db})
	var sample []crm.Account
	random := rand.New(rand.NewPCG(1, 2))
	for len(sample) < 300 {
		account, err := a.Account(t.Context(), crm.AccountKey{Kind: crm.Contact, ID: 1 + random.Int64N(1_000_000)})
		must(t, err)
		sample = append(sample, account)
	}
	word := func(i int, name string) string {
		words := strings.Fields(name)
		return words[min(i, len(words)-1)]
	}
	part := func(from, length int, text string) string {
		letters := []rune(text)
		from = min(from, len(letters)-1)
		return string(letters[from:min(from+length, len(letters))])
	}
	classes := []struct {
		name string
		term func(i int, x, y crm.Account) string
	}{
		{"one letter", func(i int, x, y crm.Account) string { return part(i%5, 1, word(0, x.Name)) }},
		{"two letters", func(i int, x, y crm.Account) string { return part(i%3, 2, word(1, x.Name)) }},
		{"beginning of a name", func(i int, x, y crm.Account) string { return part(0, 3+i%3, word(i%2, x.Name)) }},
		{"inside a name", func(i int, x, y crm.Account) string { return part(1+i%3, 3, word(1, x.Name)) }},
		{"first name", func(i int, x, y crm.Account) string { return word(0, x.Name) }},
		{"first and last name", func(i int, x, y crm.Account) string { return word(0, x.Name) + " " + word(1, x.Name) }},
		{"last name and company", func(i int, x, y crm.Account) string { return word(1, x.Name) + " " + word(0, x.Company) }},
		{"two names of different people", func(i int, x, y crm.Account) string { return word(0, x.Name) + " " + word(1, y.Name) }},
		{"two companies' words", func(i int, x, y crm.Account) string { return word(0, x.Company) + " " + word(1, y.Company) }},
		{"address", func(i int, x, y crm.Account) string { return x.Email }},
		{"number, and a frequent name", func(i int, x, y crm.Account) string {
			return strings.Split(x.Email, "@")[0][max(0, strings.LastIndex(strings.Split(x.Email, "@")[0], ".")):] + " " + word(0, y.Name)
		}},
		{"two frequent parts", func(i int, x, y crm.Account) string {
			return part(0, 2, word(0, x.Name)) + " " + part(0, 3, word(0, y.Company))
		}},
		{"frequent part, one letter", func(i int, x, y crm.Account) string {
			return part(0, 3, word(0, x.Name)) + " " + part(0, 1, word(1, y.Name))
		}},
		{"no match, of frequent pieces", func(i int, x, y crm.Account) string { return part(0, 4, word(0, x.Name)) + part(0, 4, word(1, y.Name)) }},
		{"no match, two words", func(i int, x, y crm.Account) string {
			return part(0, 3, word(0, x.Name)) + part(0, 3, word(1, y.Name)) + " " + word(0, y.Company)
		}},
		{"no match at all", func(i int, x, y crm.Account) string { return fmt.Sprintf("qxz%d", i) }},
	}
	for _, activeOnly := range []bool{false, true} {
		for _, c := range classes {
			var took []time.Duration
			var slowest, empty string
			found := 0
			for round := range 3 {
				for i, x := range sample {
					term := c.term(i, x, sample[(i+37)%len(sample)])
					began := time.Now()
					page, err := a.SearchAccounts(t.Context(), app.AccountQuery{Kind: crm.Contact, Term: term, Limit: 20, ActiveOnly: activeOnly})
					d := time.Since(began)
					must(t, err)
					found += len(page.Rows)
					if len(page.Rows) == 0 {
						empty = term
					}
					if took = append(took, d); round == 2 && d == slices.Max(took) {
						slowest = term
					}
				}
			}
			slices.Sort(took)
			at := func(percent int) float64 { return float64(took[len(took)*percent/100].Microseconds()) / 1000 }
			t.Logf("active only %-5v %-32s p50 %6.2f ms  p99 %6.2f ms  max %6.2f ms  %5.1f found (%s) %s", activeOnly, c.name, at(50), at(99), float64(took[len(took)-1].Microseconds())/1000, float64(found)/float64(len(took)), slowest, empty)
		}
	}
	rows := map[string]func() error{
		"dashboard's figures":  func() error { _, err := db.Read().Counts(t.Context()); return err },
		"contacts, first page": func() error { _, err := a.Contacts(t.Context(), crm.Operator(), 0, crm.Query{}); return err },
		"contacts, inactive": func() error {
			_, err := a.Contacts(t.Context(), crm.Operator(), 0, crm.Query{Filter: map[string]string{"active": "no"}})
			return err
		},
		"customers, inactive, term": func() error {
			_, err := a.Customers(t.Context(), crm.Operator(), crm.Query{Term: "gmbh", Filter: map[string]string{"active": "no"}})
			return err
		},
		"companies without contact": func() error { _, err := a.CompaniesWithoutContact(t.Context(), "gm"); return err },
		"staff, term":               func() error { _, err := a.StaffList(t.Context(), crm.Operator(), crm.Query{Term: "mar"}); return err },
		"contacts, far on": func() error {
			_, err := a.Contacts(t.Context(), crm.Operator(), 0, crm.Query{Term: "ma", After: "1_noah garcía"})
			return err
		},
		"save a contact": func() error {
			return db.Write(t.Context(), func(tx store.Tx) error {
				c, err := tx.ContactPerson(t.Context(), sample[random.IntN(300)].Key.ID)
				if err != nil {
					return err
				}
				c.Name += " Xy"
				return tx.UpdateContact(t.Context(), c)
			})
		},
	}
	for name, do := range rows {
		var took []time.Duration
		for range 60 {
			began := time.Now()
			must(t, do())
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		t.Logf("%-28s p50 %6.2f ms  max %6.2f ms", name, float64(took[30].Microseconds())/1000, float64(took[59].Microseconds())/1000)
	}
}
