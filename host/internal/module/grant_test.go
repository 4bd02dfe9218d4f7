package module

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

const (
	onlySwitch  = `[{ "name": "session.switch", "why": "To decide." }]`
	switchFind  = `[{ "name": "session.switch", "why": "To decide." }, { "name": "directory.read", "why": "To find people." }]`
	onlyReading = `[{ "name": "directory.read", "why": "To find people." }]`
)

func (s *stage) runs(version string, grants ...string) {
	s.t.Helper()
	r, err := s.m.active("sample")
	if err != nil {
		s.t.Fatal(err)
	}
	if r.manifest.Version != version || !slices.Equal(r.holds(), grants) {
		s.t.Errorf("%s runs with %v, not %s with %v", r.manifest.Version, r.holds(), version, grants)
	}
}

func TestNewGrantsWaitForAWord(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	ctx := t.Context()
	s.active(kit{grants: onlySwitch})
	pid := s.pid("sample")
	review, err := s.upload(kit{version: "1.1.0"}.zip(t))
	if err != nil || review.Grants[0].New || !review.Grants[1].New || !review.Grants[2].New {
		t.Errorf("review: %+v %v", review.Grants, err)
	}
	m, err := s.tryInstall(kit{version: "1.1.0"})
	if err != nil || !m.Waiting || m.Version != "1.1.0" {
		t.Fatalf("installed %+v %v", m, err)
	}
	s.runs("1.0.0", "session.switch")
	if s.pid("sample") != pid {
		t.Error("the old version was started anew")
	}
	if _, err := os.Stat(filepath.Join(s.m.shelf.path, "sample", "1.1.0")); !os.IsNotExist(err) {
		t.Errorf("the new one is on disk: %v", err)
	}
	row := s.row("sample")
	if row.State != Active || row.Version != "1.0.0" || row.Waiting == nil || row.Waiting.Version != "1.1.0" || len(row.Waiting.Grants) != 2 || row.Waiting.Grants[1].Why != "To say what it did." {
		t.Fatalf("row: %+v %+v", row, row.Waiting)
	}

	ben := s.site.SignIn(t, "ben@example.com").Who()
	if _, err := s.m.AcceptGrants(ctx, ben, "sample"); crm.KindOf(err) != crm.Denied {
		t.Errorf("accepted by Ben: %v", err)
	}
	s.site.Clock.Advance(16 * time.Minute) // the sign-in is no longer fresh
	_, err = s.m.AcceptGrants(ctx, s.ann.Who(), "sample")
	wantKey(t, err, crm.Denied, "password_confirmation_needed")
	err = s.site.App.AcceptModule(ctx, s.ann.Who(), "sample", s.row("sample").Waiting.SHA256, nil, crm.ModuleTrial{})
	wantKey(t, err, crm.Denied, "password_confirmation_needed")
	s.confirm()
	if m, err = s.m.AcceptGrants(ctx, s.ann.Who(), "sample"); err != nil || m.Version != "1.1.0" || m.Waiting {
		t.Fatalf("accepted %+v %v", m, err)
	}
	s.runs("1.1.0", "session.switch", "directory.read", "audit.write")
	if row := s.row("sample"); row.Waiting != nil || row.State != Active {
		t.Errorf("row: %+v", row)
	}
	s.confirm()
	_, err = s.m.AcceptGrants(ctx, s.ann.Who(), "sample")
	wantKey(t, err, crm.NotFound, "module_nothing_waiting")
}

// A version that won't start with its new grants leaves the old one running, and waits on.
func TestAnAcceptedVersionThatWontStart(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{grants: onlySwitch})
	s.install(kit{version: "1.1.0", mode: "exit"})
	_, err := s.m.AcceptGrants(t.Context(), s.ann.Who(), "sample")
	if crm.KeyOf(err) != "module_start_exit" {
		t.Errorf("got %v", err)
	}
	s.runs("1.0.0", "session.switch")
	if row := s.row("sample"); row.Waiting == nil || row.Version != "1.0.0" || row.State != Active {
		t.Errorf("row: %+v", row)
	}
	failed := s.site.Audit(t, "module_step_failed")
	if len(failed) != 1 || failed[0].Detail["step"] != "accept" || failed[0].Detail["result"] != "module_start_exit" || failed[0].Detail["version"] != "1.1.0" {
		t.Errorf("entries: %+v", failed)
	}
	if err := s.m.DropWaiting(t.Context(), s.ann.Who(), "sample"); err != nil || s.row("sample").Waiting != nil {
		t.Errorf("dropped: %v", err)
	}
}

