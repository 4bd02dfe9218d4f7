package module

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

func TestFromUploadToUninstall(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	ctx, who := t.Context(), s.ann.Who()

	review, err := s.m.Upload(ctx, who, `C:\fakepath\sample.zip`, bytes.NewReader(kit{}.zip(t)))
	if err != nil {
		t.Fatal(err)
	}
	if review.Filename != "sample.zip" || review.Change != "new" || review.Manifest.Name != "Sample" || len(review.Problems) != 0 {
		t.Errorf("review: %+v", review)
	}
	if len(review.Grants) != 3 || !review.Grants[0].New || review.Grants[0].Why != "To decide." || review.Grants[0].Meaning != "grant_session_switch" {
		t.Errorf("grants: %+v", review.Grants)
	}

	s.confirm()
	if _, err := s.m.Install(ctx, who, review.StagedID); err != nil {
		t.Fatal(err)
	}
	if row := s.row("sample"); row.State != Installed || row.Activated || !row.CanActivate || row.Author != "Understudy" {
		t.Errorf("after install: %+v", row)
	}
	if _, err := s.m.Review(ctx, who, review.StagedID); crm.KindOf(err) != crm.NotFound {
		t.Errorf("the upload is still there: %v", err)
	}
	_, _, err = s.tryAsk(http.MethodGet, "/pick", "")
	wantKey(t, err, crm.Unavailable, "module_not_running")

	if err := s.m.Activate(ctx, who, "sample"); err != nil {
		t.Fatal(err)
	}
	row := s.row("sample")
	if row.State != Active || !row.Activated || row.Problem != nil || len(row.Links) != 2 || row.Links[0].Href != "/admin/settings/sample" || row.Links[1].Href != "/admin/m/sample/log/" {
		t.Errorf("after activate: %+v", row)
	}
	bar := s.m.Surface().Navbar(s.viewer())
	if len(bar) != 1 || bar[0].Label != "Sample" || bar[0].Href != "/admin/m/sample/pick" || !bar[0].Modal {
		t.Errorf("navbar: %+v", bar)
	}
	answer, text := s.get("/pick")
	if answer.Status != 200 || text != "<p>Sample for Ann Lee as Ann Lee in en</p>" || answer.Header.Get("Set-Cookie") != "" {
		t.Errorf("page: %d %q %v", answer.Status, text, answer.Header)
	}

	if err := s.m.Deactivate(ctx, who, "sample"); err != nil {
		t.Fatal(err)
	}
	if got := s.m.Surface().Navbar(s.viewer()); len(got) != 0 {
		t.Errorf("navbar after deactivate: %+v", got)
	}
	if left := processesBelow(s.m.shelf.path); len(left) != 0 {
		t.Errorf("processes after deactivate: %v", left)
	}

	wantKey(t, s.m.Uninstall(ctx, who, "sample", true, "sample"), crm.Invalid, "module_name_mistyped")
	if err := s.m.Uninstall(ctx, who, "sample", true, "Sample"); err != nil {
		t.Fatal(err)
	}
	if rows, err := s.m.Modules(ctx, who); err != nil || len(rows) != 0 {
		t.Errorf("after uninstall: %v %v", rows, err)
	}
	if _, err := s.m.shelf.open(); err != nil {
		t.Fatal(err)
	}
}

// mattermost PR 9601: commands stayed after their plugin was gone. Whatever way a module goes, it
// leaves nothing on the screen, and comes back with all of it.
func TestWhatAModuleAddsGoesWithIt(t *testing.T) {
	needLinux(t)
	t.Parallel()
	s := newStage(t, func(q *timing) { q.backoff = time.Second })
	added := func() []any {
		f, v := s.m.Surface(), s.viewer()
		_, page := f.Page("sample", crm.Admin, "/pick")
		_, settings := f.SettingsPage("sample", "en")
		return []any{
			len(f.Navbar(v)), len(f.SettingsSections("en")), len(f.ActionLinks("sample", v)), len(f.SettingsLinks("sample", v)),
			len(f.AccountActions(crm.Staff, v)), len(f.Features("en")), page, settings, f.HasSwitchDecider(),
		}
	}
	nothing := added()
	s.active(kit{})
	all := added()
	for i := range all {
		if all[i] == nothing[i] && i != 3 { // it has no links of its own there
			t.Errorf("nothing was added at %d: %v", i, all[i])
		}
	}
	goes := map[string]func(){
		"killed":      func() { kill(t, s.pid("sample")) },
		"deactivated": func() { _ = s.m.Deactivate(t.Context(), s.ann.Who(), "sample") },
	}
	for _, how := range []string{"killed", "deactivated"} {
		goes[how]()
		eventually(t, how+" it leaves nothing", func() bool { return slices.Equal(added(), nothing) })
		_ = s.m.Retry(t.Context(), s.ann.Who(), "sample")
		eventually(t, "it is all back", func() bool { return slices.Equal(added(), all) })
	}
}

