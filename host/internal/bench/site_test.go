package bench

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/module"
	"github.com/understudy-crm/understudy/host/internal/store"
	"github.com/understudy-crm/understudy/host/internal/web"
)

// crowd is how many administrators, and how many contacts, are signed in.
const crowd = 200

// member is somebody who is signed in, in one browser.
type member struct {
	actor, target crm.AccountKey
	formKey       []byte
	version       int64
	secret        string
	switched      bool
}

func (m *member) cookie() string { return "understudy=" + m.secret }

// token is what the forms of the member's pages carry now.
func (m *member) token() string {
	subject := m.actor
	if m.switched {
		subject = m.target
	}
	return new(app.App).FormToken(crm.Who{Session: crm.Session{Subject: subject, Version: m.version, FormKey: m.formKey}}, "")
}

// start makes the target the subject of the member's session.
func (m *member) start(c *client) error {
	a, err := c.form("/session/switch", m.cookie(), url.Values{"form_token": {m.token()}, "target": {m.target.String()}, "reason": {"to measure"}})
	return m.took(a, err, true)
}

// stop goes back.
func (m *member) stop(c *client) error {
	a, err := c.form("/session/restore", m.cookie(), url.Values{"form_token": {m.token()}})
	return m.took(a, err, false)
}

func (m *member) took(a answer, err error, switched bool) error {
	if err != nil {
		return err
	}
	if err := a.want(303); err != nil {
		return err
	}
	for _, cookie := range a.cookies {
		if cookie.Name == "understudy" && cookie.Value != m.secret {
			m.secret, m.switched = cookie.Value, switched
			m.version++
			return nil
		}
	}
	return errors.New("no new secret came")
}

// site is the program, running, with people who are signed in.
type site struct {
	origin   string
	pid      int
	ready    time.Duration // from its start to the line that it listens
	data     string
	admins   []*member
	contacts []*member
}

// plan is what a site is made of.
type plan struct {
	database    string // a PostgreSQL URL; SQLite when empty
	synchronous string // NORMAL when empty
	packages    [][]byte
	fill        func(*store.Store) error // more rows, before the start
	args        []string                 // for serve
}

// start fills a data folder and runs the program on it until the test ends.
func (p plan) start(t *testing.B) *site {
	t.Helper()
	s := &site{data: shortFolder(t)}
	if p.synchronous == "" {
		p.synchronous = "NORMAL"
	}
	p.fillIn(t, s)
	s.serve(t, p)
	return s
}

