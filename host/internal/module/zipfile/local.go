package zipfile

import (
	"bytes"
	"cmp"
	"slices"
)

// readFiles holds each file's local header and descriptor against the list, and gives it its content.
// The files fill data, in any order.
func readFiles(data []byte, files []*File) error {
	placed := slices.SortedStableFunc(slices.Values(files), func(a, b *File) int { return cmp.Compare(a.at, b.at) })
	if len(placed) == 0 {
		if len(data) > 0 {
			return strangeStart(data)
		}
		return nil
	}
	if first := placed[0].at; first > 0 && first <= uint64(len(data)) {
		return strangeStart(data[:first])
	}
	for i, f := range placed {
		until := uint64(len(data))
		if i+1 < len(placed) {
			until = placed[i+1].at
		}
		if until > uint64(len(data)) || f.at > until {
			return fault(Numbers, "a file is said to be behind the files")
		}
		if err := f.readPlace(data, until); err != nil {
			return err
		}
	}
	return nil
}

// local is a local header.
type local struct {
	flags, method uint16
	needed        uint16
	crc           uint32
	packed, size  uint64
	name          []byte
	extras        extras
}

// readPlace reads what stands from a file's place to where the next one begins.
func (f *File) readPlace(data []byte, until uint64) error {
	// First of all: what shares its bytes is named as that, whatever else is wrong with it.
	if room := until - f.at; f.Packed > room || localLength+uint64(len(f.Name)) > room-f.Packed {
		return f.fault(Overlap, "its %d bytes reach into the next file's or the list's", f.Packed)
	}
	c := at(data, f.at)
	if !c.mark(localMark) {
		return f.fault(Damaged, "no header stands at its place")
	}
	var l local
	l.needed, l.flags, l.method = c.u16(), c.u16(), c.u16()
	c.take(4) // time and date: the list's count
	l.crc, l.packed, l.size = c.u32(), uint64(c.u32()), uint64(c.u32())
	nameLength, extraLength := int(c.u16()), int(c.u16())
	l.name = c.take(nameLength)
	field := c.take(extraLength)
	if c.short {
		return f.fault(Damaged, "its header is cut off")
	}
	if string(l.name) != f.Name || l.flags != f.flags || l.method != f.Method || l.needed > maxVersion {
		return f.fault(Differs, "its header says %q, flags %#x, method %d", l.name, l.flags, l.method)
	}
	var err error
	if l.extras, err = f.parseExtra(field); err != nil {
		return err
	}
	if !f.agrees(&l) {
		return f.fault(Differs, "its header has other sizes or another CRC-32")
	}
	from := uint64(len(data) - len(c.rest))
	if from > until || f.Packed > until-from { // its extra field is longer than there is room for
		return f.fault(Overlap, "its %d bytes reach into the next file's or the list's", f.Packed)
	}
	f.content = data[from : from+f.Packed : from+f.Packed]
	return f.readBehind(data[from+f.Packed:until], l.extras.wide)
}

// agrees tells whether a local header has the sizes and the CRC-32 of the list. One with a
// descriptor may have zeros for any of them.
func (f *File) agrees(l *local) bool {
	if l.extras.wide {
		c := at(l.extras.zip64, 0)
		if l.packed != ones32 || l.size != ones32 {
			return false
		}
		if l.size, l.packed = c.u64(), c.u64(); c.short || len(c.rest) > 0 {
			return false
		}
	}
	later := f.flags&flagDescriptor != 0
	same := func(said, listed uint64) bool { return said == listed || (later && said == 0) }
	return same(uint64(l.crc), uint64(f.CRC32)) && same(l.packed, f.Packed) && same(l.size, f.Size)
}

// readBehind reads what stands between a file's content and the next file: its descriptor, or nothing.
// Its sizes have eight bytes when the local header has a zip64 field, which tells who reads forward.
func (f *File) readBehind(bytesBehind []byte, wide bool) error {
	if f.flags&flagDescriptor == 0 {
		if len(bytesBehind) > 0 {
			return f.fault(Gap, "%d bytes behind it belong to no file", len(bytesBehind))
		}
		return nil
	}
	size := 4 + 4 + 4
	if wide {
		size = 4 + 8 + 8
	}
	marked := bytes.HasPrefix(bytesBehind, []byte(descriptorMark))
	if marked {
		size += len(descriptorMark)
	}
	if len(bytesBehind) > size {
		return f.fault(Gap, "%d bytes behind it belong to no file", len(bytesBehind)-size)
	}
	c := at(bytesBehind, 0)
	if marked {
		c.take(len(descriptorMark))
	}
	number := func() uint64 { return uint64(c.u32()) }
	if wide {
		number = c.u64
	}
	crc, packed, unpacked := c.u32(), number(), number()
	if c.short || crc != f.CRC32 || packed != f.Packed || unpacked != f.Size {
		return f.fault(Differs, "its descriptor says other than the list")
	}
	if f.Method == Stored && f.endsEarly() {
		return f.fault(Differs, "its content holds what reads like its descriptor")
	}
	return nil
}

// endsEarly tells whether stored content holds a descriptor of what stands before it: who reads
// forward would take the file to end there.
func (f *File) endsEarly() bool {
	for from := 0; ; {
		i := bytes.Index(f.content[from:], []byte(descriptorMark))
		if i < 0 {
			return false
		}
		from += i
		c := at(f.content, uint64(from+len(descriptorMark)))
		c.take(4) // whatever CRC-32 it has
		if narrow := *c; uint64(narrow.u32()) == uint64(from) && !narrow.short {
			return true
		}
		if c.u64() == uint64(from) && !c.short {
			return true
		}
		from++
	}
}
