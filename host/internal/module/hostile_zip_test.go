package module

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/sdk/manifest"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// family is one way to make a zip hostile, and the key of the sentence it must get.
type family struct {
	name, key string
	shared    bool // the issue names it together with another: the sentence may be that one's
	apply     func(r *rand.Rand, f *forgery)
}

// called adds a file whose name is one of these.
func called(names ...string) func(*rand.Rand, *forgery) {
	return func(r *rand.Rand, f *forgery) {
		f.add(r, newPart(names[r.IntN(len(names))], "x", r.IntN(2) == 0))
	}
}

// both adds two files with names that belong together.
func both(pairs ...[2]string) func(*rand.Rand, *forgery) {
	return func(r *rand.Rand, f *forgery) {
		pair := pairs[r.IntN(len(pairs))]
		f.add(r, newPart(pair[0], "x", false))
		f.add(r, newPart(pair[1], "y", true))
	}
}

// special adds a file that is none.
func special(kinds ...uint32) func(*rand.Rand, *forgery) {
	return func(r *rand.Rand, f *forgery) {
		f.add(r, newPart("bin/link", "../../../etc/passwd", false)).attrs = (kinds[r.IntN(len(kinds))] | 0o777) << 16
	}
}

// rewritten changes a file of the package, with checksums that are right again.
func rewritten(name string, contents ...string) func(*rand.Rand, *forgery) {
	return func(r *rand.Rand, f *forgery) {
		content := contents[r.IntN(len(contents))]
		p := f.file(name)
		*p = *newPart(p.list.name, content, r.IntN(2) == 0)
		f.sums(r, func(sums checksums) { sums[name] = sha256.Sum256([]byte(content)) })
	}
}

// sums writes SHA256SUMS anew after a change.
func (f *forgery) sums(r *rand.Rand, change func(checksums)) {
	p := f.file(sumsName)
	if p.list.name != sumsName {
		return
	}
	sums, err := parseChecksums([]byte(small(nil)[sumsName]))
	if err != nil {
		panic(err)
	}
	change(sums)
	*p = *newPart(sumsName, sums.String(), r.IntN(2) == 0)
}

func (f *forgery) without(name string) {
	f.parts = slices.DeleteFunc(f.parts, func(p *part) bool { return p.list.name == name })
}

