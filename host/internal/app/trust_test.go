package app_test

import (
	"testing"
	"time"

	"aead.dev/minisign"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

func publicKey(t *testing.T) (text, line string) {
	t.Helper()
	public, _, err := minisign.GenerateKey(nil)
	must(t, err)
	file, err := public.MarshalText()
	must(t, err)
	return string(file), public.String()
}

func TestKeysAreTrustedAndNoLonger(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		ctx, who := t.Context(), s.SignIn(t, ann).Who()
		file, line := publicKey(t)
		before, err := s.App.Revision(ctx)
		must(t, err)
		k, err := s.App.AddTrustedKey(ctx, who, " Acme  Software ", file+"\n")
		must(t, err)
		if k.Name != "Acme Software" || k.PublicKey != line || len(k.KeyID) != 16 || k.AddedBy != "Ann Lee" {
			t.Errorf("added %+v", k)
		}
		after, err := s.App.Revision(ctx)
		if must(t, err); after <= before {
			t.Error("the revision was not raised")
		}
		if _, err := s.App.AddTrustedKey(ctx, who, "Impostor", line); crm.KeyOf(err) != "trusted_key_exists" || crm.KindOf(err) != crm.Conflict {
			t.Errorf("twice: %v", err)
		}
		_, other := publicKey(t)
		if _, err := s.App.AddTrustedKey(ctx, who, "Beta", other); err != nil {
			t.Errorf("by its line alone: %v", err)
		}
		keys, err := s.App.TrustedKeys(ctx, who)
		if must(t, err); len(keys) != 2 || keys[0] != k || keys[1].Name != "Beta" {
			t.Errorf("listed %+v", keys)
		}
		must(t, s.App.RemoveTrustedKey(ctx, who, k.KeyID))
		if _, err := s.App.TrustedKey(ctx, k.KeyID); crm.KeyOf(err) != "trusted_key_not_found" {
			t.Errorf("removed: %v", err)
		}
		if err := s.App.RemoveTrustedKey(ctx, who, k.KeyID); crm.KeyOf(err) != "trusted_key_not_found" {
			t.Errorf("removed twice: %v", err)
		}
		if added, removed := s.Audit(t, "trusted_key_added"), s.Audit(t, "trusted_key_removed"); len(added) != 2 || len(removed) != 1 ||
			removed[0].Object != "trusted_key:"+k.KeyID || removed[0].Detail["name"] != "Acme Software" {
			t.Errorf("entries: %+v %+v", added, removed)
		}
	})
}

