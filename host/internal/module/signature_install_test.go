package module

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

func TestWhatIsNotAsSignedIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	needLinux(t)
	t.Parallel()
	hosttest.OnBothEngines(t, func(t *testing.T, site *hosttest.Site) {
		s := &stage{t: t, site: site, m: newManager(t, site, nil), ann: site.SignIn(t, "admin@example.com")}
		acme, unknown := newPublisher(t).trusted(site, "Acme"), newPublisher(t)
		good := acme.sign(zipOf(t, small(nil)))
		other := acme.sign(zipOf(t, small(func(f map[string]string) { f["module.json"] = kit{id: "other"}.manifest() })))
		tests := map[string]struct {
			pkg     []byte
			key     string
			require bool
		}{
			"a changed file": {forge(t, good, func(f map[string]string) { f["languages/en.json"] = `{"item":"Other"}` }), "module_tampered", false},
			"changed sums": {forge(t, good, func(f map[string]string) {
				f["languages/en.json"] = `{"item":"Other"}`
				f[sumsName] = sumsOf(f)
			}), "module_signature_bad", false},
			"sums with one more space": {forge(t, good, func(f map[string]string) { f[sumsName] += "\n" }), "module_signature_bad", false},
			"another package's signature": {forge(t, good, func(f map[string]string) {
				f[signatureName] = parts(t, other)[signatureName]
			}), "module_signature_bad", false},
			"a known id, another key": {forge(t, good, func(f map[string]string) {
				f[signatureName] = claim(t, parts(t, unknown.sign(good))[signatureName], acme.key.ID())
			}), "module_signature_bad", false},
			"another comment": {forge(t, good, func(f map[string]string) {
				f[signatureName] = strings.Replace(f[signatureName], "sample 1.0.0", "sample 9.0.0", 1)
			}), "module_signature_bad", false},
			"an empty signature":    {forge(t, good, func(f map[string]string) { f[signatureName] = "" }), "module_signature_bad", false},
			"no signature":          {forge(t, good, func(f map[string]string) { f[signatureName] = "hello" }), "module_signature_bad", false},
			"an endless signature":  {forge(t, good, func(f map[string]string) { f[signatureName] += strings.Repeat("\n", maxSignature) }), "module_signature_bad", false},
			"unsigned, required":    {zipOf(t, small(nil)), "module_signature_missing", true},
			"unknown key, required": {unknown.sign(zipOf(t, small(nil))), "module_signature_unknown_key", true},
		}
		before := state(t, s)
		for name, c := range tests {
			s.m.requireSignature = c.require
			_, err := s.upload(c.pkg)
			if crm.KeyOf(err) != c.key {
				t.Errorf("%s: %v, want %s", name, err, c.key)
			}
			if e := asProblem(err); c.key == "module_signature_unknown_key" && e.Args["KeyID"] != unknown.id {
				t.Errorf("%s does not name the key: %v", name, e.Args)
			}
			if after := state(t, s); after != before {
				t.Errorf("%s left something:\n%s\nwas\n%s", name, after, before)
			}
		}
		s.m.requireSignature = true
		if _, err := s.put(good); err != nil {
			t.Errorf("a good one: %v", err)
		}
	})
}

