package module

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// The marks by which the parts of a zip begin, and the lengths of two of them.
const (
	localMark   = "PK\x03\x04"
	listMark    = "PK\x01\x02"
	endMark     = "PK\x05\x06"
	end64Mark   = "PK\x06\x06"
	to64Mark    = "PK\x06\x07"
	localLength = 30
	end64Length = 56
)

// forgery is a zip about to be written, with every field in anybody's hand: archive/zip's writer
// can't be made to lie as much.
type forgery struct {
	parts          []*part
	before, behind []byte // what stands around the zip
	comment        []byte
	count          int  // said at the end; -1 for the true one
	zip64          bool // with a zip64 end, whose numbers count
	length         int  // of the list, said at the end; -1 for the true one
	early          int  // so many bytes before the end the list is said to begin; 0 for the truth
	cut            func(r *rand.Rand, f *forged) []byte
}

// part is a file of it: what the list says, what its own header says, its packed bytes.
type part struct {
	list, own header
	attrs     uint32 // Unix mode in the upper half
	packed    []byte
	comment   []byte
	shares    *part // stands where this one does
	inside    *part // its header is quoted in this one's bytes
	at        int
}

type header struct {
	name          string
	flags, method uint16
	sum           uint32
	packed, size  uint32
	extra         []byte
}

// forged is a written zip and where its parts begin.
type forged struct {
	data       []byte
	boundaries []int
}

// newPart packs a file as an honest tool would, stored or deflated.
func newPart(name, content string, deflated bool) *part {
	p := &part{packed: []byte(content), attrs: 0o100644 << 16}
	h := header{name: name, flags: marked(name), sum: crc32.ChecksumIEEE([]byte(content)), size: uint32(len(content))}
	if deflated {
		h.method, p.packed = 8, deflate(content)
	}
	h.packed = uint32(len(p.packed))
	p.list, p.own = h, h
	return p
}

// marked is the flag of a name in UTF-8 that isn't ASCII.
func marked(name string) uint16 {
	if strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return 0x800
	}
	return 0
}

// packers are used again: making one costs more than packing.
var packers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	return w
}}

func deflate(content string) []byte {
	var out bytes.Buffer
	w := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(&out)
	_, _ = w.Write([]byte(content))
	_ = w.Close()
	return out.Bytes()
}

// newForgery is a good package, in an order and with methods of chance.
func newForgery(r *rand.Rand, files map[string]string) *forgery {
	f := &forgery{count: -1, length: -1}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f.parts = append(f.parts, newPart(name, files[name], r.IntN(2) == 0))
	}
	r.Shuffle(len(f.parts), func(i, j int) { f.parts[i], f.parts[j] = f.parts[j], f.parts[i] })
	return f
}

// add puts one more file somewhere.
func (f *forgery) add(r *rand.Rand, p *part) *part {
	f.parts = slices.Insert(f.parts, r.IntN(len(f.parts)+1), p)
	return p
}

// file finds a part by the end of its name.
func (f *forgery) file(name string) *part {
	for _, p := range f.parts {
		if p.list.name == name {
			return p
		}
	}
	return f.parts[0]
}

func (f *forgery) write(r *rand.Rand) []byte {
	z := &forged{data: bytes.Clone(f.before)}
	for _, p := range f.parts {
		if p.shares == nil && p.inside == nil {
			p.at = z.local(p)
		}
	}
	for _, p := range f.parts {
		switch {
		case p.shares != nil:
			p.at = p.shares.at
		case p.inside != nil:
			p.at = p.inside.at + localLength + len(p.inside.own.name) + len(p.inside.own.extra) + 5 // after the mark of a stored block
		}
	}
	z.end(f)
	if f.cut != nil {
		return f.cut(r, z)
	}
	return z.data
}

func (z *forged) put(values ...any) {
	for _, v := range values {
		switch v := v.(type) {
		case string:
			z.data = append(z.data, v...)
		case []byte:
			z.data = append(z.data, v...)
		case uint16:
			z.data = binary.LittleEndian.AppendUint16(z.data, v)
		case uint32:
			z.data = binary.LittleEndian.AppendUint32(z.data, v)
		case uint64:
			z.data = binary.LittleEndian.AppendUint64(z.data, v)
		}
	}
}

func (z *forged) boundary() { z.boundaries = append(z.boundaries, len(z.data)) }

func (z *forged) local(p *part) int {
	at := len(z.data)
	z.boundary()
	z.put(p.own.bytes(localMark, nil))
	z.boundary()
	z.put(p.packed)
	return at
}

// bytes writes a header, of a file or of the list's.
func (h header) bytes(mark string, p *part) []byte {
	z := &forged{}
	z.put(mark)
	if p != nil {
		z.put(uint16(3<<8 | 20)) // made on Unix
	}
	z.put(uint16(20), h.flags, h.method, uint32(0), h.sum, h.packed, h.size, uint16(len(h.name)), uint16(len(h.extra)))
	if p != nil {
		z.put(uint16(len(p.comment)), uint32(0), p.attrs, uint32(p.at))
	}
	z.put(h.name, h.extra)
	if p != nil {
		z.put(p.comment)
	}
	return z.data
}

func (z *forged) end(f *forgery) {
	start := len(z.data)
	for _, p := range f.parts {
		z.boundary()
		z.put(p.list.bytes(listMark, p))
	}
	count, length := len(f.parts), len(z.data)-start
	if f.count >= 0 {
		count = f.count
	}
	if f.zip64 {
		at := len(z.data)
		z.put(end64Mark, uint64(end64Length-12), uint16(45), uint16(45), uint32(0), uint32(0), uint64(count), uint64(count), uint64(length), uint64(start))
		z.put(to64Mark, uint32(0), uint64(at), uint32(1))
	}
	if f.length >= 0 {
		length = f.length
	}
	if f.early > 0 {
		start = len(z.data) - f.early
	}
	z.boundary()
	z.put(endMark, uint32(0), uint16(count), uint16(count), uint32(length), uint32(start-len(f.before)), uint16(len(f.comment)), f.comment, f.behind)
}
