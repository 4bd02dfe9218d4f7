package module

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"io"
	"testing"
	"time"

	"aead.dev/minisign"

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
