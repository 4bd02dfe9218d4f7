package module

import (
	"context"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// ConfirmInstall asks for the own password before a staged package is installed, unless it was given
// a moment ago. A wrong one is on record with what was to be installed.
func (m *Manager) ConfirmInstall(ctx context.Context, who crm.Who, stagedID, password string) error {
	return m.confirm(ctx, who, "install", password, func() (crm.Module, error) {
		staged, err := m.staged(ctx, who, stagedID)
		return staged.About, err
	})
}

// ConfirmRollBack is ConfirmInstall for going back to a kept version.
func (m *Manager) ConfirmRollBack(ctx context.Context, who crm.Who, id, sha256, password string) error {
	return m.confirm(ctx, who, "rollback", password, func() (crm.Module, error) {
		kept, err := m.app.KeptVersion(ctx, id, sha256)
		return rowBefore(kept), err
	})
}

// ConfirmAccept is ConfirmInstall for the version that waits.
func (m *Manager) ConfirmAccept(ctx context.Context, who crm.Who, id, password string) error {
	return m.confirm(ctx, who, "accept", password, func() (crm.Module, error) { return m.app.WaitingModule(ctx, id) })
}

func (m *Manager) confirm(ctx context.Context, who crm.Who, step, password string, about func() (crm.Module, error)) error {
	if err := m.app.CheckModuleRights(who); err != nil {
		return err
	}
	err := m.app.CheckConfirmed(ctx, who)
	if crm.KeyOf(err) != "password_confirmation_needed" {
		return err
	}
	row, missing := about()
	if missing != nil {
		return missing
	}
	if err = m.app.ConfirmPassword(ctx, who, password); crm.KeyOf(err) == "password_wrong" || crm.KeyOf(err) == "sign_in_locked" {
		m.recordFailure(ctx, who, step, row, err)
	}
	return err
}
