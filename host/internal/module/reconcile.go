package module

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/proto"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// loop keeps what runs as the database wants it: at every kick, and whenever the revision moved.
func (m *Manager) loop(revision int64) {
	poll, health, flush, load := time.NewTicker(m.timing.poll), time.NewTicker(m.timing.health), time.NewTicker(m.timing.flush), time.NewTicker(m.timing.load)
	defer poll.Stop()
	defer health.Stop()
	defer flush.Stop()
	defer load.Stop()
	through := time.NewTimer(m.timing.through)
	defer through.Stop()
	ctx, telling := m.running, teller{}
	look := func() {
		if now, err := m.app.Revision(ctx); err == nil && now != revision {
			revision = now
			if !m.reconcileSoon(ctx) {
				revision = unknownRevision // once more, at the next look
			}
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.kicked:
			if !m.reconcileSoon(ctx) {
				revision = unknownRevision
			}
		case <-m.raised:
			look()
		case <-poll.C:
			look()
		case <-m.changed:
			m.tell(ctx, &telling)
		case <-through.C:
			if m.safe.Load() == nil {
				m.journal.through()
			}
		case <-health.C:
			m.checkHealth(ctx)
		case <-load.C:
			m.curbHogs()
		case <-flush.C:
			m.flush(ctx)
			m.tell(ctx, &telling)
		}
	}
}

// unknownRevision is none: whatever the next one is, it is another.
const unknownRevision = -1

// reconcileSoon tells whether it could be read what should run.
func (m *Manager) reconcileSoon(ctx context.Context) bool {
	err := m.reconcile(ctx, false)
	if err != nil && ctx.Err() == nil {
		m.log.Error("read the installed modules", "error", err)
	}
	return err == nil
}

// reconcile compares what runs with what should. Modules change side by side: one that hangs holds
// up no other. With wait it gives them some time to settle.
func (m *Manager) reconcile(ctx context.Context, wait bool) error {
	rows, err := m.app.Modules(ctx)
	if err != nil {
		return err
	}
	m.leaveWithOthers(ctx)
	var settled sync.WaitGroup
	for _, row := range rows {
		u := m.unit(row)
		m.settleSoon(&settled, u, func() { u.settle(m.running) })
	}
	for _, u := range m.gone(rows) {
		m.settleSoon(&settled, u, func() { u.forget(m.running) })
	}
	if wait {
		done := make(chan struct{})
		m.work.Go(func() { settled.Wait(); close(done) })
		within(m.timing.firstStart, done)
	}
	m.recompile()
	return nil
}

// settleSoon works on a module unless somebody does already; then it looks again afterwards.
func (m *Manager) settleSoon(settled *sync.WaitGroup, u *unit, do func()) {
	select {
	case u.busy <- struct{}{}:
	default:
		m.mu.Lock()
		u.dirty = true
		m.mu.Unlock()
		return
	}
	settled.Add(1)
	m.work.Go(func() {
		defer settled.Done()
		defer u.unlock()
		do()
	})
}

// gone are the units whose row another process removed.
func (m *Manager) gone(rows []crm.Module) []*unit {
	m.mu.Lock()
	defer m.mu.Unlock()
	var gone []*unit
	for _, id := range slices.Sorted(maps.Keys(m.units)) {
		if !slices.ContainsFunc(rows, func(row crm.Module) bool { return row.ID == id }) {
			gone = append(gone, m.units[id])
		}
	}
	return gone
}

// forget ends a module that is no longer installed. Its caller holds busy.
func (u *unit) forget(ctx context.Context) {
	if _, err := u.m.app.Module(ctx, u.id); crm.KindOf(err) != crm.NotFound {
		return // it is back
	}
	u.halt(Installed)
	u.m.mu.Lock()
	delete(u.m.units, u.id)
	u.m.mu.Unlock()
	u.m.recompile()
}

// placed is the folder of a module's version, found to be as its package says.
type placed struct {
	folder   string
	sha256   string // of the package
	manifest manifest.Manifest
	sums     checksums
}

// place makes sure that the module's folder is there and right, and unpacks it from the database
// when it isn't: on a new replica, after a restored backup, after somebody changed a file. A folder
// this process has found right before is taken as it is: its executable is checked at every start.
func (m *Manager) place(ctx context.Context, u *unit, row crm.Module, known placed) (placed, error) {
	id, version := row.ID, row.Version
	if known.sha256 == row.SHA256 {
		return known, nil
	}
	zip, err := m.app.ModulePackage(ctx, row.SHA256)
	if err != nil {
		return placed{}, packageMissing(row, err)
	}
	b, err := openBundle(id+".zip", zip)
	if err != nil || b.sha256 != row.SHA256 || b.manifest.ID != id || b.manifest.Version != version {
		return placed{}, packageMissing(row, err)
	}
	if err := b.checkKept(row); err != nil {
		return placed{}, err
	}
	if p, ok := m.shelf.find(b); ok {
		return p, nil
	}
	if b, err = readBundle(id+".zip", zip); err != nil {
		return placed{}, packageMissing(row, err)
	}
	return m.unpack(ctx, u, row, b)
}

func packageMissing(row crm.Module, err error) error {
	return &crm.Error{Kind: crm.Unavailable, Key: "module_package_missing", Args: map[string]any{"SHA256": row.SHA256}, Err: err}
}

// start brings up a version of a module to where it answers, activated. Nothing of it is left when
// that fails, and nothing of what ran before has been touched.
func (m *Manager) start(ctx context.Context, u *unit, row crm.Module) (*running, error) {
	r, err := m.probe(ctx, u, row)
	if err != nil {
		return nil, err
	}
	if err := r.activate(ctx); err != nil {
		r.stop(false)
		return nil, err
	}
	return r, nil
}

