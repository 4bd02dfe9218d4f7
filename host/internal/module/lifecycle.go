package module

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// claim begins a change of a module: who may make it, and makes it alone until the unit is unlocked.
// The row is as it is by then.
func (m *Manager) claim(ctx context.Context, who crm.Who, id string) (*unit, crm.Module, error) {
	if err := m.app.CheckModuleRights(who); err != nil {
		return nil, crm.Module{}, err
	}
	row, err := m.app.Module(ctx, id)
	if err != nil {
		return nil, crm.Module{}, err
	}
	u, err := m.alone(ctx, row)
	if err != nil {
		return nil, crm.Module{}, err
	}
	if row, err = m.app.Module(ctx, id); err != nil {
		u.unlock()
		return nil, crm.Module{}, err
	}
	return u, row, nil
}

// Activate allows a module to run, with every grant its manifest asks for but those that were
// withdrawn, and starts it. It is activated only when it answers as it should: otherwise it stays
// inactive, nothing else is touched, and the error says why. Without Start the module is tried and
// stopped again; the process that serves then starts it.
func (m *Manager) Activate(ctx context.Context, who crm.Who, id string) error {
	u, row, err := m.claim(ctx, who, id)
	if err != nil {
		return err
	}
	defer m.awaitOthers(ctx, id)
	defer u.unlock()
	if row.Activated {
		return nil
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
	keep := func(t crm.ModuleTrial) error {
		return m.app.ActivateModule(ctx, who, row.ID, row.SHA256, row.Grants, t)
	}
	if !serving {
		r.stop(false)
		return keep(crm.ModuleTrial{})
	}
	row.Activated = true
	if err := u.takeOver(r, keep); err != nil {
		return err
	}
	m.unit(row)
	return nil
}

// Deactivate forbids a module to run and ends its process, in bounded time whatever it does. What
// it added is gone when Deactivate returns.
func (m *Manager) Deactivate(ctx context.Context, who crm.Who, id string) error {
	if err := m.app.DeactivateModule(ctx, who, id); err != nil {
		return err
	}
	defer m.awaitOthers(ctx, id)
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
	u, row, err := m.claim(ctx, who, id)
	if err != nil {
		return err
	}
	if !row.Activated {
		u.unlock()
		return m.Activate(ctx, who, id)
	}
	defer m.awaitOthers(ctx, id)
	defer u.unlock()
	if err := m.mayStart(); err != nil {
		return err
	}
	if err := m.app.RetryModule(ctx, who, id); err != nil {
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
	u, row, err := m.claim(ctx, who, id)
	if err != nil {
		return err
	}
	defer m.awaitOthers(ctx, id)
	defer u.unlock()
	if deleteData {
		if err := checkTyped(row, typedName); err != nil {
			return err
		}
	}
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
