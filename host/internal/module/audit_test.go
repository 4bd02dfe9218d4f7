package module

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// entries are those about modules and keys, newest first.
func (s *stage) entries() []crm.AuditEntry {
	s.t.Helper()
	page, err := s.site.App.Activity(s.t.Context(), crm.Operator(), crm.Query{Limit: 500})
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.DeleteFunc(page.Rows, func(e crm.AuditEntry) bool {
		return !strings.HasPrefix(e.Action, "module_") && !strings.HasPrefix(e.Action, "trusted_key_") && !strings.HasPrefix(e.Action, "settings_")
	})
}

// told is one step of a module's life and the one entry it leaves.
type told struct {
	name   string
	do     func() error
	fails  bool
	action string
	object string            // module:sample when empty, "-" for none
	detail map[string]string // what must stand in it; "…" for anything
}

func (s *stage) tells(q told) {
	s.t.Helper()
	before := len(s.entries())
	if err := q.do(); (err != nil) != q.fails {
		s.t.Errorf("%s: %v", q.name, err)
	}
	fresh := s.entries()
	fresh = fresh[:len(fresh)-before]
	if len(fresh) != 1 {
		s.t.Errorf("%s: %d entries: %+v", q.name, len(fresh), fresh)
		return
	}
	e := fresh[0]
	object := strings.TrimPrefix(or(q.object, "module:sample"), "-")
	if e.Action != q.action || e.Object != object || e.ActorName != "Ann Lee" || e.Actor.Kind != crm.Staff || e.IP != "192.0.2.7" || e.RequestID != "test" {
		s.t.Errorf("%s: %s %q by %q from %q", q.name, e.Action, e.Object, e.ActorName, e.IP)
	}
	for _, name := range slices.Sorted(maps.Keys(q.detail)) {
		if got := e.Detail[name]; got != q.detail[name] && (q.detail[name] != "…" || got == "") {
			s.t.Errorf("%s: %s is %q, want %q", q.name, name, got, q.detail[name])
		}
	}
}

