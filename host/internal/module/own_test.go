package module

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// used has a module keep something of every kind.
func (s *stage) used() {
	s.t.Helper()
	ctx, ann := s.t.Context(), s.ann.Who()
	s.active(kit{})
	s.get("/store") // puts a value and takes it away
	if err := s.site.App.PutModuleValue(ctx, "sample", "", "k", []byte("v")); err != nil {
		s.t.Fatal(err)
	}
	if err := s.m.SaveSettings(ctx, ann, "sample", map[string]string{"minutes": "7"}); err != nil {
		s.t.Fatal(err)
	}
	if err := s.site.App.PutModuleLanguage(ctx, ann, "sample", "fr", []byte(`{"item":"Choisir"}`)); err != nil {
		s.t.Fatal(err)
	}
	folder := filepath.Join(s.m.shelf.path, "sample", "languages")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "de.json"), []byte(`{"item":"Wählen"}`), 0o644); err != nil {
		s.t.Fatal(err)
	}
	if err := s.m.Deactivate(ctx, ann, "sample"); err != nil {
		s.t.Fatal(err)
	}
}

// kept is everything a module's row and its belongings say, but for when it was installed.
func (s *stage) kept() (crm.Module, Belongings) {
	s.t.Helper()
	row, err := s.site.App.Module(s.t.Context(), "sample")
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := s.m.Belongings(s.t.Context(), s.ann.Who(), "sample")
	if err != nil {
		s.t.Fatal(err)
	}
	row.InstalledAt = time.Time{}
	return row, b
}

// mattermost PR 34867: what a module owned was left behind and unseen.
func TestThePreviewCountsEveryKind(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.used()
	_, b := s.kept()
	if b.Settings != 1 || b.Values != 1 || b.ValueBytes != 1 || b.Languages != 1 || b.Dropped != 1 || b.LogLines == 0 || b.Roles != 1 || b.Staff != 0 || b.Activated {
		t.Errorf("%+v", b)
	}
}

// mattermost-plugin-jira #902, matterpoll #367: no way to reset but by hand in the database.
func TestReinstallAfterDeletingItsDataIsAFirstInstall(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	first := s.install(kit{})
	first.InstalledAt = time.Time{}
	s.site.Exec(t, "UPDATE roles SET capabilities = 'customers.view'") // the demo gives them before any module is there
	ann := s.ann.Who()
	_, fresh := s.kept()
	s.used()
	if err := s.m.Uninstall(t.Context(), ann, "sample", true, "Sample"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(s.m.shelf.path, "sample")); !os.IsNotExist(err) {
		t.Errorf("its folder: %v", err)
	}
	s.install(kit{})
	again, b := s.kept()
	if !reflect.DeepEqual(again, first) || b != fresh {
		t.Errorf("again %+v %+v, at first %+v %+v", again, b, first, fresh)
	}
	if got := s.m.Surface().Text("sample", "fr", "item", nil); strings.Contains(got, "Choisir") {
		t.Errorf("a translation is left: %s", got)
	}
}

func TestDataIsResetWithoutUninstalling(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	ctx, ann := t.Context(), s.ann.Who()
	s.used()
	if err := s.m.Activate(ctx, ann, "sample"); err != nil {
		t.Fatal(err)
	}
	wantKey(t, s.m.ResetData(ctx, ann, "sample", "Sample"), crm.Conflict, "module_still_active")
	if err := s.m.Deactivate(ctx, ann, "sample"); err != nil {
		t.Fatal(err)
	}
	wantKey(t, s.m.ResetData(ctx, ann, "sample", "sample"), crm.Invalid, "module_name_mistyped")
	wantKey(t, s.m.ResetData(ctx, s.site.SignIn(t, "ben@example.com").Who(), "sample", "Sample"), crm.Denied, "administrators_only")
	if _, b := s.kept(); b.Values != 1 {
		t.Errorf("a refused reset deleted: %+v", b)
	}
	if got := s.m.Surface().Text("sample", "de", "item", nil); got != "Wählen" {
		t.Errorf("before: %q", got)
	}
	if err := s.m.ResetData(ctx, ann, "sample", " Sample "); err != nil {
		t.Fatal(err)
	}
	if _, b := s.kept(); b != (Belongings{}) {
		t.Errorf("left: %+v", b)
	}
	if got := s.m.Surface().Text("sample", "de", "item", nil); got == "Wählen" {
		t.Error("a translation is left")
	}
	if err := s.m.Activate(ctx, ann, "sample"); err != nil {
		t.Errorf("it does not start any more: %v", err)
	}
	if values := s.m.SettingsValues(ctx, "sample"); values["minutes"] != "60" {
		t.Errorf("settings: %v", values)
	}
}

// What a module logs for a page is found by the id the page's answer carried.
func TestAModulesLinesCarryTheirRequest(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	s.get("/print")
	eventually(t, "its line", func() bool {
		page, err := s.m.Log(t.Context(), s.ann.Who(), "sample", crm.Query{Filter: map[string]string{"request": "test"}})
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Rows) == 1 && page.Rows[0].Text == "looked up n=3" && page.Rows[0].Level == "info"
	})
}

func TestAnExportHoldsTheLogUpToNow(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	s.get("/print")
	eventually(t, "its print is there", func() bool {
		var out bytes.Buffer
		if err := s.m.Export(t.Context(), s.ann.Who(), "sample", &out); err != nil {
			t.Fatal(err)
		}
		var got struct{ Log []struct{ Text string } }
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(out.String(), "a complaint")
	})
}
