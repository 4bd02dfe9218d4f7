package module

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// publisher has a key and signs packages.
type publisher struct {
	t              testing.TB
	id             string
	secret, public []byte
	key            minisign.PrivateKey
}

func newPublisher(t testing.TB) *publisher {
	t.Helper()
	secret, public, err := GenerateKey("")
	if err != nil {
		t.Fatal(err)
	}
	p := &publisher{t: t, secret: secret, public: public}
	if err := p.key.UnmarshalText(secret); err != nil {
		t.Fatal(err)
	}
	p.id = keyID(p.key.ID())
	return p
}

func (p *publisher) sign(pkg []byte) []byte {
	p.t.Helper()
	var out bytes.Buffer
	if id, err := Sign("package.zip", pkg, p.secret, "", time.Unix(1795378280, 0), &out); err != nil || id != p.id {
		p.t.Fatalf("sign: %s %v", id, err)
	}
	return out.Bytes()
}

// trusted adds the publisher's key.
func (p *publisher) trusted(site *hosttest.Site, name string) *publisher {
	p.t.Helper()
	if _, err := site.App.AddTrustedKey(p.t.Context(), crm.Operator(), name, string(p.public)); err != nil {
		p.t.Fatal(err)
	}
	return p
}

func (s *stage) upload(pkg []byte) (Review, error) {
	return s.m.Upload(s.t.Context(), s.ann.Who(), "sample.zip", bytes.NewReader(pkg))
}

func (s *stage) put(pkg []byte) (crm.Module, error) {
	s.t.Helper()
	review, err := s.upload(pkg)
	if err != nil {
		return crm.Module{}, err
	}
	s.confirm()
	return s.m.Install(s.t.Context(), s.ann.Who(), review.StagedID)
}

func parts(t testing.TB, pkg []byte) map[string]string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(pkg), int64(len(pkg)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(content)
	}
	return files
}

