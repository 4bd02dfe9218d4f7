package module

import (
	"context"
	"fmt"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// Log lists what a module, and the host about it, has logged, newest first, narrowed by the filters
// of App.ModuleLog.
func (m *Manager) Log(ctx context.Context, who crm.Who, id string, q crm.Query) (crm.Page[crm.ModuleLogLine], error) {
	if err := m.logged(ctx, id); err != nil {
		return crm.Page[crm.ModuleLogLine]{}, err
	}
	page, err := m.app.ModuleLog(ctx, who, id, q)
	if err != nil {
		return page, fmt.Errorf("log of %s: %w", id, err)
	}
	return page, nil
}

// ReadLog gives every line that Log would list, on all its pages, to each, oldest first.
func (m *Manager) ReadLog(ctx context.Context, who crm.Who, id string, q crm.Query, each func(crm.ModuleLogLine) error) error {
	if err := m.logged(ctx, id); err != nil {
		return err
	}
	return m.app.ReadModuleLog(ctx, who, id, q, each)
}

// logged writes what an installed module has said up to now.
func (m *Manager) logged(ctx context.Context, id string) error {
	if _, err := m.app.Module(ctx, id); err != nil {
		return err
	}
	if u := m.known(id); u != nil {
		m.flushLog(ctx, u.log)
	}
	return nil
}