// Another key under a trusted id doesn't take its place: ids are anybody's to claim.
func TestAKeyCantTakeAnothersPlace(t *testing.T) {
	s := hosttest.NewSite(t)
	_, line := publicKey(t)
	_, err := s.App.AddTrustedKey(t.Context(), crm.Operator(), "Acme", line)
	must(t, err)
	_, other := publicKey(t)
	forged := line[:14] + other[14:] // base64: about the algorithm and the id of one, the key of the other
	_, err = s.App.AddTrustedKey(t.Context(), crm.Operator(), "Evil", forged)
	keys, listErr := s.App.TrustedKeys(t.Context(), crm.Operator())
	must(t, listErr)
	for _, k := range keys {
		if k.Name == "Acme" && k.PublicKey != line {
			t.Errorf("%+v after %v", k, err)
		}
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	s := hosttest.NewSite(t)
	file, line := publicKey(t)
	for name, text := range map[string]string{
		"nothing": "", "words": "trust me", "cut off": line[:40], "longer": line + "AAAA", "a comment alone": "untrusted comment: minisign public key\n",
		"endless": file + string(make([]byte, 1<<20)), "a signature's algorithm": "RUQ" + line[3:], "NUL": "\x00\x00",
	} {
		if _, err := s.App.AddTrustedKey(t.Context(), crm.Operator(), "Acme", text); crm.KeyOf(err) != "trusted_key_invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.App.AddTrustedKey(t.Context(), crm.Operator(), " ", line); crm.KeyOf(err) != "name_invalid" {
		t.Errorf("no name: %v", err)
	}
	if keys, err := s.App.TrustedKeys(t.Context(), crm.Operator()); err != nil || len(keys) != 0 || len(s.Audit(t, "trusted_key_added")) != 0 {
		t.Errorf("left behind: %v %v", keys, err)
	}
}

func TestTrustIsForAdministratorsAsThemselves(t *testing.T) {
	s := hosttest.NewSite(t)
	ctx := t.Context()
	_, line := publicKey(t)
	uses := map[string]func(crm.Who) error{
		"add":    func(w crm.Who) error { _, err := s.App.AddTrustedKey(ctx, w, "X", line); return err },
		"remove": func(w crm.Who) error { return s.App.RemoveTrustedKey(ctx, w, "X") },
		"hold":   func(w crm.Who) error { return s.App.HoldModule(ctx, w, crm.Module{ID: "xx"}, nil, nil) },
		"accept": func(w crm.Who) error { return s.App.AcceptModule(ctx, w, "xx", "", nil, crm.ModuleTrial{}) },
		"drop":   func(w crm.Who) error { return s.App.DropWaitingModule(ctx, w, "xx") },
		"grants": func(w crm.Who) error { return s.App.SetModuleGrants(ctx, w, "xx", nil, nil) },
	}
	switched := s.SignIn(t, ann)
	switched.Become(ben)
	for name, use := range uses {
		if err := use(crm.Who{}); crm.KindOf(err) != crm.SignedOut {
			t.Errorf("%s by nobody: %v", name, err)
		}
		for _, w := range []crm.Who{s.SignIn(t, ben).Who(), s.SignIn(t, jane).Who(), switched.Who()} {
			if err := use(w); crm.KindOf(err) != crm.Denied {
				t.Errorf("%s by %s: %v", name, w.Subject.Name, err)
			}
		}
	}
	if _, err := s.App.TrustedKeys(ctx, s.SignIn(t, ben).Who()); crm.KindOf(err) != crm.Denied {
		t.Errorf("list: %v", err)
	}
	if err := s.App.ConfirmPassword(ctx, switched.Who(), app.DemoPassword); crm.KindOf(err) != crm.Denied {
		t.Errorf("confirm while switched: %v", err)
	}
}

func TestInstallingAsksForTheOwnPassword(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		ctx, visitor, elsewhere := t.Context(), s.SignIn(t, ann), s.SignIn(t, ann)
		s.Clock.Advance(20 * time.Minute) // the password of the sign-in is long past
		install := func(who crm.Who) error {
			return s.App.InstallModule(ctx, who, crm.Module{ID: "sample", Version: "1.0.0", Manifest: []byte("{}"), SHA256: "aa"}, []byte("zip"), crm.ModuleTrial{}, "")
		}
		refused := func(what string, who crm.Who) {
			t.Helper()
			if err := install(who); crm.KeyOf(err) != "password_confirmation_needed" || crm.KindOf(err) != crm.Denied {
				t.Errorf("%s: %v", what, err)
			}
			if err := s.App.CheckConfirmed(ctx, who); crm.KeyOf(err) != "password_confirmation_needed" {
				t.Errorf("%s: %v", what, err)
			}
		}
		who := visitor.Who()
		refused("without it", who)
		if _, err := s.App.ModulePackage(ctx, "aa"); crm.KindOf(err) != crm.NotFound {
			t.Errorf("its package is there: %v", err)
		}
		if err := s.App.ConfirmPassword(ctx, who, "not her password"); crm.KeyOf(err) != "password_wrong" || crm.KindOf(err) != crm.Invalid {
			t.Errorf("wrong: %v", err)
		}
		refused("with a wrong one", who)

		must(t, s.App.ConfirmPassword(ctx, who, app.DemoPassword))
		refused("in another session of hers", elsewhere.Who())
		nameless := who
		nameless.Session = crm.Session{}
		refused("without a session", nameless)
		must(t, install(who))
		refused("a second time", who)

		must(t, s.App.ConfirmPassword(ctx, who, app.DemoPassword))
		s.Clock.Advance(15 * time.Minute)
		refused("too late", visitor.Who())
		if err := install(crm.Operator()); err != nil {
			t.Errorf("at the command line: %v", err)
		}
	})
}

// Who has just signed in gave the password a moment ago; when that is a quarter of an hour past it
// is asked for again.
func TestAFreshSignInCountsAsThePassword(t *testing.T) {
	s := hosttest.NewSite(t)
	visitor := s.SignIn(t, ann)
	s.Clock.Advance(15*time.Minute - time.Second)
	must(t, s.App.CheckConfirmed(t.Context(), visitor.Who()))
	must(t, s.App.ConfirmPassword(t.Context(), visitor.Who(), ""))
	s.Clock.Advance(time.Second)
	if err := s.App.ConfirmPassword(t.Context(), visitor.Who(), ""); crm.KeyOf(err) != "password_confirmation_needed" || len(s.Audit(t, "sign_in_failed")) != 0 {
		t.Errorf("none given, a quarter of an hour later: %v", err)
	}
	if err := s.App.CheckConfirmed(t.Context(), visitor.Who()); crm.KeyOf(err) != "password_confirmation_needed" {
		t.Errorf("a quarter of an hour later: %v", err)
	}
}

