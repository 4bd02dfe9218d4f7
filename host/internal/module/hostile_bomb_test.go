package module

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// zeros is a file that packs to nearly nothing.
var zeros = sync.OnceValue(func() part { return *newPart("zeros", strings.Repeat("\x00", 8<<20), true) })

// nestedBomb is zips within zips, each unpacking to more than the last.
var nestedBomb = sync.OnceValue(func() string {
	bomb := zeros()
	inner := zipped(&bomb)
	for range 5 {
		inner = zipped(newPart("a.zip", inner, true), newPart("b.zip", inner, true), newPart("c.zip", inner, true))
	}
	return inner
})

func zipped(parts ...*part) string {
	f := &forgery{parts: parts, count: -1, length: -1}
	return string(f.write(nil))
}

// declared says it has so many bytes.
func declared(name string, size uint32, packed []byte) *part {
	p := newPart(name, "", false)
	p.packed = packed
	p.list.method, p.list.size, p.list.packed = 8, size, uint32(max(len(packed), int(min(size, maxFile*8)/100)))
	p.own = p.list
	return p
}

// quoting is David Fifield's better bomb: each file's bytes begin with a stored block that quotes the
// next one's header, so all of them share one kernel and no two the same header.
func quoting(r *rand.Rand, f *forgery) {
	kernel := newPart("quote0", strings.Repeat("x", 5000), true)
	parts := []*part{kernel}
	for i := range 1 + r.IntN(5) {
		next := parts[len(parts)-1]
		quoted := append(next.own.bytes(localMark, nil), next.packed...)
		head := next.own.bytes(localMark, nil)
		p := newPart(fmt.Sprintf("quote%d", i+1), "", true)
		p.packed = append(binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16([]byte{0}, uint16(len(head))), ^uint16(len(head))), quoted...)
		p.list.size, p.list.packed = next.list.size+uint32(len(head)), uint32(len(p.packed))
		p.own = p.list
		next.inside = p
		parts = append(parts, p)
	}
	slices.Reverse(parts) // the outermost is written first, and holds the others
	f.parts = append(f.parts, parts...)
}

// crowd adds so many empty files, and says whatever it likes of their number.
func crowd(f *forgery, count int) {
	for i := range count {
		f.parts = append(f.parts, newPart(fmt.Sprint(i), "", false))
	}
}

// cutOff ends the zip at, or beside, a boundary of its parts.
func cutOff(r *rand.Rand, z *forged) []byte {
	at := z.boundaries[1+r.IntN(len(z.boundaries)-1)] + r.IntN(5) - 2
	return z.data[:max(4, at)]
}

// cutOut leaves the end and takes out something before it.
func cutOut(r *rand.Rand, z *forged) []byte {
	end := z.boundaries[len(z.boundaries)-1]
	from := localLength + r.IntN(end-localLength)
	to := min(end, from+1+r.IntN(200))
	return append(bytes.Clone(z.data[:from]), z.data[to:]...)
}

// The bomb by quoted headers is one: without the check every file of it can be read, to its CRC or
// at least to its size.
func TestTheQuotingBombIsABomb(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	f := &forgery{count: -1, length: -1}
	quoting(r, f)
	data := f.write(r)
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, file := range z.File {
		raw, err := file.OpenRaw()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(flate.NewReader(raw))
		if err != nil || len(content) != int(file.UncompressedSize64) {
			t.Errorf("%s: %d bytes of %d, %v", file.Name, len(content), file.UncompressedSize64, err)
		}
		total += len(content)
	}
	if total < 10*len(data) {
		t.Errorf("%d bytes unpack to %d", len(data), total)
	}
}