// The newest waiting version counts, an upgrade that asks for nothing new replaces both, and what
// was deactivated meanwhile stays so.
func TestWhatWaitsMayBeOvertaken(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{grants: onlySwitch})
	s.install(kit{version: "1.1.0"})
	s.install(kit{version: "1.2.0", grants: switchFind})
	if row := s.row("sample"); row.Waiting == nil || row.Waiting.Version != "1.2.0" || len(row.Waiting.Grants) != 1 {
		t.Errorf("row: %+v", row.Waiting)
	}
	s.install(kit{version: "1.3.0", grants: onlySwitch})
	s.runs("1.3.0", "session.switch")
	if row := s.row("sample"); row.Waiting != nil {
		t.Errorf("row: %+v", row.Waiting)
	}
	s.install(kit{version: "1.4.0"})
	if err := s.m.Deactivate(t.Context(), s.ann.Who(), "sample"); err != nil {
		t.Fatal(err)
	}
	if m, err := s.m.AcceptGrants(t.Context(), s.ann.Who(), "sample"); err != nil || m.Activated || m.Version != "1.4.0" {
		t.Errorf("accepted %+v %v", m, err)
	}
	if row := s.row("sample"); row.State != Installed || len(row.Grants) != 3 {
		t.Errorf("row: %+v", row)
	}
}

// Who is trusted counts when the word is given, too.
func TestAcceptingChecksTheSignatureAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	acme := newPublisher(t).trusted(s.site, "Acme")
	s.active(kit{grants: onlySwitch})
	s.m.requireSignature = true
	if m, err := s.put(acme.sign(kit{version: "1.1.0"}.zip(t))); err != nil || !m.Waiting || m.Signer.Name != "Acme" {
		t.Fatalf("%+v %v", m, err)
	}
	if err := s.site.App.RemoveTrustedKey(t.Context(), s.ann.Who(), acme.id); err != nil {
		t.Fatal(err)
	}
	_, err := s.m.AcceptGrants(t.Context(), s.ann.Who(), "sample")
	wantKey(t, err, crm.Denied, "module_signature_unknown_key")
	s.runs("1.0.0", "session.switch")
}

func TestGrantsAreTakenBackAndStayAway(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	ctx, who := t.Context(), s.ann.Who()
	if answer, text := s.get("/find"); answer.Status != http.StatusOK {
		t.Fatalf("before: %d %q", answer.Status, text)
	}
	pid := s.pid("sample")
	if err := s.m.SetGrants(ctx, who, "sample", []string{"session.switch"}); err != nil {
		t.Fatal(err)
	}
	s.runs("1.0.0", "session.switch")
	if s.pid("sample") == pid {
		t.Error("it was not started anew")
	}
	for _, path := range []string{"/find", "/audit"} {
		if answer, text := s.get(path); answer.Status != http.StatusForbidden {
			t.Errorf("%s: %d %q", path, answer.Status, text)
		}
	}
	if grants, err := s.m.Grants(ctx, who, "sample"); err != nil || grants[0].Withdrawn || !grants[1].Withdrawn || !grants[2].Withdrawn || grants[1].New {
		t.Errorf("grants: %+v %v", grants, err)
	}
	// Neither an upgrade nor Activate gives them back, and nobody is asked for them again.
	if m := s.install(kit{version: "1.1.0"}); m.Waiting {
		t.Error("the upgrade waits for what was withdrawn")
	}
	s.runs("1.1.0", "session.switch")
	if err := s.m.Deactivate(ctx, who, "sample"); err != nil {
		t.Fatal(err)
	}
	if err := s.m.Activate(ctx, who, "sample"); err != nil {
		t.Fatal(err)
	}
	s.runs("1.1.0", "session.switch")
	if err := s.m.SetGrants(ctx, who, "sample", []string{"audit.write", "session.switch", "directory.read"}); err != nil {
		t.Fatal(err)
	}
	s.runs("1.1.0", "session.switch", "directory.read", "audit.write")

	wantKey(t, s.m.SetGrants(ctx, who, "sample", []string{"network"}), crm.Invalid, "module_grant_unknown")
	if err := s.m.SetGrants(ctx, s.site.SignIn(t, "ben@example.com").Who(), "sample", nil); crm.KindOf(err) != crm.Denied {
		t.Errorf("by Ben: %v", err)
	}
	changed := s.site.Audit(t, "module_grants_changed")
	if len(changed) != 2 || changed[1].Detail["grants"] != "session.switch" || changed[1].Detail["before"] != "session.switch directory.read audit.write" {
		t.Errorf("entries: %+v", changed)
	}
}

