package module

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"aead.dev/minisign"

	"github.com/understudy-crm/understudy/host/internal/module/zipfile"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// GenerateKey makes a publisher's key pair. With a password the secret one is encrypted, as
// minisign does it, which takes a second and a gigabyte of memory.
func GenerateKey(password string) (secret, public []byte, err error) {
	pub, priv, err := minisign.GenerateKey(nil)
	if err != nil {
		return nil, nil, fmt.Errorf("generate a key: %w", err)
	}
	if password == "" {
		secret, err = priv.MarshalText()
	} else {
		secret, err = minisign.EncryptKey(password, priv)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("write the key: %w", err)
	}
	public = fmt.Appendf(nil, "untrusted comment: minisign public key %s\n%s\n", keyID(pub.ID()), pub)
	return append(bytes.TrimSpace(secret), '\n'), public, nil
}

// ErrKeyLocked says that a secret key needs its password.
var ErrKeyLocked = errors.New("the key is protected by a password")

// Sign writes the package with the signature of its SHA256SUMS by a secret key, as minisign keeps
// them; another signature is replaced, every other byte of every file stays. The package is
// verified first, and again with its signature; name is how errors call it. ErrKeyLocked when there
// is no password and the key wants one.
func Sign(name string, pkg, secret []byte, password string, now time.Time, out io.Writer) (id string, err error) {
	key, err := readSecretKey(secret, password)
	if err != nil {
		return "", fmt.Errorf("sign: read the key: %w", err)
	}
	b, err := openBundle(name, pkg)
	if outer, is := errors.AsType[*outerError](err); is {
		err = outer.refusal()
	}
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	if err := b.verify(); err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	comment := fmt.Sprintf("timestamp:%d\tfile:%s\t%s %s", now.Unix(), sumsName, b.manifest.ID, b.manifest.Version)
	sums := minisign.NewReader(bytes.NewReader(b.texts[sumsName]))
	if _, err := io.Copy(io.Discard, sums); err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	signed, err := withSignature(pkg, sums.SignWithComments(key, comment, "signature by key "+keyID(key.ID())), now)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	if b, err = openBundle(name, signed); err != nil || b.signature == nil || b.signature.keyID != keyID(key.ID()) {
		return "", fmt.Errorf("sign: the signed package can't be read: %w", err)
	}
	_, err = out.Write(signed)
	return keyID(key.ID()), err
}

func readSecretKey(secret []byte, password string) (key minisign.PrivateKey, err error) {
	switch {
	case !minisign.IsEncrypted(secret):
		return key, key.UnmarshalText(secret)
	case password == "":
		return key, ErrKeyLocked
	}
	if key, err = minisign.DecryptKey(password, secret); err != nil {
		err = fmt.Errorf("the password does not open it: %w", err)
	}
	return key, err
}

// withSignature writes a verified zip anew, with the same packed bytes of every file but its signature.
func withSignature(pkg, signature []byte, now time.Time) ([]byte, error) {
	archive, err := zipfile.Read(pkg, zipLimits, nil)
	if err != nil {
		return nil, err
	}
	name := topFolder(archive.Files) + signatureName
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range archive.Files {
		if f.Name == name {
			continue
		}
		if err := copyPacked(w, f); err != nil {
			return nil, err
		}
	}
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: now.UTC()}
	h.SetMode(0o644)
	f, err := w.CreateHeader(h)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(signature); err != nil {
		return nil, err
	}
	if err := errors.Join(w.SetComment(archive.Comment), w.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// copyPacked writes a file as it is packed, with its sizes before it.
func copyPacked(w *zip.Writer, f *zipfile.File) error {
	const utf8 = 0x800
	h := &zip.FileHeader{
		Name: f.Name, Method: f.Method, CRC32: f.CRC32, CompressedSize64: f.Packed, UncompressedSize64: f.Size,
		CreatorVersion: f.MadeBy, ExternalAttrs: f.Attrs, Comment: f.Comment, Extra: f.Extra,
		ModifiedDate: f.Date, ModifiedTime: f.Time, //nolint:staticcheck // CreateRaw writes no others
	}
	if f.IsUTF8() {
		h.Flags = utf8
	}
	content := f.PackedBytes()
	if strings.HasSuffix(f.Name, "/") { // some programs deflate the nothing that is in a folder
		h.Method, h.CompressedSize64, content = zip.Store, 0, nil
	}
	to, err := w.CreateRaw(h)
	if err != nil {
		return err
	}
	_, err = to.Write(content)
	return err
}

// topFolder is the folder a verified package stands in within its zip, with the slash; mostly none.
func topFolder(files []*zipfile.File) string {
	top := ""
	for _, f := range files {
		if f.Name == manifest.FileName {
			return ""
		}
		folder, nested := strings.CutSuffix(f.Name, "/"+manifest.FileName)
		if nested && !strings.Contains(folder, "/") && !junk(f.Name) {
			top = folder + "/"
		}
	}
	return top
}
