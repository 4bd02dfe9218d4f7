package module

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module/zipfile"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

func panicZip(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("zipfile", "testdata", "panic.zip"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// changed is a package after a change to one of its files, or to all of it.
func changed(change func(f *forgery)) []byte {
	r := rand.New(rand.NewPCG(1, 8))
	f := newForgery(r, small(nil))
	change(f)
	return f.write(r)
}

func TestPanicZipIsRefusedWithASentence(t *testing.T) {
	_, key := opened(t, "panic.zip", panicZip(t))
	if key != "module_bad_entry_local" {
		t.Errorf("%q", key)
	}
	t.Parallel()
	s := newStage(t, nil)
	_, err := s.m.Upload(t.Context(), s.ann.Who(), "panic.zip", bytes.NewReader(panicZip(t)))
	wantKey(t, err, crm.Invalid, "module_bad_entry_local")
}

func TestAUnicodePathThatNamesAnotherFileIsRefused(t *testing.T) {
	path := func(says string) []byte {
		field := append([]byte{1}, binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte("bin/sample")))...)
		field = append(field, says...)
		head := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, 0x7075), uint16(len(field)))
		return append(head, field...)
	}
	for says, want := range map[string]string{
		"bin/sample": "", "bin/other": "module_bad_entry_unicode", "../bin/sample": "module_bad_entry_unicode",
	} {
		_, key := opened(t, says, changed(func(f *forgery) { f.file("bin/sample").list.extra = path(says) }))
		if key != want && key != "module_wrong_platform" {
			t.Errorf("%s: %q, want %q", says, key, want)
		}
	}
}

func TestTwoZipsJoinedAreRefused(t *testing.T) {
	good := zipOf(t, small(nil))
	if _, key := opened(t, "twice", append(bytes.Clone(good), good...)); key != "module_zip_joined" {
		t.Errorf("%q", key)
	}
}

func TestBytesBeforeOrAfterAreRefused(t *testing.T) {
	good := zipOf(t, small(nil))
	if _, key := opened(t, "before", append([]byte("#!/bin/sh\n"), good...)); key != "module_zip_before" {
		t.Errorf("before: %q", key)
	}
	if _, key := opened(t, "after", append(bytes.Clone(good), '\n')); key != "module_zip_after" {
		t.Errorf("after: %q", key)
	}
}

func TestLyingDiskNumbersAreRefused(t *testing.T) {
	good := zipOf(t, small(nil))
	end := bytes.LastIndex(good, []byte(endMark))
	for _, at := range []int{4, 6} {
		lying := bytes.Clone(good)
		lying[end+at] = 1
		if _, key := opened(t, "disks", lying); key != "module_zip_numbers" {
			t.Errorf("%q", key)
		}
	}
}

func TestACRCOfZeroOnContentIsRefused(t *testing.T) {
	_, key := opened(t, "CRC 0", changed(func(f *forgery) {
		p := f.file("bin/sample")
		p.list.sum, p.own.sum = 0, 0
	}))
	if key != "module_damaged" {
		t.Errorf("%q", key)
	}
}

// Nothing of junk is unpacked, but who reads a zip forward finds the next file by its content.
func TestJunkIsReadToItsEndLikeAnyFile(t *testing.T) {
	for name, change := range map[string]func(p *part){
		"another CRC-32":             func(p *part) { p.list.sum, p.own.sum = 1, 1 },
		"bytes behind its content":   func(p *part) { p.packed = append(p.packed, localMark...) },
		"longer than it says":        func(p *part) { p.list.size, p.own.size = 1, 1 },
		"two sayings about its name": func(p *part) { p.own.name = "__MACOSX/._y" },
	} {
		_, key := opened(t, name, changed(func(f *forgery) {
			p := newPart("__MACOSX/._x", strings.Repeat("x", 20), true)
			change(p)
			p.list.packed, p.own.packed = uint32(len(p.packed)), uint32(len(p.packed))
			f.parts = append(f.parts, p)
		}))
		if !strings.HasPrefix(key, "module_") || key == "module_wrong_platform" {
			t.Errorf("%s: %q", name, key)
		}
	}
}