var families = []family{
	{name: "symbolic link", key: "module_bad_entry_link", apply: special(0o120000)},
	{name: "pipe, socket, device", key: "module_bad_entry_link", shared: true, apply: special(0o010000, 0o140000, 0o060000, 0o020000)},
	{name: "absolute", key: "module_bad_entry_absolute", apply: called("/etc/cron.d/x", "/x", "/../x")},
	{name: "parent", key: "module_bad_entry_parent", apply: called("../x", "a/../../x", "..", "bin/..", "../../../../../../../../tmp/x")},
	{name: "share, drive, backslash", key: "module_bad_entry_windows", apply: called(`\\server\share\x`, "//server/share/x", `C:\x`, "c:x", `..\x`, `bin\x`, `\x`)},
	{name: "case", key: "module_bad_entry_case", apply: both([2]string{"a/x", "A/x"}, [2]string{"straße", "STRASSE"}, [2]string{"x", "X"}, [2]string{"K", "\u212a"})},
	{name: "Unicode form", key: "module_bad_entry_case", shared: true, apply: both([2]string{"caf\u00e9", "cafe\u0301"}, [2]string{"\ufb01", "fi"}, [2]string{"x\u00a0y", "x y"}, [2]string{"ａ", "a"})},
	{name: "twice", key: "module_bad_entry_twice", apply: both([2]string{"x", "x"}, [2]string{"a/b", "a/b"})},
	{name: "file and folder", key: "module_bad_entry_folder", apply: both([2]string{"a", "a/b"}, [2]string{"a/b/c", "a/b"}, [2]string{"a/", "a"})},
	{name: "folder with content", key: "module_bad_entry_folder", shared: true, apply: called("a/", "a/b/")},
	{name: "folder in a file's place", key: "module_bad_entry_folder", shared: true, apply: func(r *rand.Rand, f *forgery) {
		f.add(r, newPart("a/b", "x", false)).attrs = 0o040755 << 16
	}},
	{name: "flat bomb", key: "module_bad_entry_ratio", apply: func(r *rand.Rand, f *forgery) { bomb := zeros(); f.add(r, &bomb) }},
	{name: "flat bomb of many files", key: "module_unpacks_too_big", apply: func(r *rand.Rand, f *forgery) {
		for i := range 300 {
			f.parts = append(f.parts, declared(fmt.Sprintf("zeros%d", i), 1<<20, []byte("x")))
		}
	}},
	{name: "nested bomb", key: "module_nested", apply: func(r *rand.Rand, f *forgery) {
		f.parts = []*part{newPart("inner.zip", nestedBomb(), false), newPart("LICENSE", "x", false)}
	}},
	{name: "overlapping bomb", key: "module_overlap", apply: func(r *rand.Rand, f *forgery) {
		kernel := f.add(r, newPart("kernel", strings.Repeat("x", 100), true))
		for i := range 2 + r.IntN(20) {
			p := newPart(fmt.Sprintf("copy%d", i), strings.Repeat("x", 100), true)
			p.shares = kernel
			f.add(r, p)
		}
	}},
	{name: "quoting bomb", key: "module_overlap", shared: true, apply: quoting},
	{name: "the list as content", key: "module_overlap", shared: true, apply: func(r *rand.Rand, f *forgery) {
		p := newPart("x", "x", false)
		p.list.size, p.list.packed = 40, 40
		p.own = p.list
		f.parts = append(f.parts, p) // last before the list
	}},
	{name: "shorter than it says", key: "module_bad_entry_size", apply: func(r *rand.Rand, f *forgery) {
		p := f.file("bin/sample")
		*p = *newPart("bin/sample", fakeExecutable(hostPlatform()), true)
		more := uint32(1 + r.IntN(1000))
		p.list.size, p.own.size = p.list.size+more, p.own.size+more
	}},
	{name: "longer than it says", key: "module_bad_entry_size", shared: true, apply: func(r *rand.Rand, f *forgery) {
		p := f.file("bin/sample")
		*p = *newPart("bin/sample", fakeExecutable(hostPlatform()), true)
		less := uint32(1 + r.IntN(60))
		p.list.size, p.own.size = p.list.size-less, p.own.size-less
	}},
	{name: "stored, with two sizes", key: "module_bad_entry_size", shared: true, apply: func(r *rand.Rand, f *forgery) {
		p := f.add(r, newPart("x", "four", false))
		p.list.size, p.own.size = 5, 5
	}},
	{name: "two headers, two sizes", key: "module_bad_entry_local", apply: func(r *rand.Rand, f *forgery) {
		p := f.parts[r.IntN(len(f.parts))]
		switch r.IntN(5) {
		case 0:
			p.own.size++
		case 1:
			p.own.packed += 7
		case 2:
			p.own.sum ^= 1
		case 3:
			p.own.name = strings.Repeat("x", len(p.own.name))
		case 4:
			p.own.flags |= 1
		}
	}},
	{name: "says it is huge", key: "module_bad_entry_too_big", apply: func(r *rand.Rand, f *forgery) {
		f.add(r, declared("huge", maxFile+1+r.Uint32N(1<<30), []byte("\x03\x00")))
	}},
	{name: "says it is huge, by zip64", key: "module_bad_entry_too_big", shared: true, apply: func(r *rand.Rand, f *forgery) {
		p := f.add(r, declared("huge", 0xffffffff, []byte("\x03\x00")))
		p.list.extra = binary.LittleEndian.AppendUint64([]byte{1, 0, 8, 0}, r.Uint64()|1<<40)
	}},
	{name: "zip64", key: "module_zip64", apply: func(r *rand.Rand, f *forgery) {
		f.zip64, f.length = true, []int{0xffffffff, 0xffff}[r.IntN(2)]
	}},
	{name: "encrypted", key: "module_bad_entry_encrypted", apply: func(r *rand.Rand, f *forgery) {
		p := f.parts[r.IntN(len(f.parts))]
		p.list.flags |= []uint16{0x1, 0x40, 0x41}[r.IntN(3)]
		p.own.flags = p.list.flags
	}},
	{name: "other compression", key: "module_bad_entry_compression", apply: func(r *rand.Rand, f *forgery) {
		p := f.parts[r.IntN(len(f.parts))]
		p.list.method = []uint16{1, 6, 9, 12, 14, 93, 95, 99}[r.IntN(8)]
		p.own.method = p.list.method
	}},
	{name: "truncated", key: "module_damaged", apply: func(_ *rand.Rand, f *forgery) { f.cut = cutOff }},
	{name: "a hole", key: "module_damaged", shared: true, apply: func(_ *rand.Rand, f *forgery) { f.cut = cutOut }},
	{name: "wrong CRC", key: "module_damaged", shared: true, apply: func(r *rand.Rand, f *forgery) {
		p := f.parts[r.IntN(len(f.parts))]
		p.list.sum ^= 1 << r.IntN(32)
		p.own.sum = p.list.sum
	}},
	{name: "wrong number of files", key: "module_damaged", shared: true, apply: func(r *rand.Rand, f *forgery) { f.count = (len(f.parts) + 1 + r.IntN(1000)) % maxEntries }},
	{name: "too many files", key: "module_too_many_files", apply: func(r *rand.Rand, f *forgery) { crowd(f, maxEntries+r.IntN(1000)) }},
	{name: "NUL and other controls", key: "module_bad_entry_control", apply: called("a\x00b", "module.json\x00.txt", "a\nb", "\x1b[2J", "a\x7f", "a\u0085")},
	{name: "turned around, unseen", key: "module_bad_entry_invisible", apply: called("bin/\u202egpj.exe", "a\u200bb", "\u2066a", "a\ufeff", "a\u00adb", "a\ufe0f", "a\u3164", "a\u2028b")},
	{name: "not UTF-8, wildcards", key: "module_bad_entry_characters", apply: called("a\xff", "\xc0\xaf", "a*", "a?b", "a|b", "a<b", `a"`, "bin/a:b")},
	{name: "Windows device", key: "module_bad_entry_reserved", apply: called("NUL", "bin/con.txt", "a/COM1", "lpt9.x.y", "aux/b", "com\u00b9", "CONIN$", "nul .txt")},
	{name: "unclean", key: "module_bad_entry_unclean", apply: called("./x", "a//b", "a/./b", "a.", "a ", " a", "a /b", ".../b")},
	{name: "long", key: "module_bad_entry_long", apply: func(r *rand.Rand, f *forgery) {
		f.add(r, newPart(strings.Repeat("a", []int{0, maxPath + 1, 4096, 65000}[r.IntN(4)]), "x", false))
	}},
	{name: "deep", key: "module_bad_entry_deep", apply: called(strings.Repeat("a/", maxDepth)+"b", strings.Repeat("a/", 100)+"b")},
	{name: "another machine", key: "module_wrong_platform", apply: func(r *rand.Rand, f *forgery) {
		foreign := []byte(fakeExecutable(hostPlatform()))
		binary.LittleEndian.PutUint16(foreign[18:], 243)
		mf := strings.Replace(kit{}.manifest(), hostPlatform(), "linux/riscv64", 1)
		rewritten("bin/sample", string(foreign))(r, f)
		*f.file(manifest.FileName) = *newPart(manifest.FileName, mf, false)
		f.sums(r, func(s checksums) {
			s["bin/sample"], s[manifest.FileName] = sha256.Sum256(foreign), sha256.Sum256([]byte(mf))
		})
	}},
	{name: "mislabelled", key: "module_mislabelled", apply: rewritten("bin/sample", fakeExecutable("linux/arm64"), fakeExecutable("linux/amd64"))},
	{name: "no program", key: "module_not_executable", apply: rewritten("bin/sample", "", "#!/bin/sh\n", "\x7fELF", "MZ")},
	{name: "program missing", key: "module_no_executable", apply: func(r *rand.Rand, f *forgery) {
		f.without("bin/sample")
		f.sums(r, func(s checksums) { delete(s, "bin/sample") })
	}},
	{name: "no manifest", key: "module_no_manifest", apply: func(r *rand.Rand, f *forgery) { f.without(manifest.FileName) }},
	{name: "two manifests", key: "module_two_manifests", apply: called("module.json", "Module.JSON", "MODULE.json")},
	{name: "broken manifest", key: "module_manifest_invalid", apply: rewritten(manifest.FileName, "", "{", "[]", "null", strings.Repeat("[", 10000), "\xef\xbb\xbf{}", strings.Repeat(" ", manifest.MaxBytes+1))},
	{name: "no checksums", key: "module_no_checksums", apply: func(r *rand.Rand, f *forgery) { f.without(sumsName) }},
	{name: "broken checksums", key: "module_checksums_invalid", apply: rewritten(sumsName, "", "x", strings.Repeat("0", 64)+"  ../x\n", strings.Repeat("0", 63)+"  x\n", strings.Repeat(strings.Repeat("0", 64)+"  x\n", 2), strings.Repeat("\n", maxSums+1))},
	{name: "wrong checksum", key: "module_tampered", apply: func(r *rand.Rand, f *forgery) {
		f.sums(r, func(s checksums) {
			switch names := []string{manifest.FileName, "bin/sample", "languages/en.json"}; r.IntN(3) {
			case 0:
				s[names[r.IntN(3)]] = digest{}
			case 1:
				delete(s, names[r.IntN(3)])
			case 2:
				s["missing"] = digest{}
			}
		})
	}},
	{name: "file without checksum", key: "module_tampered", shared: true, apply: called("extra", "languages/xx.txt", "SHA256SUMS.asc")},
	{name: "broken language", key: "module_language_invalid", apply: rewritten("languages/en.json", "", "[]", "null", "{", `{"a": 1}`)},
	{name: "something before it", key: "module_not_zip", apply: func(r *rand.Rand, f *forgery) {
		f.before = [][]byte{[]byte("#!/bin/sh\nexit\n"), []byte("MZ"), []byte("%PDF-1.7\n"), make([]byte, 1000)}[r.IntN(4)]
	}},
}

