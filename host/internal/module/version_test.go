package module

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// folders lists what stands in the module's folder.
func (s *stage) folders() []string {
	s.t.Helper()
	return list(s.t, filepath.Join(s.m.shelf.path, "sample"))
}

func (s *stage) versions() []Version {
	s.t.Helper()
	versions, err := s.m.Versions(s.t.Context(), s.ann.Who(), "sample")
	if err != nil {
		s.t.Fatal(err)
	}
	return versions
}

func numbers(versions []Version) []string {
	var list []string
	for _, v := range versions {
		list = append(list, v.Version)
	}
	return list
}

func (s *stage) rollBack(sha256 string) error {
	s.t.Helper()
	s.confirm()
	_, err := s.m.RollBack(s.t.Context(), s.ann.Who(), "sample", sha256)
	return err
}

func TestOneStepBackAndForwardAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{mode: "migrate"})
	old := s.row("sample").SHA256
	s.install(kit{version: "1.1.0", mode: "migrate"})
	if row := s.row("sample"); row.Kept != 1 || row.Before == nil || row.Before.Version != "1.0.0" || row.Before.Change != "downgrade" || row.CrashedEarly {
		t.Errorf("row: %d %+v", row.Kept, row.Before)
	}
	if err := s.rollBack(""); err != nil {
		t.Fatal(err)
	}
	s.runs("1.0.0", "session.switch", "directory.read", "audit.write")
	if row := s.row("sample"); row.SHA256 != old || row.State != Active || row.Before.Version != "1.1.0" || row.Before.Change != "upgrade" {
		t.Errorf("row: %+v %+v", row.Module, row.Before)
	}
	s.keeps("only-1.0.0=x version=1.0.0", "1.0.0", "1.1.0", "1.0.0")
	entry := s.site.Audit(t, "module_rolled_back")[0]
	for name, want := range map[string]string{"version": "1.0.0", "sha256": old, "signer": "nobody", "grants": "session.switch directory.read audit.write", "result": "rolled back", "replaces": "1.1.0"} {
		if entry.Detail[name] != want {
			t.Errorf("entry: %s is %q", name, entry.Detail[name])
		}
	}
	if entry.ActorName != "Ann Lee" {
		t.Errorf("who: %q", entry.ActorName)
	}
	if err := s.rollBack(s.versions()[0].SHA256); err != nil {
		t.Fatal(err)
	}
	s.runs("1.1.0", "session.switch", "directory.read", "audit.write")
	if got := numbers(s.versions()); !slices.Equal(got, []string{"1.0.0"}) {
		t.Errorf("kept: %v", got)
	}
	wantKey(t, s.rollBack("unknown"), crm.NotFound, "module_version_not_kept")
}

func TestRollBackAsksForThePassword(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	s.install(kit{version: "1.1.0"})
	s.site.Clock.Advance(time.Hour)
	_, err := s.m.RollBack(t.Context(), s.ann.Who(), "sample", "")
	wantKey(t, err, crm.Denied, "password_confirmation_needed")
	ben := s.site.SignIn(t, "ben@example.com").Who()
	if _, err := s.m.RollBack(t.Context(), ben, "sample", ""); crm.KindOf(err) != crm.Denied {
		t.Errorf("by Ben: %v", err)
	}
	if _, err := s.m.Versions(t.Context(), ben, "sample"); crm.KindOf(err) != crm.Denied {
		t.Errorf("listed for Ben: %v", err)
	}
	s.runs("1.1.0", "session.switch", "directory.read", "audit.write")
	if err := s.rollBack(""); err != nil {
		t.Error(err)
	}
	_, err = s.m.RollBack(t.Context(), s.ann.Who(), "sample", "")
	wantKey(t, err, crm.Denied, "password_confirmation_needed") // it was good for once
}

// Going back fails like an upgrade does: what runs goes on.
func TestAVersionBeforeThatWontStartChangesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.install(kit{mode: "exit"})
	s.install(kit{version: "1.1.0", mode: "migrate"})
	if err := s.m.Activate(t.Context(), s.ann.Who(), "sample"); err != nil {
		t.Fatal(err)
	}
	pid := s.pid("sample")
	wantKey(t, s.rollBack(""), crm.Unavailable, "module_start_exit")
	if s.pid("sample") != pid || s.row("sample").Version != "1.1.0" || s.row("sample").State != Active {
		t.Error("the running one was touched")
	}
	s.keeps("only-1.1.0=x version=1.1.0", "1.1.0")
	failed := s.site.Audit(t, "module_step_failed")
	if len(failed) != 1 || failed[0].Detail["step"] != "rollback" || failed[0].Detail["version"] != "1.0.0" {
		t.Errorf("entries: %+v", failed)
	}
}

