package zipfile

import "strings"

// Extra fields as programs write them.
var (
	times     = string(part(0x5455, "\x03\x00\x00\x00\x5a\x00\x00\x00\x5a"))
	timesList = string(part(0x5455, "\x03\x00\x00\x00\x5a"))
	owner     = string(part(0x7875, "\x01\x04\x00\x00\x00\x00\x04\x00\x00\x00\x00"))
	ntfs      = string(part(0x000a, "\x00\x00\x00\x00\x01\x00\x18\x00"+strings.Repeat("\x01", 24)))
	oldUnix   = string(part(0x5855, strings.Repeat("\x01", 8)))
)

// shapes are zips as programs write them, with every record and every width there is.
func shapes() []shape {
	const json, text = `{"id": "sample"}`, "the same words, and the same words, and the same words again"
	return []shape{
		{name: "nothing"},
		{name: "stored", files: []shaped{
			{name: "module.json", content: json}, {name: "bin/sample", content: text}, {name: "empty"},
		}},
		{name: "Windows Explorer", files: []shaped{
			{name: "bin/", attrs: 0x10},
			{name: "bin/sample", content: text, deflated: true, attrs: 0x20},
			{name: "module.json", content: json, deflated: true, attrs: 0x20},
		}},
		{name: "Go", files: []shaped{
			{name: "module.json", content: json, deflated: true, descriptor: marked, attrs: 0o100644 << 16},
			{name: "bin/sample", content: text, deflated: true, descriptor: marked, attrs: 0o100755 << 16},
			{name: "stored", content: text, descriptor: marked},
			{name: "assets/ñandú.txt", content: text, deflated: true, descriptor: marked},
		}},
		{name: "descriptors without marks", files: []shaped{
			{name: "module.json", content: json, deflated: true, descriptor: unmarked},
			{name: "bin/sample", content: text, deflated: true, descriptor: unmarked},
		}},
		{name: "Info-ZIP", comment: "from a shell", files: []shaped{
			{
				name: "bin/", attrs: 0o40755<<16 | 0x10, needed: 10,
				extra: []byte(times + owner), listedExtra: []byte(timesList + owner),
			},
			{
				name: "module.json", content: json, attrs: 0o100644 << 16, needed: 10,
				extra: []byte(times + owner), listedExtra: []byte(timesList + owner),
			},
			{
				name: "bin/sample", content: text, deflated: true, flags: 0x2,
				extra: []byte(times + owner), listedExtra: []byte(timesList + owner),
			},
		}},
		{name: "macOS Archive Utility", files: []shaped{
			{
				name: "module.json", content: json, deflated: true, descriptor: marked, attrs: 0o100644 << 16,
				extra: []byte(oldUnix), listedExtra: []byte(oldUnix),
			},
			{
				name: "__MACOSX/._module.json", content: text, deflated: true, descriptor: marked,
				extra: []byte(oldUnix), listedExtra: []byte(oldUnix),
			},
		}},
		{name: "7-Zip, WinRAR", files: []shaped{
			{name: "bin/sample", content: text, deflated: true, listedExtra: []byte(ntfs)},
			{
				name: "assets/ñ", content: text, deflated: true,
				extra: unicodePath("assets/ñ", "assets/ñ"), listedExtra: unicodePath("assets/ñ", "assets/ñ"),
			},
		}},
		{name: "jar", files: []shaped{
			{name: "META-INF/", deflated: true, descriptor: marked, extra: part(extraJar, ""), listedExtra: part(extraJar, "")},
			{name: "META-INF/MANIFEST.MF", content: text, deflated: true, descriptor: marked},
		}},
		{name: "Python into a pipe", files: []shaped{
			{name: "module.json", content: json, deflated: true, descriptor: marked, wide: true, needed: 45},
			{name: "bin/sample", content: text, deflated: true, descriptor: unmarked, wide: true, needed: 45},
		}},
		{name: "zip64 throughout", end64: true, comment: "wide", files: []shaped{
			{name: "module.json", content: json, wide: true, wideList: true, needed: 45},
			{name: "bin/sample", content: text, deflated: true, descriptor: marked, wide: true, wideList: true, needed: 45},
			{name: "assets/a", content: text, deflated: true},
		}},
	}
}
