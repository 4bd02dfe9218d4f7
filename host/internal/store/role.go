package store

import (
	"context"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

const roleColumns = `SELECT r.id, r.name, r.capabilities, (SELECT COUNT(*) FROM staff s WHERE s.role_id = r.id) FROM roles r `

func scanRole(row scanner) (crm.Role, error) {
	var (
		r    crm.Role
		caps string
	)
	err := row.Scan(&r.ID, &r.Name, &caps, &r.Members)
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

// DropCapabilities takes every capability whose name starts with prefix from roles and staff.
func (t Tx) DropCapabilities(ctx context.Context, prefix string) error {
	for _, table := range []string{"roles", "staff"} {
		rows, err := t.holders(ctx, table, prefix)
		if err != nil {
			return err
		}
		for _, r := range rows {
			for c := range r.caps {
				if strings.HasPrefix(string(c), prefix) {
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

type holder struct {
	id   int64
	caps crm.Capabilities
}

func (t Tx) holders(ctx context.Context, table, prefix string) ([]holder, error) {
	scan := func(row scanner) (holder, error) {
		var (
			h    holder
			text string
		)
		err := row.Scan(&h.id, &text)
		h.caps = crm.ParseCapabilities(text)
		return h, err
	}
	return all(ctx, t, "list holders of capabilities", scan, `SELECT id, capabilities FROM `+table+` WHERE capabilities LIKE $1`, "%"+prefix+"%")
}

// CapabilityHolder is a role, or a member of staff by themselves, that holds capabilities.
type CapabilityHolder struct {
	Kind         string // role or staff
	ID           int64
	Name         string
	Capabilities []crm.Capability
}

// CapabilityHolders lists roles, then staff, holding capabilities whose name starts with prefix, and
// which of these they hold.
func (t Tx) CapabilityHolders(ctx context.Context, prefix string) ([]CapabilityHolder, error) {
	scan := func(row scanner) (CapabilityHolder, error) {
		var (
			h    CapabilityHolder
			text string
		)
		err := row.Scan(&h.Kind, &h.ID, &h.Name, &text)
		for c := range strings.FieldsSeq(text) {
			if strings.HasPrefix(c, prefix) {
				h.Capabilities = append(h.Capabilities, crm.Capability(c))
			}
		}
		return h, err
	}
	return all(ctx, t, "list holders of capabilities", scan, `SELECT 'role' AS kind, id, name, capabilities FROM roles WHERE ' ' || capabilities LIKE $1
		UNION ALL SELECT 'staff', id, name, capabilities FROM staff WHERE ' ' || capabilities LIKE $1 ORDER BY 1, 2`, "% "+prefix+"%")
}
