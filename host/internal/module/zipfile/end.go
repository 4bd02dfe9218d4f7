package zipfile

import (
	"bytes"
)

// The marks by which the parts of a zip begin, and how long those at its end are.
const (
	localMark      = "PK\x03\x04"
	listMark       = "PK\x01\x02"
	descriptorMark = "PK\x07\x08"
	endMark        = "PK\x05\x06"
	end64Mark      = "PK\x06\x06"
	locatorMark    = "PK\x06\x07"

	localLength   = 30
	endLength     = 22
	locatorLength = 20
	end64Length   = 56
	maxComment    = 1<<16 - 1
)

// What a 16- or 32-bit number is where a zip64 field says the true one.
const (
	ones16 = 1<<16 - 1
	ones32 = 1<<32 - 1
)

// end is where the list stands and how many files it has, as the records at the end say. The list
// ends where they begin.
type end struct {
	list, listEnd uint64
	count         uint64
	comment       string
}

// counts are the numbers that both an end record and a zip64 one hold.
type counts struct {
	disk, listDisk uint32
	here, total    uint64
	size, list     uint64
}

// readEnd reads the end record, which must end where the bytes end, and what a zip64 record repeats.
func readEnd(data []byte, most Limits) (end, error) {
	at, comment, err := findEnd(data)
	if err != nil {
		return end{}, err
	}
	said := readCounts(data[at:])
	e := end{list: said.list, listEnd: uint64(at), count: said.total, comment: comment}
	record, has64 := before(data, at)
	if said.total == ones16 || said.here == ones16 || said.size == ones32 || said.list == ones32 {
		if has64 && record.total > uint64(most.Files) {
			return end{}, tooMany(record.total)
		}
		return end{}, fault(Zip64, "only a zip64 record says where the list is")
	}
	if has64 {
		if record != said {
			return end{}, fault(Numbers, "the end says %v and the zip64 record %v", said, record)
		}
		e.listEnd -= locatorLength + end64Length
	}
	switch {
	case said.disk != 0 || said.listDisk != 0 || said.here != said.total:
		return end{}, fault(Numbers, "parts of it are said to be on other disks")
	case said.total > uint64(most.Files):
		return end{}, tooMany(said.total)
	case said.size > uint64(most.List):
		return end{}, fault(ListTooLong, "its list has %d bytes", said.size)
	}
	return e, e.checkPlace(data, said)
}

func tooMany(count uint64) error {
	return &Error{Fault: TooMany, Count: int(min(count, 1<<31-1))}
}

// findEnd finds the end record and its comment. No other record may be taken for it, neither by who
// looks for the last one nor by who looks for one whose comment ends with the zip.
func findEnd(data []byte) (int, string, error) {
	from := max(0, len(data)-endLength-maxComment)
	last, fitting := -1, 0
	for i := from; ; i++ {
		next := bytes.Index(data[i:], []byte(endMark))
		if next < 0 {
			break
		}
		i += next
		last = i
		if i+endLength+commentLength(data[i:]) == len(data) {
			fitting++
		}
	}
	if last < 0 {
		return 0, "", fault(Damaged, "the zip has no end: the download stopped early")
	}
	length, behind := commentLength(data[last:]), len(data)-last-endLength
	switch {
	case fitting > 1 || (fitting == 1 && length != behind):
		return 0, "", fault(Comment, "two records can be taken for its end")
	case length > behind:
		return 0, "", fault(Damaged, "the zip ends before its end record or its comment does")
	case length < behind:
		return 0, "", fault(After, "%d bytes stand after its end", behind-length)
	}
	comment := data[last+endLength:]
	if readsLikeZip(comment) {
		return 0, "", fault(Comment, "its comment holds the mark of a record")
	}
	return last, string(comment), nil
}

// commentLength is what an end record says; more than there can be when the record is cut off.
func commentLength(record []byte) int {
	c := at(record, endLength-2)
	if length := int(c.u16()); !c.short {
		return length
	}
	return maxComment + 1
}

// readsLikeZip tells whether bytes hold what begins like the mark of any record.
func readsLikeZip(text []byte) bool {
	for i := range len(text) - 2 {
		if text[i] == 'P' && text[i+1] == 'K' && text[i+2] < ' ' {
			return true
		}
	}
	return false
}

// readCounts reads the numbers of an end record, which is whole.
func readCounts(record []byte) counts {
	c := at(record, uint64(len(endMark)))
	return counts{
		disk: uint32(c.u16()), listDisk: uint32(c.u16()), here: uint64(c.u16()), total: uint64(c.u16()),
		size: uint64(c.u32()), list: uint64(c.u32()),
	}
}

// before reads the zip64 record and its locator before the end record. False when no locator is
// there; numbers that nothing agrees with when the two aren't as they must be.
func before(data []byte, end int) (counts, bool) {
	if end < locatorLength || !bytes.HasPrefix(data[end-locatorLength:], []byte(locatorMark)) {
		return counts{}, false
	}
	wrong := counts{disk: ones32}
	if end < locatorLength+end64Length {
		return wrong, true
	}
	place := uint64(end - locatorLength - end64Length)
	locator := at(data, uint64(end-locatorLength+len(locatorMark)))
	if disk, record, disks := locator.u32(), locator.u64(), locator.u32(); disk != 0 || record != place || disks != 1 {
		return wrong, true
	}
	c := at(data, place)
	if !c.mark(end64Mark) || c.u64() != end64Length-12 {
		return wrong, true
	}
	_, needed := c.u16(), c.u16()
	said := counts{disk: c.u32(), listDisk: c.u32(), here: c.u64(), total: c.u64(), size: c.u64(), list: c.u64()}
	if needed > maxVersion {
		return wrong, true
	}
	return said, true
}

// checkPlace holds where the list is said to be against where the records behind it begin.
func (e end) checkPlace(data []byte, said counts) error {
	until := said.list + said.size // of 32 bits each: the sum can't overflow
	switch {
	case until == e.listEnd:
		return nil
	case until > e.listEnd:
		return fault(Damaged, "the list of files is cut off")
	case said.size == 0:
		return fault(Gap, "%d bytes and no files", e.listEnd)
	case !bytes.HasPrefix(data[e.listEnd-said.size:], []byte(listMark)):
		return fault(Numbers, "the list isn't where the end says")
	}
	return strangeStart(data[:e.listEnd-until])
}

// strangeStart says what bytes are that stand before all that a zip's list knows of.
func strangeStart(data []byte) error {
	if i := bytes.LastIndex(data, []byte(endMark)); i >= 0 && len(data)-i >= endLength {
		return fault(Joined, "another zip ends before its first file")
	}
	if bytes.HasPrefix(data, []byte(localMark)) {
		return fault(Gap, "files that its list doesn't name stand before its first")
	}
	return fault(Before, "%d bytes stand before its first file", len(data))
}
