package module

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/understudy-crm/understudy/sdk/manifest"
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
	{name: "zip64", key: "module_zip64", apply: func(_ *rand.Rand, f *forgery) {
		f.zip64, f.length = true, 0xffffffff
	}},
	{name: "two lengths of the list", key: "module_zip_numbers", apply: func(_ *rand.Rand, f *forgery) {
		f.zip64, f.length = true, 0xffff
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
	{name: "wrong number of files", key: "module_zip_numbers", shared: true, apply: func(r *rand.Rand, f *forgery) { f.count = (len(f.parts) + 1 + r.IntN(1000)) % maxEntries }},
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
	{name: "a program before it", key: "module_not_zip", apply: func(r *rand.Rand, f *forgery) {
		f.before = [][]byte{[]byte("MZ"), []byte("%PDF-1.7\n"), []byte("\x7fELF")}[r.IntN(3)]
	}},
	{name: "something before it", key: "module_zip_before", apply: func(r *rand.Rand, f *forgery) {
		f.before = [][]byte{[]byte("#!/bin/sh\nexit\n"), make([]byte, 1000), []byte("\n")}[r.IntN(3)]
	}},
	{name: "another zip before it", key: "module_zip_joined", apply: func(r *rand.Rand, f *forgery) {
		f.before = newForgery(r, small(nil)).write(r)
	}},
	{name: "something behind it", key: "module_zip_after", apply: func(r *rand.Rand, f *forgery) {
		f.behind = make([]byte, 1+r.IntN(60000))
	}},
	{name: "a comment with marks", key: "module_zip_comment", apply: func(r *rand.Rand, f *forgery) {
		f.comment = []byte([]string{"a PK\x05\x06", "PK\x01\x02", "PK\x06\x07\x00\x00\x00\x00"}[r.IntN(3)])
	}},
	{name: "junk that leads out", key: "module_bad_entry_parent", shared: true, apply: called("__MACOSX/../../x")},
}

// odd is what a good package may have, too, without becoming another.
var odd = []func(r *rand.Rand, f *forgery){
	func(r *rand.Rand, f *forgery) {
		f.comment = append(f.comment, bytes.Repeat([]byte("x"), r.IntN(1<<15))...)
	},
	func(_ *rand.Rand, f *forgery) { f.comment = append(f.comment, "PK and Co."...) },
	func(r *rand.Rand, f *forgery) { f.parts[r.IntN(len(f.parts))].list.extra = []byte{0xfe, 0xca, 0, 0} },
	func(r *rand.Rand, f *forgery) { f.parts[r.IntN(len(f.parts))].comment = []byte("PK\x01\x02") },
	func(r *rand.Rand, f *forgery) { f.parts[r.IntN(len(f.parts))].attrs = 0o104777 << 16 }, // set user id
	func(r *rand.Rand, f *forgery) { f.add(r, newPart("__MACOSX/._x", "x", false)) },
	func(r *rand.Rand, f *forgery) { f.add(r, newPart("bin/", "", false)).attrs = 0o040755 << 16 },
	func(_ *rand.Rand, f *forgery) { f.zip64 = true },
	func(_ *rand.Rand, f *forgery) {
		for _, p := range f.parts {
			p.own.name, p.list.name = "sample-1.0.0/"+p.own.name, "sample-1.0.0/"+p.list.name
		}
	},
}
