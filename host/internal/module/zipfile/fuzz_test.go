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
	for _, name := range append(files, "testdata/panic.zip", "testdata/node-archiver-wide.zip") {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, s := range shapes() {
		f.Add(s.make().data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
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
	})
}
