package web

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// logged is a site with an installed module that has logged some lines.
func logged(t *testing.T, lines ...crm.ModuleLogLine) *site {
	t.Helper()
	s := newSite(t)
	m := crm.Module{ID: "sample", Version: "1.0.0", Manifest: []byte(`{}`), SHA256: "aa"}
	if err := s.app.InstallModule(t.Context(), crm.Operator(), m, []byte("zip"), crm.ModuleTrial{}, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.app.AppendModuleLog(t.Context(), "sample", lines); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheLogShowsRequestsAndNarrowsToOne(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 1, 0, time.UTC)
	b := logged(t, crm.ModuleLogLine{At: now, Level: "info", Text: "first", RequestID: "req1"}, crm.ModuleLogLine{At: now, Level: "error", Text: "other one"}).as(ann)
	a := b.get("/admin/modules/sample/log").wants(t, 200).says(t, "first", "other one", `href="?request=req1"`, "09:00:01", "Error", `name="request"`)
	a.silent(t, "log_")
	b.get("/admin/modules/sample/log?request=req1").wants(t, 200).says(t, "first", "download?request=req1").silent(t, "other one")
	b.get("/admin/modules/sample/log?from=2026-11-23").wants(t, 200).silent(t, "first")
	b.get("/admin/modules/sample/log?from=tomorrow").wants(t, 422)
	b.get("/admin/modules/none/log").wants(t, 404)
}

func TestTheLogIsFollowedFromALine(t *testing.T) {
	s := logged(t, crm.ModuleLogLine{At: time.Now(), Level: "info", Text: "first"})
	b := s.as(ann)
	last := regexp.MustCompile(`data-line="(\d+)"`).FindStringSubmatch(b.get("/admin/modules/sample/log").body)[1]
	b.do("GET", "/admin/modules/sample/log?since="+last, nil, "X-Modal", "1").wants(t, 200).silent(t, "data-line", "<html")
	if err := s.app.AppendModuleLog(t.Context(), "sample", []crm.ModuleLogLine{{At: time.Now(), Level: "info", Text: "<script>other one"}}); err != nil {
		t.Fatal(err)
	}
	b.do("GET", "/admin/modules/sample/log?since="+last, nil, "X-Modal", "1").wants(t, 200).says(t, "&lt;script&gt;other one").silent(t, "first")
	flood := make([]crm.ModuleLogLine, tailRows+1)
	for i := range flood {
		flood[i] = crm.ModuleLogLine{At: time.Now(), Level: "info", Text: "flood"}
	}
	if err := s.app.AppendModuleLog(t.Context(), "sample", flood); err != nil {
		t.Fatal(err)
	}
	b.do("GET", "/admin/modules/sample/log?since="+last, nil, "X-Modal", "1").wants(t, 200).says(t, "More lines came than fit here").silent(t, "other one")
	b.get("/admin/modules/sample/log?after=5").wants(t, 200).silent(t, "data-follow")
	// Whoever has been signed out meanwhile is told by a status that is no page.
	s.browser().do("GET", "/admin/modules/sample/log?since="+last, nil, "X-Modal", "1").wants(t, http.StatusNoContent)
}

func TestTheLogIsDownloadedAsAFile(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 0, 0, 5_000_000, time.UTC)
	s := logged(t, crm.ModuleLogLine{At: at, Level: "info", Text: "first\n2026-11-22T09:00:00.000Z ERROR - forged", RequestID: "r 1"}, crm.ModuleLogLine{At: at, Level: "warn", Text: "=cmd|'<script>'"})
	b := s.as(ann)
	a := b.get("/admin/modules/sample/log/download").wants(t, 200)
	want := "2026-11-22T09:00:00.005Z INFO  r_1 first\n    2026-11-22T09:00:00.000Z ERROR - forged\n2026-11-22T09:00:00.005Z WARN  - =cmd|'<script>'\n"
	if a.body != want {
		t.Errorf("%q", a.body)
	}
	name := `attachment; filename="sample-log-` + s.app.Now().Format(time.DateOnly) + `.txt"`
	for header, value := range map[string]string{"Content-Type": "text/plain; charset=utf-8", "Content-Disposition": name, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
		if got := a.Header.Get(header); got != value {
			t.Errorf("%s: %q", header, got)
		}
	}
	if a := b.get("/admin/modules/sample/log/download?level=warn").wants(t, 200); strings.Count(a.body, "\n") != 1 {
		t.Errorf("filtered: %q", a.body)
	}
	if a := b.get("/admin/modules/sample/log/download?q=nothing").wants(t, 200); a.body != "" || a.Header.Get("Content-Disposition") != name {
		t.Errorf("empty: %q", a.body)
	}
	b.get("/admin/modules/sample/log/download?from=x").wants(t, 422)
	b.get("/admin/modules/none/log/download").wants(t, 404)
	s.as(cleo).get("/admin/modules/sample/log/download").wants(t, 403)
}
