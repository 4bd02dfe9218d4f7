package zipfile

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

var testLimits = Limits{Files: 2000, List: 4 << 20}

// made is a zip with a note of where each number of it is, so that each can be made a lie.
type made struct {
	data   []byte
	fields []field
}

// field is a number of a zip.
type field struct {
	what      string
	at, width int
}

// shape is what a zip is to look like.
type shape struct {
	name    string
	files   []shaped
	comment string
	end64   bool // with a zip64 record that repeats what the end says
}

// shaped is a file of it.
type shaped struct {
	name, content      string
	deflated           bool
	descriptor         descriptor
	wide               bool // sizes in a zip64 field of the local header, and of eight bytes in the descriptor
	wideList           bool // sizes and place in a zip64 field of the list
	extra, listedExtra []byte
	attrs              uint32
	flags, needed      uint16
}

type descriptor int

const (
	none descriptor = iota
	marked
	unmarked
)

// part is one part of an extra field.
func part(id uint16, data string) []byte {
	b := binary.LittleEndian.AppendUint16(nil, id)
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(data))), data...)
}

// unicodePath is the extra field by which Info-ZIP and WinRAR say a name once more.
func unicodePath(of, says string) []byte {
	crc := binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(of)))
	return part(extraUnicodePath, "\x01"+string(crc)+says)
}

// make writes the zip.
func (s shape) make() *made {
	m := &made{}
	var places []int
	for _, f := range s.files {
		places = append(places, len(m.data))
		m.file(f)
	}
	list := len(m.data)
	for i, f := range s.files {
		m.listed(f, places[i])
	}
	m.end(s, list)
	return m
}

func (m *made) mark(what, mark string) {
	m.fields = append(m.fields, field{what, len(m.data), len(mark)})
	m.data = append(m.data, mark...)
}

func (m *made) number(what string, width int, value uint64) {
	m.fields = append(m.fields, field{what, len(m.data), width})
	m.data = append(m.data, binary.LittleEndian.AppendUint64(nil, value)[:width]...)
}

// packed is a file's content as it is packed, and what both its headers say of it.
func (f shaped) packed() (content []byte, flags, method uint16) {
	content, flags = []byte(f.content), f.flags
	if f.deflated {
		var out bytes.Buffer
		w, err := flate.NewWriter(&out, flate.BestCompression)
		if err != nil {
			panic(err)
		}
		_, _ = w.Write(content)
		_ = w.Close()
		content, method = out.Bytes(), Deflated
	}
	if f.descriptor != none {
		flags |= flagDescriptor
	}
	if strings.ContainsFunc(f.name, func(r rune) bool { return r > 127 }) {
		flags |= flagUTF8
	}
	return content, flags, method
}

func (m *made) file(f shaped) {
	content, flags, method := f.packed()
	crc, packed, size := uint64(crc32.ChecksumIEEE([]byte(f.content))), uint64(len(content)), uint64(len(f.content))
	said := [3]uint64{crc, packed, size}
	if f.descriptor != none {
		said = [3]uint64{}
	}
	extra := bytes.Clone(f.extra)
	if f.wide {
		extra = append(extra, make([]byte, 20)...)
	}
	m.mark("local mark", localMark)
	m.number("local version", 2, uint64(max(f.needed, 20)))
	m.number("local flags", 2, uint64(flags))
	m.number("local method", 2, uint64(method))
	m.number("local time", 2, 0x6000)
	m.number("local date", 2, 0x5a21)
	m.number("local CRC", 4, said[0])
	if f.wide {
		m.number("local packed", 4, ones32)
		m.number("local size", 4, ones32)
	} else {
		m.number("local packed", 4, said[1])
		m.number("local size", 4, said[2])
	}
	m.number("local name length", 2, uint64(len(f.name)))
	m.number("local extra length", 2, uint64(len(extra)))
	m.data = append(append(m.data, f.name...), f.extra...)
	if f.wide {
		m.number("local zip64 id", 2, extraZip64)
		m.number("local zip64 length", 2, 16)
		m.number("local zip64 size", 8, said[2])
		m.number("local zip64 packed", 8, said[1])
	}
	m.data = append(m.data, content...)
	if f.descriptor == none {
		return
	}
	if f.descriptor == marked {
		m.mark("descriptor mark", descriptorMark)
	}
	width := 4
	if f.wide {
		width = 8
	}
	m.number("descriptor CRC", 4, crc)
	m.number("descriptor packed", width, packed)
	m.number("descriptor size", width, size)
}

