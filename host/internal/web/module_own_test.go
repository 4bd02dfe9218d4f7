package web

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

func TestUninstallingOffersToKeepExportOrDelete(t *testing.T) {
	s := logged(t, crm.ModuleLogLine{At: time.Now(), Level: "info", Text: "first"}, crm.ModuleLogLine{At: time.Now(), Level: "info", Text: "last"})
	if err := s.app.PutModuleValue(t.Context(), "sample", "", "k", make([]byte, 2048)); err != nil {
		t.Fatal(err)
	}
	b := s.as(ann)
	page := b.get("/admin/modules/sample/uninstall").wants(t, 200).says(t, "1 stored value, 2.0 KiB", "2 lines of diagnostics", "Export data", "Reset data", "Keep data", "Delete data")
	page.silent(t, "owns_", "Deactivate the module first", " disabled")

	a := b.post("/admin/modules/sample/export").wants(t, 200)
	var file map[string]any
	if err := json.Unmarshal([]byte(a.body), &file); err != nil || file["format"] != "understudy.module.export/1" {
		t.Errorf("%v %.200s", err, a.body)
	}
	if got := a.Header.Get("Content-Disposition"); got != `attachment; filename="sample-data-`+s.app.Now().Format(time.DateOnly)+`.json"` || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v", a.Header)
	}
	b.get("/admin/modules/sample/export").wants(t, 405)
	b.post("/admin/modules/none/export").wants(t, 404)
	s.as(cleo).post("/admin/modules/sample/export").wants(t, 403)

	b.post("/admin/modules/sample/reset", "name", "Sampel").wants(t, 422).says(t, `value="Sampel"`)
	if n := strings.Count(b.get("/admin/modules/sample/log").body, "data-line="); n != 2 {
		t.Errorf("%d lines after a mistyped name", n)
	}
	b.post("/admin/modules/sample/reset", "name", "sample").wants(t, 303)
	b.get("/admin/modules").wants(t, 200).says(t, "The data of sample was deleted")
	b.get("/admin/modules/sample/uninstall").wants(t, 200).says(t, "The module has stored nothing.")
}

// mattermost #27103: controls that were off without a reason.
func TestAnActiveModulesPageSaysWhyNothingCanBeDeleted(t *testing.T) {
	s := logged(t)
	if err := s.app.ActivateModule(t.Context(), crm.Operator(), "sample", "aa", nil, crm.ModuleTrial{}); err != nil {
		t.Fatal(err)
	}
	a := s.as(ann).get("/admin/modules/sample/uninstall").wants(t, 200).says(t, "Deactivate the module first")
	if n := strings.Count(a.body, `-blocked">`); n != 4 {
		t.Errorf("%d reasons and controls that name them", n)
	}
}
