package module

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// The parts of a zip, by their first bytes and their shortest length.
const (
	localMark   = "PK\x03\x04"
	listMark    = "PK\x01\x02"
	endMark     = "PK\x05\x06"
	end64Mark   = "PK\x06\x06"
	to64Mark    = "PK\x06\x07"
	localLength = 30
	listLength  = 46
	endLength   = 22
	to64Length  = 20
	end64Length = 56
)

// directory is where a zip's list of files stands, and where that says each file's own header is.
type directory struct {
	start, end int64
	headers    []int64
}

// readDirectory bounds the zip's list of files before archive/zip builds it: that reader goes on
// for as long as it finds records, whatever their declared number.
func readDirectory(data []byte) (directory, error) {
	end, err := findEnd(data)
	if err != nil {
		return directory{}, err
	}
	count := int(binary.LittleEndian.Uint16(data[end+10:]))
	length := int64(binary.LittleEndian.Uint32(data[end+12:]))
	offset := int64(binary.LittleEndian.Uint32(data[end+16:]))
	// archive/zip takes a length of 0xffff for zip64's mark, too, and then believes that record.
	if count == 0xffff || length == 0xffffffff || offset == 0xffffffff || (length == 0xffff && hasEnd64(data, end)) {
		return directory{}, refuseEnd64(data, end)
	}
	switch {
	case count > maxEntries:
		return directory{}, tooMany(count)
	case offset+length > end:
		return directory{}, errors.New("the list of files is cut off")
	case end-offset > maxDirectory:
		return directory{}, crm.Refuse(crm.TooLarge, "module_list_too_long", "Max", maxDirectory>>20)
	}
	d := directory{start: offset, end: end}
	before := end - length - offset // what somebody put before the zip
	if _, ok := nextRecord(data, offset, end); !ok {
		d.start = end - length
	} else {
		before = 0 // archive/zip does likewise
	}
	return d, d.walk(data, before, count)
}

func tooMany(count int) error {
	return crm.Refuse(crm.TooLarge, "module_too_many_files", "Count", count, "Max", maxEntries)
}

// findEnd finds the record at a zip's end.
func findEnd(data []byte) (int64, error) {
	const comment = 1 << 16
	from := max(0, len(data)-endLength-comment)
	at := bytes.LastIndex(data[from:], []byte(endMark))
	if at < 0 || len(data)-from-at < endLength {
		return 0, errors.New("the zip has no end: the download stopped early")
	}
	return int64(from + at), nil
}

func hasEnd64(data []byte, end int64) bool {
	return end >= to64Length && bytes.HasPrefix(data[end-to64Length:], []byte(to64Mark))
}

// refuseEnd64 refuses zip64, by the number of files where it says one.
func refuseEnd64(data []byte, end int64) error {
	if hasEnd64(data, end) {
		at := binary.LittleEndian.Uint64(data[end-to64Length+8:])
		if at < uint64(len(data)) && uint64(len(data))-at >= end64Length && bytes.HasPrefix(data[at:], []byte(end64Mark)) {
			if count := binary.LittleEndian.Uint64(data[at+32:]); count > maxEntries {
				return tooMany(int(min(count, 1<<31-1)))
			}
		}
	}
	return crm.Refuse(crm.Invalid, "module_zip64")
}

// nextRecord is where the record after the one at a place begins; false when there is none.
func nextRecord(data []byte, at, end int64) (int64, bool) {
	if at < 0 || end-at < listLength || !bytes.HasPrefix(data[at:], []byte(listMark)) {
		return 0, false
	}
	next := at + listLength
	for _, field := range []int64{28, 30, 32} { // lengths of name, extra and comment
		next += int64(binary.LittleEndian.Uint16(data[at+field:]))
	}
	return next, next <= end
}

// walk notes where each file's own header is.
func (d *directory) walk(data []byte, before int64, count int) error {
	for at := d.start; ; {
		next, ok := nextRecord(data, at, d.end)
		if !ok {
			break
		}
		if len(d.headers) == maxEntries {
			return tooMany(max(count, maxEntries+1))
		}
		d.headers = append(d.headers, before+int64(binary.LittleEndian.Uint32(data[at+42:])))
		at = next
	}
	return nil // whether they are as many as it says, archive/zip looks
}

// checkPlaces refuses files that share bytes, by which a small zip can unpack to a huge one, and
// files of which the list says one thing and their own header another.
func (d *directory) checkPlaces(data []byte, entries []entry) error {
	type span struct {
		from, to int64
		name     string
	}
	spans := make([]span, 0, len(entries)+1)
	for _, e := range entries {
		from, err := e.file.DataOffset()
		if err != nil {
			return damagedEntry(e.path, err)
		}
		spans = append(spans, span{e.header, from + int64(e.file.CompressedSize64), e.path})
	}
	slices.SortFunc(spans, func(a, b span) int { return int(min(max(a.from-b.from, -1), 1)) })
	until := int64(0)
	for _, s := range spans {
		if s.from < until || s.to > d.start {
			return crm.Refuse(crm.Invalid, "module_overlap", "Name", printable(s.name))
		}
		until = s.to
	}
	for _, e := range entries {
		if !e.agrees(data) {
			return badEntry(e.path, "local")
		}
	}
	return nil
}

// agrees tells whether the header before a file's content says what the list at the end says of it.
// Sizes may be left to what follows the content; whether they are right shows when it is read.
func (e entry) agrees(data []byte) bool {
	const encrypted, later = 0x1, 0x8
	head := data[e.header:] // DataOffset has read it
	flags, method := binary.LittleEndian.Uint16(head[6:]), binary.LittleEndian.Uint16(head[8:])
	name := head[localLength : localLength+int(binary.LittleEndian.Uint16(head[26:]))]
	if method != e.file.Method || string(name) != e.file.Name || flags&encrypted != 0 {
		return false
	}
	sum, packed, size := binary.LittleEndian.Uint32(head[14:]), binary.LittleEndian.Uint32(head[18:]), binary.LittleEndian.Uint32(head[22:])
	if flags&later != 0 || packed == 0xffffffff || size == 0xffffffff {
		return true
	}
	return sum == e.file.CRC32 && uint64(packed) == e.file.CompressedSize64 && uint64(size) == e.file.UncompressedSize64
}

// damagedEntry is a damage at a file, before the zip's own checksum is known to who finds it.
func damagedEntry(name string, cause error) error {
	return &placeError{printable(name), cause}
}

// placeError says where a zip is damaged.
type placeError struct {
	where string
	err   error
}

func (e *placeError) Error() string { return e.where + ": " + e.err.Error() }

func (e *placeError) Unwrap() error { return e.err }
