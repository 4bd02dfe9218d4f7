package module

import (
	"bytes"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module/zipfile"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// The limits of a package, checked before anything is extracted.
const (
	maxEntries      = 2000
	maxTotal        = 256 << 20
	maxFile         = 128 << 20
	maxRatio        = 200
	ratioFrom       = 1 << 20 // smaller files may compress as well as they like
	maxDepth        = 10
	maxPath         = 240
	maxDirectory    = 4 << 20 // bytes of the zip's list of files
	maxLanguageFile = manifest.MaxTextsBytes
)

// entry is one file of a zip that kept every limit of name, kind and declared size.
type entry struct {
	path string
	size int64
	content
}

// content is what a file holds. Its errors are those of zipfile.
type content interface {
	CopyTo(out io.Writer) error
	Head(n int) ([]byte, error)
	Check() error
}

// lister takes the files of a zip's list one by one and checks each before any of its bytes are
// looked at. Folders and junk are checked, too, and then left out.
type lister struct {
	entries []entry
	rest    []*zipfile.File
	total   uint64
	names   *names
}

func (l *lister) take(f *zipfile.File) error {
	if err := checkEntry(f); err != nil {
		return err
	}
	if l.total += f.Size; l.total > maxTotal { // of sizes that are at most maxFile
		return crm.Refuse(crm.TooLarge, "module_unpacks_too_big", "Max", maxTotal>>20)
	}
	if junk(f.Name) {
		l.rest = append(l.rest, f)
		return nil
	}
	name, folder := strings.CutSuffix(f.Name, "/")
	if err := l.names.add(name, folder); err != nil {
		if isManifest(name) {
			return crm.Refuse(crm.Invalid, "module_two_manifests")
		}
		return err
	}
	if folder {
		l.rest = append(l.rest, f)
	} else {
		l.entries = append(l.entries, entry{path: name, size: int64(f.Size), content: f})
	}
	return nil
}

// isManifest tells a manifest at one of the two places where one may stand, however it is written.
func isManifest(name string) bool {
	_, inside, nested := strings.Cut(name, "/")
	return fold(name) == manifest.FileName || (nested && fold(inside) == manifest.FileName)
}

// junk is what macOS and file managers add to a zip without being asked.
func junk(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	return top == "__MACOSX" || path.Base(name) == ".DS_Store"
}

// badEntry refuses an entry for breaking a rule. Each rule has a sentence of its own.
func badEntry(name, rule string) *crm.Error {
	return crm.Refuse(crm.Invalid, "module_bad_entry_"+rule, "Name", printable(name))
}

// checkEntry holds the rules on a single entry.
func checkEntry(f *zipfile.File) error {
	switch {
	case f.Size > maxFile:
		return badEntry(f.Name, "too_big")
	case f.Size > ratioFrom && f.Size/max(f.Packed, 1) > maxRatio:
		return badEntry(f.Name, "ratio")
	}
	rule := checkName(strings.TrimSuffix(f.Name, "/"))
	if rule == "" || (junk(f.Name) && slices.Contains(rulesOnLength, rule)) {
		return nil
	}
	return badEntry(f.Name, rule)
}

// rulesOnLength don't count for junk: macOS makes the paths of its own longer than ours.
var rulesOnLength = []string{"long", "deep"}

func (e entry) bytes() ([]byte, error) {
	var out bytes.Buffer
	err := e.CopyTo(&out)
	return out.Bytes(), err
}

func (e entry) platform() (string, error) {
	head, err := e.Head(headerBytes)
	if err != nil {
		return "", err
	}
	return platformOf(head), nil
}

// archiveKind tells by its first bytes what a file is, for the commonest things people upload.
func archiveKind(data []byte) string {
	for _, k := range []struct{ prefix, kind string }{
		{"PK\x03\x04", "zip"},
		{"PK\x05\x06", "zip"},
		{"Rar!", ".rar"},
		{"\x1f\x8b", ".tar.gz"},
		{"7z\xbc\xaf", ".7z"},
		{"BZh", ".tar.bz2"},
		{"\xfd7zXZ", ".tar.xz"},
		{"\x28\xb5\x2f\xfd", ".tar.zst"},
		{"%PDF", "PDF"},
		{"\x7fELF", "ELF"},
		{"MZ", ".exe"},
	} {
		if bytes.HasPrefix(data, []byte(k.prefix)) {
			return k.kind
		}
	}
	if len(data) > 262 && string(data[257:262]) == "ustar" {
		return ".tar"
	}
	return ""
}
