package module

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

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
// it only looks whether the new one answers, and returns nothing. In safe mode it doesn't even look:
// a repaired version must be able to take the place of the one that did the harm.
func (m *Manager) tryNew(ctx context.Context, u *unit, row crm.Module, b *bundle) (*running, error) {
	if m.safe.Load() != nil {
		return nil, nil
	}
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