func TestEachFaultOfAZipHasItsSentence(t *testing.T) {
	file, err := os.ReadFile(filepath.Join("..", "web", "languages", "en.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sentences map[string]any
	if err := json.Unmarshal(file, &sentences); err != nil {
		t.Fatal(err)
	}
	owners := map[string]zipfile.Fault{}
	for _, fault := range zipfile.Faults() {
		key := crm.KeyOf(refuseZip("sha", "", &zipfile.Error{Fault: fault, Name: "x"}))
		if _, there := sentences["error_"+key]; !there {
			t.Errorf("%s: no sentence for %q", fault, key)
		}
		if other, taken := owners[key]; taken {
			t.Errorf("%s and %s have one sentence", fault, other)
		}
		owners[key] = fault
	}
}

func TestAByteOrderMarkIsAcceptedInEveryJSONFile(t *testing.T) {
	needLinux(t)
	const mark = "\xef\xbb\xbf"
	data := zipOf(t, small(func(files map[string]string) {
		files["module.json"] = mark + files["module.json"]
		files["languages/en.json"] = mark + files["languages/en.json"]
	}))
	b, err := readBundle("sample.zip", data)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.HasPrefix(rowOf(b, crm.Signer{}).Manifest, []byte(mark)) {
		t.Error("the row of the module keeps it")
	}
	messages, err := parseLanguageFile("languages/en.json", b.texts["languages/en.json"])
	if err != nil || messages["item"] != "Sample" {
		t.Errorf("%v %v", messages, err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "de.json"), []byte(mark+`{"item": "Muster"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	layer := readLanguageFolder(os.DirFS(folder), ".", func(file string, err error) { t.Error(file, err) })
	if layer["de"]["item"] != "Muster" {
		t.Errorf("beside a module: %v", layer)
	}
}

func TestPackTakesByteOrderMarksAway(t *testing.T) {
	folder := source(t)
	for _, name := range []string{manifest.FileName, "languages/es.json"} {
		file := filepath.Join(folder, filepath.FromSlash(name))
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append([]byte("\xef\xbb\xbf"), text...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := Pack(folder, &out, nil); err != nil {
		t.Fatal(err)
	}
	b, err := readBundle("sample.zip", out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range b.texts {
		if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
			t.Errorf("%s has one", name)
		}
	}
	twice := []byte(`{"a": "b", "a": "c"}`)
	if err := os.WriteFile(filepath.Join(folder, "languages", "es.json"), twice, 0o600); err != nil {
		t.Fatal(err)
	}
	err = Pack(folder, &out, nil)
	if err == nil || !strings.Contains(err.Error(), "languages/es.json: a: is given twice") {
		t.Errorf("packed what no installer takes: %v", err)
	}
}

func TestALanguageFileThatCanBeReadInTwoWaysIsRefusedWithItsKey(t *testing.T) {
	needLinux(t)
	for text, says := range map[string]string{
		`{"item": "a", "item": "b"}`:      "item: is given twice",
		"{\"item\": \"\xff\"}":            "is not UTF-8",
		`{"item": "\u001b]0;x\u0007"}`:    "item: holds the character U+001B",
		`{"item": "\u202egnp.exe"}`:       "item: holds the character U+202E",
		`{"item": {"a": "b", "a": "c"}}`:  "item.a: is given twice",
		"{\"it\x07em\": \"a\"}":           "not valid JSON",
		`{"item": "\ud83d broken"}`:       "item: holds the character U+FFFD",
		strings.Repeat(`{"item":`, 1_000): "nested too deep",
	} {
		files := small(func(files map[string]string) { files["languages/en.json"] = text })
		_, err := readBundle("sample.zip", zipOf(t, files))
		wantKey(t, err, crm.Invalid, "module_language_invalid")
		if detail, _ := asProblem(err).Args["Detail"].(string); !strings.Contains(detail, says) {
			t.Errorf("%.30q: %q, want %q", text, detail, says)
		}
	}
}

// A zip signed here keeps what its files carry, but not what only the old zip needed.
func TestSigningKeepsAZipReadable(t *testing.T) {
	needLinux(t)
	secret, _, err := GenerateKey("")
	if err != nil {
		t.Fatal(err)
	}
	times := []byte("UT\x05\x00\x01\x00\x00\x00\x5a")
	r := rand.New(rand.NewPCG(1, 9))
	f := newForgery(r, small(nil))
	for _, p := range f.parts { // a zip64 field although nothing is large
		size := binary.LittleEndian.AppendUint64([]byte{1, 0, 8, 0}, uint64(p.list.size))
		p.list.extra, p.list.size = append(size, times...), 0xffffffff
	}
	folder := newPart("bin/", "", true) // as Java's writer does it
	folder.attrs = 0o040755 << 16
	f.parts = append(f.parts, folder)
	var signed bytes.Buffer
	if _, err := Sign("sample.zip", f.write(r), secret, "", zipTime, &signed); err != nil {
		t.Fatal(err)
	}
	if b, err := readBundle("sample.zip", signed.Bytes()); err != nil || b.signature == nil {
		t.Fatal(err)
	}
	archive, err := zipfile.Read(signed.Bytes(), zipLimits, nil)
	if err != nil {
		t.Fatal(err)
	}
	if first := archive.Files[0]; !bytes.Equal(first.Extra, times) {
		t.Errorf("%s carries %q", first.Name, first.Extra)
	}
}

// Executables are a stranger's bytes, too.
func FuzzPlatform(f *testing.F) {
	f.Add([]byte(fakeExecutable("linux/amd64")))
	f.Add([]byte("MZ" + strings.Repeat("\x00", 58) + "\x40\x00\x00\x00PE\x00\x00\x64\x86"))
	f.Add([]byte("\xcf\xfa\xed\xfe\x0c\x00\x00\x01"))
	f.Add([]byte("\x7fELF\x02\x02"))
	f.Fuzz(func(t *testing.T, head []byte) {
		if got := platformOf(head[:min(len(head), headerBytes)]); got != "" && strings.Count(got, "/") != 1 {
			t.Errorf("%q", got)
		}
	})
}

// What is read of SHA256SUMS is written and read back alike, and names only what may be unpacked.
func FuzzChecksums(f *testing.F) {
	f.Add([]byte(small(nil)[sumsName]))
	f.Add([]byte(strings.Repeat("0", 64) + " *./a\r\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		sums, err := parseChecksums(text)
		if err != nil {
			return
		}
		again, err := parseChecksums([]byte(sums.String()))
		if err != nil || again.String() != sums.String() {
			t.Errorf("%v", err)
		}
		for _, name := range sums.names() {
			if rule := checkName(name); rule != "" {
				t.Errorf("%q: %s", name, rule)
			}
		}
	})
}
