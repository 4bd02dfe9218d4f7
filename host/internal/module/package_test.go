package module

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// small is a package with a header instead of a program, quick to make by the hundred.
func small(change func(files map[string]string)) map[string]string {
	files := map[string]string{
		"module.json": kit{}.manifest(), "bin/sample": fakeExecutable(hostPlatform()), "languages/en.json": `{"item": "Sample"}`,
	}
	if change != nil {
		change(files)
	}
	if _, own := files[sumsName]; !own {
		sums := checksums{}
		for name, content := range files {
			sums[name] = sha256.Sum256([]byte(content))
		}
		files[sumsName] = sums.String()
	}
	maps.DeleteFunc(files, func(_, content string) bool { return content == "-" })
	return files
}

// fakeExecutable is no more than a header. Tests of other platforms run on Linux ones.
func fakeExecutable(platform string) string {
	machine := map[string]uint16{"linux/amd64": 62, "linux/arm64": 183}[platform]
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint16(head[16:], 2)
	binary.LittleEndian.PutUint16(head[18:], machine)
	return string(head)
}

func zipOf(t testing.TB, files map[string]string) []byte {
	return rawZip(t, func(w *zip.Writer) {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			put(t, w, &zip.FileHeader{Name: name, Method: zip.Deflate}, files[name])
		}
	})
}

// with is a good package and one more entry, which no checksum names.
func with(t testing.TB, headers ...*zip.FileHeader) []byte {
	return rawZip(t, func(w *zip.Writer) {
		files := small(nil)
		for _, name := range slices.Sorted(maps.Keys(files)) {
			put(t, w, &zip.FileHeader{Name: name, Method: zip.Deflate}, files[name])
		}
		for _, h := range headers {
			put(t, w, h, "x")
		}
	})
}

func named(names ...string) []*zip.FileHeader {
	var headers []*zip.FileHeader
	for _, name := range names {
		headers = append(headers, &zip.FileHeader{Name: name})
	}
	return headers
}

func TestAGoodPackageIsTaken(t *testing.T) {
	needLinux(t)
	for name, data := range map[string][]byte{
		"plain": zipOf(t, small(nil)),
		"in a top folder, with junk": rawZip(t, func(w *zip.Writer) {
			for name, content := range small(nil) {
				put(t, w, &zip.FileHeader{Name: "sample-1.0.0/" + name}, content)
			}
			put(t, w, &zip.FileHeader{Name: "__MACOSX/sample-1.0.0/._module.json"}, "junk")
			put(t, w, &zip.FileHeader{Name: "sample-1.0.0/.DS_Store"}, "junk")
		}),
		"with folders": rawZip(t, func(w *zip.Writer) {
			put(t, w, &zip.FileHeader{Name: "bin/"}, "")
			for name, content := range small(nil) {
				put(t, w, &zip.FileHeader{Name: name}, content)
			}
		}),
		"checksums as another tool writes them": zipOf(t, small(func(files map[string]string) {
			files[sumsName] = strings.ReplaceAll(small(nil)[sumsName], "  ", " *./")
		})),
	} {
		t.Run(name, func(t *testing.T) {
			b, err := readBundle("sample.zip", data)
			if err != nil {
				t.Fatal(err)
			}
			if b.manifest.ID != "sample" || len(b.sums) != 3 || len(b.sha256) != 64 {
				t.Errorf("%+v", b)
			}
		})
	}
}

