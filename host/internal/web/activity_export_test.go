package web

import (
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestTheActivityLogIsExportedAsItIsNarrowed(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	b.get("/admin/profile")
	for _, name := range []string{"=HYPERLINK(1)", "+1", "-1", "@SUM(1)", " =1+1", "＝1", `Quote " and, comma`} {
		b.post("/admin/customers/new", "company", name, "active", "true").wants(t, 303)
	}
	b.get("/admin/customers/1/edit")
	a := b.post("/admin/activity/export", "format", "csv", "action", "customer_created").wants(t, 200)
	if a.Header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(a.Header.Get("Content-Disposition"), `attachment; filename="activity-2`) {
		t.Error(a.Header)
	}
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil || len(rows) != 8 || !slices.Equal(rows[0], activityColumns) {
		t.Fatal(err, rows)
	}
	for _, row := range rows[1:] {
		if row[1] != "Ann Lee" || row[6] != "customer_created" || row[7] != "Added a customer" && row[7] == "" {
			t.Errorf("row %q", row)
		}
		for _, cell := range row {
			if strings.ContainsAny(strings.TrimSpace(cell + "x")[:1], "=+-@") || strings.HasPrefix(strings.TrimSpace(cell), "＝") {
				t.Errorf("a formula: %q", cell)
			}
		}
	}
	a = b.post("/admin/activity/export", "format", "json", "action", "customer_created").wants(t, 200)
	var lines []activityLine
	if err := json.Unmarshal([]byte(a.body), &lines); err != nil || len(lines) != 7 || !strings.Contains(a.body, `"company":"=HYPERLINK(1)"`) {
		t.Error(err, a.body)
	}
	if a := b.post("/admin/activity/export", "format", "json", "q", "nothing-matches-this").wants(t, 200); strings.TrimSpace(a.body) != "[]" {
		t.Errorf("an empty list is %q", a.body)
	}
	if a := b.post("/admin/activity/export", "format", "csv", "q", "nothing-matches-that").wants(t, 200); strings.Count(a.body, "\n") != 1 {
		t.Errorf("an empty table is %q", a.body)
	}
	b.get("/admin/activity?action=activity_exported").wants(t, 200).says(t, "Exported the Activity Log", "Format: csv", "entries: 7", "action: customer_created", "search: nothing-matches-this")
	b.post("/admin/activity/export", "format", "xls").wants(t, 422).says(t, "There is no such format")
	b.post("/admin/activity/export", "format", "csv", "from", "yesterday").wants(t, 422)
	b.get("/admin/activity/export").wants(t, 405)
	s.as(cleo).post("/admin/activity/export", "format", "csv").wants(t, 403)
	s.withEve()
	b.become(eve)
	checkPage(t, b.get("/admin/activity").wants(t, 200)).says(t, "This is refused while you are signed in as Eve Stone")
	b.post("/admin/activity/export", "format", "csv").wants(t, 403)
}

func TestCellsAreHarmless(t *testing.T) {
	for cell, want := range map[string]string{
		"": "", "Acme": "Acme", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\t=1": "'\t=1", "\r1": "'\r1", "\n": "'\n", " =1": "' =1", "\u00a0+1": "'\u00a0+1",
		"＝1": "'＝1", "－1": "'－1", "a=1": "a=1", "'=1": "'=1", " a": " a",
	} {
		if got := harmless(cell); got != want {
			t.Errorf("%q became %q", cell, got)
		}
	}
}
