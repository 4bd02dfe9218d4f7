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
		m.recordFailure(ctx, who, "install", crm.Module{SHA256: staged.SHA256}, err)
		return crm.Module{}, err
	}
	if err := m.app.CheckConfirmed(ctx, who); err != nil {
		return crm.Module{}, err
	}
	row, err := m.install(ctx, who, b, signer, staged.Zip, stagedID)
	if err != nil {
		m.recordFailure(ctx, who, "install", rowOf(b, signer), err)
		return crm.Module{}, fmt.Errorf("install %s %s: %w", b.manifest.ID, b.manifest.Version, err)
	}
	if err := m.app.DropStagedPackage(ctx, who, stagedID); err != nil && crm.KindOf(err) != crm.NotFound {
		m.log.Warn("forget an installed package's upload", "error", err) // it is swept within a day
	}
	m.awaitOthers(ctx, row.ID)
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

func (m *Manager) install(ctx context.Context, who crm.Who, b *bundle, signer crm.Signer, zip []byte, staged string) (crm.Module, error) {
	row := rowOf(b, signer)
	before, err := m.installedOr(ctx, row)
	if err != nil {
		return crm.Module{}, err
	}
	u, err := m.alone(ctx, before)
	if err != nil {
		return crm.Module{}, err
	}
	defer u.unlock()
	if before, err = m.installedOr(ctx, row); err != nil { // another administrator may have been at it
		return crm.Module{}, err
	}
	row.Activated, row.Grants, row.Withdrawn = before.Activated, before.Grants, before.Withdrawn
	if asks := newGrants(b.manifest, before); row.Activated && len(asks) > 0 {
		return m.hold(ctx, who, row, asks, zip)
	}
	return m.replace(ctx, u, before, row, b, func(t crm.ModuleTrial) error { return m.app.InstallModule(ctx, who, row, zip, t, staged) })
}

// installedOr is the installed module of a package's id, or its own row when there is none.
func (m *Manager) installedOr(ctx context.Context, row crm.Module) (crm.Module, error) {
	before, err := m.app.Module(ctx, row.ID)
	if crm.KindOf(err) == crm.NotFound {
		return row, nil
	}
	return before, err
}

// replace puts a verified package in the place of the installed one; keep writes its row, with what
// the new process did on trial. An error means that the old one is as it was: running, with its
// data. Its caller holds busy.
func (m *Manager) replace(ctx context.Context, u *unit, before, row crm.Module, b *bundle, keep func(crm.ModuleTrial) error) (crm.Module, error) {
	p, err := m.unpack(ctx, u, before, b)
	if err == nil {
		err = m.at("unpacked")
	}
	if err == nil && row.Activated {
		err = m.upgrade(ctx, u, row, p, keep)
	} else if err == nil {
		err = m.putInactive(u, p, keep)
	}
	m.prune(context.WithoutCancel(ctx), u)
	_ = m.at("pruned")
	if err != nil {
		return crm.Module{}, err
	}
	return m.installed(ctx, row), nil
}

// putInactive replaces a module that isn't to run.
func (m *Manager) putInactive(u *unit, p placed, keep func(crm.ModuleTrial) error) error {
	if err := m.at("recording"); err != nil {
		return err
	}
	if err := keep(crm.ModuleTrial{}); err != nil {
		return err
	}
	_ = m.at("recorded")
	m.mu.Lock()
	defer m.mu.Unlock()
	u.state, u.problem, u.placed = Installed, nil, p
	return nil
}

// installed reads the row back and shows what changed. It is there: that it can't be read now is no
// failure of what was done.
func (m *Manager) installed(ctx context.Context, row crm.Module) crm.Module {
	written, err := m.app.Module(context.WithoutCancel(ctx), row.ID)
	if err != nil {
		m.log.Error("read a module's row back", "module", row.ID, "error", err)
		written = row
	}
	m.unit(written)
	m.recompile()
	m.kick()
	return written
}

// upgrade replaces an activated module once the new version answers; keep writes its row. Its
// caller holds busy.
func (m *Manager) upgrade(ctx context.Context, u *unit, row crm.Module, p placed, keep func(crm.ModuleTrial) error) error {
	r, err := m.tryNew(ctx, u, row, p)
	switch {
	case err == nil && r != nil:
		err = u.takeOver(r, keep)
	case err == nil:
		err = keep(crm.ModuleTrial{})
	}
	if err != nil {
		u.log.say(slog.LevelError, "version %s did not take over: %v", row.Version, err)
		m.flushLog(context.WithoutCancel(ctx), u.log)
	}
	return err
}

// tryNew starts the new version beside the old one. Without Start it only looks whether the new one
// answers, and returns nothing. In safe mode it doesn't even look: a repaired version must be able to
// take the place of the one that did the harm.
func (m *Manager) tryNew(ctx context.Context, u *unit, row crm.Module, p placed) (*running, error) {
	if problems := m.unfit(p.manifest); len(problems) > 0 {
		return nil, &problems[0]
	}
	if m.safe.Load() != nil {
		return nil, nil
	}
	r, err := m.newRunning(ctx, p, row, u.log)
	if err != nil {
		return nil, err
	}
	serving := m.serving()
	if err = m.at("started"); err == nil {
		if serving {
			err = r.activate(ctx)
		} else {
			err = r.health(ctx)
		}
	}
	if err == nil {
		err = m.at("activated")
	}
	if err != nil || !serving {
		r.stop(false)
		return nil, err
	}
	return r, nil
}
