package zipfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// refused fails unless a zip is refused for one of these faults.
func refused(t *testing.T, what string, data []byte, want ...Fault) {
	t.Helper()
	_, err := read(t, data, nil)
	refusal, is := errors.AsType[*Error](err)
	if !is || !slices.Contains(want, refusal.Fault) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func file(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// one is a zip of one file.
func one(f shaped) []byte { return shape{files: []shaped{f}}.make().data }

// find is the place of a number, the last of its name.
func (m *made) find(t *testing.T, what string) field {
	t.Helper()
	for _, f := range slices.Backward(m.fields) {
		if f.what == what {
			return f
		}
	}
	t.Fatal("no number is called", what)
	return field{}
}

func (m *made) lie(t *testing.T, what string, value uint64) {
	t.Helper()
	m.data = m.with(m.find(t, what), value)
}

// One file's place is said by a zip64 field, and its descriptor is narrower than that makes it.
func TestPanicZipIsRefused(t *testing.T) {
	refused(t, "panic.zip", file(t, "panic.zip"), Differs)
}

func TestAUnicodePathThatNamesAnotherFileIsRefused(t *testing.T) {
	good := unicodePath("bin/a", "bin/a")
	if _, err := read(t, one(shaped{name: "bin/a", extra: good, listedExtra: good}), nil); err != nil {
		t.Error(err)
	}
	for what, path := range map[string][]byte{
		"another":          unicodePath("bin/a", "bin/b"),
		"another, unbound": unicodePath("bin/x", "bin/b"),
		"of another name":  unicodePath("bin/x", "bin/a"),
		"of version 2":     part(extraUnicodePath, "\x02"+string(unicodePath("bin/a", "bin/a")[5:])),
		"cut off":          part(extraUnicodePath, "\x01ab"),
		"empty":            part(extraUnicodePath, ""),
	} {
		refused(t, what+", in the list", one(shaped{name: "bin/a", extra: good, listedExtra: path}), OtherName)
		refused(t, what+", before the file", one(shaped{name: "bin/a", extra: path, listedExtra: good}), OtherName)
	}
}

// moved is what a zip is refused for when it was moved: for the place of its zip64 record first.
func moved(s shape, want Fault) []Fault {
	if s.end64 {
		return []Fault{Numbers}
	}
	return []Fault{want}
}

func TestTwoZipsJoinedAreRefused(t *testing.T) {
	for _, a := range shapes()[1:] {
		for _, b := range shapes()[1:] {
			first, second := a.make(), b.make()
			what := a.name + " before " + b.name
			refused(t, what, slices.Concat(first.data, second.data), moved(b, Joined)...)
			// As cat and zip -A make of it: every place of the second one is right again.
			shift := uint64(len(first.data))
			for _, f := range second.fields {
				if wide := second.value(f) == ones32; !wide && slices.Contains([]string{
					"place", "listed zip64 place", "zip64 list place", "list place", "locator place",
				}, f.what) {
					second.data = second.with(f, second.value(f)+shift)
				}
			}
			refused(t, what+", mended", slices.Concat(first.data, second.data), Joined)
		}
	}
	a, b := shapes()[1].make(), shapes()[2].make()
	a.lie(t, "comment length", uint64(len(b.data)))
	refused(t, "one as the comment of another", slices.Concat(a.data, b.data), Comment)
}

func TestBytesBeforeOrAfterAreRefused(t *testing.T) {
	for _, s := range shapes()[1:] {
		data := s.make().data
		for _, more := range []string{"\x00", "#!/bin/sh\n", strings.Repeat("x", 70_000), "PK", "PK00"} {
			refused(t, s.name+" behind "+more[:1], append([]byte(more), data...), moved(s, Before)...)
			refused(t, s.name+" before "+more[:1], append(bytes.Clone(data), more...), After, Damaged)
		}
		header := localMark + strings.Repeat("\x00", 26)
		refused(t, s.name+" behind a file", append([]byte(header), data...), moved(s, Gap)...)
	}
	refused(t, "no files behind bytes", append([]byte("x"), shapes()[0].make().data...), Damaged, Numbers, Before, Gap)
}

func TestLyingDiskNumbersAreRefused(t *testing.T) {
	wide := shapes()[len(shapes())-1]
	for _, what := range []string{
		"disk", "list's disk", "files here", "listed disk", "zip64 disk", "zip64 list's disk", "zip64 files here",
		"locator disk", "locator disks",
	} {
		for _, value := range []uint64{7, 1 << 8} {
			m := wide.make()
			m.lie(t, what, value)
			refused(t, what, m.data, Numbers)
		}
	}
	for _, what := range []string{"disk", "list's disk", "files here", "listed disk"} {
		m := shapes()[1].make()
		m.lie(t, what, 1)
		refused(t, what, m.data, Numbers)
	}
}

func TestACRCOfZeroOnContentIsRefused(t *testing.T) {
	for _, deflated := range []bool{false, true} {
		for _, d := range []descriptor{none, marked, unmarked} {
			m := shape{files: []shaped{{name: "a", content: "content", deflated: deflated, descriptor: d}}}.make()
			for _, f := range m.fields {
				if strings.HasSuffix(f.what, "CRC") {
					m.data = m.with(f, 0)
				}
			}
			refused(t, "content with a CRC-32 of zero", m.data, Damaged)
		}
	}
	if _, err := read(t, one(shaped{name: "empty"}), nil); err != nil {
		t.Error("the CRC-32 of nothing is zero:", err)
	}
}

// Bytes between the files, or behind the content of one, are where who reads forward finds more files.
func TestAFileTheListDoesNotNameIsRefused(t *testing.T) {
	hidden := one(shaped{name: "hidden", content: "x"})
	hidden = hidden[:bytes.Index(hidden, []byte(listMark))]
	for _, s := range shapes()[1:] {
		m := s.make()
		list := int(m.value(m.find(t, "list place")))
		data := slices.Concat(m.data[:list], hidden, m.data[list:])
		end := shiftEnd(data, m, len(hidden))
		refused(t, s.name, end, Gap)
	}
	m := shape{files: []shaped{{name: "a", content: "content", deflated: true}}}.make()
	list := int(m.value(m.find(t, "list place")))
	data := shiftEnd(slices.Concat(m.data[:list], hidden, m.data[list:]), m, len(hidden))
	for _, f := range m.fields {
		if at := f.at; f.what == "local packed" || f.what == "listed packed" {
			if at > list {
				at += len(hidden)
			}
			binary.LittleEndian.PutUint32(data[at:], uint32(m.value(f))+uint32(len(hidden)))
		}
	}
	refused(t, "behind where its content ends", data, Gap)
}

// shiftEnd mends the records at the end of a zip whose list was moved by some bytes.
func shiftEnd(data []byte, m *made, by int) []byte {
	for _, f := range m.fields {
		switch f.what {
		case "list place":
			binary.LittleEndian.PutUint32(data[f.at+by:], uint32(m.value(f))+uint32(by))
		case "zip64 list place", "locator place":
			binary.LittleEndian.PutUint64(data[f.at+by:], m.value(f)+uint64(by))
		}
	}
	return data
}

func TestFilesThatShareBytesAreRefused(t *testing.T) {
	m := shapes()[1].make()
	places := []field{}
	for _, f := range m.fields {
		if f.what == "place" {
			places = append(places, f)
		}
	}
	for i, f := range places {
		data := m.with(f, m.value(places[(i+1)%len(places)]))
		refused(t, "two at one place", data, Overlap, Gap)
	}
	m.lie(t, "place", ones32-1)
	refused(t, "behind the end", m.data, Numbers)
}

func TestANameThatReadersReadDifferentlyIsRefused(t *testing.T) {
	for name, want := range map[string]Fault{
		"a\x00b": Unreadable, "a\nb": Unreadable, "\x7f": Unreadable, `a\b`: Unreadable, "a\xff": Unreadable,
		"": Unreadable, "a\u0085": Unreadable,
	} {
		refused(t, name, one(shaped{name: name, content: "x"}), want)
	}
	m := shape{files: []shaped{{name: "ñ", content: "x"}}}.make()
	m.lie(t, "local flags", 0)
	m.lie(t, "listed flags", 0)
	refused(t, "beyond ASCII without the mark of UTF-8", m.data, Unmarked)
	twice := shape{files: []shaped{{name: "a", content: "x"}, {name: "a", content: "y"}}}.make()
	refused(t, "twice", twice.data, NamedBefore)
	m = shape{files: []shaped{{name: "abc", content: "x"}}}.make()
	m.data[bytes.Index(m.data, []byte("abc"))] = 'z'
	refused(t, "another before the file", m.data, Differs)
}

func TestExtraFieldsAreThoseOfTheListAndParse(t *testing.T) {
	for what, extra := range map[string][]byte{
		"links of Unix":         part(0x000d, "target"),
		"links of ASi":          part(0x756e, "target"),
		"encryption":            part(0x9901, "\x02\x00AE\x03\x08\x00"),
		"nobody's":              part(0x1234, ""),
		"cut off":               []byte("UT\x09\x00"),
		"longer than its parts": append([]byte(times), 0),
		"zeros":                 {0, 0, 0, 0},
		"one twice":             []byte(times + times),
		"jar's with content":    part(extraJar, "x"),
		"zip64's for nothing":   part(extraZip64, ""),
	} {
		refused(t, what+", in the list", one(shaped{name: "a", listedExtra: extra}), Extra)
		refused(t, what+", before the file", one(shaped{name: "a", extra: extra}), Extra, Differs)
	}
}

func TestMethodsAndFlagsAreThoseEveryProgramReads(t *testing.T) {
	for flags, want := range map[uint16]Fault{
		0x1: Encrypted, 0x40: Encrypted, 0x2000: Encrypted,
		0x10: Method, 0x20: Method, 0x80: Method, 0x1000: Method, 0x8000: Method,
	} {
		refused(t, "flags", one(shaped{name: "a", content: "x", flags: flags}), want)
	}
	for _, method := range []uint64{1, 6, 9, 12, 14, 93, 95, 98, 99} {
		m := shape{files: []shaped{{name: "a", content: "x"}}}.make()
		m.lie(t, "local method", method)
		m.lie(t, "listed method", method)
		refused(t, "method", m.data, Method)
	}
	refused(t, "version", one(shaped{name: "a", content: "x", needed: 51}), Method)
}

// Some programs make of attributes what no name and no content says.
func TestAttributesMakeNothingButFilesAndFolders(t *testing.T) {
	for _, attrs := range []uint32{
		0o120777 << 16, 0o010644 << 16, 0o060644 << 16, 0o020644 << 16, 0o140644 << 16, 0x08, ones32,
	} {
		refused(t, "special", one(shaped{name: "a", content: "x", attrs: attrs}), Link)
		refused(t, "special", one(shaped{name: "a/", attrs: attrs}), Link)
	}
	for _, attrs := range []uint32{0o040755 << 16, 0x10} {
		refused(t, "a file that is a folder", one(shaped{name: "a", content: "x", attrs: attrs}), Kind)
	}
	refused(t, "what Info-ZIP takes from a pipe, as a pipe", file(t, "infozip-from-a-pipe.zip"), Link)
	refused(t, "a folder that is a file", one(shaped{name: "a/", attrs: 0o100644 << 16}), Kind)
	refused(t, "a folder with content", one(shaped{name: "a/", content: "x"}), Kind)
}

// Who reads forward takes stored content to end where its descriptor seems to be.
func TestStoredContentMayNotHoldItsOwnDescriptor(t *testing.T) {
	text := "stored"
	inner := string(binary.LittleEndian.AppendUint32([]byte(descriptorMark+"\x00\x00\x00\x00"), uint32(len(text))))
	refused(t, "early end", one(shaped{name: "a", content: text + inner + inner, descriptor: marked}), Differs)
	data := one(shaped{name: "a", content: "x" + text + inner + inner, descriptor: marked})
	if _, err := read(t, data, nil); err != nil {
		t.Error("a mark alone is no descriptor:", err)
	}
}

func TestACommentThatReadsLikeAZipIsRefused(t *testing.T) {
	s := shapes()[1]
	for _, comment := range []string{
		endMark, "x" + endMark, endMark + strings.Repeat("\x00", 18), locatorMark + strings.Repeat("\x00", 16),
		listMark, localMark, "PK\x05\x05",
		string(shapes()[2].make().data), "\x05\x06" + strings.Repeat("\x00", 0x4b50-2), // it begins in the comment's length
	} {
		s.comment = comment
		refused(t, comment[:2], s.make().data, Comment, Damaged)
	}
	const commit = "4f5a1c0e4f5a1c0e4f5a1c0e4f5a1c0e4f5a1c0e" // as git archive writes it
	for _, comment := range []string{"PK and Co.", commit, strings.Repeat("x", ones16)} {
		s.comment = comment
		a, err := Read(s.make().data, testLimits, nil)
		if err != nil || a.Comment != comment {
			t.Errorf("%.10s: %v", comment, err)
		}
	}
}

func TestAZip64NobodyNeedsIsRefused(t *testing.T) {
	refused(t, "numbers that only the zip64 record has", file(t, "node-archiver-wide.zip"), Zip64)
	wide := shapes()[len(shapes())-1]
	for _, what := range []string{"files here", "files", "list length", "list place"} {
		m := wide.make()
		m.lie(t, what, ones32)
		refused(t, what, m.data, Zip64)
	}
	m := wide.make()
	m.lie(t, "zip64 files", 1<<40)
	m.lie(t, "files", ones16)
	refused(t, "files without number", m.data, TooMany)
}

// Python looks for a zip64 locator before the end whatever the end says.
func TestALocatorInTheListsLastBytesIsRefused(t *testing.T) {
	m := shapes()[1].make()
	locator := locatorMark + strings.Repeat("\x00", 12) + "\x01\x00\x00\x00"
	end := m.find(t, "end mark").at
	data := slices.Concat(m.data[:end], []byte(locator), m.data[end:])
	length := m.find(t, "list length")
	binary.LittleEndian.PutUint32(data[length.at+len(locator):], uint32(m.value(length))+uint32(len(locator)))
	comment := m.find(t, "listed comment length")
	binary.LittleEndian.PutUint16(data[comment.at:], uint16(len(locator)))
	refused(t, "as a file's comment", data, Numbers)
}

func TestAListIsBoundedBeforeItIsKept(t *testing.T) {
	data := shapes()[1].make().data
	for most, want := range map[Limits]Fault{{Files: 2, List: 1000}: TooMany, {Files: 3, List: 10}: ListTooLong} {
		_, err := Read(data, most, nil)
		if refusal, is := errors.AsType[*Error](err); !is || refusal.Fault != want {
			t.Errorf("%v: %v", most, err)
		}
	}
	m := shapes()[1].make()
	m.lie(t, "files", 1)
	m.lie(t, "files here", 1)
	_, err := Read(m.data, Limits{Files: 2, List: 1000}, nil)
	if refusal, is := errors.AsType[*Error](err); !is || refusal.Fault != TooMany || refusal.Count != 3 {
		t.Errorf("more than are said: %v", err)
	}
}
