package zipfile

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// values are what a number is made to say instead.
func values(r *rand.Rand, m *made, f field) []uint64 {
	was, most := m.value(f), uint64(1)<<(8*f.width-1)<<1-1
	return []uint64{
		0, 1, was + 1, was - 1, most, most - 1, ones16, ones32, uint64(len(m.data)),
		r.Uint64(), r.Uint64N(uint64(len(m.data))),
	}
}

// Thousands of zips in each of which one number is a lie: each is refused in words, or read as every
// other reader reads it.
func TestEachNumberIsCheckedAgainstTheBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var accepted [][]byte
	var whats []string
	var seen []readings
	count := 0
	for _, s := range shapes() {
		m := s.make()
		for _, f := range m.fields {
			for _, value := range values(r, m, f) {
				data := m.with(f, value)
				what := fmt.Sprintf("%s: %s at %d says %#x", s.name, f.what, f.at, value)
				count++
				ours, err := read(t, data, nil)
				if err != nil {
					wellRefused(t, what, err)
					continue
				}
				agree(t, what, data, ours)
				accepted, whats, seen = append(accepted, data), append(whats, what), append(seen, ours)
			}
		}
	}
	if count < 5000 {
		t.Errorf("only %d zips", count)
	}
	for i, p := range asPython(t, accepted) {
		if !p.same(seen[i]) {
			t.Errorf("%s: python reads %v, and we %q", whats[i], p, seen[i])
		}
	}
	t.Logf("%d zips, %d of them read", count, len(accepted))
}

// lies changes some numbers of a zip at once. What is said of a file twice is mostly said alike.
func lies(r *rand.Rand, m *made) ([]byte, string) {
	data, what := m.data, ""
	for range 1 + r.IntN(3) {
		f := m.fields[r.IntN(len(m.fields))]
		all := values(r, m, f)
		value := all[r.IntN(len(all))]
		data = (&made{data: data}).with(f, value)
		what += fmt.Sprintf(", %s at %d says %#x", f.what, f.at, value)
		_, of, _ := strings.Cut(f.what, " ")
		for _, other := range m.fields {
			if _, is, twice := strings.Cut(other.what, " "); twice && is == of && m.value(other) == m.value(f) && r.IntN(4) > 0 {
				data = (&made{data: data}).with(other, value)
			}
		}
	}
	return data, what
}

func TestSeveralNumbersThatLieAlikeAreNotBelieved(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	var accepted [][]byte
	var whats []string
	var seen []readings
	for _, s := range shapes() {
		m := s.make()
		for range 1000 {
			data, what := lies(r, m)
			ours, err := read(t, data, nil)
			if err != nil {
				wellRefused(t, s.name+what, err)
				continue
			}
			agree(t, s.name+what, data, ours)
			accepted, whats, seen = append(accepted, data), append(whats, s.name+what), append(seen, ours)
		}
	}
	for i, p := range asPython(t, accepted) {
		if !p.same(seen[i]) {
			t.Errorf("%s: python reads %v, and we %q", whats[i], p, seen[i])
		}
	}
	t.Logf("%d zips were read", len(accepted))
}

// harmlessNumbers are those that no reader finds a file, a name or content by.
var harmlessNumbers = map[string]bool{
	"local time": true, "local date": true, "listed time": true, "listed date": true,
	"made by": true, "zip64 made by": true, "internal attributes": true, "attributes": true,
}

// checkedForRange are those of which some values are as good as others.
var checkedForRange = map[string]bool{"local version": true, "listed version": true, "zip64 version": true}

// leftToDescriptor are those that may be zero where a descriptor follows.
var leftToDescriptor = map[string]bool{
	"local CRC": true, "local packed": true, "local size": true, "local zip64 packed": true, "local zip64 size": true,
}

func TestOnlyNumbersThatNobodyReadsMayLie(t *testing.T) {
	for _, s := range shapes() {
		m := s.make()
		for _, f := range m.fields {
			if harmlessNumbers[f.what] || checkedForRange[f.what] {
				continue
			}
			if leftToDescriptor[f.what] {
				continue // zero and the truth are as good as each other: TestEachNumberIsCheckedAgainstTheBytes
			}
			was := m.value(f)
			for _, value := range []uint64{was + 1, was - 1, was ^ 0x10} {
				if _, err := read(t, m.with(f, value), nil); err == nil {
					t.Errorf("%s: %s at %d may say %#x instead of %#x", s.name, f.what, f.at, value, was)
				}
			}
		}
	}
}

// Any two bytes of a zip changed at once, and any cut of it.
func TestDamageOfChanceIsRefusedOrHarmless(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, s := range shapes() {
		good := s.make().data
		for range 400 {
			data := append([]byte(nil), good...)
			for range 2 {
				data[r.IntN(len(data))] ^= byte(1 << r.IntN(8))
			}
			ours, err := read(t, data, nil)
			if err != nil {
				wellRefused(t, s.name, err)
				continue
			}
			agree(t, s.name, data, ours)
		}
		for cut := range good {
			if _, err := read(t, good[:cut], nil); err == nil {
				t.Errorf("%s: its first %d bytes of %d are read", s.name, cut, len(good))
			}
		}
	}
}
