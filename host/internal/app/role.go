package app

import (
	"context"
	"strconv"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// Roles lists every role.
func (a *App) Roles(ctx context.Context, who crm.Who) ([]crm.Role, error) {
	if err := a.allow(who, crm.ReadRoute, crm.RolesView, crm.StaffView); err != nil {
		return nil, err
	}
	return a.store.Read().Roles(ctx)
}

// DirectoryRoles lists every role, for modules with the grant to read the directory. It asks nobody's
// rights.
func (a *App) DirectoryRoles(ctx context.Context) ([]crm.Role, error) {
	return a.store.Read().Roles(ctx)
}

// Role reads one role.
func (a *App) Role(ctx context.Context, who crm.Who, id int64) (crm.Role, error) {
	if err := a.allow(who, crm.ReadRoute, crm.RolesView); err != nil {
		return crm.Role{}, err
	}
	r, err := a.store.Read().Role(ctx, id)
	return r, found(err, "role_not_found")
}

// RoleForm is what a form says about a role.
type RoleForm struct {
	ID           int64 // 0 for a new one
	Name         string
	Capabilities crm.Capabilities // those ticked
	Shown        crm.Capabilities // those the form offered; all others stay as they are
}

// SaveRole adds or changes a role. Nobody gives what they don't hold themselves.
func (a *App) SaveRole(ctx context.Context, who crm.Who, f RoleForm) (int64, error) {
	if err := a.allow(who, crm.SensitiveRoute, crm.RolesEdit); err != nil {
		return 0, err
	}
	name, err := crm.CleanName(f.Name)
	if err == nil && strings.EqualFold(name, crm.AdministratorDetail) {
		err = crm.Refuse(crm.Conflict, "role_name_taken")
	}
	if err != nil {
		return 0, err
	}
	id := f.ID
	err = a.changeRights(ctx, who, "role_saved", func(tx store.Tx) (string, map[string]string, error) {
		before := crm.Role{Capabilities: crm.Capabilities{}}
		if id != 0 {
			if before, err = tx.Role(ctx, id); err != nil {
				return "", nil, found(err, "role_not_found")
			}
		}
		if err := mayChangeRole(who, before); err != nil {
			return "", nil, err
		}
		after := crm.Role{ID: id, Name: name, Capabilities: merged(before.Capabilities, f.Capabilities, f.Shown.Of(crm.Staff))}
		if err := mayGive(who, before.Capabilities, after.Capabilities); err != nil {
			return "", nil, err
		}
		if id == 0 {
			id, err = tx.InsertRole(ctx, after)
		} else {
			err = tx.UpdateRole(ctx, after)
		}
		if err != nil {
			return "", nil, taken(err, "role_name_taken")
		}
		return "role:" + strconv.FormatInt(id, 10), map[string]string{"name": name, "capabilities": after.Capabilities.String()}, tx.RaiseRevision(ctx)
	})
	return id, err
}

// mayChangeRole keeps staff from taking rights from those who may do more than they: who is weaker
// afterwards could be taken over.
func mayChangeRole(who crm.Who, role crm.Role) error {
	if who.Subject.Administrator || role.Capabilities.Within(who.Subject.Capabilities) {
		return nil
	}
	return crm.Refuse(crm.Denied, "account_has_more_rights", "Name", role.Name)
}

// DeleteRole removes a role nobody holds, Conflict otherwise.
func (a *App) DeleteRole(ctx context.Context, who crm.Who, id int64) error {
	if err := a.allow(who, crm.SensitiveRoute, crm.RolesEdit); err != nil {
		return err
	}
	return a.changeRights(ctx, who, "role_deleted", func(tx store.Tx) (string, map[string]string, error) {
		role, err := tx.Role(ctx, id)
		if err != nil {
			return "", nil, found(err, "role_not_found")
		}
		if err := mayChangeRole(who, role); err != nil {
			return "", nil, err
		}
		if role.Members > 0 {
			return "", nil, crm.Refuse(crm.Conflict, "role_in_use", "Members", role.Members)
		}
		return "role:" + strconv.FormatInt(id, 10), map[string]string{"name": role.Name}, tx.DeleteRole(ctx, id)
	})
}