// state is what a refusal must leave as it was.
func state(t testing.TB, s *stage) string {
	t.Helper()
	ctx := t.Context()
	modules, err := s.site.App.Modules(ctx)
	if err != nil {
		t.Fatal(err)
	}
	revision, err := s.site.App.Revision(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	_ = filepath.WalkDir(s.m.shelf.path, func(path string, _ os.DirEntry, _ error) error {
		files = append(files, path)
		return nil
	})
	activity, err := s.site.App.Activity(ctx, crm.Operator(), crm.Query{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	rest := slices.DeleteFunc(activity.Rows, func(e crm.AuditEntry) bool { return e.Action == "module_upload_refused" }) // the refusal's own record
	return fmt.Sprint(modules, revision, files, rest[0].ID)
}

// Who is trusted is asked again when Install is pressed.
func TestAKeyRemovedBetweenReviewAndInstall(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.m.requireSignature = true
	acme := newPublisher(t).trusted(s.site, "Acme")
	review, err := s.upload(acme.sign(kit{}.zip(t)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.site.App.RemoveTrustedKey(t.Context(), s.ann.Who(), acme.id); err != nil {
		t.Fatal(err)
	}
	s.confirm()
	_, err = s.m.Install(t.Context(), s.ann.Who(), review.StagedID)
	wantKey(t, err, crm.Denied, "module_signature_unknown_key")
}

// What is installed goes on when its key is trusted no longer, also through a restart and when its
// folder has to be unpacked anew. The next package is refused, until the publisher's new key is
// trusted.
func TestARemovedKeyStopsTheNextInstallOnly(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.m.requireSignature = true
	acme := newPublisher(t).trusted(s.site, "Acme")
	if _, err := s.put(acme.sign(kit{}.zip(t))); err != nil {
		t.Fatal(err)
	}
	ctx, who := t.Context(), s.ann.Who()
	if err := s.m.Activate(ctx, who, "sample"); err != nil {
		t.Fatal(err)
	}
	if err := s.site.App.RemoveTrustedKey(ctx, who, acme.id); err != nil {
		t.Fatal(err)
	}
	if row := s.row("sample"); row.State != Active || !row.SignerRevoked || row.Signer.Name != "Acme" {
		t.Errorf("row: %+v", row)
	}
	if err := s.m.Deactivate(ctx, who, "sample"); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(s.m.shelf.path); err != nil {
		t.Fatal(err)
	}
	s.m.known("sample").placed = placed{}
	if err := s.m.Activate(ctx, who, "sample"); err != nil {
		t.Errorf("unpacked anew: %v", err)
	}
	_, err := s.put(acme.sign(kit{version: "1.1.0"}.zip(t)))
	wantKey(t, err, crm.Denied, "module_signature_unknown_key")
	next := newPublisher(t).trusted(s.site, "Acme")
	if m, err := s.put(next.sign(kit{version: "1.1.0"}.zip(t))); err != nil || m.Signer.KeyID != next.id {
		t.Errorf("with the new key: %+v %v", m.Signer, err)
	}
	if row := s.row("sample"); row.State != Active || row.Version != "1.1.0" || row.SignerRevoked {
		t.Errorf("row: %+v", row)
	}
}

// Somebody who can write the database, but has no key, can't slip another package under the row of
// a signed one.
func TestAPackageFromTheDatabaseIsCheckedAgain(t *testing.T) {
	needLinux(t)
	t.Parallel()
	site := hosttest.NewSite(t)
	m := newManager(t, site, nil)
	acme, unknown := newPublisher(t), newPublisher(t)
	good := acme.sign(zipOf(t, small(nil)))
	b, err := readBundle("x.zip", good)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := b.signature.check(crm.TrustedKey{Name: "Acme", PublicKey: string(acme.public)}, b.texts[sumsName])
	if err != nil {
		t.Fatal(err)
	}
	changed := forge(t, good, func(f map[string]string) { f["languages/en.json"] = `{"item":"Other"}`; f[sumsName] = sumsOf(f) })
	for name, c := range map[string]struct {
		pkg []byte
		key string
	}{
		"as it was": {good, ""}, "changed": {changed, "module_signature_bad"},
		"signed by another": {unknown.sign(zipOf(t, small(nil))), "module_signature_bad"}, "stripped": {zipOf(t, small(nil)), "module_signature_bad"},
	} {
		kept, err := readBundle("x.zip", c.pkg)
		if err != nil {
			t.Fatal(err)
		}
		row := rowOf(kept, signer)
		if err := site.App.InstallModule(t.Context(), crm.Operator(), row, c.pkg, crm.ModuleTrial{}, ""); err != nil {
			t.Fatal(err)
		}
		_, err = m.place(t.Context(), m.unit(row), row, placed{})
		if crm.KeyOf(err) != c.key {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.RemoveAll(m.shelf.path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInstallAsksForTheOwnPassword(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.site.Clock.Advance(20 * time.Minute) // the password of the sign-in is long past
	review, err := s.upload(kit{}.zip(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.m.Install(t.Context(), s.ann.Who(), review.StagedID)
	wantKey(t, err, crm.Denied, "password_confirmation_needed")
	if _, err := os.Stat(filepath.Join(s.m.shelf.path, "sample")); !os.IsNotExist(err) {
		t.Errorf("unpacked all the same: %v", err)
	}
	if err := s.site.App.ConfirmPassword(t.Context(), s.ann.Who(), app.DemoPassword); err != nil {
		t.Fatal(err)
	}
	if _, err := s.m.Install(t.Context(), s.ann.Who(), review.StagedID); err != nil {
		t.Error(err)
	}
}
