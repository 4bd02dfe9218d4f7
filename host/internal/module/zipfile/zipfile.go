// Package zipfile reads a zip by an exact grammar, so that no other program reads anything else from
// the same bytes.
//
//	zip        = { file } { list entry } [ zip64 record, zip64 locator ] end record [ comment ]
//	file       = local header, name, extra field, content [ descriptor ]
//
// The files fill the zip from its first byte to the list, the list fills it to the records at the
// end, and the end record with its comment ends where the bytes end. Each file stands in the list
// once, and its local header and its descriptor say what the list says. A name that ends in a slash is
// an empty folder's, any other a plain file's, and the attributes don't gainsay that. Content is
// stored or deflated; it is as long as the list says, has that CRC-32, and nothing follows it. Every
// number is compared with the bytes there are, and what isn't described here is refused. README's
// "Write a module" tells authors the same in short.
//
// It is the only reader: content is inflated from the bytes that were checked here, and not by a
// second reader that would look for them again in its own way.
package zipfile

// File is one file of a zip, or a folder when its name ends in a slash. Read vouches for all of it
// but the content, for which CopyTo and Check do.
type File struct {
	Name    string
	Method  uint16 // Stored or Deflated
	CRC32   uint32
	Size    uint64 // of the content
	Packed  uint64 // bytes it takes in the zip
	Attrs   uint32 // external attributes: Unix mode in the upper half, those of DOS in the lowest byte
	MadeBy  uint16
	Date    uint16 // of DOS
	Time    uint16
	Comment string
	Extra   []byte // of the list, without zip64's

	flags   uint16
	at      uint64 // where its local header stands
	content []byte // packed
}

// The methods that are read.
const (
	Stored   = 0
	Deflated = 8
)

// IsUTF8 tells whether the name is marked as UTF-8. One that isn't is ASCII.
func (f *File) IsUTF8() bool { return f.flags&flagUTF8 != 0 }

// Limits bound what is read before any of it is kept.
type Limits struct {
	Files int // in the list
	List  int // bytes of the list
}

// Archive is a zip whose structure was read to its last byte.
type Archive struct {
	Files   []*File // in the order of the list
	Comment string
}

// Read reads the structure of a zip. Allow, unless it is nil, is asked about each file of the list
// before any of that file's bytes are looked at; its error ends the reading and is returned as it is.
// Any other error is an *Error. The files share the bytes of data.
func Read(data []byte, most Limits, allow func(*File) error) (*Archive, error) {
	e, err := readEnd(data, most)
	if err != nil {
		return nil, err
	}
	files, err := readList(data[e.list:e.listEnd], e.count, most, allow)
	if err != nil {
		return nil, err
	}
	if err := readFiles(data[:e.list], files); err != nil {
		return nil, err
	}
	return &Archive{Files: files, Comment: e.comment}, nil
}

// Check reads every file's content to its end.
func (a *Archive) Check() error {
	for _, f := range a.Files {
		if err := f.Check(); err != nil {
			return err
		}
	}
	return nil
}