// fillIn makes people, their sessions, and the modules.
func (p plan) fillIn(t *testing.B, s *site) {
	t.Helper()
	where := p.database
	if where == "" {
		where = filepath.Join(s.data, "understudy.db")
	}
	db, err := store.Open(t.Context(), where, "NORMAL")
	if err != nil {
		t.Fatal(err)
	}
	a := app.New(app.Options{Store: db, Version: "3.1.0", Log: slog.New(slog.DiscardHandler)})
	m := module.New(module.Options{
		App: a, Dir: filepath.Join(s.data, "modules"), RunDir: filepath.Join(s.data, "run"), HostVersion: "3.1.0",
		Log: slog.New(slog.DiscardHandler), AllowUpload: true, Icons: web.Icons(),
	})
	a.SetSwitchPolicy(m)
	if err = a.FillDemo(t.Context()); err == nil && p.fill != nil {
		err = p.fill(db)
	}
	if err == nil {
		err = db.Write(t.Context(), func(tx store.Tx) error { return s.people(t.Context(), tx) })
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range p.packages {
		install(t, m, content)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// people puts in administrators and contacts, each signed in once, and whom each may become.
func (s *site) people(ctx context.Context, tx store.Tx) error {
	now := time.Now()
	customer, err := tx.InsertCustomer(ctx, crm.Customer{Company: "Crowd & Sons", Active: true, CreatedAt: now})
	if err != nil {
		return err
	}
	for i := range crowd {
		admin, err := tx.InsertStaff(ctx, crm.StaffMember{Name: fmt.Sprint("Agent ", i), Email: fmt.Sprintf("agent%d@crowd.example", i), Administrator: true, Active: true, CreatedAt: now})
		if err != nil {
			return err
		}
		contact, err := tx.InsertContact(ctx, crm.ContactPerson{CustomerID: customer, Name: fmt.Sprint("Member ", i), Email: fmt.Sprintf("m%d@crowd.example", i), Active: true, CreatedAt: now})
		if err != nil {
			return err
		}
		one := &member{actor: crm.AccountKey{Kind: crm.Staff, ID: admin}, target: crm.AccountKey{Kind: crm.Contact, ID: contact}}
		two := &member{actor: one.target}
		s.admins, s.contacts = append(s.admins, one), append(s.contacts, two)
		for _, m := range []*member{one, two} {
			m.version, m.formKey = 1, []byte(rand.Text())
			m.secret = base64.RawURLEncoding.EncodeToString([]byte(rand.Text()))
			hash := sha256.Sum256([]byte(m.secret))
			_, err := tx.InsertSession(ctx, store.NewSession{SecretHash: hash[:], Session: crm.Session{
				Actor: m.actor, FormKey: m.formKey, CreatedAt: now, ExpiresAt: now.Add(12 * time.Hour), IP: "127.0.0.1", Browser: "Bench/1.0",
			}})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

var listens = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// serve runs the program until the test ends or it is told to stop; its log goes to a file.
func (s *site) serve(t *testing.B, p plan) (stop func()) {
	t.Helper()
	log, err := os.Create(filepath.Join(s.data, "serve.log"))
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"serve", "--data", s.data, "--modules", filepath.Join(s.data, "modules"), "--listen", "127.0.0.1:0", "--synchronous", p.synchronous}, p.args...)
	if p.database != "" {
		args = append(args, "--database", p.database)
	}
	cmd := exec.Command(hosttest.Program(t), args...)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.pid = cmd.Process.Pid
	ended := make(chan struct{})
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(15 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		log.Close()
	})
	t.Cleanup(stop)
	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if origin := listens.FindString(lines.Text()); origin != "" {
				select {
				case found <- origin:
				default:
				}
			}
		}
		_ = cmd.Wait()
		close(ended)
	}()
	select {
	case s.origin = <-found:
		s.ready = time.Since(began)
	case <-ended:
		said, _ := os.ReadFile(log.Name())
		t.Fatalf("the host ended:\n%s", said)
	case <-time.After(2 * time.Minute):
		t.Fatal("the host is not ready after two minutes")
	}
	return stop
}

// install uploads, installs and activates a package.
func install(t *testing.B, m *module.Manager, content []byte) {
	t.Helper()
	review, err := m.Upload(t.Context(), crm.Operator(), "module.zip", bytes.NewReader(content))
	if err == nil {
		_, err = m.Install(t.Context(), crm.Operator(), review.StagedID)
	}
	if err == nil {
		err = m.Activate(t.Context(), crm.Operator(), review.Manifest.ID)
	}
	if err != nil {
		t.Fatalf("install a module: %v", err)
	}
}

// shipped is the package of the module we ship.
func shipped(t *testing.B) []byte {
	t.Helper()
	content, err := os.ReadFile(hosttest.Package(t, "plugins/impersonation"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// built is a program below testdata folders, built once.
func built(source string) func() ([]byte, error) {
	return sync.OnceValues(func() ([]byte, error) { return hosttest.Built(source) })
}

const (
	sampleSource = "host/internal/module/testdata/sample"
	smallSource  = "host/internal/bench/testdata/small"
)

var programs = map[string]func() ([]byte, error){sampleSource: built(sampleSource), smallSource: built(smallSource)}

// packages are so many modules: one that decides switches, the others small, each by an id of its own.
func packages(t *testing.B, n int) (list [][]byte) {
	t.Helper()
	for i := range n {
		if i == 0 {
			list = append(list, samplePackage(t, "sample"))
			continue
		}
		list = append(list, modulePackage(t, fmt.Sprintf("small-%02d", i), smallSource, `["staff"]`, `[]`))
	}
	return list
}

// samplePackage is a module that decides switches.
func samplePackage(t *testing.B, id string) []byte {
	t.Helper()
	return modulePackage(t, id, sampleSource, `["staff", "customers"]`,
		`[{ "name": "session.switch", "why": "a" }, { "name": "directory.read", "why": "b" }, { "name": "audit.write", "why": "c" }]`)
}

func modulePackage(t *testing.B, id, source, capabilities, grants string) []byte {
	t.Helper()
	program, err := programs[source]()
	if err != nil {
		t.Fatal(err)
	}
	name := "bin/" + filepath.Base(source)
	files := map[string][]byte{name: program, "assets/mode": []byte("normal")}
	languages := filepath.Join(hosttest.Root(t), filepath.FromSlash(source), "languages")
	entries, err := os.ReadDir(languages)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if files["languages/"+entry.Name()], err = os.ReadFile(filepath.Join(languages, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
	files["module.json"] = fmt.Appendf(nil, `{ "id": %q, "name": %q, "version": "1.0.0", "description": "To measure.", "author": "Understudy",
		"requires": { "host": ">=3.1.0", "protocol": 1 }, "executables": { "%s/%s": %q }, "capabilities": %s, "grants": %s }`,
		id, id, runtime.GOOS, runtime.GOARCH, name, capabilities, grants)
	var sums bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(files[name]), name)
	}
	files["SHA256SUMS"] = sums.Bytes()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err == nil {
			_, err = f.Write(files[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
