package app_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

func check(t *testing.T, s *hosttest.Site, marks ...app.AuditMark) app.AuditReport {
	t.Helper()
	r, err := s.App.CheckAudit(t.Context(), crm.Operator(), marks...)
	must(t, err)
	return r
}

func entries(t *testing.T, s *hosttest.Site, n int) {
	t.Helper()
	for i := range n {
		must(t, s.App.RecordRefusal(t.Context(), crm.Operator(), fmt.Sprint("thing ", i), "refused_while_switched"))
	}
}

// Whatever somebody does to the rows behind the host's back shows, and shows where.
func TestWhatIsDoneToTheActivityLogShows(t *testing.T) {
	const columns = "at, actor_kind, actor_id, actor_name, subject_kind, subject_id, subject_name, switch_id, action, object, detail, search, ip, request_id"
	for _, c := range []struct {
		name, statement, kind string
		seq                   int64
	}{
		{"a word", "UPDATE audit_entries SET object = 'nothing' WHERE seq = 7", app.AuditAltered, 7},
		{"the actor", "UPDATE audit_entries SET actor_id = actor_id + 1 WHERE seq = 7", app.AuditAltered, 7},
		{"the actor's name", "UPDATE audit_entries SET actor_name = 'Somebody' WHERE seq = 7", app.AuditAltered, 7},
		{"the subject", "UPDATE audit_entries SET subject_kind = 'contact' WHERE seq = 7", app.AuditAltered, 7},
		{"the time", "UPDATE audit_entries SET at = at - 1 WHERE seq = 7", app.AuditAltered, 7},
		{"the switch", "UPDATE audit_entries SET switch_id = 99 WHERE seq = 7", app.AuditAltered, 7},
		{"a detail", `UPDATE audit_entries SET detail = '{"a":"b"}' WHERE seq = 7`, app.AuditAltered, 7},
		{"the address", "UPDATE audit_entries SET ip = '10.0.0.1' WHERE seq = 7", app.AuditAltered, 7},
		{"the request", "UPDATE audit_entries SET request_id = 'x' WHERE seq = 7", app.AuditAltered, 7},
		{"a seal", "UPDATE audit_entries SET seal = 'x' WHERE seq = 7", app.AuditAltered, 7},
		{"one removed", "DELETE FROM audit_entries WHERE seq = 7", app.AuditRemoved, 7},
		{"the first removed", "DELETE FROM audit_entries WHERE seq = 1", app.AuditRemoved, 1},
		{"the last removed", "DELETE FROM audit_entries WHERE seq = (SELECT MAX(seq) FROM audit_entries)", app.AuditRemoved, 13},
		{"the last and its trace", "DELETE FROM audit_entries WHERE seq = 13; UPDATE audit_chains SET seq = 12 WHERE chain = 'main'", app.AuditAltered, 12},
		{"all removed", "DELETE FROM audit_entries", app.AuditRemoved, 1},
		{"one moved out", "UPDATE audit_entries SET chain = '' WHERE seq = 7", app.AuditInserted, 0},
		{"one moved elsewhere", "UPDATE audit_entries SET chain = 'other' WHERE seq = 7", app.AuditRemoved, 7},
		{"two changed places", "UPDATE audit_entries SET seq = 99 WHERE seq = 7; UPDATE audit_entries SET seq = 7 WHERE seq = 8; UPDATE audit_entries SET seq = 8 WHERE seq = 99", app.AuditAltered, 7},
		{"one slipped in at the end", "INSERT INTO audit_entries (" + columns + ", chain, seq, seal) SELECT " + columns + ", chain, 14, seal FROM audit_entries WHERE seq = 7", app.AuditInserted, 0},
		{"one of a chain there is not", "INSERT INTO audit_entries (" + columns + ", chain, seq, seal) SELECT " + columns + ", 'mine', 1, seal FROM audit_entries WHERE seq = 7", app.AuditInserted, 0},
		{"one as if from before", "INSERT INTO audit_entries (" + columns + ") SELECT " + columns + " FROM audit_entries WHERE seq = 7", app.AuditInserted, 0},
		{"one doubled", "INSERT INTO audit_entries (" + columns + ", chain, seq, seal) SELECT " + columns + ", chain, seq, seal FROM audit_entries WHERE seq = 7", app.AuditInserted, 7},
		{"the beginning cut off", "DELETE FROM audit_entries WHERE seq <= 3; UPDATE audit_chains SET from_seq = 3 WHERE chain = 'main'", app.AuditAltered, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := hosttest.NewSite(t)
			entries(t, s, 12) // the demo data are the first
			if r := check(t, s); !r.Intact() || r.Chains[0].Entries != 13 || r.Chains[0].Head.Seq != 13 {
				t.Fatalf("untouched: %+v", r)
			}
			s.Exec(t, c.statement)
			r := check(t, s)
			if r.Intact() || r.Faults[0].Kind != c.kind || r.Faults[0].Seq != c.seq {
				t.Errorf("%+v, want %s at %d", r.Faults, c.kind, c.seq)
			}
			entries(t, s, 1) // the log goes on all the same
			if check(t, s).Intact() {
				t.Error("it is forgotten")
			}
		})
	}
}