// odd is what a good package may have, too, without becoming another.
var odd = []func(r *rand.Rand, f *forgery){
	func(r *rand.Rand, f *forgery) { f.comment = bytes.Repeat([]byte("x"), r.IntN(1<<16)) },
	func(_ *rand.Rand, f *forgery) { f.comment = []byte("PK\x05\x06") },
	func(r *rand.Rand, f *forgery) { f.behind = make([]byte, 1+r.IntN(60000)) },
	func(r *rand.Rand, f *forgery) { f.parts[r.IntN(len(f.parts))].list.extra = []byte{0xfe, 0xca, 0, 0} },
	func(r *rand.Rand, f *forgery) { f.parts[r.IntN(len(f.parts))].comment = []byte("PK\x01\x02") },
	func(r *rand.Rand, f *forgery) { f.parts[r.IntN(len(f.parts))].attrs = 0o104777 << 16 }, // set user id
	func(r *rand.Rand, f *forgery) { f.add(r, newPart("__MACOSX/../../x", "x", false)) },
	func(r *rand.Rand, f *forgery) { f.add(r, newPart("bin/", "", false)).attrs = 0o040755 << 16 },
	func(_ *rand.Rand, f *forgery) { f.zip64 = true },
	func(_ *rand.Rand, f *forgery) {
		for _, p := range f.parts {
			p.own.name, p.list.name = "sample-1.0.0/"+p.own.name, "sample-1.0.0/"+p.list.name
		}
	},
}

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