func TestAnActiveModuleIsNotUninstalled(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	wantKey(t, s.m.Uninstall(t.Context(), s.ann.Who(), "sample", false, ""), crm.Conflict, "module_still_active")
	if s.row("sample").State != Active {
		t.Error("it does not run any more")
	}
}

func TestOnlyAdministratorsChangeModules(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.install(kit{})
	ben := s.site.SignIn(t, "ben@example.com").Who()
	for name, try := range map[string]func() error{
		"upload":     func() error { _, err := s.m.Upload(t.Context(), ben, "x.zip", strings.NewReader("")); return err },
		"activate":   func() error { return s.m.Activate(t.Context(), ben, "sample") },
		"deactivate": func() error { return s.m.Deactivate(t.Context(), ben, "sample") },
		"retry":      func() error { return s.m.Retry(t.Context(), ben, "sample") },
		"uninstall":  func() error { return s.m.Uninstall(t.Context(), ben, "sample", false, "") },
		"list":       func() error { _, err := s.m.Modules(t.Context(), ben); return err },
		"settings":   func() error { return s.m.SaveSettings(t.Context(), ben, "sample", nil) },
	} {
		if err := try(); crm.KindOf(err) != crm.Denied {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A start that fails leaves the module inactive, the site as it was, and says what happened.
func TestWhatWillNotStartStaysInactive(t *testing.T) {
	for mode, key := range map[string]string{
		"exit":             "module_start_exit",
		"exit-in-activate": "module_start_exit",
		"refuse-activate":  "module_call_failed",
		"garbage":          "module_start_handshake",
		"hang":             "module_start_timeout",
		"lies":             "module_not_as_described",
		"wants-capability": "module_contribution_invalid",
		"bad-icon":         "module_contribution_invalid",
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, func(q *timing) {
				if mode == "hang" {
					q.start = 500 * 1000 * 1000
				}
			})
			s.install(kit{mode: mode})
			err := s.m.Activate(t.Context(), s.ann.Who(), "sample")
			if crm.KeyOf(err) != key {
				t.Errorf("got %v, want %s", err, key)
			}
			row := s.row("sample")
			if row.State != Installed || row.Activated || row.Problem == nil || row.Problem.Key != key {
				t.Errorf("row: %+v", row)
			}
			if mode == "exit" && (row.Problem.Args["Code"] != 7 || !slices.Contains(row.LastLines, "cannot find my configuration")) {
				t.Errorf("problem %v, last lines %q", row.Problem, row.LastLines)
			}
			if left := processesBelow(s.m.shelf.path); len(left) != 0 {
				t.Errorf("processes are left: %v", left)
			}
		})
	}
}

func TestAHostThatIsTooOldSaysSo(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.install(kit{host: ">=9.0.0"})
	row := s.row("sample")
	if row.CanActivate || row.WhyNot == nil || row.WhyNot.Key != "module_host_too_old" || row.WhyNot.Args["Least"] != "9.0.0" {
		t.Errorf("row: %+v", row)
	}
	wantKey(t, s.m.Activate(t.Context(), s.ann.Who(), "sample"), crm.Unavailable, "module_host_too_old")
}

