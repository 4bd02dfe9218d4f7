package module

import (
	"context"
	"maps"
	"slices"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// CatchUp takes over what was saved of modules' settings and languages up to an authority revision,
// unless it has been: another process may have saved it a moment ago, and whoever saw it saved must
// not be judged, nor shown a page, by what was before. What else changed is looked at soon. Unavailable when the
// database doesn't answer.
func (m *Manager) CatchUp(ctx context.Context, revision int64) error {
	if m.caught.Load() >= revision {
		return nil
	}
	select {
	case m.catching <- struct{}{}:
	case <-ctx.Done():
		return &crm.Error{Kind: crm.Unavailable, Key: "request_cancelled", Err: ctx.Err()}
	}
	defer func() { <-m.catching }()
	if m.caught.Load() >= revision {
		return nil
	}
	m.kick()
	m.mu.Lock()
	units, adopted := slices.Collect(maps.Values(m.units)), m.adopted
	m.mu.Unlock()
	changed := false
	for _, u := range units {
		r := u.current.Load()
		if r == nil {
			continue
		}
		its, err := m.refreshSettings(ctx, r)
		if err != nil {
			return err
		}
		uploads, err := m.app.ModuleLanguages(ctx, u.id)
		if err != nil {
			return err
		}
		if sumUploads(uploads) != r.texts.Load().uploads && u.loadTexts(ctx, r) {
			its = true
		}
		changed = changed || its
	}
	if changed {
		m.recompile()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.adopted == adopted {
		m.caught.Store(revision)
	} // else a process came up meanwhile, with what was saved when it was started
	return nil
}
