package module

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
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
	maxLanguageFile = 256 << 10
)

// entry is one file of a zip that kept every limit of name, kind and declared size.
type entry struct {
	path   string
	size   int64
	file   *zip.File
	header int64 // where its own header is in the zip
}

// listEntries checks every entry and leaves out folders and junk. Headers are where the files' own
// headers are, in their order.
func listEntries(files []*zip.File, headers []int64) ([]entry, error) {
	var entries []entry
	var total uint64
	names := newNames()
	for i, f := range files {
		if junk(f.Name) {
			continue
		}
		if err := checkEntry(f); err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(f.Name, "/")
		folder := name != f.Name
		if err := names.add(name, folder); err != nil {
			if isManifest(name) {
				return nil, crm.Refuse(crm.Invalid, "module_two_manifests")
			}
			return nil, err
		}
		if folder {
			continue
		}
		if total += f.UncompressedSize64; total > maxTotal {
			return nil, crm.Refuse(crm.TooLarge, "module_unpacks_too_big", "Max", maxTotal>>20)
		}
		entries = append(entries, entry{path: name, size: int64(f.UncompressedSize64), file: f, header: headers[i]})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	return entries, nil
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
func badEntry(name, rule string) error {
	return crm.Refuse(crm.Invalid, "module_bad_entry_"+rule, "Name", printable(name))
}

// checkEntry holds the rules on a single entry.
func checkEntry(f *zip.File) error {
	const encrypted, strong = 0x1, 0x40
	switch {
	case f.Flags&(encrypted|strong) != 0:
		return badEntry(f.Name, "encrypted")
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return badEntry(f.Name, "compression")
	case f.Mode()&(fs.ModeType&^fs.ModeDir) != 0:
		return badEntry(f.Name, "link")
	case f.UncompressedSize64 > maxFile:
		return badEntry(f.Name, "too_big")
	case f.UncompressedSize64 > ratioFrom && f.UncompressedSize64/max(f.CompressedSize64, 1) > maxRatio:
		return badEntry(f.Name, "ratio")
	case f.Method == zip.Store && f.UncompressedSize64 != f.CompressedSize64:
		return badEntry(f.Name, "size")
	}
	name, folder := strings.CutSuffix(f.Name, "/")
	if rule := checkName(name); rule != "" {
		return badEntry(f.Name, rule)
	}
	if f.Mode().IsDir() != folder || (folder && f.UncompressedSize64 > 0) {
		return badEntry(f.Name, "folder")
	}
	return nil
}

// errSize says that a file is not as long as the zip says.
var errSize = errors.New("its size is not what the zip says")

// copyTo writes the whole content and fails when its CRC-32 differs, or, with errSize, when it is
// not exactly as long as declared: a lying size is found here, without writing more than was declared.
func (e entry) copyTo(out io.Writer) error {
	in, err := e.file.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	n, err := io.Copy(out, io.LimitReader(in, e.size+1))
	if err == nil && n == e.size {
		return nil
	}
	if e.misstated() {
		return errSize
	}
	return cmp.Or(err, io.ErrUnexpectedEOF)
}

// misstated tells a size that is wrong from content that is damaged: whole content has its checksum.
func (e entry) misstated() bool {
	raw, err := e.file.OpenRaw()
	if err != nil || e.file.Method != zip.Deflate {
		return false
	}
	sum := crc32.NewIEEE()
	n, err := io.Copy(sum, io.LimitReader(flate.NewReader(raw), maxFile))
	return err == nil && n != e.size && sum.Sum32() == e.file.CRC32
}

func (e entry) bytes() ([]byte, error) {
	var out bytes.Buffer
	err := e.copyTo(&out)
	return out.Bytes(), err
}

func (e entry) platform() (string, error) {
	in, err := e.file.Open()
	if err != nil {
		return "", err
	}
	defer in.Close()
	head := make([]byte, headerBytes)
	n, err := io.ReadFull(in, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", err
	}
	return platformOf(head[:n]), nil
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