func (m *made) listed(f shaped, place int) {
	content, flags, method := f.packed()
	packed, size, at := uint64(len(content)), uint64(len(f.content)), uint64(place)
	extra := len(f.listedExtra)
	if f.wideList {
		packed, size, at, extra = ones32, ones32, ones32, extra+28
	}
	m.mark("listed mark", listMark)
	m.number("made by", 2, 3<<8|20)
	m.number("listed version", 2, uint64(max(f.needed, 20)))
	m.number("listed flags", 2, uint64(flags))
	m.number("listed method", 2, uint64(method))
	m.number("listed time", 2, 0x6000)
	m.number("listed date", 2, 0x5a21)
	m.number("listed CRC", 4, uint64(crc32.ChecksumIEEE([]byte(f.content))))
	m.number("listed packed", 4, packed)
	m.number("listed size", 4, size)
	m.number("listed name length", 2, uint64(len(f.name)))
	m.number("listed extra length", 2, uint64(extra))
	m.number("listed comment length", 2, 0)
	m.number("listed disk", 2, 0)
	m.number("internal attributes", 2, 0)
	m.number("attributes", 4, uint64(f.attrs))
	m.number("place", 4, at)
	m.data = append(append(m.data, f.name...), f.listedExtra...)
	if f.wideList {
		m.number("listed zip64 id", 2, extraZip64)
		m.number("listed zip64 length", 2, 24)
		m.number("listed zip64 size", 8, uint64(len(f.content)))
		m.number("listed zip64 packed", 8, uint64(len(content)))
		m.number("listed zip64 place", 8, uint64(place))
	}
}

func (m *made) end(s shape, list int) {
	at, count, length := uint64(len(m.data)), uint64(len(s.files)), uint64(len(m.data)-list)
	if s.end64 {
		m.mark("zip64 mark", end64Mark)
		m.number("zip64 record length", 8, end64Length-12)
		m.number("zip64 made by", 2, 45)
		m.number("zip64 version", 2, 45)
		m.number("zip64 disk", 4, 0)
		m.number("zip64 list's disk", 4, 0)
		m.number("zip64 files here", 8, count)
		m.number("zip64 files", 8, count)
		m.number("zip64 list length", 8, length)
		m.number("zip64 list place", 8, uint64(list))
		m.mark("locator mark", locatorMark)
		m.number("locator disk", 4, 0)
		m.number("locator place", 8, at)
		m.number("locator disks", 4, 1)
	}
	m.mark("end mark", endMark)
	m.number("disk", 2, 0)
	m.number("list's disk", 2, 0)
	m.number("files here", 2, count)
	m.number("files", 2, count)
	m.number("list length", 4, length)
	m.number("list place", 4, uint64(list))
	m.number("comment length", 2, uint64(len(s.comment)))
	m.data = append(m.data, s.comment...)
}

// with is the zip with another value of one number.
func (m *made) with(f field, value uint64) []byte {
	data := bytes.Clone(m.data)
	copy(data[f.at:f.at+f.width], binary.LittleEndian.AppendUint64(nil, value))
	return data
}

// value is what a number of it is.
func (m *made) value(f field) uint64 {
	var wide [8]byte
	copy(wide[:], m.data[f.at:f.at+f.width])
	return binary.LittleEndian.Uint64(wide[:])
}
