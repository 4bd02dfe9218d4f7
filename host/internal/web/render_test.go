package web

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/module"
)

// sample is the module of the module tests, built once. Which module it is, it learns from the
// folder it is unpacked to.
var sample = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "understudy-sample-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "sample")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", out, "../module/testdata/sample")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the sample: %w\n%s", err, said)
	}
	return os.ReadFile(out)
})

// activate installs and activates n sample modules through the manager.
func (s *site) activate(t testing.TB, n int) {
	t.Helper()
	if err := s.server.modules.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.server.modules.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	for i := range n {
		id := fmt.Sprintf("sample-%02d", i)
		review, err := s.server.modules.Upload(t.Context(), crm.Operator(), id+".zip", bytes.NewReader(samplePackage(t, id)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.server.modules.Install(t.Context(), crm.Operator(), review.StagedID); err != nil {
			t.Fatal(err)
		}
		if err := s.server.modules.Activate(t.Context(), crm.Operator(), id); err != nil {
			t.Fatal(err)
		}
	}
}

var samplePackages sync.Map // id → package

// samplePackage is the sample module under this id, packed once per test process.
func samplePackage(t testing.TB, id string) []byte {
	t.Helper()
	if made, is := samplePackages.Load(id); is {
		return made.([]byte)
	}
	made := packSample(t, id)
	samplePackages.Store(id, made)
	return made
}

func packSample(t testing.TB, id string) []byte {
	t.Helper()
	binary, err := sample()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	platform := runtime.GOOS + "/" + runtime.GOARCH
	manifest := fmt.Sprintf(`{"id": %q, "name": "Sample", "version": "1.0.0", "requires": {"host": ">=3.1.0", "protocol": 1}, "executables": {%q: "bin/sample"},
		"grants": [{"name": "session.switch", "why": "a"}, {"name": "directory.read", "why": "b"}, {"name": "audit.write", "why": "c"}], "capabilities": ["staff", "customers"]}`, id, platform)
	for name, content := range map[string][]byte{"module.json": []byte(manifest), "bin/sample": binary} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "languages"), os.DirFS("../module/testdata/sample/languages")); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := module.Pack(dir, &out, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// No call to a module stands between a click and its page: a thousand pages with twenty modules
// active, switched and not, in both areas, call none of them.
func TestAThousandPagesCallNoModule(t *testing.T) {
	s := newSite(t)
	s.activate(t, 20)
	own, switched := s.as(ann), s.as(ann)
	switched.become(jane)
	items := len(s.server.modules.Surface().Navbar(module.Viewer{Who: crm.Operator(), Area: crm.Admin, Language: "en"}))
	if items < 20 {
		t.Fatalf("only %d items on the bar of 20 modules", items)
	}
	hosttest.Eventually(t, "the rights have settled", func() bool {
		before := s.server.modules.Calls()
		switched.get("/")
		return s.server.modules.Calls() == before
	})
	before := s.server.modules.Calls()
	pages := []string{"/admin", "/admin/customers", "/admin/staff", "/admin/roles/1", "/admin/modules", "/admin/settings/sample-07", "/admin/activity", "/admin/profile"}
	for i := range 500 {
		own.get(pages[i%len(pages)]).wants(t, 200)
		switched.get([]string{"/", "/profile", "/company"}[i%3]).wants(t, 200)
	}
	if calls := s.server.modules.Calls() - before; calls != 0 {
		t.Errorf("1,000 pages made %d calls", calls)
	}
}

// BenchmarkPage is the dashboard of the admin area with so many modules active.
func BenchmarkPage(b *testing.B) {
	for _, n := range []int{0, 1, 20} {
		b.Run(fmt.Sprintf("modules=%d", n), func(b *testing.B) {
			s := newSite(b)
			s.activate(b, n)
			ann := s.as(ann)
			for b.Loop() {
				ann.get("/admin").wants(b, 200)
			}
		})
	}
}

// BenchmarkOwnAndSwitchedPage is the same portal page as the contact itself sees it, and as who acts as
// that contact does.
func BenchmarkOwnAndSwitchedPage(b *testing.B) {
	for _, switched := range []bool{false, true} {
		b.Run(fmt.Sprintf("switched=%t", switched), func(b *testing.B) {
			s := newSite(b)
			visitor := s.as(jane)
			if switched {
				visitor = s.as(ann)
				visitor.become(jane)
			}
			for b.Loop() {
				visitor.get("/company").wants(b, 200)
			}
		})
	}
}
