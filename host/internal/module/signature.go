package module

import (
	"context"
	"fmt"
	"strings"

	"aead.dev/minisign"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// maxSignature bounds a signature file; minisign's own are a few hundred bytes.
const maxSignature = 16 << 10

// signature is a package's SHA256SUMS.minisig, read but not yet checked: whose it is stands in it
// only as a claim until somebody has the key.
type signature struct {
	text  []byte
	keyID string
}

// parseSignature reads a signature file as minisign writes them, prehashed or legacy.
func parseSignature(text []byte) (*signature, error) {
	var s minisign.Signature
	if len(text) > maxSignature {
		return nil, badSignature("", fmt.Errorf("%d bytes are too long for a signature", len(text)))
	}
	if err := s.UnmarshalText(text); err != nil {
		return nil, badSignature("", err)
	}
	return &signature{text, keyID(s.KeyID)}, nil
}

// keyID writes a key's id as minisign prints it.
func keyID(id uint64) string { return fmt.Sprintf("%016X", id) }

func badSignature(keyID string, cause error) *crm.Error {
	return &crm.Error{Kind: crm.Invalid, Key: "module_signature_bad", Args: map[string]any{"KeyID": keyID}, Err: cause}
}

// check says who signed sums with a key: module_signature_bad unless this very signature was made
// by this very key over these very bytes. There is no way past that.
func (s *signature) check(k crm.TrustedKey, sums []byte) (crm.Signer, error) {
	var public minisign.PublicKey
	if err := public.UnmarshalText([]byte(k.PublicKey)); err != nil {
		return crm.Signer{}, badSignature(s.keyID, fmt.Errorf("read the trusted key: %w", err))
	}
	if s.keyID != keyID(public.ID()) || !minisign.Verify(public, sums, s.text) {
		return crm.Signer{}, badSignature(s.keyID, nil)
	}
	var read minisign.Signature
	if err := read.UnmarshalText(s.text); err != nil {
		return crm.Signer{}, badSignature(s.keyID, err)
	}
	comment := crm.Cut(strings.Map(showSpace, read.TrustedComment), 200)
	return crm.Signer{KeyID: s.keyID, Name: k.Name, PublicKey: k.PublicKey, Trusted: true, Comment: comment}, nil
}

func showSpace(r rune) rune {
	if r == '\t' {
		return ' '
	}
	return r
}

// readSignature reads the signature file, if the package has one.
func (b *bundle) readSignature() error {
	for _, e := range b.entries {
		if e.path != signatureName {
			continue
		}
		if e.size > maxSignature {
			return badSignature("", fmt.Errorf("%d bytes are too long for a signature", e.size))
		}
		text, err := b.text(e)
		if err != nil {
			return err
		}
		b.signature, err = parseSignature(text)
		return err
	}
	return nil
}

// signer says who signed a package: nobody, a key nobody here trusts, or a trusted one whose
// signature is right. One that is wrong by a trusted key is refused. Without a database no key is
// trusted.
func (m *Manager) signer(ctx context.Context, b *bundle) (crm.Signer, error) {
	if b.signature == nil {
		return crm.Signer{}, nil
	}
	unknown := crm.Signer{KeyID: b.signature.keyID}
	if m.app == nil {
		return unknown, nil
	}
	k, err := m.app.TrustedKey(ctx, b.signature.keyID)
	switch {
	case crm.KindOf(err) == crm.NotFound:
		return unknown, nil
	case err != nil:
		return crm.Signer{}, err
	}
	return b.signature.check(k, b.texts[sumsName])
}

// requireSigner refuses what modules.require_signature refuses: a package by nobody and one by a
// key that isn't trusted.
func (m *Manager) requireSigner(s crm.Signer) error {
	switch {
	case !m.requireSignature || s.Trusted:
		return nil
	case s.Signed():
		return crm.Refuse(crm.Denied, "module_signature_unknown_key", "KeyID", s.KeyID)
	}
	return crm.Refuse(crm.Denied, "module_signature_missing")
}

// readSigned verifies a package and whose it is, and refuses what may not be installed here.
func (m *Manager) readSigned(ctx context.Context, filename string, data []byte) (*bundle, crm.Signer, error) {
	b, err := readBundle(filename, data)
	if err != nil {
		return nil, crm.Signer{}, err
	}
	s, err := m.whose(ctx, b)
	return b, s, err
}

// whose says who signed a package, and refuses what modules.require_signature refuses.
func (m *Manager) whose(ctx context.Context, b *bundle) (crm.Signer, error) {
	s, err := m.signer(ctx, b)
	if err == nil {
		err = m.requireSigner(s)
	}
	return s, err
}

// checkKept looks at a package from the database again. It was checked when it was installed, by a
// key that need not be trusted any more: what counts is that it is still what that key signed.
func (b *bundle) checkKept(row crm.Module) error {
	claimed := ""
	if b.signature != nil {
		claimed = b.signature.keyID
	}
	if claimed != row.Signer.KeyID {
		return badSignature(claimed, nil)
	}
	if !row.Signer.Trusted {
		return nil
	}
	_, err := b.signature.check(crm.TrustedKey{PublicKey: row.Signer.PublicKey}, b.texts[sumsName])
	return err
}
