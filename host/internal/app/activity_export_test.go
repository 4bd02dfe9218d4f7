package app_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

func TestTheActivityLogIsNarrowedToASwitchAndExported(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		v := s.SignIn(t, ann)
		v.Become(jane)
		company, err := s.App.OwnCompany(t.Context(), v.Who())
		must(t, err)
		must(t, s.App.SaveOwnCompany(t.Context(), v.Who(), company))
		if err := s.App.ExportActivity(t.Context(), v.Who(), crm.Query{}, "csv", nil); crm.KeyOf(err) != "refused_while_switched" {
			t.Errorf("exported under a borrowed name: %v", err)
		}
		id := strconv.FormatInt(v.Who().Session.SwitchID, 10)
		v.Return()
		entries(t, s, 1200) // several pages of them
		of := crm.Query{Filter: map[string]string{"switch": id}}
		page, err := s.App.Activity(t.Context(), v.Who(), of)
		if err != nil || len(page.Rows) != 4 {
			t.Errorf("%d entries of the switch: %v", len(page.Rows), err)
		}
		for _, wrong := range []string{"x", "0", "-1", "1 OR 1=1", "99999999999999999999"} {
			if _, err := s.App.Activity(t.Context(), v.Who(), crm.Query{Filter: map[string]string{"switch": wrong}}); crm.KeyOf(err) != "switch_number_invalid" {
				t.Errorf("switch %q: %v", wrong, err)
			}
		}
		count := func(q crm.Query) int {
			seen := map[int64]bool{}
			must(t, s.App.ExportActivity(t.Context(), v.Who(), q, "json", func(e crm.AuditEntry) error {
				if seen[e.ID] || e.Action == "activity_exported" && len(seen) == 0 && q.Term != "" {
					t.Errorf("entry %d comes twice, or is the export's own", e.ID)
				}
				seen[e.ID] = true
				return nil
			}))
			return len(seen)
		}
		if n := count(of); n != 4 {
			t.Errorf("%d entries of the switch were exported", n)
		}
		if n := count(crm.Query{Term: "thing", After: "5"}); n != 1200 {
			t.Errorf("%d of 1,200 were exported", n)
		}
		e := s.Audit(t, "activity_exported")
		if len(e) != 2 || fmt.Sprint(e[0].Detail) != "map[entries:1200 format:json search:thing]" || fmt.Sprint(e[1].Detail) != "map[entries:4 format:json switch:"+id+"]" {
			t.Errorf("recorded as %+v", e)
		}
		gone := errors.New("the browser went away")
		if err := s.App.ExportActivity(t.Context(), v.Who(), crm.Query{}, "csv", func(crm.AuditEntry) error { return gone }); !errors.Is(err, gone) {
			t.Errorf("to nobody: %v", err)
		}
	})
}

// No part of the log is taken for the whole.
func TestWhatIsTooMuchIsNotExportedInPart(t *testing.T) {
	s := hosttest.NewSite(t)
	s.Exec(t, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= %d)
		INSERT INTO audit_entries (at, actor_kind, actor_id, actor_name, subject_kind, subject_id, subject_name, switch_id, action, object, detail, search, ip, request_id)
		SELECT i, '', 0, '', '', 0, '', 0, 'x', '', '{}', '', '', '' FROM n`, app.MaxActivityExport))
	given := 0
	err := s.App.ExportActivity(t.Context(), crm.Operator(), crm.Query{}, "csv", func(crm.AuditEntry) error { given++; return nil })
	if crm.KeyOf(err) != "activity_export_too_much" || given != 0 || len(s.Audit(t, "activity_exported")) != 0 {
		t.Errorf("%d entries, %v", given, err)
	}
}
