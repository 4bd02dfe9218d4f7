package module

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// Install completes a review: the package is unpacked, its row written. A new module is inactive
// then. Over a running one the new version is started beside and takes over only once it answers:
// when it doesn't, the old one goes on, nothing has changed, and the error says why. An upgrade of a
// running one that asks for more than was granted waits until AcceptGrants, and the module returned
// says so by Waiting; the old version goes on.
//
// Whoever signed in must have confirmed the own password (App.ConfirmPassword) a moment before:
// Denied password_confirmation_needed. That is used up here.
func (m *Manager) Install(ctx context.Context, who crm.Who, stagedID string) (crm.Module, error) {
	staged, err := m.app.StagedPackage(ctx, who, stagedID)
	if err != nil {
		return crm.Module{}, err
	}
	b, signer, err := m.readSigned(ctx, staged.Filename, staged.Zip)
	if outer := (*outerError)(nil); errors.As(err, &outer) {
		return crm.Module{}, outer.refusal()
	}
	if err != nil {
		return crm.Module{}, err
	}
	if err := m.app.CheckConfirmed(ctx, who); err != nil {
		return crm.Module{}, err
	}
	row, err := m.install(ctx, who, b, signer, staged.Zip)
	if err != nil {
		m.recordFailure(ctx, who, "install", rowOf(b, signer), err)
		return crm.Module{}, fmt.Errorf("install %s %s: %w", b.manifest.ID, b.manifest.Version, err)
	}
	if err := m.app.DropStagedPackage(ctx, who, stagedID); err != nil {
		m.log.Warn("forget an installed package's upload", "error", err) // it is swept within a day
	}
	return row, nil
}

// rowOf is a package's row before anybody granted it anything.
func rowOf(b *bundle, signer crm.Signer) crm.Module {
	return crm.Module{ID: b.manifest.ID, Version: b.manifest.Version, Manifest: b.texts[manifest.FileName], SHA256: b.sha256, Signer: signer}
}

// recordFailure writes into the Activity Log that a step was tried and why it failed.
func (m *Manager) recordFailure(ctx context.Context, who crm.Who, step string, row crm.Module, cause error) {
	if err := m.app.RecordModuleFailure(context.WithoutCancel(ctx), who, step, row, asProblem(cause).Key); err != nil {
		m.log.Error("record a failed step of a module's life", "module", row.ID, "step", step, "error", err)
	}
}

func (m *Manager) install(ctx context.Context, who crm.Who, b *bundle, signer crm.Signer, zip []byte) (crm.Module, error) {
	row := rowOf(b, signer)
	before, err := m.app.Module(ctx, row.ID)
	if err != nil && crm.KindOf(err) != crm.NotFound {
		return crm.Module{}, err
	}
	if err != nil {
		before = row
	}
	u := m.unit(before)
	if err := u.lock(ctx); err != nil {
		return crm.Module{}, err
	}
	defer u.unlock()
	row.Activated, row.Grants, row.Withdrawn = before.Activated, before.Grants, before.Withdrawn
	if asks := newGrants(b.manifest, before); row.Activated && len(asks) > 0 {
		return m.hold(ctx, who, row, asks, zip)
	}
	if err := m.unpack(u, b); err != nil {
		return crm.Module{}, err
	}
	if row.Activated {
		return m.upgrade(ctx, u, row, b, func() error { return m.app.InstallModule(ctx, who, row, zip) })
	}
	if err := m.app.InstallModule(ctx, who, row, zip); err != nil {
		return crm.Module{}, err
	}
	m.mu.Lock()
	u.state, u.problem, u.placed = Installed, nil, m.shelf.placed(b)
	m.mu.Unlock()
	return m.installed(ctx, row.ID)
}

// installed reads the row back and shows what changed.
func (m *Manager) installed(ctx context.Context, id string) (crm.Module, error) {
	row, err := m.app.Module(ctx, id)
	if err != nil {
		return crm.Module{}, err
	}
	m.unit(row)
	m.recompile()
	m.kick()
	return row, nil
}

// unpack puts a package in its folder unless it is there and right. Its caller holds busy.
func (m *Manager) unpack(u *unit, b *bundle) error {
	if m.shelf.check(b.manifest.ID, b.manifest.Version, b.sums) == nil {
		return nil
	}
	if err := m.shelf.unpack(b); err != nil {
		return err
	}
	m.mu.Lock()
	u.placed = placed{} // it may have been this folder
	m.mu.Unlock()
	return nil
}

// upgrade replaces an activated module once the new version answers; keep writes its row. Its
// caller holds busy.
func (m *Manager) upgrade(ctx context.Context, u *unit, row crm.Module, b *bundle, keep func() error) (crm.Module, error) {
	if problems := m.unfit(b.manifest); len(problems) > 0 {
		return crm.Module{}, &problems[0]
	}
	r, err := m.tryNew(ctx, u, row, b)
	if err != nil {
		u.log.say(slog.LevelError, "version %s would not start: %v", row.Version, err)
		m.flushLog(ctx, u.log)
		return crm.Module{}, err
	}
	if err := keep(); err != nil {
		if r != nil {
			r.stop(false)
		}
		return crm.Module{}, err
	}
	if r != nil {
		u.swap(r)
	}
	return m.installed(ctx, row.ID)
}