func hexSum(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

func TestEveryStepOfAModulesLifeIsOnRecordOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	ctx, all := t.Context(), "session.switch directory.read audit.write"
	good, upgrade, dies, other := kit{grants: onlySwitch}.zip(t), kit{version: "1.1.0"}.zip(t), kit{version: "1.0.1", mode: "exit", grants: onlySwitch}.zip(t), kit{id: "other", mode: "exit"}.zip(t)
	acme := newPublisher(t)
	var staged string
	upload := func(name string, data []byte) func() error {
		return func() error {
			review, err := s.m.Upload(ctx, s.ann.Who(), name, bytes.NewReader(data))
			staged = review.StagedID
			return err
		}
	}
	install := func() error { _, err := s.m.Install(ctx, s.ann.Who(), staged); return err }
	// what every entry says of the version it is about
	says := func(pkg []byte, version, result string, more ...string) map[string]string {
		detail := map[string]string{"version": version, "sha256": hexSum(pkg), "signer": "nobody", "result": result}
		for i := 0; i < len(more); i += 2 {
			detail[more[i]] = more[i+1]
		}
		return detail
	}
	revision := s.revision()
	for _, q := range []told{
		{name: "a file that is none", do: upload("holiday.zip", []byte("no zip")), fails: true, action: "module_upload_refused", object: "-", detail: map[string]string{"file": "holiday.zip", "sha256": hexSum([]byte("no zip")), "result": "…"}},
		{name: "uploaded", do: upload("sample.zip", good), action: "module_uploaded", detail: says(good, "1.0.0", "uploaded", "file", "sample.zip", "asks", "session.switch")},
		{name: "cancelled", do: func() error { return s.m.DropReview(ctx, s.ann.Who(), staged) }, action: "module_review_cancelled", detail: says(good, "1.0.0", "cancelled", "file", "sample.zip")},
	} {
		s.tells(q)
	}
	if now := s.revision(); now != revision {
		t.Errorf("looking at packages moved the revision from %d to %d", revision, now)
	}
	s.site.Clock.Advance(20 * time.Minute) // the password of the sign-in counts no longer
	for _, q := range []told{
		{name: "uploaded again", do: upload("sample.zip", good), action: "module_uploaded"},
		{name: "wrong password", do: func() error { return s.m.ConfirmInstall(ctx, s.ann.Who(), staged, "a guess") }, fails: true, action: "module_step_failed", detail: says(good, "1.0.0", "password_wrong", "step", "install")},
		{name: "installed", do: func() error {
			if err := s.m.ConfirmInstall(ctx, s.ann.Who(), staged, app.DemoPassword); err != nil {
				return err
			}
			return install()
		}, action: "module_installed", detail: says(good, "1.0.0", "installed")},
		{name: "activated", do: func() error { return s.m.Activate(ctx, s.ann.Who(), "sample") }, action: "module_activated", detail: says(good, "1.0.0", "activated", "grants", "session.switch")},
		{name: "settings", do: func() error {
			return s.m.SaveSettings(ctx, s.ann.Who(), "sample", map[string]string{"minutes": "7"})
		}, action: "settings_changed", object: "settings:sample", detail: map[string]string{"minutes": "7"}},
		{name: "language", do: func() error {
			return s.site.App.PutModuleLanguage(ctx, s.ann.Who(), "sample", "fr", []byte(`{"item":"Choisir"}`))
		}, action: "module_language_uploaded", detail: map[string]string{"language": "fr", "result": "uploaded"}},
		{name: "language deleted", do: func() error { return s.site.App.DeleteModuleLanguage(ctx, s.ann.Who(), "sample", "fr") }, action: "module_language_deleted", detail: map[string]string{"language": "fr", "result": "deleted"}},
		{name: "an upgrade uploaded", do: upload("sample.zip", upgrade), action: "module_uploaded", detail: says(upgrade, "1.1.0", "uploaded", "asks", all)},
		{name: "held", do: func() error { s.confirm(); return install() }, action: "module_held", detail: says(upgrade, "1.1.0", "waiting", "asks", "directory.read audit.write")},
		{name: "dropped", do: func() error { return s.m.DropWaiting(ctx, s.ann.Who(), "sample") }, action: "module_grants_refused", detail: says(upgrade, "1.1.0", "dropped")},
		{name: "an upgrade uploaded again", do: upload("sample.zip", upgrade), action: "module_uploaded"},
		{name: "held again", do: func() error { s.confirm(); return install() }, action: "module_held"},
		{name: "wrong password before accepting", do: func() error { return s.m.ConfirmAccept(ctx, s.ann.Who(), "sample", "a guess") }, fails: true, action: "module_step_failed", detail: says(upgrade, "1.1.0", "password_wrong", "step", "accept")},
		{name: "accepted", do: func() error { s.confirm(); _, err := s.m.AcceptGrants(ctx, s.ann.Who(), "sample"); return err }, action: "module_grants_accepted", detail: says(upgrade, "1.1.0", "installed", "grants", all, "replaces", "1.0.0")},
		{name: "one that dies uploaded", do: upload("sample.zip", dies), action: "module_uploaded"},
		{name: "not installed", do: func() error { s.confirm(); return install() }, fails: true, action: "module_step_failed", detail: says(dies, "1.0.1", "module_start_exit", "step", "install")},
		{name: "grants taken back", do: func() error { return s.m.SetGrants(ctx, s.ann.Who(), "sample", []string{"session.switch"}) }, action: "module_grants_changed", detail: says(upgrade, "1.1.0", "changed", "grants", "session.switch", "before", all)},
		{name: "wrong password before going back", do: func() error {
			s.site.Clock.Advance(20 * time.Minute)
			return s.m.ConfirmRollBack(ctx, s.ann.Who(), "sample", "", "a guess")
		}, fails: true, action: "module_step_failed", detail: says(good, "1.0.0", "password_wrong", "step", "rollback")},
		{name: "rolled back", do: func() error { return s.rollBack("") }, action: "module_rolled_back", detail: says(good, "1.0.0", "rolled back", "replaces", "1.1.0")},
		{name: "exported", do: func() error { return s.m.Export(ctx, s.ann.Who(), "sample", io.Discard) }, action: "module_exported", detail: says(good, "1.0.0", "exported", "settings", "1", "log_lines", "…")},
		{name: "deactivated", do: func() error { return s.m.Deactivate(ctx, s.ann.Who(), "sample") }, action: "module_deactivated", detail: says(good, "1.0.0", "deactivated", "grants", "session.switch")},
		{name: "reset", do: func() error { return s.m.ResetData(ctx, s.ann.Who(), "sample", "Sample") }, action: "module_data_deleted", detail: says(good, "1.0.0", "data deleted", "settings", "1", "roles", "1")},
		{name: "another uploaded", do: upload("other.zip", other), action: "module_uploaded", object: "module:other"},
		{name: "another installed", do: func() error { s.confirm(); return install() }, action: "module_installed", object: "module:other"},
		{name: "not activated", do: func() error { return s.m.Activate(ctx, s.ann.Who(), "other") }, fails: true, action: "module_step_failed", object: "module:other", detail: says(other, "1.0.0", "module_start_exit", "step", "activate")},
		{name: "uninstalled", do: func() error { return s.m.Uninstall(ctx, s.ann.Who(), "other", false, "") }, action: "module_uninstalled", object: "module:other", detail: says(other, "1.0.0", "uninstalled", "data_deleted", "false")},
		{name: "uninstalled with its data", do: func() error { return s.m.Uninstall(ctx, s.ann.Who(), "sample", true, "Sample") }, action: "module_uninstalled", detail: says(good, "1.0.0", "uninstalled", "data_deleted", "true")},
		{name: "a key trusted", do: func() error {
			_, err := s.site.App.AddTrustedKey(ctx, s.ann.Who(), "ACME", string(acme.public))
			return err
		}, action: "trusted_key_added", object: "trusted_key:" + acme.id, detail: map[string]string{"name": "ACME", "public_key": "…"}},
		{name: "signed", do: upload("sample.zip", acme.sign(good)), action: "module_uploaded", detail: map[string]string{"signer": "ACME (" + acme.id + ")"}},
		{name: "a key trusted no longer", do: func() error { return s.site.App.RemoveTrustedKey(ctx, s.ann.Who(), acme.id) }, action: "trusted_key_removed", object: "trusted_key:" + acme.id, detail: map[string]string{"name": "ACME"}},
	} {
		s.tells(q)
	}
}