const (
	allocLimit = 16 << 20 // for any one zip, at whose expense whatever it says
	timeLimit  = 20 * time.Second
)

// opened reads a zip as an upload is, within bounds.
func opened(t *testing.T, what string, data []byte) (*bundle, string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	b, err := readBundle("hostile.zip", data)
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > allocLimit+uint64(2*len(data)) {
		t.Errorf("%s: %d bytes made it allocate %d MB", what, len(data), got>>20)
	}
	if took > timeLimit {
		t.Errorf("%s: it took %s", what, took)
	}
	if outer := (*outerError)(nil); errors.As(err, &outer) {
		return nil, "module_outer_package"
	}
	if err != nil && crm.KeyOf(err) == "" {
		t.Errorf("%s: an error nobody can read: %v", what, err)
	}
	return b, crm.KeyOf(err)
}

func TestEachKindOfHostileZipGetsItsOwnSentence(t *testing.T) {
	needLinux(t)
	owners := map[string]string{}
	for _, k := range families {
		if other, taken := owners[k.key]; taken && !k.shared {
			t.Errorf("%s and %s get the same sentence", k.name, other)
		}
		owners[k.key] = k.name
		for seed := range uint64(25) {
			r := rand.New(rand.NewPCG(seed, 1))
			f := newForgery(r, small(nil))
			k.apply(r, f)
			if _, key := opened(t, k.name, f.write(r)); key != k.key && !sameHere(k, key) {
				t.Errorf("%s, seed %d: %q, want %s", k.name, seed, key, k.key)
			}
		}
	}
}