func TestInactiveAndFailedModulesGoBack(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(q *timing) { q.maxCrashes = 1 })
	s.active(kit{mode: "migrate"})
	s.install(kit{version: "1.1.0", mode: "normal"})
	_, _, _ = s.tryAsk("GET", "/kill", "")
	eventually(t, "it is given up", func() bool { return s.row("sample").State == Failed })
	if row := s.row("sample"); !row.CrashedEarly || row.Before.Version != "1.0.0" {
		t.Errorf("nobody says that 1.0.0 is one click away: %v %+v", row.CrashedEarly, row.Before)
	}
	if err := s.rollBack(""); err != nil {
		t.Fatal(err)
	}
	s.runs("1.0.0", "session.switch", "directory.read", "audit.write")
	if row := s.row("sample"); row.State != Active || row.Failure != "" || row.Crashes != 0 || row.CrashedEarly {
		t.Errorf("row: %+v", row)
	}
	if err := s.m.Deactivate(t.Context(), s.ann.Who(), "sample"); err != nil {
		t.Fatal(err)
	}
	if err := s.rollBack(""); err != nil {
		t.Fatal(err)
	}
	if row := s.row("sample"); row.State != Installed || row.Activated || row.Version != "1.1.0" {
		t.Errorf("row: %+v", row)
	}
	if err := s.m.Activate(t.Context(), s.ann.Who(), "sample"); err != nil {
		t.Fatal(err)
	}
	s.runs("1.1.0", "session.switch", "directory.read", "audit.write")
}

// A crash is held against a version that has just taken over, for a while, also once it runs again.
func TestAnEarlyCrashIsRemembered(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	crash := func() {
		t.Helper()
		before := s.pid("sample")
		_, _, _ = s.tryAsk("GET", "/kill", "")
		eventually(t, "it is back", func() bool {
			r, err := s.m.active("sample")
			return err == nil && r.process.child.ID() != fmt.Sprint(before) && s.row("sample").Crashes > 0
		})
	}
	crash()
	if s.row("sample").CrashedEarly {
		t.Error("there is nothing to go back to")
	}
	s.install(kit{version: "1.1.0"})
	s.site.Clock.Advance(earlyCrash / 2)
	crash()
	if row := s.row("sample"); !row.CrashedEarly || row.State != Active {
		t.Errorf("after an early crash: %v", row.State)
	}
	s.site.Clock.Advance(2 * remembered)
	s.ann = s.site.SignIn(t, "admin@example.com")
	if s.row("sample").CrashedEarly {
		t.Error("it is held against it for ever")
	}
	crash()
	if s.row("sample").CrashedEarly {
		t.Error("a late crash is held against it")
	}
}

// What was withdrawn doesn't come back with an old version, whichever version asked for it when it
// was taken.
func TestNoGrantComesBackWithAnOldVersion(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	ctx := t.Context()
	s.active(kit{grants: switchFind})
	s.install(kit{version: "1.1.0", grants: switchFind})
	if err := s.m.SetGrants(ctx, s.ann.Who(), "sample", []string{"session.switch"}); err != nil {
		t.Fatal(err)
	}
	s.install(kit{version: "1.2.0", grants: onlySwitch})
	if err := s.m.SetGrants(ctx, s.ann.Who(), "sample", []string{"session.switch"}); err != nil { // 1.2.0 doesn't ask for the other
		t.Fatal(err)
	}
	oldest := s.versions()[1]
	if oldest.Version != "1.0.0" || len(oldest.Gains) != 0 || len(oldest.Loses) != 0 {
		t.Errorf("%+v", oldest)
	}
	if err := s.rollBack(oldest.SHA256); err != nil {
		t.Fatal(err)
	}
	s.runs("1.0.0", "session.switch")
}

func TestTheListSaysWhatAVersionMayDo(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{grants: onlySwitch})
	s.install(kit{version: "1.1.0", grants: switchFind})
	if _, err := s.m.AcceptGrants(t.Context(), s.ann.Who(), "sample"); err != nil {
		t.Fatal(err)
	}
	before := s.versions()[0]
	if before.Version != "1.0.0" || len(before.Gains) != 0 || len(before.Loses) != 1 || before.Loses[0].Name != "directory.read" || before.WhyNot != nil {
		t.Errorf("%+v", before)
	}
	if err := s.rollBack(""); err != nil {
		t.Fatal(err)
	}
	s.runs("1.0.0", "session.switch")
	forward := s.versions()[0]
	if forward.Version != "1.1.0" || len(forward.Gains) != 1 || forward.Gains[0].Why != "To find people." || len(forward.Loses) != 0 {
		t.Errorf("%+v", forward)
	}
	if err := s.rollBack(""); err != nil {
		t.Fatal(err)
	}
	s.runs("1.1.0", "session.switch", "directory.read")
}