// probe starts a version and has it described, but not activated. A file that isn't what it was is
// put right from the database, once.
func (m *Manager) probe(ctx context.Context, u *unit, row crm.Module) (*running, error) {
	known := u.place()
	r, err := m.probeAt(ctx, u, row, known)
	if key := crm.KeyOf(err); known.sha256 == row.SHA256 && (key == "module_file_changed" || key == "module_not_startable") {
		u.log.say(slog.LevelWarn, "its folder is not as its package says; unpacking it anew: %v", err)
		return m.probeAt(ctx, u, row, placed{})
	}
	return r, err
}

func (m *Manager) probeAt(ctx context.Context, u *unit, row crm.Module, known placed) (*running, error) {
	p, err := m.place(ctx, u, row, known)
	if err != nil {
		return nil, err
	}
	if problems := m.unfit(p.manifest); len(problems) > 0 {
		return nil, &problems[0]
	}
	return m.newRunning(ctx, p, row, u.log)
}

// readTexts merges a module's languages: the package's, then what was dropped into its folders,
// then what was uploaded.
func (m *Manager) readTexts(ctx context.Context, id string, p placed, log *moduleLog) (*texts, string, error) {
	uploads, err := m.app.ModuleLanguages(ctx, id)
	if err != nil {
		return nil, "", err
	}
	root, err := os.OpenRoot(m.shelf.path)
	if err != nil {
		return nil, "", notWritable(m.shelf.path, err)
	}
	defer root.Close()
	report := func(name string, err error) {
		log.say(slog.LevelWarn, "the language file %s is left out: %v", name, err)
	}
	inside, beside := path.Join(id, filepath.Base(p.folder), "languages"), path.Join(id, "languages")
	// Taken before the files are read: what is written meanwhile is noticed by the next look.
	print := fingerprint(root.FS(), inside, beside)
	layers := []languageLayer{readLanguageFolder(root.FS(), inside, report), readLanguageFolder(root.FS(), beside, report)}
	top := languageLayer{}
	for _, l := range uploads {
		if messages, err := parseMessages(l.File); err == nil {
			top[l.Tag] = messages
		}
	}
	t := mergeLanguages(top, layers...)
	t.uploads = sumUploads(uploads)
	return t, print, nil
}

// checkHealth looks after every running module, each in its own time.
func (m *Manager) checkHealth(ctx context.Context) {
	for _, u := range m.all() {
		if r := u.current.Load(); r != nil && !r.debugged {
			m.work.Go(func() { u.lookAfter(ctx, r) })
		}
	}
}

// lookAfter kills a module that has stopped answering, which starts it anew, and takes up dropped-in
// translations.
func (u *unit) lookAfter(ctx context.Context, r *running) {
	const patience = 3
	if !r.checking.CompareAndSwap(false, true) {
		return // the last one isn't over
	}
	defer r.checking.Store(false)
	err := r.healthAnew(ctx)
	if u.current.Load() != r {
		return // its end was noticed otherwise, and is nothing against the next
	}
	u.m.mu.Lock()
	if err == nil {
		u.wrong = 0
	} else if ctx.Err() == nil {
		u.wrong++
	}
	sick := u.wrong >= patience
	print := u.print
	u.m.mu.Unlock()
	if sick || r.process.lost() {
		u.log.say(slog.LevelError, "it does not answer any more; ending its process")
		_ = r.process.child.Kill(ctx)
		return
	}
	if u.prints(r) != print && u.loadTexts(ctx, r) {
		u.m.recompile()
	}
}

func (u *unit) prints(r *running) string {
	root, err := os.OpenRoot(u.m.shelf.path)
	if err != nil {
		return ""
	}
	defer root.Close()
	return fingerprint(root.FS(), path.Join(u.id, filepath.Base(r.placed.folder), "languages"), path.Join(u.id, "languages"))
}

// flush writes what modules logged.
func (m *Manager) flush(ctx context.Context) {
	for _, u := range m.all() {
		m.flushLog(ctx, u.log)
	}
}

func (m *Manager) flushLog(ctx context.Context, log *moduleLog) {
	lines := log.take()
	if len(lines) == 0 {
		return
	}
	if err := m.app.AppendModuleLog(ctx, log.id, lines); err != nil && ctx.Err() == nil {
		log.host.Error("write the module's log", "error", err)
	}
}

// unfit lists why a module can't run on this host, although it can be installed.
func (m *Manager) unfit(mf manifest.Manifest) []crm.Error {
	var problems []crm.Error
	if err := mf.CheckHost(m.hostVersion); err != nil {
		e := crm.Refuse(crm.Unavailable, "module_host_range", "Range", mf.Requires.Host, "Host", m.hostVersion)
		if least, ok := strings.CutPrefix(strings.ReplaceAll(mf.Requires.Host, " ", ""), ">="); ok && !strings.ContainsAny(least, "<>=,|^~*") {
			e = crm.Refuse(crm.Unavailable, "module_host_too_old", "Least", strings.TrimPrefix(least, "v"), "Host", m.hostVersion)
		}
		problems = append(problems, *e)
	}
	if err := mf.CheckProtocol(proto.ProtocolVersion); err != nil {
		problems = append(problems, *crm.Refuse(crm.Unavailable, "module_wrong_protocol", "Module", mf.Requires.Protocol, "Host", proto.ProtocolVersion))
	}
	return problems
}

// emptyRunDir removes what processes of an earlier host left, which are dead by now.
func emptyRunDir(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return notWritable(folder, err)
	}
	list, err := os.ReadDir(folder)
	for _, e := range list {
		err = errors.Join(err, clearAway(filepath.Join(folder, e.Name())))
	}
	return err
}
