package module

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
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
	path string
	size int64
	file *zip.File
}

// listEntries checks every entry and leaves out folders and junk.
func listEntries(files []*zip.File) ([]entry, error) {
	var entries []entry
	var total uint64
	names := newNames()
	for _, f := range files {
		if junk(f.Name) {
			continue
		}
		if err := checkEntry(f); err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(f.Name, "/")
		folder := name != f.Name
		if err := names.add(name, folder); err != nil {
			return nil, err
		}
		if folder {
			continue
		}
		if total += f.UncompressedSize64; total > maxTotal {
			return nil, crm.Refuse(crm.TooLarge, "module_unpacks_too_big", "Max", maxTotal>>20)
		}
		entries = append(entries, entry{path: name, size: int64(f.UncompressedSize64), file: f})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	return entries, nil
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
	if rule := checkName(strings.TrimSuffix(f.Name, "/")); rule != "" {
		return badEntry(f.Name, rule)
	}
	return nil
}

// copyTo writes the whole content and fails when it is not exactly as long as declared, or when
// its CRC-32 differs: a lying size is found here, without writing more than was declared.
func (e entry) copyTo(out io.Writer) error {
	in, err := e.file.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	n, err := io.Copy(out, io.LimitReader(in, e.size+1))
	if err != nil {
		return err
	}
	if n != e.size {
		return errors.New("its size is not what the zip says")
	}
	return nil
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

// checkOverlap refuses entries that share bytes, by which a small zip can unpack to a huge one. Its
// error's text is the name of the entry.
func checkOverlap(entries []entry) error {
	type span struct {
		from, to int64
		name     string
	}
	spans := make([]span, 0, len(entries))
	for _, e := range entries {
		from, err := e.file.DataOffset()
		if err != nil {
			return errors.New(printable(e.path))
		}
		spans = append(spans, span{from, from + int64(e.file.CompressedSize64), e.path})
	}
	slices.SortFunc(spans, func(a, b span) int { return int(min(max(a.from-b.from, -1), 1)) })
	for i := 1; i < len(spans); i++ {
		if spans[i].from < spans[i-1].to {
			return errors.New(printable(spans[i].name))
		}
	}
	return nil
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

// checkDirectory bounds the zip's list of files before archive/zip builds it: that reader goes on
// for as long as it finds records, whatever their declared number.
func checkDirectory(data []byte) error {
	const size, comment = 22, 1 << 16
	tail := data[max(0, len(data)-size-comment):]
	at := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if at < 0 || len(tail)-at < size {
		return errors.New("the zip has no end: the download stopped early")
	}
	end := int64(len(data) - len(tail) + at)
	count := binary.LittleEndian.Uint16(tail[at+10:])
	length := int64(binary.LittleEndian.Uint32(tail[at+12:]))
	offset := int64(binary.LittleEndian.Uint32(tail[at+16:]))
	switch {
	case count == 0xffff || length == 0xffffffff || offset == 0xffffffff:
		return errors.New("zip64 is more than a module needs")
	case offset+length > end:
		return errors.New("the list of files is cut off")
	case end-offset > maxDirectory:
		return errors.New("the list of files is too long")
	}
	return nil
}
