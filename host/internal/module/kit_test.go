package module

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// program is an executable that is built once per test process, with its checksum.
type program struct {
	content []byte
	sum     digest
}

func built(name string) (*program, error) {
	content, err := hosttest.Built("host/internal/module/testdata/" + name)
	return &program{content: content, sum: sha256.Sum256(content)}, err
}

// sampleProgram is the sample module. Where it stands decides who it is.
var sampleProgram = sync.OnceValues(func() (*program, error) { return built("sample") })

// the program, where it can be built.
func the(t testing.TB, p func() (*program, error)) *program {
	t.Helper()
	built, err := p()
	if err != nil {
		t.Fatal(err)
	}
	return built
}

// kit is a package to be made. Its zero value is a good one.
type kit struct {
	id, version, mode string
	host              string            // requires.host
	grants            string            // JSON list, the sample's own three when empty
	program           *program          // the sample's own when nil
	files             map[string]string // added or replaced; "" removes
	noSums            bool
}

func (k kit) manifest() string {
	grants := k.grants
	if grants == "" {
		grants = `[{ "name": "session.switch", "why": "To decide." }, { "name": "directory.read", "why": "To find people." }, { "name": "audit.write", "why": "To say what it did." }]`
	}
	return fmt.Sprintf(`{ "id": %q, "name": %q, "version": %q, "description": "For tests.", "author": "Understudy",
		"requires": { "host": %q, "protocol": 1 }, "executables": { %q: "bin/sample" }, "grants": %s, "capabilities": ["staff", "customers"] }`,
		or(k.id, "sample"), k.name(), or(k.version, "1.0.0"), or(k.host, ">=3.1.0"), hostPlatform(), grants)
}

// name is Sample, with the id where it is another one.
func (k kit) name() string {
	if id := or(k.id, "sample"); id != "sample" {
		return "Sample " + id
	}
	return "Sample"
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (k kit) content(t testing.TB) map[string][]byte {
	t.Helper()
	if k.program == nil {
		k.program = the(t, sampleProgram)
	}
	files := map[string][]byte{"module.json": []byte(k.manifest()), "bin/sample": k.program.content, "assets/mode": []byte(or(k.mode, "normal"))}
	for _, name := range []string{"languages/en.json", "languages/es.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", "sample", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = text
	}
	for name, text := range k.files {
		files[name] = []byte(text)
		if text == "" {
			delete(files, name)
		}
	}
	if !k.noSums {
		sums := checksums{}
		for name, content := range files {
			sums[name] = k.program.sum
			if _, replaced := k.files[name]; replaced || name != "bin/sample" {
				sums[name] = sha256.Sum256(content)
			}
		}
		files[sumsName] = []byte(sums.String())
	}
	return files
}

// zip makes the package.
func (k kit) zip(t testing.TB) []byte {
	t.Helper()
	files := k.content(t)
	size := 1 << 16
	for _, content := range files {
		size += len(content)
	}
	return rawZipIn(t, make([]byte, 0, size), func(w *zip.Writer) {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			put(t, w, &zip.FileHeader{Name: name, Method: zip.Store}, files[name]) // compressing takes longer than all the rest
		}
	})
}

