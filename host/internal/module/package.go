package module

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// DefaultMaxUpload is the largest zip taken when Options says nothing else.
const DefaultMaxUpload = 64 << 20

// bundle is a module package whose every byte has been read and found as its SHA256SUMS says. It
// is made by readBundle alone; nothing has been written to disk.
type bundle struct {
	manifest manifest.Manifest
	sha256   string // of the zip
	size     int64
	sums     checksums
	entries  []entry           // every file but junk, by path
	zip      openedZip         // all of it
	texts    map[string][]byte // module.json, SHA256SUMS and its signature, languages/*.json

	signature *signature // nil when it has none; whose it is hasn't been checked
}

// readBundle verifies a zip from its first limit to its last checksum. Errors are crm.Errors with
// a key for each thing that can be wrong; an outerError when the zip holds packages instead of being one.
func readBundle(filename string, data []byte) (*bundle, error) {
	b, err := readForeign(filename, data)
	if err != nil {
		return nil, err
	}
	return b, b.checkPlatform()
}

// readForeign is readBundle for a package that need not run on this machine.
func readForeign(filename string, data []byte) (*bundle, error) {
	b, err := openBundle(filename, data)
	if err != nil {
		return nil, err
	}
	if err := b.verify(); err != nil {
		return nil, err
	}
	return b, b.checkExecutables()
}

// openBundle reads a package's manifest and checksums and checks the limits. It believes what they
// say of the other files: enough for a package that was verified when it came.
func openBundle(filename string, data []byte) (*bundle, error) {
	sum := sha256.Sum256(data)
	b := &bundle{sha256: hex.EncodeToString(sum[:]), size: int64(len(data)), texts: map[string][]byte{}}
	var err error
	if b.zip, err = openZip(filename, b.sha256, data); err != nil {
		return nil, err
	}
	if b.entries, err = strip(b.zip.entries); err != nil {
		inner, others := innerPackages(b.zip.entries)
		if len(inner) > 0 {
			if err := b.zip.checkAll(b.sha256); err != nil {
				return nil, err
			}
			return nil, &outerError{inner, b.sha256}
		}
		if len(others) > 0 {
			return nil, crm.Refuse(crm.Invalid, "module_nested", "Inner", strings.Join(others, ", "))
		}
		return nil, err
	}
	if err := b.readManifest(); err != nil {
		return nil, err
	}
	if err := b.readSums(); err != nil {
		return nil, err
	}
	return b, b.readSignature()
}

// outerError says the zip is the download package around one or more modules.
type outerError struct {
	inner  []string
	sha256 string
}

func (e *outerError) Error() string { return "holds " + strings.Join(e.inner, ", ") }

// refusal is the error as a person reads it.
func (e *outerError) refusal() *crm.Error {
	return crm.Refuse(crm.Invalid, "module_outer_package", "Inner", strings.Join(e.inner, ", "))
}

// strip takes away the one top folder a package may stand in. NotFound-like Invalid
// module_no_manifest, saying what there is, when no module.json is at either place.
func strip(entries []entry) ([]entry, error) {
	if slices.ContainsFunc(entries, func(e entry) bool { return e.path == manifest.FileName }) {
		return entries, nil
	}
	top, found := "", false
	for _, e := range entries {
		folder, rest, nested := strings.Cut(e.path, "/")
		if !nested || (top != "" && folder != top) {
			return nil, noManifest(entries)
		}
		top, found = folder, found || rest == manifest.FileName
	}
	if !found {
		return nil, noManifest(entries)
	}
	stripped := slices.Clone(entries)
	for i := range stripped {
		stripped[i].path = strings.TrimPrefix(stripped[i].path, top+"/")
	}
	return stripped, nil
}

