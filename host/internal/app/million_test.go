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
// `understudy seed` has filled. UNDERSTUDY_BENCH_MILLION names it, as --database does, or by its file.
func BenchmarkTermsAmongAMillion(b *testing.B) {
	where := os.Getenv("UNDERSTUDY_BENCH_MILLION")
	if where == "" {
		b.Skip("UNDERSTUDY_BENCH_MILLION names no database")
	}
	began := time.Now()
	db, err := store.Open(b.Context(), where, "NORMAL")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	b.Logf("opened, index made if it had to be, in %s", time.Since(began).Round(time.Millisecond))
	a := app.New(app.Options{Store: db})
	people := somePeople(b, a)
	for _, class := range termClasses {
		b.Run(class.name, func(b *testing.B) { timeTerms(b, a, people, class.term) })
	}
}

// somePeople are 300 contacts, the same each time.
func somePeople(b *testing.B, a *app.App) (people []crm.Account) {
	random := rand.New(rand.NewPCG(1, 2))
	for len(people) < 300 {
		person, err := a.Account(b.Context(), crm.AccountKey{Kind: crm.Contact, ID: 1 + random.Int64N(1_000_000)})
		if err != nil {
			b.Fatal(err)
		}
		people = append(people, person)
	}
	return people
}

// timeTerms looks for terms made of two people each, as the picker does.
func timeTerms(b *testing.B, a *app.App, people []crm.Account, term func(i int, x, y crm.Account) string) {
	var took []time.Duration
	var most time.Duration
	var slowest string
	for b.Loop() {
		i := len(took)
		text := term(i, people[i%len(people)], people[(i+37)%len(people)])
		began := time.Now()
		_, err := a.SearchAccounts(b.Context(), app.AccountQuery{Kind: crm.Contact, Term: text, Limit: 20, ActiveOnly: i%2 == 0})
		took = append(took, time.Since(began))
		if err != nil {
			b.Fatal(err)
		}
		if took[i] >= most {
			most, slowest = took[i], text
		}
	}
	slices.Sort(took)
	for _, percent := range []int{50, 99} {
		b.ReportMetric(float64(took[len(took)*percent/100].Microseconds())/1000, fmt.Sprintf("ms-p%d", percent))
	}
	b.Logf("slowest of %d: %q, %s", len(took), slowest, most)
}

// termClasses are kinds of terms, of two people x and y.
var termClasses = []struct {
	name string
	term func(i int, x, y crm.Account) string
}{
	{"one letter", func(i int, x, y crm.Account) string { return lettersOf(wordOf(0, x.Name), i%5, 1) }},
	{"two letters", func(i int, x, y crm.Account) string { return lettersOf(wordOf(1, x.Name), i%3, 2) }},
	{"beginning of a name", func(i int, x, y crm.Account) string { return lettersOf(wordOf(i%2, x.Name), 0, 3+i%3) }},
	{"inside a name", func(i int, x, y crm.Account) string { return lettersOf(wordOf(1, x.Name), 1+i%3, 3) }},
	{"first name", func(_ int, x, y crm.Account) string { return wordOf(0, x.Name) }},
	{"first and last name", func(_ int, x, y crm.Account) string { return wordOf(0, x.Name) + " " + wordOf(1, x.Name) }},
	{"last name and company", func(_ int, x, y crm.Account) string { return wordOf(1, x.Name) + " " + wordOf(0, x.Company) }},
	{"names of two people", func(_ int, x, y crm.Account) string { return wordOf(0, x.Name) + " " + wordOf(1, y.Name) }},
	{"words of two companies", func(_ int, x, y crm.Account) string { return wordOf(0, x.Company) + " " + wordOf(1, y.Company) }},
	{"address", func(_ int, x, y crm.Account) string { return x.Email }},
	{"number and frequent name", func(_ int, x, y crm.Account) string {
		local, _, _ := strings.Cut(x.Email, "@")
		return local[max(0, strings.LastIndex(local, ".")):] + " " + wordOf(0, y.Name)
	}},
	{"two frequent parts", func(_ int, x, y crm.Account) string {
		return lettersOf(wordOf(0, x.Name), 0, 2) + " " + lettersOf(wordOf(0, y.Company), 0, 3)
	}},
	{"frequent part and letter", func(_ int, x, y crm.Account) string {
		return lettersOf(wordOf(0, x.Name), 0, 3) + " " + lettersOf(wordOf(1, y.Name), 0, 1)
	}},
	{"nothing of frequent parts", func(_ int, x, y crm.Account) string {
		return lettersOf(wordOf(0, x.Name), 0, 4) + lettersOf(wordOf(1, y.Name), 0, 4)
	}},
	{"nothing of two words", func(_ int, x, y crm.Account) string {
		return lettersOf(wordOf(0, x.Name), 0, 3) + lettersOf(wordOf(1, y.Name), 0, 3) + " " + wordOf(0, y.Company)
	}},
	{"nothing at all", func(i int, x, y crm.Account) string { return fmt.Sprintf("qxz%d", i) }},
}

func wordOf(i int, name string) string {
	words := strings.Fields(name)
	return words[min(i, len(words)-1)]
}

func lettersOf(word string, from, length int) string {
	letters := []rune(word)
	from = min(from, len(letters)-1)
	return string(letters[from:min(from+length, len(letters))])
}
