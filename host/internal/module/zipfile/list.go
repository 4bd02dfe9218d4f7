package zipfile

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The flags that may be set. Those of the level of compression mean nothing to who unpacks.
const (
	flagLevel      = 0x2 | 0x4
	flagDescriptor = 0x8
	flagUTF8       = 0x800
	flagsRead      = flagLevel | flagDescriptor | flagUTF8
	flagsEncrypted = 0x1 | 0x40 | 0x2000
)

// maxVersion is the version of the format a reader needs for all there is here: zip64's.
const maxVersion = 45

// readList reads the list of files, which fills its bytes.
func readList(list []byte, count uint64, most Limits, allow func(*File) error) ([]*File, error) {
	files := make([]*File, 0, count)
	names := make(map[string]bool, count)
	for c := at(list, 0); len(c.rest) > 0; {
		if len(files) == most.Files {
			return nil, tooMany(max(count, uint64(most.Files)+1))
		}
		f, err := readListed(c)
		if err != nil {
			return nil, err
		}
		if allow != nil {
			if err := allow(f); err != nil {
				return nil, err
			}
		}
		if err := f.checkListed(); err != nil {
			return nil, err
		}
		if names[f.Name] {
			return nil, f.fault(NamedBefore, "the list has it twice")
		}
		names[f.Name] = true
		files = append(files, f)
	}
	if uint64(len(files)) != count {
		return nil, fault(Numbers, "the list has %d files, and the end says %d", len(files), count)
	}
	return files, nil
}

// readListed reads one file of the list.
func readListed(c *cursor) (*File, error) {
	if !c.mark(listMark) {
		return nil, fault(Damaged, "the list of files breaks off")
	}
	f := &File{MadeBy: c.u16()}
	needed := c.u16()
	f.flags, f.Method, f.Time, f.Date = c.u16(), c.u16(), c.u16(), c.u16()
	f.CRC32 = c.u32()
	f.Packed, f.Size = uint64(c.u32()), uint64(c.u32())
	nameLength, extraLength, commentLength := int(c.u16()), int(c.u16()), int(c.u16())
	disk, _ := c.u16(), c.u16() // internal attributes: whether it is text
	f.Attrs, f.at = c.u32(), uint64(c.u32())
	f.Name = string(c.take(nameLength))
	field := c.take(extraLength)
	f.Comment = string(c.take(commentLength))
	if c.short {
		return nil, fault(Damaged, "the list of files is cut off")
	}
	x, err := f.parseExtra(field)
	if err != nil {
		return nil, err
	}
	f.Extra = x.rest
	if err := f.readZip64(x); err != nil {
		return nil, err
	}
	if disk != 0 {
		return nil, fault(Numbers, "%q is said to be on disk %d", f.Name, disk)
	}
	if needed > maxVersion {
		return nil, f.fault(Method, "it needs version %d of the format", needed)
	}
	return f, nil
}

// readZip64 takes from the zip64 field of the list the numbers that are all ones, which are in it in
// this order and nothing else.
func (f *File) readZip64(x extras) error {
	wide, c := false, at(x.zip64, 0)
	for _, number := range []*uint64{&f.Size, &f.Packed, &f.at} {
		if *number == ones32 {
			*number, wide = c.u64(), true
		}
	}
	if wide != x.wide || c.short || len(c.rest) > 0 {
		return f.fault(Extra, "its zip64 field doesn't fit its numbers")
	}
	return nil
}

// checkListed holds the rules on a file that its list entry alone can break.
func (f *File) checkListed() error {
	switch {
	case f.flags&flagsEncrypted != 0:
		return f.fault(Encrypted, "flags %#x", f.flags)
	case f.flags&^flagsRead != 0:
		return f.fault(Method, "flags %#x", f.flags)
	case f.Method != Stored && f.Method != Deflated:
		return f.fault(Method, "method %d", f.Method)
	case f.Method == Stored && f.Packed != f.Size:
		return f.fault(Size, "stored, %d bytes take %d", f.Size, f.Packed)
	case f.isSpecial():
		return f.fault(Link, "attributes %#x", f.Attrs)
	case f.poses():
		return f.fault(Kind, "attributes %#x, %d bytes", f.Attrs, f.Size)
	case f.Name == "" || !utf8.ValidString(f.Name) || strings.ContainsRune(f.Name, '\\') ||
		strings.ContainsFunc(f.Name, unicode.IsControl):
		return f.fault(Unreadable, "its name can't be read")
	case !f.IsUTF8() && strings.ContainsFunc(f.Name, func(r rune) bool { return r >= utf8.RuneSelf }):
		return f.fault(Unmarked, "some programs read its name by another table of characters")
	}
	return nil
}

// The kinds of files there are, as Unix has them in the upper half of the attributes. Some programs
// look at them whatever system the file is said to come from.
const (
	unixKind    = 0o170000 << 16
	unixFolder  = 0o040000 << 16
	unixRegular = 0o100000 << 16
	dosFolder   = 0x10
	dosLabel    = 0x08
)

// isSpecial tells what is neither a file nor a folder: a link, a device, the label of a disk.
func (f *File) isSpecial() bool {
	kind := f.Attrs & unixKind
	return (kind != 0 && kind != unixRegular && kind != unixFolder) || f.Attrs&dosLabel != 0
}

// poses tells a file whose attributes are a folder's, and a folder with a file's attributes or content.
func (f *File) poses() bool {
	if strings.HasSuffix(f.Name, "/") {
		return f.Attrs&unixKind == unixRegular || f.Size > 0
	}
	return f.Attrs&unixKind == unixFolder || f.Attrs&dosFolder != 0
}