func noManifest(entries []entry) error {
	var names []string
	for _, e := range entries {
		name, _, nested := strings.Cut(e.path, "/")
		if nested {
			name += "/"
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	const most = 8
	if len(names) > most {
		names = append(names[:most], "…")
	}
	return crm.Refuse(crm.Invalid, "module_no_manifest", "Contains", strings.Join(names, ", "))
}

// readManifest reads module.json and checks what manifest.Parse can't know: names the host keeps
// for itself.
func (b *bundle) readManifest() error {
	i := slices.IndexFunc(b.entries, func(e entry) bool { return e.path == manifest.FileName })
	e := b.entries[i]
	if e.size > manifest.MaxBytes {
		return crm.Refuse(crm.Invalid, "module_manifest_invalid", "Detail", "it is too long")
	}
	text, err := b.text(e)
	if err != nil {
		return err
	}
	b.texts[e.path] = manifest.WithoutMark(text) // the row of the module gets it
	if b.manifest, err = manifest.Parse(text); err != nil {
		return crm.Refuse(crm.Invalid, "module_manifest_invalid", "Detail", strings.TrimPrefix(err.Error(), "module.json: "))
	}
	if reserved(b.manifest.ID) || device(b.manifest.ID) { // it will name a folder, maybe on Windows
		return crm.Refuse(crm.Invalid, "module_id_reserved", "ID", b.manifest.ID)
	}
	return nil
}

// reserved names are those of the host's own settings sections and addresses.
func reserved(id string) bool {
	return app.IsCoreSection(id) || slices.Contains([]string{"modules", "settings", "host", "core", "upload", "review", "new", "keys"}, id)
}

// readSums reads SHA256SUMS, without which a package is refused.
func (b *bundle) readSums() error {
	i := slices.IndexFunc(b.entries, func(e entry) bool { return e.path == sumsName })
	if i < 0 {
		return crm.Refuse(crm.Invalid, "module_no_checksums")
	}
	if b.entries[i].size > maxSums {
		return crm.Refuse(crm.Invalid, "module_checksums_invalid", "Detail", "it is too long")
	}
	text, err := b.text(b.entries[i])
	if err != nil {
		return err
	}
	if b.sums, err = parseChecksums(text); err != nil {
		return crm.Refuse(crm.Invalid, "module_checksums_invalid", "Detail", err.Error())
	}
	return nil
}

// verify reads every entry once and compares it with SHA256SUMS: a file without a line, a line
// without a file and a differing file are all tampering.
func (b *bundle) verify() error {
	seen := 0
	for _, e := range b.entries {
		if e.path == sumsName || e.path == signatureName {
			continue
		}
		want, listed := b.sums[e.path]
		got, err := b.hash(e)
		if err != nil {
			return err
		}
		if !listed || got != want {
			return tampered(e.path)
		}
		seen++
	}
	if err := b.allPresent(seen); err != nil {
		return err
	}
	return b.zip.checkRest(b.sha256)
}

func (b *bundle) allPresent(seen int) error {
	if seen == len(b.sums) {
		return nil
	}
	for _, name := range b.sums.names() {
		if !slices.ContainsFunc(b.entries, func(e entry) bool { return e.path == name }) {
			return tampered(name)
		}
	}
	return nil
}

func tampered(name string) error {
	return crm.Refuse(crm.Invalid, "module_tampered", "File", name)
}

// hash reads an entry to its end, keeping it when it is one of the small ones the host works with.
func (b *bundle) hash(e entry) (digest, error) {
	h := sha256.New()
	var out io.Writer = h
	var kept *bytes.Buffer
	if isLanguageFile(e.path) {
		if e.size > maxLanguageFile {
			return digest{}, crm.Refuse(crm.Invalid, "module_language_invalid", "File", e.path, "Detail", "the file is too long")
		}
		kept = &bytes.Buffer{}
		out = io.MultiWriter(h, kept)
	}
	if err := e.CopyTo(out); err != nil {
		return digest{}, refuseZip(b.sha256, e.path, err)
	}
	if kept != nil {
		b.texts[e.path] = kept.Bytes()
		if _, err := parseLanguageFile(e.path, kept.Bytes()); err != nil {
			return digest{}, crm.Refuse(crm.Invalid, "module_language_invalid", "File", e.path, "Detail", err.Error())
		}
	}
	return digest(h.Sum(nil)), nil
}

// text reads an entry whose size has been checked, and keeps it.
func (b *bundle) text(e entry) ([]byte, error) {
	var out bytes.Buffer
	if err := e.CopyTo(&out); err != nil {
		return nil, refuseZip(b.sha256, e.path, err)
	}
	b.texts[e.path] = out.Bytes()
	return out.Bytes(), nil
}

// checkExecutables looks at the header of every executable the manifest names: each must be there
// and be built for what it is named for.
func (b *bundle) checkExecutables() error {
	for _, platform := range b.manifest.Platforms() {
		name := b.manifest.Executables[platform]
		i := slices.IndexFunc(b.entries, func(e entry) bool { return e.path == name })
		if i < 0 {
			return crm.Refuse(crm.Invalid, "module_no_executable", "File", name, "Platform", platform)
		}
		built, err := b.entries[i].platform()
		if err != nil {
			return refuseZip(b.sha256, name, err)
		}
		if built == "" {
			return crm.Refuse(crm.Invalid, "module_not_executable", "File", name)
		}
		if built != platform {
			return crm.Refuse(crm.Invalid, "module_mislabelled", "File", name, "Built", built, "Platform", platform)
		}
	}
	return nil
}

// checkPlatform refuses a package without an executable for this machine.
func (b *bundle) checkPlatform() error {
	server, holds := hostPlatform(), strings.Join(b.manifest.Platforms(), ", ")
	if _, ok := b.manifest.Executables[server]; !ok {
		return crm.Refuse(crm.Invalid, "module_wrong_platform", "Built", holds, "Server", server, "Holds", holds)
	}
	return nil
}

// innerPackages names the zips of an outer package that are module packages themselves, and those
// that are not. It looks at a few, and never into zips inside those.
func innerPackages(entries []entry) (inner, others []string) {
	const most = 8
	for _, e := range entries {
		if !strings.EqualFold(path.Ext(e.path), ".zip") {
			continue
		}
		if len(inner)+len(others) == most {
			break
		}
		if isPackage(e) {
			inner = append(inner, e.path)
		} else {
			others = append(others, e.path)
		}
	}
	return inner, others
}

// isPackage tells whether a file is a zip with a manifest where one may stand.
func isPackage(e entry) bool {
	if e.size > DefaultMaxUpload {
		return false
	}
	data, err := e.bytes()
	if err != nil {
		return false
	}
	nested, err := openZip(e.path, "", data)
	if err != nil {
		return false
	}
	_, err = strip(nested.entries)
	return err == nil
}

// innerPackage takes one zip out of an outer package.
func innerPackage(filename string, data []byte, name string) ([]byte, error) {
	sum := sha256.Sum256(data)
	sha := hex.EncodeToString(sum[:])
	outer, err := openZip(filename, sha, data)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(outer.entries, func(e entry) bool { return e.path == name })
	if i < 0 || !strings.EqualFold(path.Ext(name), ".zip") || !isPackage(outer.entries[i]) {
		return nil, crm.Refuse(crm.NotFound, "module_inner_missing", "Name", name)
	}
	inner, err := outer.entries[i].bytes()
	if err != nil {
		return nil, refuseZip(sha, name, err)
	}
	return inner, nil
}