// Who can write to the database can seal it all anew. A mark kept elsewhere shows that.
func TestAMarkShowsWhatWasSealedAnew(t *testing.T) {
	a, b := hosttest.NewSite(t), hosttest.NewSite(t)
	entries(t, a, 5)
	marks, err := a.App.AuditHeads(t.Context())
	must(t, err)
	if len(marks) != 1 || marks[0].Seq != 6 {
		t.Fatalf("marks: %v", marks)
	}
	entries(t, a, 5)
	if r := check(t, a, marks...); !r.Intact() {
		t.Errorf("later: %+v", r.Faults)
	}
	b.Clock.Advance(time.Minute)
	entries(t, b, 10) // as long, intact, and not the same
	if r := check(t, b); !r.Intact() {
		t.Errorf("the other by itself: %+v", r.Faults)
	}
	if r := check(t, b, marks...); r.Intact() || r.Faults[0].Kind != app.AuditReplaced || r.Faults[0].Seq != 6 {
		t.Errorf("against the mark: %+v", r.Faults)
	}
	again, err := app.ParseAuditMark(" " + marks[0].String() + "\n")
	if err != nil || again != marks[0] {
		t.Errorf("read back: %v %v", again, err)
	}
	ahead := app.AuditMark{Chain: "main", Seq: 99, Seal: marks[0].Seal}
	if r := check(t, a, ahead); r.Intact() || r.Faults[0].Kind != app.AuditRemoved {
		t.Errorf("a mark beyond the end: %+v", r.Faults)
	}
	for _, text := range []string{"", "main", "main:x:" + marks[0].Seal, ":6:" + marks[0].Seal, "main:6:abc", "main:0:" + marks[0].Seal} {
		if _, err := app.ParseAuditMark(text); crm.KeyOf(err) != "audit_mark_invalid" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestOldEntriesAreDroppedAndTheRestStaysWhole(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		s.Exec(t, `INSERT INTO audit_entries (at, actor_kind, actor_id, actor_name, subject_kind, subject_id, subject_name, switch_id, action, object, detail, search, ip, request_id)
			VALUES (1, 'staff', 1, 'A', 'staff', 1, 'A', 0, 'x', '', '{}', '', '', '')`)
		s.Exec(t, `UPDATE audit_chains SET seq = 1, from_seq = (SELECT MAX(id) FROM audit_entries) WHERE chain = ''`) // as the migration would have counted it
		entries(t, s, 4)
		s.Clock.Advance(48 * time.Hour)
		entries(t, s, 3)
		must(t, s.App.Sweep(t.Context()))
		if r := check(t, s); !r.Intact() || r.Chains[0].Entries != 8 || r.Unsealed != 1 {
			t.Errorf("nothing is to be dropped yet: %+v", r)
		}
		must(t, s.App.SaveSettings(t.Context(), crm.Operator(), "security", map[string]string{"audit_days": "1"}))
		must(t, s.App.Sweep(t.Context()))
		r := check(t, s)
		if !r.Intact() || r.Chains[0].Dropped != 5 || r.Chains[0].Entries != 5 || r.Unsealed != 0 { // three, the setting, and that it was done
			t.Errorf("%+v", r)
		}
		must(t, s.App.Sweep(t.Context()))
		if again := check(t, s); again.Chains[0].Head != r.Chains[0].Head {
			t.Error("dropping nothing was noted")
		}
		page, err := s.App.Activity(t.Context(), crm.Operator(), crm.Query{Filter: map[string]string{"action": "activity_dropped"}})
		if err != nil || len(page.Rows) != 1 || page.Rows[0].Detail["entries"] != "6" {
			t.Errorf("%+v %v", page.Rows, err)
		}
	})
}

// Entries of many at once make one chain, and no two wait for each other for ever.
func TestManyWritersMakeOneChain(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range 10 {
					if err := s.App.RecordRefusal(t.Context(), crm.Operator(), fmt.Sprint(i, j), "refused_while_switched"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Go(func() {
			for range 10 {
				if r := check(t, s); !r.Intact() {
					t.Errorf("while others write: %+v", r.Faults)
				}
			}
		})
		all.Wait()
		if r := check(t, s); !r.Intact() || r.Chains[0].Entries != 81 {
			t.Errorf("%+v", r)
		}
	})
}

func TestTheRecordIsCheckedByAdministrators(t *testing.T) {
	s := hosttest.NewSite(t)
	if _, err := s.App.CheckAudit(t.Context(), s.SignIn(t, "ben@example.com").Who()); crm.KindOf(err) != crm.Denied {
		t.Errorf("Ben: %v", err)
	}
}