// tryNew starts the new version beside the old one. Without Start, or when the old one doesn't run,
// it only looks whether the new one answers, and returns nothing.
func (m *Manager) tryNew(ctx context.Context, u *unit, row crm.Module, b *bundle) (*running, error) {
	p := m.shelf.placed(b)
	t, _, err := m.readTexts(ctx, row.ID, p, u.log)
	if err != nil {
		return nil, err
	}
	r, err := m.newRunning(ctx, p, row, t, u.log)
	if err != nil {
		return nil, err
	}
	if m.serving() && u.current.Load() != nil {
		if err = r.activate(ctx); err == nil {
			m.mu.Lock()
			u.placed = p
			m.mu.Unlock()
			return r, nil
		}
	} else {
		err = r.health(ctx)
	}
	r.stop(false)
	return nil, err
}

// Activate allows a module to run, with every grant its manifest asks for but those that were
// withdrawn, and starts it. It is
// activated only when it answers as it should: otherwise it stays inactive, nothing else is
// touched, and the error says why. Without Start the module is tried and stopped again; the
// process that serves then starts it.
func (m *Manager) Activate(ctx context.Context, who crm.Who, id string) error {
	if err := m.app.CheckModuleRights(who); err != nil {
		return err
	}
	row, err := m.app.Module(ctx, id)
	if err != nil {
		return err
	}
	u := m.unit(row)
	if err := u.lock(ctx); err != nil {
		return err
	}
	defer u.unlock()
	if row, err = m.app.Module(ctx, id); err != nil || row.Activated {
		return err
	}
	if err := m.activate(ctx, who, u, row); err != nil {
		u.set(Installed, asProblem(err))
		u.log.say(slog.LevelError, "activate: %v", err)
		m.recordFailure(ctx, who, "activate", row, err)
		m.flushLog(context.WithoutCancel(ctx), u.log)
		return fmt.Errorf("activate %s: %w", id, err)
	}
	m.flushLog(context.WithoutCancel(ctx), u.log)
	m.kick()
	return nil
}

func (m *Manager) activate(ctx context.Context, who crm.Who, u *unit, row crm.Module) error {
	row.Grants = newGrants(manifestOf(row), crm.Module{Withdrawn: row.Withdrawn})
	serving := m.serving()
	if serving {
		u.set(Starting, nil)
	}
	r, err := m.probe(ctx, u, row)
	if err != nil {
		return err
	}
	if serving {
		err = r.activate(ctx)
	} else {
		err = r.health(ctx)
	}
	if err != nil {
		r.stop(false)
		return err
	}
	if err := m.app.ActivateModule(ctx, who, row.ID, row.Grants); err != nil || !serving {
		r.stop(serving)
		return err
	}
	row.Activated = true
	m.unit(row)
	u.adopt(r)
	return nil
}

// Deactivate forbids a module to run and ends its process, in bounded time whatever it does. What
// it added is gone when Deactivate returns.
func (m *Manager) Deactivate(ctx context.Context, who crm.Who, id string) error {
	if err := m.app.DeactivateModule(ctx, who, id); err != nil {
		return err
	}
	row, err := m.app.Module(ctx, id)
	if err != nil {
		return err
	}
	u := m.unit(row)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := u.lock(ctx); err != nil {
		m.kick() // whoever is at it leaves it to the loop
		return err
	}
	defer u.unlock()
	u.halt(Installed)
	u.set(Installed, nil)
	m.flushLog(ctx, u.log)
	return nil
}

// Retry forgets a module's crashes and starts it anew. The error says why it would not start.
func (m *Manager) Retry(ctx context.Context, who crm.Who, id string) error {
	if err := m.app.CheckModuleRights(who); err != nil {
		return err
	}
	row, err := m.app.Module(ctx, id)
	if err != nil {
		return err
	}
	if !row.Activated {
		return m.Activate(ctx, who, id)
	}
	u := m.unit(row)
	if err := u.lock(ctx); err != nil {
		return err
	}
	defer u.unlock()
	if err := m.app.RecordModuleState(ctx, id, "retried", "", 0, time.Time{}); err != nil {
		return err
	}
	m.mu.Lock()
	u.notBefore, u.refused, u.state = time.Time{}, "", Installed
	m.mu.Unlock()
	if !m.serving() {
		return nil
	}
	u.settle(m.running)
	if u.current.Load() == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		if u.problem != nil {
			return u.problem
		}
	}
	return nil
}

// Uninstall removes a module that isn't activated, Conflict when it is. With deleteData all it kept
// goes too, and typedName must be its name, letter by letter.
func (m *Manager) Uninstall(ctx context.Context, who crm.Who, id string, deleteData bool, typedName string) error {
	if err := m.app.CheckModuleRights(who); err != nil {
		return err
	}
	row, err := m.app.Module(ctx, id)
	if err != nil {
		return err
	}
	if name := manifestOf(row).Name; deleteData && strings.TrimSpace(typedName) != name {
		return crm.Refuse(crm.Invalid, "module_name_mistyped", "Name", name)
	}
	u := m.unit(row)
	if err := u.lock(ctx); err != nil {
		return err
	}
	defer u.unlock()
	m.flushLog(ctx, u.log)
	if err := m.app.UninstallModule(ctx, who, id, deleteData); err != nil {
		return err
	}
	u.halt(Installed)
	m.mu.Lock()
	delete(m.units, id)
	m.mu.Unlock()
	m.recompile()
	if err := m.shelf.remove(id, deleteData); err != nil {
		m.log.Error("delete an uninstalled module's folder", "module", id, "error", err)
	}
	return nil
}

// Belongings counts what the database keeps for a module, for the question before Uninstall.
func (m *Manager) Belongings(ctx context.Context, who crm.Who, id string) (app.Belongings, error) {
	if err := m.app.CheckModuleRights(who); err != nil {
		return app.Belongings{}, err
	}
	if _, err := m.app.Module(ctx, id); err != nil {
		return app.Belongings{}, err
	}
	return m.app.ModuleBelongings(ctx, id)
}