func TestWhatIsWrongWithAPackageIsSaid(t *testing.T) {
	needLinux(t)
	good := zipOf(t, small(nil))
	stored := kit{}.zip(t)
	link := &zip.FileHeader{Name: "link"}
	link.SetMode(0o777 | fs.ModeSymlink)
	pipe := &zip.FileHeader{Name: "pipe"}
	pipe.SetMode(0o644 | fs.ModeNamedPipe)
	deep := strings.Repeat("a/", maxDepth) + "b"
	for name, c := range map[string]struct {
		data []byte
		key  string
	}{
		"nothing":                 {nil, "module_not_zip"},
		"text":                    {[]byte("hello"), "module_not_zip"},
		"rar":                     {[]byte("Rar!\x1a\x07\x00"), "module_not_zip"},
		"tar.gz":                  {[]byte("\x1f\x8b\x08\x00"), "module_not_zip"},
		"cut off":                 {good[:len(good)/2], "module_damaged"},
		"no end":                  {good[:len(good)-22], "module_damaged"},
		"a bit of what is packed": {flip(good, bytes.Index(good, []byte("PK\x01\x02"))-40), "module_damaged"},
		"a flipped bit":           {flip(stored, bytes.Index(stored, []byte("Muestra"))), "module_damaged"},
		"empty zip":               {rawZip(t, func(*zip.Writer) {}), "module_no_manifest"},
		"documentation":           {zipOf(t, map[string]string{"index.html": "x", "img/a.png": "y"}), "module_no_manifest"},
		"two top folders":         {zipOf(t, map[string]string{"a/module.json": "{}", "b/x": "y"}), "module_no_manifest"},
		"two levels down":         {zipOf(t, map[string]string{"a/b/module.json": "{}"}), "module_no_manifest"},
		"no JSON":                 {zipOf(t, small(func(f map[string]string) { f["module.json"] = "{" })), "module_manifest_invalid"},
		"huge manifest":           {zipOf(t, small(func(f map[string]string) { f["module.json"] = strings.Repeat(" ", manifest.MaxBytes+1) })), "module_manifest_invalid"},
		"reserved id":             {zipOf(t, small(func(f map[string]string) { f["module.json"] = kit{id: "security"}.manifest() })), "module_id_reserved"},
		"id of a device":          {zipOf(t, small(func(f map[string]string) { f["module.json"] = kit{id: "aux"}.manifest() })), "module_id_reserved"},
		"no checksums":            {zipOf(t, small(func(f map[string]string) { f[sumsName] = "-" })), "module_no_checksums"},
		"broken checksums":        {zipOf(t, small(func(f map[string]string) { f[sumsName] = "zz  module.json\n" })), "module_checksums_invalid"},
		"checksums upwards":       {zipOf(t, small(func(f map[string]string) { f[sumsName] = strings.Repeat("0", 64) + "  ../x\n" })), "module_checksums_invalid"},
		"changed file": {zipOf(t, small(func(f map[string]string) {
			f[sumsName] = small(nil)[sumsName]
			f["languages/en.json"] = `{"item": "Other"}`
		})), "module_tampered"},
		"added file": {zipOf(t, small(func(f map[string]string) {
			f[sumsName] = small(nil)[sumsName]
			f["bin/evil"] = "x"
		})), "module_tampered"},
		"missing file":       {zipOf(t, small(func(f map[string]string) { f[sumsName] = small(nil)[sumsName]; f["languages/en.json"] = "-" })), "module_tampered"},
		"no executable":      {zipOf(t, small(func(f map[string]string) { delete(f, "bin/sample") })), "module_no_executable"},
		"a script":           {zipOf(t, small(func(f map[string]string) { f["bin/sample"] = "#!/bin/sh\n" })), "module_not_executable"},
		"other processor":    {zipOf(t, small(func(f map[string]string) { f["bin/sample"] = fakeExecutable("linux/arm64") })), "module_mislabelled"},
		"other platform":     {otherPlatform(t), "module_wrong_platform"},
		"language no JSON":   {zipOf(t, small(func(f map[string]string) { f["languages/fr.json"] = "[]" })), "module_language_invalid"},
		"language no tag":    {zipOf(t, small(func(f map[string]string) { f["languages/f!.json"] = "{}" })), "module_language_invalid"},
		"parent":             {with(t, named("../evil")...), "module_bad_entry_parent"},
		"parent inside":      {with(t, named("bin/../../evil")...), "module_bad_entry_parent"},
		"absolute":           {with(t, named("/etc/evil")...), "module_bad_entry_absolute"},
		"UNC":                {with(t, named(`\\server\share`)...), "module_bad_entry_windows"},
		"backslash":          {with(t, named(`bin\evil`)...), "module_bad_entry_windows"},
		"drive":              {with(t, named("C:evil")...), "module_bad_entry_windows"},
		"NUL":                {with(t, named("bin/a\x00b")...), "module_bad_entry_control"},
		"turned around":      {with(t, named("bin/\u202egpj.exe")...), "module_bad_entry_invisible"},
		"not UTF-8":          {with(t, named("bin/\xff")...), "module_bad_entry_characters"},
		"dot":                {with(t, named("./evil")...), "module_bad_entry_unclean"},
		"trailing dot":       {with(t, named("bin/evil.")...), "module_bad_entry_unclean"},
		"empty part":         {with(t, named("bin//evil")...), "module_bad_entry_unclean"},
		"device":             {with(t, named("bin/nul.txt")...), "module_bad_entry_reserved"},
		"long":               {with(t, named(strings.Repeat("a", maxPath+1))...), "module_bad_entry_long"},
		"deep":               {with(t, named(deep)...), "module_bad_entry_deep"},
		"case":               {with(t, named("BIN/other")...), "module_bad_entry_case"},
		"case of file":       {with(t, named("MODULE.json")...), "module_two_manifests"},
		"composed":           {with(t, named("caf\u00e9", "cafe\u0301")...), "module_bad_entry_case"},
		"twice":              {with(t, named("bin/sample")...), "module_bad_entry_twice"},
		"file and folder":    {with(t, named("bin")...), "module_bad_entry_folder"},
		"link":               {with(t, link), "module_bad_entry_link"},
		"pipe":               {with(t, pipe), "module_bad_entry_link"},
		"encrypted":          {with(t, &zip.FileHeader{Name: "x", Flags: 1}), "module_bad_entry_encrypted"},
		"bomb":               {zipOf(t, map[string]string{"module.json": "{}", "zeros": strings.Repeat("\x00", 8<<20)}), "module_bad_entry_ratio"},
		"says it is huge":    {declares(t, maxFile+1), "module_bad_entry_too_big"},
		"all too big":        {sevenTimes(t), "module_unpacks_too_big"},
		"lies about size":    {declares(t, 5), "module_bad_entry_size"},
		"overlapping":        {overlapping(t), "module_overlap"},
		"too many":           {crowded(t, maxEntries+1), "module_too_many_files"},
		"very many":          {crowded(t, 66000), "module_too_many_files"},
		"other compression":  {compressed(t, 99), "module_bad_entry_compression"},
		"the outer download": {zipOf(t, map[string]string{"sample.zip": string(good), "LICENSE": "x"}), "module_outer_package"},
		"an outer of others": {zipOf(t, map[string]string{"x.zip": string(zipOf(t, map[string]string{"a": "b"}))}), "module_nested"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readBundle("sample.zip", c.data)
			if outer := (*outerError)(nil); errors.As(err, &outer) {
				err = outer.refusal()
			}
			if crm.KeyOf(err) != c.key {
				t.Errorf("got %v, want %s", err, c.key)
			}
		})
	}
}

