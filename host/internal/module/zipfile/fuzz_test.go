package zipfile

import (
	"os"
	"path/filepath"
	"testing"
)

// Whatever is read, archive/zip and who reads forward read alike.
func FuzzDirectory(f *testing.F) {
	files, err := filepath.Glob("testdata/tools/*.zip")
	if err != nil {
		f.Fatal(err)
	}
	others, err := filepath.Glob("testdata/*.zip")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(files, others...) {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, s := range shapes() {
		f.Add(s.make().data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { fuzzed(t, data) })
}

// FuzzNumbers changes numbers where FuzzDirectory changes bytes, and so gets further.
func FuzzNumbers(f *testing.F) {
	all := shapes()
	for i := range all {
		f.Add(uint8(i), uint16(1), uint64(0), uint16(2), uint64(ones32), uint16(3), uint64(1))
	}
	f.Fuzz(func(t *testing.T, which uint8, a uint16, first uint64, b uint16, second uint64, c uint16, third uint64) {
		m := all[int(which)%len(all)].make()
		for _, lie := range []struct {
			number uint16
			value  uint64
		}{{a, first}, {b, second}, {c, third}} {
			m.data = m.with(m.fields[int(lie.number)%len(m.fields)], lie.value)
		}
		fuzzed(t, m.data)
	})
}

func fuzzed(t *testing.T, data []byte) {
	const most = 1 << 20 // so that no input takes long
	seen, err := read(t, data, func(file *File) error {
		if file.Size > most {
			return file.fault(Size, "too large for a test")
		}
		return nil
	})
	if err != nil {
		wellRefused(t, "fuzzed", err)
		return
	}
	agree(t, "fuzzed", data, seen)
}
