package module

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/understudy-crm/understudy/host/internal/crm"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

const allocLimit = 16 << 20 // for any one zip, at whose expense whatever it says

// opened reads a zip as an upload is, within bounds.
func opened(t *testing.T, what string, data []byte) (*bundle, string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var b *bundle
	var err error
	promptly(t, what, func() { b, err = readBundle("hostile.zip", data) })
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > allocLimit+uint64(2*len(data)) {
		t.Errorf("%s: %d bytes made it allocate %d MB", what, len(data), got>>20)
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
			b.entries = append(b.entries, entry{path: f.Name, size: int64(f.UncompressedSize64), content: unread{f}})
		}
	}
	return &b
}

// unread is a file as archive/zip reads it.
type unread struct{ file *zip.File }

func (u unread) CopyTo(out io.Writer) error {
	in, err := u.file.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(out, io.LimitReader(in, 1<<20))
	return err
}

func (unread) Head(int) ([]byte, error) { return nil, errors.ErrUnsupported }
func (unread) Check() error             { return errors.ErrUnsupported }

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
		"a length that only looks like zip64's":  {func(f *forgery) { f.zip64, f.count, f.length, f.early = true, 3, 0xffff, 70_000 }, "module_zip_numbers"},
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