// Three versions are kept, with their folders; older ones go, with their packages. Nothing else in
// the folder is touched.
func TestThreeVersionsAreKept(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	oldest := s.row("sample").SHA256
	ours := filepath.Join(s.m.shelf.path, "sample")
	for _, name := range []string{"languages", "my notes", "0.9.0"} {
		if err := os.MkdirAll(filepath.Join(ours, name), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 {
		s.install(kit{version: fmt.Sprintf("1.%d.0", i+1)})
	}
	if got := numbers(s.versions()); !slices.Equal(got, []string{"1.3.0", "1.2.0", "1.1.0"}) {
		t.Errorf("kept: %v", got)
	}
	if got := s.folders(); !slices.Equal(got, []string{"1.1.0", "1.2.0", "1.3.0", "1.4.0", "languages", "my notes"}) {
		t.Errorf("folders: %v", got)
	}
	if _, err := s.site.App.ModulePackage(t.Context(), oldest); crm.KindOf(err) != crm.NotFound {
		t.Errorf("the package of 1.0.0: %v", err)
	}
	if _, err := s.site.App.ModulePackage(t.Context(), s.versions()[2].SHA256); err != nil {
		t.Errorf("the package of 1.1.0: %v", err)
	}
	// A kept version is whole even when somebody removed its folder.
	if err := os.RemoveAll(filepath.Join(ours, "1.1.0")); err != nil {
		t.Fatal(err)
	}
	if err := s.rollBack(s.versions()[2].SHA256); err != nil {
		t.Fatal(err)
	}
	if err := s.m.Deactivate(t.Context(), s.ann.Who(), "sample"); err != nil {
		t.Fatal(err)
	}
	if err := s.m.Uninstall(t.Context(), s.ann.Who(), "sample", false, ""); err != nil {
		t.Fatal(err)
	}
	if kept, err := s.site.App.KeptVersions(t.Context()); err != nil || len(kept) != 0 {
		t.Errorf("kept after uninstall: %v %v", kept, err)
	}
}

// Another package of the version that runs gets a folder of its own: the running one's files stay
// as they are, whatever becomes of the other, and none of them is seen by it.
func TestTwoPackagesOfOneVersion(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{files: map[string]string{"languages/fr.json": `{"item":"Paquet"}`}})
	folder := filepath.Join(s.m.shelf.path, "sample", "1.0.0")
	if err := os.WriteFile(filepath.Join(folder, "languages", "de.json"), []byte(`{"item":"Muster"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	bundle := mustBundle(t, kit{files: map[string]string{"languages/fr.json": `{"item":"Paquet"}`}})
	whole := func() {
		t.Helper()
		if err := s.m.shelf.check("sample", "1.0.0", bundle.sums); err != nil {
			t.Errorf("the first one's folder: %v", err)
		}
	}
	if _, err := s.tryInstall(kit{mode: "exit"}); err == nil {
		t.Fatal("it took over")
	}
	whole()
	if got := s.folders(); !slices.Equal(got, []string{"1.0.0"}) {
		t.Errorf("folders: %v", got)
	}
	s.install(kit{mode: "migrate"})
	whole()
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	if name := filepath.Base(r.placed.folder); !strings.HasPrefix(name, "1.0.0~") {
		t.Errorf("it runs from %s", name)
	}
	// What was dropped into the folder comes along, what the other package brought doesn't.
	if got := r.texts.Load().tags(); !slices.Equal(got, []string{"de", "en", "es"}) {
		t.Errorf("languages: %v", got)
	}
	if err := s.rollBack(""); err != nil {
		t.Fatal(err)
	}
	s.runs("1.0.0", "session.switch", "directory.read", "audit.write")
	if r, _ := s.m.active("sample"); filepath.Base(r.placed.folder) != "1.0.0" {
		t.Errorf("it runs from %s", r.placed.folder)
	}
	// A shell knows nothing of what runs, and leaves the folder alone, too.
	third := kit{files: map[string]string{"assets/third": "x"}}
	installHere(t, s.shell(), third)
	whole()
	eventually(t, "the third runs here", func() bool {
		r, err := s.m.active("sample")
		return err == nil && r.row.SHA256 == mustBundle(t, third).sha256
	})
	whole()
}

// The kept package is checked as when it came: by its signature, and by whose may be installed now.
func TestAKeptPackageIsCheckedAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	s.install(kit{version: "1.1.0"})
	s.m.requireSignature = true
	wantKey(t, s.rollBack(""), crm.Denied, "module_signature_missing")
	if v := s.versions()[0]; v.WhyNot == nil || v.WhyNot.Key != "module_signature_missing" {
		t.Errorf("why not: %v", v.WhyNot)
	}
	s.m.requireSignature = false
	if v := s.versions()[0]; v.WhyNot != nil {
		t.Errorf("why not: %v", v.WhyNot)
	}
	s.m.hostVersion = "1.0.0"
	wantKey(t, s.rollBack(""), crm.Unavailable, "module_host_too_old")
	if v := s.versions()[0]; v.WhyNot == nil || v.WhyNot.Key != "module_host_too_old" {
		t.Errorf("why not: %v", v.WhyNot)
	}
	s.runs("1.1.0", "session.switch", "directory.read", "audit.write")
}
