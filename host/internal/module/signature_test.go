package module

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

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