func TestAnUpgradeTakesOverWithoutAGap(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	if err := s.m.SaveSettings(t.Context(), s.ann.Who(), "sample", map[string]string{"minutes": "30"}); err != nil {
		t.Fatal(err)
	}
	before := s.pid("sample")
	s.install(kit{version: "1.1.0"})
	if row := s.row("sample"); row.State != Active || row.Version != "1.1.0" || s.pid("sample") == before {
		t.Errorf("row: %+v", row)
	}
	if got := s.m.SettingsValues(t.Context(), "sample")["minutes"]; got != "30" {
		t.Errorf("settings: %q", got)
	}
	eventually(t, "one process", func() bool { return len(processesBelow(s.m.shelf.path)) == 1 })
}

func TestAnUpgradeThatWillNotStartLeavesTheOldOneRunning(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	before := s.pid("sample")
	_, err := s.tryInstall(kit{version: "1.1.0", mode: "exit"})
	wantKey(t, err, crm.Unavailable, "module_start_exit")
	if row := s.row("sample"); row.State != Active || row.Version != "1.0.0" || s.pid("sample") != before {
		t.Errorf("row: %+v", row)
	}
}

// What the command line does takes effect in the process that serves.
func TestAnotherProcessMayChangeModules(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	shell := New(Options{App: s.site.App, Dir: s.m.shelf.path, RunDir: s.m.runDir, AllowUpload: true, Log: s.m.log})
	shell.timing = quick()
	ctx, who := t.Context(), crm.Operator()
	upload := func(k kit) {
		review, err := shell.Upload(ctx, who, "sample.zip", bytes.NewReader(k.zip(t)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := shell.Install(ctx, who, review.StagedID); err != nil {
			t.Fatal(err)
		}
	}
	upload(kit{})
	if err := shell.Activate(ctx, who, "sample"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it runs here", func() bool { return s.row("sample").State == Active })
	if len(s.m.Surface().Navbar(s.viewer())) != 1 {
		t.Error("its item is missing")
	}
	upload(kit{version: "1.2.0"})
	eventually(t, "the new version runs here", func() bool {
		r, err := s.m.active("sample")
		return err == nil && r.manifest.Version == "1.2.0"
	})
	if err := shell.Deactivate(ctx, who, "sample"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it stopped here", func() bool { return len(processesBelow(s.m.shelf.path)) == 0 })
	if err := shell.Uninstall(ctx, who, "sample", false, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is forgotten here", func() bool { return s.m.known("sample") == nil })
}

// A review is its reader's own: another administrator knows nothing of what was read, nor confirmed it.
func TestAnUploadIsItsAdministratorsOwn(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	review, err := s.upload(kit{}.zip(t))
	if err != nil {
		t.Fatal(err)
	}
	s.site.Exec(t, "UPDATE staff SET administrator = TRUE WHERE email = 'ben@example.com'")
	ben := s.site.SignIn(t, "ben@example.com").Who()
	_, err = s.m.Review(t.Context(), ben, review.StagedID)
	wantKey(t, err, crm.NotFound, "review_not_found")
	_, err = s.m.Install(t.Context(), ben, review.StagedID)
	wantKey(t, err, crm.NotFound, "review_not_found")
	wantKey(t, s.m.DropReview(t.Context(), ben, review.StagedID), crm.NotFound, "review_not_found")
	if _, err = s.m.Install(t.Context(), s.ann.Who(), review.StagedID); err != nil {
		t.Error(err)
	}
}

// Who waits for a module's turn while it is uninstalled, and installed again, doesn't change what is
// no longer there.
func TestAChangeThatWaitedFindsTheModuleThereIs(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.install(kit{})
	old := s.m.known("sample")
	old.busy <- struct{}{} // somebody is at it
	waited := make(chan error, 1)
	go func() { waited <- s.m.Activate(t.Context(), s.ann.Who(), "sample") }()
	if within(100*time.Millisecond, nil) {
		t.Fatal("nothing is closed")
	}
	s.m.mu.Lock()
	delete(s.m.units, "sample") // as an uninstallation ends
	s.m.mu.Unlock()
	old.unlock()
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
	if u := s.m.known("sample"); u == nil || u == old || u.current.Load() == nil || old.current.Load() != nil {
		t.Error("the process is where nobody looks after it")
	}
}
