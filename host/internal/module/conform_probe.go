package module

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/understudy-crm/understudy/host/internal/crm"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// languages compares the package's language files with the English one, to which all the others
// fall back.
func (x *examination) languages() (string, error) {
	files := languageLayer{}
	for _, name := range slices.Sorted(maps.Keys(x.bundle.texts)) {
		if !isLanguageFile(name) {
			continue
		}
		tag, err := tagOf(name)
		if err != nil {
			return "", err
		}
		if files[tag], err = parseMessages(x.bundle.texts[name]); err != nil {
			return "", err
		}
	}
	if len(files) == 0 {
		return "it brings no texts", nil
	}
	base := files[english]
	if base == nil {
		return "", errors.New("languages/en.json is missing: every other language falls back to it")
	}
	for _, tag := range slices.Sorted(maps.Keys(files)) {
		if extra := lacking(files[tag], base); len(extra) > 0 {
			return "", fmt.Errorf("languages/en.json lacks %s, which languages/%s.json has", some(extra), tag)
		}
		if missing := lacking(base, files[tag]); len(missing) > 0 {
			x.warn("languages/%s.json lacks %d of %d texts, which will be shown in English: %s", tag, len(missing), len(base), some(missing))
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(files)), ", "), nil
}

// lacking are the keys with a text in one file and none in the other.
func lacking(have, other languageFile) []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(have)) {
		if have[key] != "" && other[key] == "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// some lists a few of many.
func some(list []string) string {
	const most = 8
	quoted := make([]string, 0, most)
	for _, entry := range list[:min(len(list), most)] {
		quoted = append(quoted, fmt.Sprintf("%q", printable(entry)))
	}
	text := strings.Join(quoted, ", ")
	if len(list) > most {
		text += fmt.Sprintf(" and %d more", len(list)-most)
	}
	return text
}

// probe looks at what a module says of itself before it is activated.
func (x *examination) probe(ctx context.Context) bool {
	if err := x.unit.lock(ctx); err != nil {
		return x.point(pointStart, func() (string, error) { return "", err })
	}
	defer x.unit.unlock()
	began := time.Now()
	first, err := x.m.probe(ctx, x.unit, x.row)
	x.f.Measured.Start = time.Since(began)
	if err != nil {
		x.notDescribed(err)
		return false
	}
	defer func() { first.stop(false) }()
	x.f.Sandbox = first.process.child.level()
	x.measure(first)
	x.point(pointStart, func() (string, error) {
		return fmt.Sprintf("described itself %d ms after it was started", x.f.Measured.Start.Milliseconds()), nil
	})
	x.point(pointDescribe, func() (string, error) { return "as module.json says", nil })
	x.point(pointContributions, func() (string, error) { return x.count(first.added.Load()), nil })
	x.point(pointPure, func() (string, error) { return x.pure(ctx, first) })
	x.point(pointLimits, x.limits)
	return true
}

// notDescribed puts a failed first start to the point it belongs to.
func (x *examination) notDescribed(err error) {
	at := pointStart
	switch key := crm.KeyOf(err); key {
	case "module_contribution_invalid":
		at = pointContributions
	case "module_not_as_described", "module_wants_more", "module_call_failed", "module_call_timeout":
		at = pointDescribe
	}
	for _, name := range []string{pointStart, pointDescribe, pointContributions} {
		if name == at {
			x.point(name, func() (string, error) { return "", err })
			return
		}
		x.point(name, func() (string, error) { return "", nil })
	}
}

func (x *examination) measure(r *running) {
	local := x.bundle.manifest.Executables[hostPlatform()]
	for _, e := range x.bundle.entries {
		if e.path == local {
			x.f.Measured.ExecutableBytes = e.size
		}
	}
	x.f.Measured.DescriptionBytes = proto.Size(r.described)
}

func (*examination) count(c *contributions) string {
	fields := 0
	if c.settings != nil {
		fields = len(c.settings.fields)
	}
	return fmt.Sprintf("%d navigation items, %d pages, %d settings, %d capabilities, %d links, %d account actions",
		len(c.navbar), len(c.pages), fields, len(c.capabilities), len(c.links), len(c.actions))
}

// pure asks the module to describe itself again, in the same process and in a new one.
func (x *examination) pure(ctx context.Context, first *running) (string, error) {
	before := tree(first.process.child.folder)
	again, err := x.describe(ctx, first)
	if err != nil {
		return "", fmt.Errorf("asked a second time: %w", err)
	}
	if !proto.Equal(first.described, again) {
		return "", errors.New("asked a second time it describes itself differently")
	}
	if written := added(before, tree(first.process.child.folder)); len(written) > 0 {
		return "", fmt.Errorf("describing itself, it wrote %s", some(written))
	}
	second, err := x.m.probe(ctx, x.unit, x.row)
	if err != nil {
		return "", fmt.Errorf("in a second process: %w", err)
	}
	defer second.stop(false)
	if !proto.Equal(first.described, second.described) {
		return "", errors.New("a second process describes itself differently")
	}
	if err := x.untouched(); err != nil {
		return "", fmt.Errorf("describing itself, it changed its package: %w", err)
	}
	return "the same answer three times, from two processes", nil
}

func (x *examination) describe(ctx context.Context, r *running) (answer *modulev1.DescribeResponse, err error) {
	err = r.ask(ctx, callDescribe, x.m.timing.lifecycle, func(ctx context.Context) error {
		answer, err = r.life.Describe(ctx, &modulev1.DescribeRequest{HostVersion: x.m.hostVersion})
		return err
	})
	return answer, err
}

// untouched says whether the unpacked package is as it came.
func (x *examination) untouched() error {
	return x.m.shelf.check(x.row.ID, x.row.Version, x.bundle.sums)
}

// limits says how near the module is to what would be refused. What is beyond has been refused.
func (x *examination) limits() (string, error) {
	const heavy, slow = 40 << 20, 2 * time.Second
	got := x.f.Measured
	if got.ExecutableBytes > heavy {
		x.warn("the executable has %s; one built with -ldflags=\"-s -w\" has about 15 MB", megabytes(got.ExecutableBytes))
	}
	if got.Start > slow {
		x.warn("it took %.1f s to start; after %s it is given up", got.Start.Seconds(), x.m.timing.start)
	}
	return fmt.Sprintf("executable %s, description %.1f KB", megabytes(got.ExecutableBytes), float64(got.DescriptionBytes)/(1<<10)), nil
}

// tree lists the files below a folder.
func tree(folder string) []string {
	var files []string
	_ = filepath.WalkDir(folder, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, strings.TrimPrefix(name, folder+string(filepath.Separator)))
		}
		return nil
	})
	return files
}

func added(before, after []string) []string {
	return slices.DeleteFunc(slices.Clone(after), func(name string) bool { return slices.Contains(before, name) })
}