// sameHere allows what chance makes of a family: a cut within the first mark leaves no zip, a hole
// in a name leaves two names, an executable for this machine is no wrong one.
func sameHere(k family, key string) bool {
	switch k.name {
	case "truncated":
		return key == "module_not_zip"
	case "a hole":
		return key != "" && key != "module_outer_package"
	case "mislabelled":
		return key == ""
	}
	return false
}

// Thousands of zips, each hostile in several ways of chance: all are refused, by a sentence, in
// bounded time and memory.
func TestThousandsOfHostileZipsAreRefused(t *testing.T) {
	needLinux(t)
	files := small(nil)
	count := 3000
	if testing.Short() || hosttest.Race {
		count = 500
	}
	for seed := range uint64(count) {
		r := rand.New(rand.NewPCG(seed, 2))
		f := newForgery(r, files)
		var names []string
		for range 1 + r.IntN(4) {
			k := families[r.IntN(len(families))]
			if k.name == "mislabelled" {
				continue
			}
			k.apply(r, f)
			names = append(names, k.name)
			if len(f.parts) == 0 {
				break
			}
		}
		if r.IntN(3) == 0 && len(f.parts) > 0 {
			odd[r.IntN(len(odd))](r, f)
		}
		what := fmt.Sprintf("seed %d: %s", seed, strings.Join(names, ", "))
		if _, key := opened(t, what, f.write(r)); key == "" && len(names) > 0 {
			t.Errorf("%s: taken", what)
		}
	}
}

// What a review lets through, and what only the last barrier would stop: nothing of either is
// written outside the modules' folder.
func TestNothingOfAHostileZipIsWrittenOutside(t *testing.T) {
	needLinux(t)
	watched := t.TempDir()
	s := shelf{path: filepath.Join(watched, "in", "modules")}
	if err := os.MkdirAll(s.path, 0o750); err != nil {
		t.Fatal(err)
	}
	good, err := readBundle("good.zip", zipOf(t, small(nil)))
	if err != nil {
		t.Fatal(err)
	}
	taken, forced := 0, 0
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 3))
		f := newForgery(r, small(nil))
		if seed%2 == 0 {
			odd[r.IntN(len(odd))](r, f)
		} else {
			families[r.IntN(len(families))].apply(r, f)
		}
		data := f.write(r)
		if b, key := opened(t, "odd", data); key == "" {
			taken++
			wellNamed(t, b)
			if err := unpackSample(s, b); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			if err := s.check("sample", "1.0.0", b.sums); err != nil {
				t.Errorf("seed %d: unpacked, it is not what was checked: %v", seed, err)
			}
		} else if unchecked := asIs(good, data); unchecked != nil {
			forced++
			_ = unpackSample(s, unchecked)
		}
		onlyBelow(t, watched, s.path)
		if err := os.RemoveAll(filepath.Join(s.path, "sample")); err != nil {
			t.Fatal(err)
		}
	}
	if taken < 20 || forced < 20 {
		t.Errorf("only %d were taken and %d forced", taken, forced)
	}
}

// asIs is a package nobody has looked at: every name and every size as the zip has it.
func asIs(good *bundle, data []byte) *bundle {
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil || len(r.File) > 100 {
		return nil
	}
	b := *good
	b.entries = nil
	for _, f := range r.File {
		if f.UncompressedSize64 < 1<<20 {
			b.entries = append(b.entries, entry{path: f.Name, size: int64(f.UncompressedSize64), file: f})
		}
	}
	return &b
}