// put writes one entry.
func put[text string | []byte](t testing.TB, w *zip.Writer, h *zip.FileHeader, content text) {
	t.Helper()
	f, err := w.CreateHeader(h)
	if err == nil {
		_, err = f.Write([]byte(content))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rawZip writes entries as they are, with no care for rules.
func rawZip(t testing.TB, change func(*zip.Writer)) []byte {
	t.Helper()
	return rawZipIn(t, nil, change)
}

// rawZipIn does so in memory that is there already.
func rawZipIn(t testing.TB, memory []byte, change func(*zip.Writer)) []byte {
	t.Helper()
	out := bytes.NewBuffer(memory)
	w := zip.NewWriter(out)
	change(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// quick are waits short enough for tests. What the host waits for as long as a module works is long:
// a busy machine loses to no deadline, and a test of one sets it.
func quick() timing {
	t := usualTiming()
	t.start, t.firstStart, t.lifecycle, t.page, t.idle, t.healthLimit = time.Minute, time.Minute, time.Minute, time.Minute, time.Minute, time.Minute
	t.poll, t.health, t.flush, t.backoff = 20*time.Millisecond, time.Hour, 20*time.Millisecond, 20*time.Millisecond
	t.maxCrashes, t.others, t.hook = 100, time.Minute, time.Minute
	return t
}

// stage is a host with modules: a real database, real folders, real processes.
type stage struct {
	t    testing.TB
	site *hosttest.Site
	m    *Manager
	ann  *hosttest.Visitor
}

func newManager(t testing.TB, site *hosttest.Site, change func(*timing)) *Manager {
	t.Helper()
	runDir, err := os.MkdirTemp("", "u") // a test's own folder has too long a path for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(runDir) })
	m := New(Options{
		App: site.App, Dir: filepath.Join(t.TempDir(), "modules"), RunDir: runDir, AllowUpload: true,
		Log: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	m.timing = quick()
	if change != nil {
		change(&m.timing)
	}
	site.App.SetSwitchPolicy(m)
	return m
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Logf("%s", bytes.TrimSpace(p))
	}
	return len(p), nil
}

func newStage(t testing.TB, change func(*timing)) *stage {
	t.Helper()
	site := hosttest.NewSite(t)
	s := &stage{t: t, site: site, m: newManager(t, site, change), ann: site.SignIn(t, "admin@example.com")}
	if err := s.m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}

func (s *stage) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := s.m.Stop(ctx); err != nil {
		s.t.Errorf("stop: %v", err)
	}
	if left := processesBelow(s.m.shelf.path); len(left) > 0 {
		s.t.Errorf("processes are left: %v", left)
	}
}

// install uploads and installs a package.
func (s *stage) install(k kit) crm.Module {
	s.t.Helper()
	module, err := s.tryInstall(k)
	if err != nil {
		s.t.Fatalf("install: %v", err)
	}
	return module
}

func (s *stage) tryInstall(k kit) (crm.Module, error) {
	s.t.Helper()
	review, err := s.m.Upload(s.t.Context(), s.ann.Who(), "sample.zip", bytes.NewReader(k.zip(s.t)))
	if err != nil {
		return crm.Module{}, err
	}
	s.confirm()
	return s.m.Install(s.t.Context(), s.ann.Who(), review.StagedID)
}

// confirm gives Ann's own password again, as the page asks before it installs.
func (s *stage) confirm() {
	s.t.Helper()
	if err := s.site.App.ConfirmPassword(s.t.Context(), s.ann.Who(), app.DemoPassword); err != nil {
		s.t.Fatalf("confirm the password: %v", err)
	}
}

// active installs and activates a package.
func (s *stage) active(k kit) {
	s.t.Helper()
	module := s.install(k)
	if err := s.m.Activate(s.t.Context(), s.ann.Who(), module.ID); err != nil {
		s.t.Fatalf("activate: %v", err)
	}
}

func (s *stage) viewer() Viewer {
	s.t.Helper()
	return Viewer{Who: s.ann.Who(), Area: crm.Admin, Language: "en"}
}

// get asks for a page of the sample module.
func (s *stage) get(path string) (pageResponse, string) {
	s.t.Helper()
	return s.ask(http.MethodGet, path, "")
}

func (s *stage) ask(method, path, body string) (pageResponse, string) {
	s.t.Helper()
	answer, text, err := s.tryAsk(method, path, body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer, text
}

func (s *stage) tryAsk(method, path, body string) (pageResponse, string, error) {
	path, query, _ := strings.Cut(path, "?")
	answer, err := s.m.servePage(s.t.Context(), PageRequest{
		Module: "sample", Method: method, Path: path, RawQuery: query, Body: []byte(body), Viewer: s.viewer(),
		Header: http.Header{"Cookie": {"secret"}, "Accept": {"text/html"}}, BasePath: "/admin/m/sample",
	})
	if err != nil {
		return answer, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer, string(text), err
}

func (s *stage) row(id string) Row {
	s.t.Helper()
	rows, err := s.m.Modules(s.t.Context(), s.ann.Who())
	if err != nil {
		s.t.Fatal(err)
	}
	i := slices.IndexFunc(rows, func(r Row) bool { return r.ID == id })
	if i < 0 {
		s.t.Fatalf("no row for %s", id)
	}
	return rows[i]
}

// pid is the process of a running module.
func (s *stage) pid(id string) int {
	s.t.Helper()
	r, err := s.m.active(id)
	if err != nil {
		s.t.Fatal(err)
	}
	pid, err := strconv.Atoi(r.process.child.ID())
	if err != nil {
		s.t.Fatal(err)
	}
	return pid
}

// eventually polls until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// promptly runs something that must not take for ever.
func promptly(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatalf("%s hangs", what)
	}
}

// processesBelow lists the processes whose executable stands below a folder, or that run in it.
func processesBelow(folder string) []string {
	var found []string
	names, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, name := range names {
		if target, err := os.Readlink(name); err == nil && strings.HasPrefix(target, folder+"/") {
			found = append(found, filepath.Base(filepath.Dir(name))+" "+target)
		}
	}
	return found
}

// kill ends a process as the kernel does when memory is short.
func kill(t testing.TB, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func needLinux(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("signals and /proc are asked of Linux here")
	}
}

func wantKey(t testing.TB, err error, kind crm.Kind, key string) {
	t.Helper()
	if crm.KindOf(err) != kind || crm.KeyOf(err) != key {
		t.Errorf("got %v (kind %d), want %s (kind %d)", err, crm.KindOf(err), key, kind)
	}
}
