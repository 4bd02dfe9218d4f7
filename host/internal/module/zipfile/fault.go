package zipfile

import "fmt"

// Fault is a way in which bytes are no zip that is read here.
type Fault string

// The faults of a whole zip.
const (
	Damaged     Fault = "damaged"       // cut off, or not what its CRC-32 says; with a name, there
	Before      Fault = "before"        // bytes before its first file
	After       Fault = "after"         // bytes after its end
	Joined      Fault = "joined"        // two zips, one behind the other
	Gap         Fault = "gap"           // bytes that belong to no file of its list
	Overlap     Fault = "overlap"       // a file's bytes are also another's, or the list's
	Numbers     Fault = "numbers"       // its end or its list counts or measures what isn't there
	Comment     Fault = "comment"       // its comment reads like a part of a zip
	Zip64       Fault = "zip64"         // numbers that only a zip64 record says
	TooMany     Fault = "too_many"      // files; Error.Count says how many
	ListTooLong Fault = "list_too_long" // as Limits has it
)

// The faults of one file, which Error.Name names.
const (
	Differs     Fault = "differs"      // its header, its descriptor or its bytes say other than the list
	Encrypted   Fault = "encrypted"    //
	Method      Fault = "method"       // neither stored nor deflated as every program can read it
	Size        Fault = "size"         // whole content that isn't as long as is said
	Link        Fault = "link"         // a link, a device or a disk's label
	Kind        Fault = "kind"         // a folder by its name and a file by its attributes, or the reverse
	Extra       Fault = "extra"        // an extra field that doesn't parse or isn't on the list of those read
	OtherName   Fault = "other_name"   // the Unicode path is another than the name
	Unmarked    Fault = "unmarked"     // a name beyond ASCII without the mark of UTF-8
	Unreadable  Fault = "unreadable"   // a name that isn't UTF-8, or holds control characters or backslashes
	NamedBefore Fault = "named_before" // another file of the list has the same name
)

// Faults are all of them.
func Faults() []Fault {
	return []Fault{
		Damaged, Before, After, Joined, Gap, Overlap, Numbers, Comment, Zip64, TooMany, ListTooLong,
		Differs, Encrypted, Method, Size, Link, Kind, Extra, OtherName, Unmarked, Unreadable, NamedBefore,
	}
}

// Error says what is wrong with a zip, and where.
type Error struct {
	Fault Fault
	Name  string // of the file it was found at; empty for the list and the end
	Count int    // of files, for TooMany
	Err   error  // more, in English
}

// Error is for logs: people read a sentence for the fault.
func (e *Error) Error() string {
	text := "zip: " + string(e.Fault)
	if e.Name != "" {
		text += fmt.Sprintf(" at %q", e.Name)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func fault(kind Fault, format string, args ...any) error {
	return &Error{Fault: kind, Err: fmt.Errorf(format, args...)}
}

func (f *File) fault(kind Fault, format string, args ...any) error {
	return &Error{Fault: kind, Name: f.Name, Err: fmt.Errorf(format, args...)}
}
