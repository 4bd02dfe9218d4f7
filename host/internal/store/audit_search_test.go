package store_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// The Activity Log's filters give what looking at each entry gives, newest first, page by page: before
// anything is indexed, with whole segments indexed, and with the oldest entries gone.
func TestTheActivityLogFindsWhatLookingAtEachEntryFinds(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		random := rand.New(rand.NewPCG(1, 9))
		fillAudits(t, s, random)
		all := everyAudit(t, s)
		check := func(times int) {
			t.Helper()
			for range times {
				checkAudits(t, s, random, all)
			}
		}
		check(10)
		indexed := indexAudits(t, s)
		if indexed != 2 {
			t.Fatalf("%d segments of %d entries indexed", indexed, len(all))
		}
		check(40)
		old := all[len(all)/2].ID
		s.Exec(t, `DELETE FROM audit_entries WHERE id <= $1`, old)
		all = everyAudit(t, s)
		if err := s.Store.Write(t.Context(), func(tx store.Tx) error { return tx.DropAuditIndex(t.Context()) }); err != nil {
			t.Fatal(err)
		}
		check(15)
		if err := s.Store.RebuildSearch(t.Context()); err != nil {
			t.Fatal(err)
		}
		check(5)
		indexAudits(t, s)
		check(10)
	})
}

// fillAudits writes about eighteen thousand entries over ninety days.
func fillAudits(t *testing.T, s *hosttest.Site, random *rand.Rand) {
	t.Helper()
	err := s.Store.Write(t.Context(), func(tx store.Tx) error {
		for n := range 280 {
			name := func() string { return words[random.IntN(len(words))] + " " + words[random.IntN(len(words))] }
			e := crm.AuditEntry{
				At: s.Clock.Now().Add(-time.Duration(random.IntN(90*24)) * time.Hour), ActorName: name(), SubjectName: name(),
				Action: []string{"signed_in", "contact_changed", "customer_changed"}[random.IntN(3)], Object: fmt.Sprint("contact:", n), Detail: map[string]string{"name": name()},
			}
			if n%50 == 0 {
				e.Action, e.Object = "role_saved", "seldom"
			}
			if err := tx.InsertAudit(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	const columns = `at, actor_kind, actor_id, actor_name, subject_kind, subject_id, subject_name, switch_id, action, object, detail, search, ip, request_id`
	for range 6 {
		s.Exec(t, `INSERT INTO audit_entries (`+columns+`) SELECT `+columns+` FROM audit_entries ORDER BY id`)
	}
}

func everyAudit(t *testing.T, s *hosttest.Site) (list []crm.AuditEntry) {
	t.Helper()
	for after := ""; ; {
		page, err := s.Store.Read().AuditEntries(t.Context(), store.AuditQuery{Limit: 500, After: after})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, page.Rows...)
		if after = page.Next; after == "" {
			return list
		}
	}
}

func indexAudits(t *testing.T, s *hosttest.Site) (segments int) {
	t.Helper()
	for more := true; more; {
		err := s.Store.Write(t.Context(), func(tx store.Tx) (err error) {
			more, err = tx.IndexAudits(t.Context(), s.Clock.Now().Add(time.Hour))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if more {
			segments++
		}
	}
	return segments
}

// checkAudits asks one question, and compares up to three pages of the answer.
func checkAudits(t *testing.T, s *hosttest.Site, random *rand.Rand, all []crm.AuditEntry) {
	t.Helper()
	q := store.AuditQuery{Limit: 1 + random.IntN(60), After: ""}
	c := crowd{random: random}
	if random.IntN(3) > 0 {
		q.Term = []string{c.term(), "seldom", c.term() + " seldom", "contact:27", "qqq"}[random.IntN(5)]
	}
	if random.IntN(3) == 0 {
		q.Action = []string{"signed_in", "role_saved", "never_done"}[random.IntN(3)]
	}
	if random.IntN(3) == 0 {
		q.From = s.Clock.Now().Add(-time.Duration(random.IntN(90*24)) * time.Hour)
		q.Until = q.From.Add(time.Duration(random.IntN(20*24)) * time.Hour)
	}
	if random.IntN(3) == 0 && len(all) > 0 {
		q.After = fmt.Sprint(all[random.IntN(len(all))].ID)
	}
	var want []int64
	for _, e := range all {
		text := strings.ToLower(strings.Join(append(slices.Collect(maps.Values(e.Detail)), e.ActorName, e.SubjectName, e.Action, e.Object), " "))
		matches := (q.Action == "" || e.Action == q.Action) && (q.From.IsZero() || !e.At.Before(q.From) && e.At.Before(q.Until)) && (q.After == "" || fmt.Sprintf("%12d", e.ID) < fmt.Sprintf("%12s", q.After))
		for _, word := range strings.Fields(strings.ToLower(q.Term)) {
			matches = matches && strings.Contains(text, word)
		}
		if matches {
			want = append(want, e.ID)
		}
	}
	asked := fmt.Sprintf("%+v", q)
	for range 3 {
		page, err := s.Store.Read().AuditEntries(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if got, right := idsOf(page.Rows, func(e crm.AuditEntry) int64 { return e.ID }), want[:min(len(want), q.Limit)]; !slices.Equal(got, right) {
			t.Fatalf("%s: found %v, want %v", asked, got, right)
		}
		if want = want[min(len(want), q.Limit):]; (page.Next == "") != (len(want) == 0) {
			t.Fatalf("%s: next is %q, and %d are left", asked, page.Next, len(want))
		}
		if q.After = page.Next; q.After == "" {
			return
		}
	}
}