// onlyBelow fails when anything but plain files and folders below inside has come to be.
func onlyBelow(t *testing.T, watched, inside string) {
	t.Helper()
	err := filepath.WalkDir(watched, func(name string, d fs.DirEntry, err error) error {
		within := strings.HasPrefix(name+"/", inside+"/") || strings.HasPrefix(inside+"/", name+"/")
		if err == nil && (!within || (!d.IsDir() && !d.Type().IsRegular())) {
			t.Errorf("%s was written", name)
		}
		if info, infoErr := d.Info(); infoErr == nil && info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
			t.Errorf("%s may change who runs it", name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for _, name := range []string{"/tmp/x", "/x", "/etc/cron.d/x", filepath.Dir(watched) + "/x"} {
		if _, err := os.Lstat(name); err == nil {
			t.Errorf("%s was written", name)
		}
	}
}

// wellNamed holds an accepted package against rules written down a second time.
func wellNamed(t *testing.T, b *bundle) {
	t.Helper()
	seen := map[string]string{}
	for _, e := range b.entries {
		if !fs.ValidPath(e.path) || !filepath.IsLocal(e.path) || strings.ContainsAny(e.path, "\\:\x00") {
			t.Errorf("%q was taken", e.path)
		}
		for _, form := range []norm.Form{norm.NFC, norm.NFD, norm.NFKC, norm.NFKD} {
			key := fmt.Sprint(form) + cases.Fold().String(form.String(e.path))
			if other, twice := seen[key]; twice && other != e.path {
				t.Errorf("%q and %q were taken together", e.path, other)
			}
			seen[key] = e.path
		}
	}
}

// A hundred thousand files cost no more than a few, whatever the zip says of their number.
func TestAHundredThousandFilesCostLittle(t *testing.T) {
	needLinux(t)
	for name, c := range map[string]struct {
		change func(f *forgery)
		key    string
	}{
		"their true number, cut to sixteen bits": {func(f *forgery) { f.count = 100_000 & 0xffff }, "module_too_many_files"},
		"their true number, by zip64":            {func(f *forgery) { f.zip64, f.length = true, 0xffffffff }, "module_too_many_files"},
		"a length that only looks like zip64's":  {func(f *forgery) { f.zip64, f.count, f.length, f.early = true, 3, 0xffff, 70_000 }, "module_zip64"},
		"a small number":                         {func(f *forgery) { f.count = 3 }, "module_list_too_long"},
		"a small number in a short list": {func(f *forgery) {
			f.count, f.parts = 3, f.parts[:50_000]
		}, "module_too_many_files"},
		"few, with long comments": {func(f *forgery) {
			f.parts = f.parts[:100]
			for _, p := range f.parts {
				p.comment = make([]byte, 60_000)
			}
		}, "module_list_too_long"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForgery(rand.New(rand.NewPCG(1, 4)), small(nil))
			crowd(f, 100_000)
			c.change(f)
			data := f.write(nil)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, key := opened(t, name, data)
			runtime.ReadMemStats(&after)
			if key != c.key {
				t.Errorf("%q, want %s", key, c.key)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
				t.Errorf("it allocated %d MB", got>>20)
			}
		})
	}
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

// As much as may be unpacked passes through a bounded part of the memory.
func TestTheLargestPackagesAreReadInLittleMemory(t *testing.T) {
	needLinux(t)
	block := strings.Repeat("\x00", 1<<20)
	r := rand.New(rand.NewPCG(1, 6))
	f := newForgery(r, small(nil))
	one := newPart("", block, true)
	f.sums(r, func(s checksums) {
		for i := range 100 {
			p := *one
			p.list.name = fmt.Sprintf("assets/%d", i)
			p.own.name = p.list.name
			s[p.list.name] = sha256.Sum256([]byte(block))
			f.parts = append(f.parts, &p)
		}
	})
	if _, key := opened(t, "100 MiB of nothing", f.write(r)); key != "" {
		t.Errorf("refused: %s", key)
	}
}