// A process that is being stopped may still ask, but not for what was just taken back.
func TestWhatIsTakenBackIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	r.narrow([]string{"session.switch", "network"})
	s.runs("1.0.0", "session.switch")
	if answer, text := s.get("/find"); answer.Status != http.StatusForbidden {
		t.Errorf("%d %q", answer.Status, text)
	}
}

func TestWithoutItsGrantASwitchEnds(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	ben := s.site.SignIn(t, "ben@example.com")
	ben.Become("cleo@example.com")
	if err := s.m.SetGrants(t.Context(), s.ann.Who(), "sample", []string{"directory.read"}); err != nil {
		t.Fatal(err)
	}
	if who := ben.Who(); who.Switched() {
		t.Error("still switched")
	}
	if end := s.site.Switches(t)[0].End; end != crm.EndModuleOff {
		t.Errorf("ended as %s", end)
	}
	err := s.site.SignIn(t, "ben@example.com").TryBecome("cleo@example.com")
	wantKey(t, err, crm.Unavailable, "switch_module_off")
}

// Another process took the grant back: no decision of this one's module counts from that moment,
// not only from when it noticed.
func TestADecisionAsksTheDatabaseWhoMayDecide(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(q *timing) { q.poll = 1 << 40 })
	s.active(kit{})
	ben := s.site.SignIn(t, "ben@example.com")
	ben.Become("cleo@example.com")
	if err := s.site.App.SetModuleGrants(t.Context(), crm.Operator(), "sample", nil, []string{"session.switch"}); err != nil {
		t.Fatal(err)
	}
	if who := ben.Who(); who.Switched() {
		t.Error("still switched")
	}
	s.runs("1.0.0", "session.switch", "directory.read", "audit.write") // it has not noticed yet
}

func TestAnotherProcessMayChangeGrants(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	shell := New(Options{App: s.site.App, Dir: s.m.shelf.path, RunDir: s.m.runDir, AllowUpload: true, Log: s.m.log})
	if err := shell.SetGrants(t.Context(), crm.Operator(), "sample", []string{"session.switch"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it runs with less here", func() bool {
		r, err := s.m.active("sample")
		return err == nil && slices.Equal(r.holds(), []string{"session.switch"})
	})
	review, err := shell.Upload(t.Context(), crm.Operator(), "sample.zip", bytes.NewReader(kit{version: "2.0.0", grants: onlySwitch}.zip(t)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shell.Install(t.Context(), crm.Operator(), review.StagedID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the upgrade runs here", func() bool {
		r, err := s.m.active("sample")
		return err == nil && r.manifest.Version == "2.0.0"
	})
}

// What a module says it does beyond what its manifest asked for refuses activation.
func TestDescribeMayNotAskForMoreThanTheManifest(t *testing.T) {
	for name, c := range map[string]struct {
		kit kit
		key string
	}{
		"a hook without its grant": {kit{grants: onlyReading}, "module_wants_more"},
		"an undeclared capability": {kit{mode: "wants-capability"}, "module_contribution_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, nil)
			s.install(c.kit)
			err := s.m.Activate(t.Context(), s.ann.Who(), "sample")
			if crm.KeyOf(err) != c.key {
				t.Errorf("got %v, want %s", err, c.key)
			}
			if row := s.row("sample"); row.Activated || row.State != Installed || len(processesBelow(s.m.shelf.path)) != 0 {
				t.Errorf("row: %+v", row)
			}
			if failed := s.site.Audit(t, "module_step_failed"); len(failed) != 1 || failed[0].Detail["result"] != c.key || failed[0].Detail["step"] != "activate" {
				t.Errorf("entries: %+v", failed)
			}
		})
	}
}

// One administrator activates a module while another installs a version of it that asks for more.
func TestAnUpgradeThatMetAnActivationWaits(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.install(kit{grants: onlySwitch})
	review, err := s.upload(kit{version: "1.1.0"}.zip(t))
	if err != nil {
		t.Fatal(err)
	}
	who, activated := s.ann.Who(), make(chan error, 1)
	go func() { activated <- s.m.Activate(t.Context(), who, "sample") }()
	eventually(t, "it is being activated", func() bool { return s.row("sample").State == Starting })
	m, err := s.m.Install(t.Context(), who, review.StagedID)
	if err = errors.Join(err, <-activated); err != nil || !m.Waiting {
		t.Errorf("installed %s, waiting %t: %v", m.Version, m.Waiting, err)
	}
	s.runs("1.0.0", "session.switch")
}
