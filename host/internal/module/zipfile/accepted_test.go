package zipfile

import (
	"os"
	"path/filepath"
	"testing"
)

// In testdata/tools are zips as the programs write them that the files are named after: Info-ZIP,
// git, Java, jar, Python, 7-Zip, libarchive and the usual ones of Node.
func TestWhatCommonProgramsWriteIsRead(t *testing.T) {
	files, err := filepath.Glob("testdata/tools/*.zip")
	if err != nil || len(files) < 15 {
		t.Fatal(files, err)
	}
	var zips [][]byte
	var all []readings
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		seen, err := read(t, data, nil)
		if err != nil || len(seen) == 0 {
			t.Errorf("%s: %d files, %v", file, len(seen), err)
		}
		agree(t, file, data, seen)
		zips, all = append(zips, data), append(all, seen)
	}
	for i, p := range asPython(t, zips) {
		if !p.same(all[i]) {
			t.Errorf("%s: python reads %v, and we %q", files[i], p, all[i])
		}
	}
}

func TestEveryShapeOfAGoodZipIsRead(t *testing.T) {
	for _, s := range shapes() {
		data := s.make().data
		seen, err := read(t, data, nil)
		if err != nil || len(seen) != len(s.files) {
			t.Errorf("%s: %d files, %v", s.name, len(seen), err)
		}
		for _, f := range s.files {
			if seen[f.name] != f.content {
				t.Errorf("%s: %s holds %q", s.name, f.name, seen[f.name])
			}
		}
		agree(t, s.name, data, seen)
	}
}

func TestWhatIsAskedAboutAFileComesBeforeItsBytes(t *testing.T) {
	m := shapes()[1].make()
	for _, f := range m.fields {
		if f.what == "local mark" {
			copy(m.data[f.at:], "gone")
		}
	}
	_, err := Read(m.data, testLimits, func(f *File) error { return os.ErrPermission })
	if err != os.ErrPermission { //nolint:errorlint // as it is, the promise says
		t.Errorf("%v", err)
	}
}