// Guessing there locks out as guessing at the sign-in does, and the two count together.
func TestConfirmingLocksOutLikeSigningIn(t *testing.T) {
	s := hosttest.NewSite(t)
	who := s.SignIn(t, ann).Who()
	for range 3 {
		if err := s.App.ConfirmPassword(t.Context(), who, "a guess"); crm.KeyOf(err) != "password_wrong" {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := s.App.ChangeOwnPassword(t.Context(), who, "a guess", "another-password"); crm.KeyOf(err) != "password_wrong" {
			t.Fatal(err)
		}
	}
	if err := s.App.ConfirmPassword(t.Context(), who, app.DemoPassword); crm.KeyOf(err) != "sign_in_locked" {
		t.Errorf("confirm: %v", err)
	}
	if err := signIn(t, s, crm.Admin, ann, app.DemoPassword); crm.KeyOf(err) != "sign_in_locked" {
		t.Errorf("sign in: %v", err)
	}
	if got := len(s.Audit(t, "sign_in_failed")); got != 5 {
		t.Errorf("%d entries", got)
	}
}

func TestAVersionWaitsBesideTheInstalledOne(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		ctx, who := t.Context(), crm.Operator()
		signer := crm.Signer{KeyID: "0123456789ABCDEF", Name: "Acme", PublicKey: "RW", Trusted: true, Comment: "so \"be\" it"}
		version := func(v string) crm.Module {
			return crm.Module{ID: "sample", Version: v, Manifest: []byte("{}"), SHA256: "sha-" + v, Signer: signer}
		}
		if err := s.App.HoldModule(ctx, who, version("2.0.0"), nil, nil); crm.KeyOf(err) != "module_not_found" {
			t.Errorf("beside nothing: %v", err)
		}
		must(t, s.App.InstallModule(ctx, who, version("1.0.0"), []byte("one"), crm.ModuleTrial{}, ""))
		must(t, s.App.ActivateModule(ctx, who, "sample", "sha-1.0.0", []string{"a"}, crm.ModuleTrial{}))
		must(t, s.App.SetModuleGrants(ctx, who, "sample", []string{"a"}, []string{"b"}))
		must(t, s.App.HoldModule(ctx, who, version("1.1.0"), []string{"c"}, []byte("two")))
		must(t, s.App.HoldModule(ctx, who, version("1.2.0"), []string{"c"}, []byte("three")))
		if _, err := s.App.ModulePackage(ctx, "sha-1.1.0"); crm.KindOf(err) != crm.NotFound {
			t.Errorf("a waiting version that was replaced: %v", err)
		}
		m, err := s.App.Module(ctx, "sample")
		if must(t, err); m.Version != "1.0.0" || !m.Activated || m.Signer != signer || len(m.Withdrawn) != 1 {
			t.Errorf("installed %+v", m)
		}
		waiting, err := s.App.WaitingModule(ctx, "sample")
		if must(t, err); waiting.Version != "1.2.0" || !waiting.Waiting || waiting.Signer != signer {
			t.Errorf("waiting %+v", waiting)
		}
		if err := s.App.AcceptModule(ctx, who, "sample", "sha-1.1.0", nil, crm.ModuleTrial{}); crm.KeyOf(err) != "module_changed_meanwhile" {
			t.Errorf("another one: %v", err)
		}
		must(t, s.App.AcceptModule(ctx, who, "sample", "sha-1.2.0", []string{"a", "c"}, crm.ModuleTrial{}))
		m, err = s.App.Module(ctx, "sample")
		if must(t, err); m.Version != "1.2.0" || !m.Activated || len(m.Grants) != 2 || len(m.Withdrawn) != 1 || m.Signer != signer || m.Waiting {
			t.Errorf("accepted %+v", m)
		}
		if list, err := s.App.WaitingModules(ctx); err != nil || len(list) != 0 {
			t.Errorf("still waiting: %v %v", list, err)
		}
		must(t, s.App.HoldModule(ctx, who, version("2.0.0"), nil, []byte("four")))
		must(t, s.App.DropWaitingModule(ctx, who, "sample"))
		if err := s.App.DropWaitingModule(ctx, who, "sample"); crm.KeyOf(err) != "module_nothing_waiting" {
			t.Errorf("dropped twice: %v", err)
		}
		must(t, s.App.HoldModule(ctx, who, version("2.1.0"), nil, []byte("five")))
		must(t, s.App.DeactivateModule(ctx, who, "sample"))
		must(t, s.App.UninstallModule(ctx, who, "sample", false))
		if list, err := s.App.WaitingModules(ctx); err != nil || len(list) != 0 {
			t.Errorf("after uninstall: %v %v", list, err)
		}
		if _, err := s.App.ModulePackage(ctx, "sha-2.1.0"); crm.KindOf(err) != crm.NotFound {
			t.Errorf("its package: %v", err)
		}
		accepted := s.Audit(t, "module_grants_accepted")
		if len(accepted) != 1 || accepted[0].Detail["signer"] != "Acme (0123456789ABCDEF)" || accepted[0].Detail["sha256"] != "sha-1.2.0" ||
			accepted[0].Detail["grants"] != "a c" || accepted[0].Detail["replaces"] != "1.0.0" || accepted[0].Detail["result"] != "installed" {
			t.Errorf("entry: %+v", accepted)
		}
	})
}