func flip(data []byte, at int) []byte {
	data = bytes.Clone(data)
	data[at] ^= 0x40
	return data
}

func otherPlatform(t *testing.T) []byte {
	return zipOf(t, small(func(f map[string]string) {
		f["module.json"] = strings.Replace(f["module.json"], hostPlatform(), "linux/riscv64", 1)
		head := []byte(fakeExecutable("linux/amd64"))
		binary.LittleEndian.PutUint16(head[18:], 243)
		f["bin/sample"] = string(head)
	}))
}

// declares is a zip whose entry says it has so many bytes, and has four.
func declares(t *testing.T, size uint64) []byte {
	return rawZip(t, func(w *zip.Writer) {
		files := small(nil)
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if name != "languages/en.json" {
				put(t, w, &zip.FileHeader{Name: name, Method: zip.Deflate}, files[name])
			}
		}
		f, err := w.CreateRaw(&zip.FileHeader{
			Name: "languages/en.json", Method: zip.Deflate, CRC32: crc32.ChecksumIEEE([]byte("abcd")),
			CompressedSize64: 9, UncompressedSize64: size,
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("\x01\x04\x00\xfb\xffabcd")); err != nil {
			t.Fatal(err)
		}
	})
}

func sevenTimes(t *testing.T) []byte {
	return rawZip(t, func(w *zip.Writer) {
		for i := range 7 {
			_, err := w.CreateRaw(&zip.FileHeader{Name: string(rune('a' + i)), Method: zip.Deflate, CompressedSize64: 1 << 20, UncompressedSize64: 100 << 20})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// overlapping has two names in its list for the same bytes.
func overlapping(t *testing.T) []byte {
	data := with(t, named("x1", "x2")...)
	list := bytes.LastIndex(data, []byte("PK\x01\x02"))
	before := bytes.LastIndex(data[:list], []byte("PK\x01\x02"))
	data = bytes.Clone(data)
	copy(data[list+42:list+46], data[before+42:before+46])
	return data
}

func crowded(t *testing.T, count int) []byte {
	return rawZip(t, func(w *zip.Writer) {
		for i := range count {
			put(t, w, &zip.FileHeader{Name: strings.Repeat("x", i%40+1) + string(rune('a'+i%26))}, "")
		}
	})
}

func compressed(t *testing.T, method uint16) []byte {
	return rawZip(t, func(w *zip.Writer) {
		if _, err := w.CreateRaw(&zip.FileHeader{Name: "x", Method: method, CompressedSize64: 1, UncompressedSize64: 1}); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPlatformsAreReadFromHeaders(t *testing.T) {
	macho := make([]byte, 64)
	binary.LittleEndian.PutUint32(macho, 0xfeedfacf)
	binary.LittleEndian.PutUint32(macho[4:], 0x0100000c)
	pe := make([]byte, 256)
	copy(pe, "MZ")
	pe[0x3c] = 0x80
	copy(pe[0x80:], "PE\x00\x00\x64\x86")
	freebsd := []byte(fakeExecutable("linux/amd64"))
	freebsd[7] = 9
	object := []byte(fakeExecutable("linux/amd64"))
	object[16] = 1
	for want, head := range map[string][]byte{
		"linux/amd64": []byte(fakeExecutable("linux/amd64")), "linux/arm64": []byte(fakeExecutable("linux/arm64")),
		"darwin/arm64": macho, "windows/amd64": pe, "freebsd/amd64": freebsd,
	} {
		if got := platformOf(head); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for _, head := range [][]byte{nil, []byte("\x7fELF"), []byte("MZ"), macho[:6], pe[:70], object, []byte("#!/bin/sh")} {
		if got := platformOf(head); got != "" {
			t.Errorf("%q is taken for %s", head, got)
		}
	}
}

func TestTheDownloadPackageIsUnderstood(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	var outer bytes.Buffer
	if err := Bundle(kit{}.zip(t), "testdata/sample/languages", "package.go", &outer); err != nil {
		t.Fatal(err)
	}
	review, err := s.m.Upload(t.Context(), s.ann.Who(), "sample-1.0.0.zip", bytes.NewReader(outer.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(review.Inner, []string{"sample.zip"}) || len(review.Problems) != 1 || review.Problems[0].Key != "module_outer_package" {
		t.Fatalf("review: %+v", review)
	}
	_, err = s.m.Install(t.Context(), s.ann.Who(), review.StagedID)
	wantKey(t, err, crm.Invalid, "module_outer_package")
	_, err = s.m.ReviewInner(t.Context(), s.ann.Who(), review.StagedID, "../sample.zip")
	wantKey(t, err, crm.NotFound, "module_inner_missing")
	inner, err := s.m.ReviewInner(t.Context(), s.ann.Who(), review.StagedID, "sample.zip")
	if err != nil || inner.Manifest.ID != "sample" || inner.Filename != "sample.zip" {
		t.Fatalf("inner: %+v %v", inner, err)
	}
	s.confirm()
	if _, err := s.m.Install(t.Context(), s.ann.Who(), inner.StagedID); err != nil {
		t.Fatal(err)
	}
}

func TestAReviewComparesWithWhatIsInstalled(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.install(kit{version: "1.5.0"})
	for version, want := range map[string]string{"1.4.9": "downgrade", "1.5.0": "reinstall", "1.10.0": "upgrade", "1.5.0-rc.1": "downgrade"} {
		r, err := s.m.Upload(t.Context(), s.ann.Who(), "s.zip", bytes.NewReader(kit{version: version}.zip(t)))
		if err != nil || r.Change != want || r.InstalledVersion != "1.5.0" {
			t.Errorf("%s: %q over %q, %v", version, r.Change, r.InstalledVersion, err)
		}
	}
}

func TestTooBigAnUploadNamesBothSizes(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.m.maxUpload = 1 << 20
	_, err := s.m.Upload(t.Context(), s.ann.Who(), "s.zip", bytes.NewReader(make([]byte, 3<<20)))
	wantKey(t, err, crm.TooLarge, "module_too_big")
	if e := asProblem(err); e.Args["Size"] != "3.0 MB" || e.Args["Max"] != "1.0 MB" {
		t.Errorf("%v", e.Args)
	}
}

func FuzzPackage(f *testing.F) {
	good := zipOf(f, small(nil))
	f.Add(good)
	f.Add(with(f, named("../x")...))
	f.Add(zipOf(f, map[string]string{"sample.zip": string(good)}))
	f.Add(panicZip(f))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	for i, k := range families {
		r := rand.New(rand.NewPCG(uint64(i), 7))
		hostile := newForgery(r, small(nil))
		k.apply(r, hostile)
		if data := hostile.write(r); len(data) < 32<<10 { // more would only be slow to change
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := readBundle("f.zip", data)
		if err != nil {
			var refusal *crm.Error
			if outer := (*outerError)(nil); !errors.As(err, &outer) && !errors.As(err, &refusal) {
				t.Fatalf("an error nobody can read: %v", err)
			}
			return
		}
		wellNamed(t, b)
		if len(b.sums) == 0 || b.manifest.ID == "" {
			t.Fatalf("taken without checksums or id: %+v", b)
		}
	})
}