// What the minisign tool itself wrote, version 0.11, is understood in both its ways.
func TestMinisignsOwnFilesAreUnderstood(t *testing.T) {
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join("testdata", "minisign", name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	sums := read("SHA256SUMS")
	key := crm.TrustedKey{Name: "Acme", PublicKey: string(read("minisign.pub"))}
	for name, comment := range map[string]string{"prehashed.minisig": "sample 1.0.0", "legacy.minisig": "timestamp:1795378280 file:SHA256SUMS"} {
		s, err := parseSignature(read(name))
		if err != nil {
			t.Fatal(err)
		}
		signer, err := s.check(key, sums)
		if err != nil || signer.KeyID != "E5F6C6DEEBE3AEDE" || !signer.Trusted || signer.Name != "Acme" || signer.Comment != comment {
			t.Errorf("%s: %+v %v", name, signer, err)
		}
		_, err = s.check(key, append([]byte(nil), sums[1:]...))
		wantKey(t, err, crm.Invalid, "module_signature_bad")
		forged := bytes.Replace(read(name), []byte(comment[:6]), []byte("PLEASE"), 1)
		if s, err = parseSignature(forged); err == nil {
			_, err = s.check(key, sums)
		}
		wantKey(t, err, crm.Invalid, "module_signature_bad")
	}
}

func TestSigningChangesNothingElse(t *testing.T) {
	needLinux(t)
	p, q := newPublisher(t), newPublisher(t)
	for name, pkg := range map[string][]byte{
		"plain": zipOf(t, small(nil)),
		"in a top folder, with junk": rawZip(t, func(w *zip.Writer) {
			put(t, w, &zip.FileHeader{Name: "sample-1.0.0/"}, "")
			for name, content := range small(func(files map[string]string) { files["assets/"+sumsName] = "not the one" }) {
				put(t, w, &zip.FileHeader{Name: "sample-1.0.0/" + name, Method: zip.Deflate}, content)
			}
			put(t, w, &zip.FileHeader{Name: "__MACOSX/._module.json"}, "junk")
		}),
	} {
		t.Run(name, func(t *testing.T) {
			before, signed := parts(t, pkg), p.sign(pkg)
			again := parts(t, q.sign(signed)) // another's replaces it
			after := parts(t, signed)
			if len(after) != len(before)+1 || len(again) != len(after) {
				t.Errorf("%d files became %d, and %d", len(before), len(after), len(again))
			}
			for name, content := range before {
				if after[name] != content || again[name] != content {
					t.Errorf("%s was changed", name)
				}
			}
			b, err := readBundle("x.zip", signed)
			if err != nil || b.signature == nil || b.signature.keyID != p.id {
				t.Fatalf("%+v %v", b, err)
			}
			if signer, err := b.signature.check(crm.TrustedKey{PublicKey: string(p.public)}, b.texts[sumsName]); err != nil || !strings.Contains(signer.Comment, "sample 1.0.0") {
				t.Errorf("%+v %v", signer, err)
			}
			if !bytes.Equal(p.sign(pkg), signed) {
				t.Error("the same twice gives other bytes")
			}
		})
	}
	if _, err := Sign("package.zip", []byte("no zip"), p.secret, "", time.Now(), io.Discard); crm.KeyOf(err) != "module_not_zip" {
		t.Errorf("no package: %v", err)
	}
	if _, err := Sign("package.zip", zipOf(t, small(nil)), []byte("no key"), "", time.Now(), io.Discard); err == nil {
		t.Error("signed by no key")
	}
	torn := zipOf(t, small(func(f map[string]string) { f[sumsName] = small(nil)[sumsName]; f["bin/more"] = "x" }))
	if _, err := Sign("package.zip", torn, p.secret, "", time.Now(), io.Discard); crm.KeyOf(err) != "module_tampered" {
		t.Errorf("a tampered package: %v", err)
	}
}

func TestAKeyIsProtectedByItsPassword(t *testing.T) {
	needLinux(t)
	t.Parallel()
	secret, public, err := GenerateKey("open sesame")
	if err != nil {
		t.Fatal(err)
	}
	pkg := zipOf(t, small(nil))
	if _, err := Sign("package.zip", pkg, secret, "", time.Now(), io.Discard); err == nil || !strings.Contains(err.Error(), ErrKeyLocked.Error()) {
		t.Errorf("without: %v", err)
	}
	if _, err := Sign("package.zip", pkg, secret, "open barley", time.Now(), io.Discard); err == nil {
		t.Error("opened by another password")
	}
	id, err := Sign("package.zip", pkg, secret, "open sesame", time.Now(), io.Discard)
	if err != nil || !strings.Contains(string(public), id) {
		t.Errorf("with: %s %v", id, err)
	}
}

func TestAReviewSaysWhoSigned(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	acme, unknown := newPublisher(t).trusted(s.site, "Acme"), newPublisher(t)
	plain := kit{}.zip(t)
	review, err := s.upload(plain)
	if err != nil || review.Signed || review.Signer.Signed() {
		t.Errorf("unsigned: %+v %v", review.Signer, err)
	}
	review, err = s.upload(unknown.sign(plain))
	if err != nil || !review.Signed || review.Signer != (crm.Signer{KeyID: unknown.id}) {
		t.Errorf("unknown: %+v %v", review.Signer, err)
	}
	review, err = s.upload(acme.sign(plain))
	if err != nil || !review.Signer.Trusted || review.Signer.Name != "Acme" || review.Signer.KeyID != acme.id || review.SignerChanged {
		t.Errorf("trusted: %+v %v", review.Signer, err)
	}
	if _, err := s.put(acme.sign(plain)); err != nil {
		t.Fatal(err)
	}
	if row := s.row("sample"); row.Signer.Name != "Acme" || row.SignerRevoked {
		t.Errorf("row: %+v", row.Signer)
	}
	for name, pkg := range map[string][]byte{"stripped": plain, "another's": unknown.sign(plain)} {
		if review, err := s.upload(pkg); err != nil || !review.SignerChanged || review.InstalledSigner.Name != "Acme" {
			t.Errorf("%s: %+v %v", name, review, err)
		}
	}
	beta := newPublisher(t).trusted(s.site, "Beta") // the publisher has a new key
	if review, err := s.upload(beta.sign(plain)); err != nil || !review.SignerChanged || !review.Signer.Trusted {
		t.Errorf("new key: %+v %v", review, err)
	}
	if err := s.m.Activate(t.Context(), s.ann.Who(), "sample"); err != nil {
		t.Fatal(err)
	}
	for _, action := range []string{"module_installed", "module_activated"} {
		d := s.site.Audit(t, action)[0].Detail
		if d["signer"] != "Acme ("+acme.id+")" || len(d["sha256"]) != 64 || d["version"] != "1.0.0" || d["result"] == "" {
			t.Errorf("%s: %v", action, d)
		}
	}
	if d := s.site.Audit(t, "module_activated")[0].Detail; d["grants"] != "session.switch directory.read audit.write" {
		t.Errorf("grants: %v", d)
	}
}

// forge puts other files into a signed package and keeps its signature.
func forge(t testing.TB, pkg []byte, change func(files map[string]string)) []byte {
	files := parts(t, pkg)
	change(files)
	return zipOf(t, files)
}

func sumsOf(files map[string]string) string {
	sums := checksums{}
	for name, content := range files {
		if name != sumsName && name != signatureName {
			sums[name] = sha256.Sum256([]byte(content))
		}
	}
	return sums.String()
}

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

// claim writes another key's id into a signature.
func claim(t testing.TB, text string, id uint64) string {
	t.Helper()
	var s minisign.Signature
	if err := s.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	s.KeyID = id
	out, err := s.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
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
		if err := site.App.InstallModule(t.Context(), crm.Operator(), row, c.pkg, crm.ModuleTrial{}); err != nil {
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

// However a signature file is bent, reading it ends well, and what is taken is the publisher's own
// two signatures over the publisher's own words.
func FuzzSignature(f *testing.F) {
	for _, name := range []string{"prehashed.minisig", "legacy.minisig"} {
		text, err := os.ReadFile(filepath.Join("testdata", "minisign", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		f.Add(bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")))
		f.Add(text[:len(text)/2])
	}
	f.Add([]byte("untrusted comment: \n\ntrusted comment: \n"))
	f.Add([]byte("untrusted comment: x\n" + base64.StdEncoding.EncodeToString(make([]byte, 74)) + "\ntrusted comment: x\n" + base64.StdEncoding.EncodeToString(make([]byte, 64))))
	sums, err := os.ReadFile(filepath.Join("testdata", "minisign", "SHA256SUMS"))
	if err != nil {
		f.Fatal(err)
	}
	public, err := os.ReadFile(filepath.Join("testdata", "minisign", "minisign.pub"))
	if err != nil {
		f.Fatal(err)
	}
	genuine := []string{"sample 1.0.0", "timestamp:1795378280 file:SHA256SUMS"}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseSignature(text)
		if err != nil {
			wantKey(t, err, crm.Invalid, "module_signature_bad")
			return
		}
		if len(s.keyID) != 16 {
			t.Errorf("id %q", s.keyID)
		}
		signer, err := s.check(crm.TrustedKey{Name: "Acme", PublicKey: string(public)}, sums)
		if err != nil {
			wantKey(t, err, crm.Invalid, "module_signature_bad")
		} else if signer.Comment != genuine[0] && signer.Comment != genuine[1] {
			t.Errorf("taken: %+v", signer)
		}
	})
}