// What nobody did has no person: the process ended, was started again, and was given up.
func TestCrashesAreOnRecordWithTheirReasonAndWhoPressedRetry(t *testing.T) {
	needLinux(t)
	t.Parallel()
	s := newStage(t, func(q *timing) { q.maxCrashes = 2 })
	s.active(kit{})
	sum := s.row("sample").SHA256
	first := len(s.entries())
	told := func(n int) []crm.AuditEntry {
		eventually(t, fmt.Sprint(n, " more entries"), func() bool { return len(s.entries()) >= first+n })
		list := s.entries()
		list = list[:len(list)-first]
		slices.Reverse(list)
		return list
	}
	kill(t, s.pid("sample"))
	told(2)
	eventually(t, "it is back", func() bool { return s.row("sample").State == Active })
	kill(t, s.pid("sample"))
	told(3)
	eventually(t, "it is given up", func() bool { return s.row("sample").State == Failed })
	if err := s.m.Retry(t.Context(), s.ann.Who(), "sample"); err != nil {
		t.Fatal(err)
	}
	list := told(4)
	for i, want := range []struct{ action, result, reason, by string }{
		{"module_state", "restarting", "module_crashed_signal Signal=SIGKILL", ""},
		{"module_state", "active", "", ""},
		{"module_state", "failed", "module_crashed_signal Signal=SIGKILL", ""},
		{"module_retried", "retried", "", "Ann Lee"},
	} {
		e := list[i]
		if e.Action != want.action || e.Detail["result"] != want.result || e.Detail["reason"] != want.reason || e.ActorName != want.by || e.Detail["version"] != "1.0.0" || e.Detail["sha256"] != sum || e.Detail["grants"] == "" {
			t.Errorf("entry %d: %+v, want %+v", i, e, want)
		}
	}
	if len(list) != 4 {
		t.Errorf("%d entries: %+v", len(list), list)
	}
}

func TestRefusedUploadsAreNoWayToFillTheLog(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	ben, before, revision := s.site.SignIn(t, "ben@example.com").Who(), len(s.entries()), s.revision()
	_, err := s.m.Upload(t.Context(), ben, "x.zip", strings.NewReader("no zip"))
	wantKey(t, err, crm.Denied, "administrators_only")
	if err := s.m.RefuseUpload(t.Context(), ben, "x.zip", nil, crm.Refuse(crm.Invalid, "module_not_zip")); crm.KeyOf(err) != "module_not_zip" {
		t.Error(err)
	}
	if n := len(s.entries()); n != before {
		t.Errorf("Ben wrote %d entries", n-before)
	}
	s.m.maxUpload = 10
	if _, err := s.m.Upload(t.Context(), s.ann.Who(), "../../a\u202e\nb.zip", strings.NewReader(strings.Repeat("x", 11))); crm.KindOf(err) != crm.TooLarge {
		t.Error(err)
	}
	e := s.entries()[0]
	if e.Detail["file"] != "ab.zip" || e.Detail["result"] != "module_too_big" || e.Detail["sha256"] != "" {
		t.Errorf("%+v", e)
	}
	if now := s.revision(); now != revision {
		t.Errorf("the revision moved from %d to %d: everybody is asked again", revision, now)
	}
}
