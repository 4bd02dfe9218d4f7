package store

import (
	"context"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

const roleColumns = `SELECT r.id, r.name, r.capabilities, (SELECT COUNT(*) FROM staff s WHERE s.role_id = r.id),
	(SELECT COUNT(*) FROM staff s WHERE s.role_id = r.id AND s.active) FROM roles r `

func scanRole(row scanner) (crm.Role, error) {
	var (
		r    crm.Role
		caps string
	)
	err := row.Scan(&r.ID, &r.Name, &caps, &r.Members, &r.ActiveMembers)
	r.Capabilities = crm.ParseCapabilities(caps)
	return r, err
}

// Roles lists every role by name.
func (t Tx) Roles(ctx context.Context) ([]crm.Role, error) {
	return all(ctx, t, "list roles", scanRole, roleColumns+`ORDER BY r.name`)
}

// Role reads one role.
func (t Tx) Role(ctx context.Context, id int64) (crm.Role, error) {
	return one(ctx, t, "read role", scanRole, roleColumns+`WHERE r.id = $1`, id)
}

// InsertRole writes a new role.
func (t Tx) InsertRole(ctx context.Context, r crm.Role) (int64, error) {
	return t.id(ctx, "insert role", `INSERT INTO roles (name, capabilities) VALUES ($1, $2) RETURNING id`, r.Name, r.Capabilities.String())
}

// UpdateRole writes a role's row.
func (t Tx) UpdateRole(ctx context.Context, r crm.Role) error {
	return t.exec(ctx, "update role", `UPDATE roles SET name = $1, capabilities = $2 WHERE id = $3`, r.Name, r.Capabilities.String(), r.ID)
}

// DeleteRole removes a role nobody holds.
func (t Tx) DeleteRole(ctx context.Context, id int64) error {
	return t.exec(ctx, "delete role", `DELETE FROM roles WHERE id = $1`, id)
}

// DropCapabilities takes every capability of a module from roles, staff and contacts.
func (t Tx) DropCapabilities(ctx context.Context, module string) error {
	for _, table := range []string{"roles", "staff", "contacts"} {
		rows, err := t.holders(ctx, table, module)
		if err != nil {
			return err
		}
		for _, r := range rows {
			for c := range r.caps {
				if isOf(c, module) {
					delete(r.caps, c)
				}
			}
			if err := t.exec(ctx, "drop capabilities", `UPDATE `+table+` SET capabilities = $1 WHERE id = $2`, r.caps.String(), r.id); err != nil {
				return err
			}
		}
	}
	return nil
}

// isOf tells whether a capability is one a module brings, of staff or of contacts.
func isOf(c crm.Capability, module string) bool {
	return strings.HasPrefix(string(c), string(crm.ModuleCapability(module, ""))) || strings.HasPrefix(string(c), string(crm.ContactCapability(module, "")))
}

type holder struct {
	id   int64
	caps crm.Capabilities
}

func (t Tx) holders(ctx context.Context, table, module string) ([]holder, error) {
	scan := func(row scanner) (holder, error) {
		var (
			h    holder
			text string
		)
		err := row.Scan(&h.id, &text)
		h.caps = crm.ParseCapabilities(text)
		return h, err
	}
	return all(ctx, t, "list holders of capabilities", scan, `SELECT id, capabilities FROM `+table+` WHERE capabilities LIKE $1`, "%"+module+"%")
}

// CapabilityHolder is a role, or a member of staff or a contact by themselves, that holds capabilities.
type CapabilityHolder struct {
	Kind         string // role, staff or contact
	ID           int64
	Name         string
	Capabilities []crm.Capability
}

// CapabilityHolders lists contacts, roles and staff that hold capabilities of a module, and which.
func (t Tx) CapabilityHolders(ctx context.Context, module string) ([]CapabilityHolder, error) {
	scan := func(row scanner) (CapabilityHolder, error) {
		var (
			h    CapabilityHolder
			text string
		)
		err := row.Scan(&h.Kind, &h.ID, &h.Name, &text)
		for c := range strings.FieldsSeq(text) {
			if isOf(crm.Capability(c), module) {
				h.Capabilities = append(h.Capabilities, crm.Capability(c))
			}
		}
		return h, err
	}
	const holds = ` WHERE ' ' || capabilities LIKE $1 OR ' ' || capabilities LIKE $2`
	return all(ctx, t, "list holders of capabilities", scan, `SELECT 'role' AS kind, id, name, capabilities FROM roles`+holds+`
		UNION ALL SELECT 'staff', id, name, capabilities FROM staff`+holds+`
		UNION ALL SELECT 'contact', id, name, capabilities FROM contacts`+holds+` ORDER BY 1, 2`,
		"% "+string(crm.ModuleCapability(module, ""))+"%", "% "+string(crm.ContactCapability(module, ""))+"%")
}
