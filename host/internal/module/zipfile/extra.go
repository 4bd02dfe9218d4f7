package zipfile

import (
	"hash/crc32"
	"slices"
)

// The extra fields that are read.
const (
	extraZip64       = 0x0001
	extraUnicodePath = 0x7075
	extraJar         = 0xcafe
)

// harmless are the extra fields that are passed over: times, owners, access rights and comments, by
// which no program finds other files or other content.
var harmless = []uint16{
	0x000a, // times of NTFS: Windows, 7-Zip
	0x4453, // access rights of Windows: Info-ZIP
	0x5455, // times of Unix: Info-ZIP, macOS, git, Java
	0x5855, // times and owner of Unix, in an older form: macOS
	0x6375, // the comment in UTF-8: Info-ZIP
	0x7855, // owner of Unix, in an older form: Info-ZIP
	0x7875, // owner of Unix: Info-ZIP, macOS
}

// extras is an extra field of a local header or of the list.
type extras struct {
	wide  bool   // it has a zip64 field
	zip64 []byte // what is in that
	rest  []byte // all but that
}

// parseExtra reads an extra field: parts that fill it exactly, each with an id of its own that is read
// here or harmless.
func (f *File) parseExtra(field []byte) (extras, error) {
	var x extras
	seen := map[uint16]bool{}
	for c := at(field, 0); len(c.rest) > 0; {
		whole := c.rest
		id, length := c.u16(), int(c.u16())
		part := c.take(length)
		if c.short || seen[id] {
			return extras{}, f.fault(Extra, "its extra field doesn't parse")
		}
		seen[id] = true
		switch {
		case id == extraZip64:
			x.wide, x.zip64 = true, part
			continue
		case id == extraUnicodePath && !f.isPath(part):
			return extras{}, f.fault(OtherName, "its Unicode path is another")
		case id == extraUnicodePath || (id == extraJar && length == 0) || slices.Contains(harmless, id):
		default:
			return extras{}, f.fault(Extra, "its extra field has a part %#04x", id)
		}
		x.rest = append(x.rest, whole[:4+length]...)
	}
	return x, nil
}

// isPath tells whether a Unicode path is the name: of version 1, for these bytes of the name, and the
// same in UTF-8.
func (f *File) isPath(part []byte) bool {
	c := at(part, 0)
	version, crc := c.take(1), c.u32()
	return !c.short && version[0] == 1 && crc == crc32.ChecksumIEEE([]byte(f.Name)) && string(c.rest) == f.Name
}
