package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

const staffColumns = `SELECT s.id, s.email, s.name, s.administrator, s.active, COALESCE(s.role_id, 0), COALESCE(r.name, ''), s.capabilities, s.language, s.theme, s.created_at, s.last_sign_in
	FROM staff s LEFT JOIN roles r ON r.id = s.role_id `

func scanStaff(row scanner) (crm.StaffMember, error) {
	var (
		s               crm.StaffMember
		caps            string
		created, signed int64
	)
	err := row.Scan(&s.ID, &s.Email, &s.Name, &s.Administrator, &s.Active, &s.RoleID, &s.Role, &caps, &s.Language, &s.Theme, &created, &signed)
	s.Capabilities, s.CreatedAt, s.LastSignIn = crm.ParseCapabilities(caps), at(created), at(signed)
	return s, err
}

// StaffMember reads one staff member.
func (t Tx) StaffMember(ctx context.Context, id int64) (crm.StaffMember, error) {
	return one(ctx, t, "read staff member", scanStaff, staffColumns+`WHERE s.id = $1`, id)
}

// Staff lists staff by name. Filter "active" is "yes" or "no".
func (t Tx) Staff(ctx context.Context, q crm.Query) (crm.Page[crm.StaffMember], error) {
	var w where
	w.words(q.Term, "s.search")
	w.active("s.active", q)
	if err := w.afterSort("s", q.After); err != nil {
		return crm.Page[crm.StaffMember]{}, err
	}
	limit := bounded(q.Limit, 25, 100)
	list, err := all(ctx, t, "list staff", scanStaff, staffColumns+w.text()+` ORDER BY s.sort, s.id LIMIT `+strconv.Itoa(limit+1), w.args...)
	return paged(list, limit, func(s crm.StaffMember) string { return sortPosition(s.ID, s.Name) }), err
}

// active applies the filter "active", "yes" or "no".
func (w *where) active(column string, q crm.Query) {
	switch q.Filter["active"] {
	case "yes":
		w.and(column)
	case "no":
		w.and("NOT " + column)
	}
}

// InsertStaff writes a new staff member without a password.
func (t Tx) InsertStaff(ctx context.Context, s crm.StaffMember) (int64, error) {
	return t.id(ctx, "insert staff member", `INSERT INTO staff (email, name, sort, search, password, administrator, active, role_id, capabilities, language, theme, created_at, last_sign_in)
		VALUES ($1, $2, $3, $4, '', $5, $6, $7, $8, $9, $10, $11, 0) RETURNING id`,
		s.Email, s.Name, sortText(s.Name), searchText(s.Name, s.Email), s.Administrator, s.Active, nullable(s.RoleID), s.Capabilities.String(), s.Language, s.Theme, millis(s.CreatedAt))
}

// UpdateStaff writes a staff member's row, but for password, theme and sign-in.
func (t Tx) UpdateStaff(ctx context.Context, s crm.StaffMember) error {
	return t.exec(ctx, "update staff member", `UPDATE staff SET email = $1, name = $2, sort = $3, search = $4, administrator = $5, active = $6, role_id = $7, capabilities = $8, language = $9 WHERE id = $10`,
		s.Email, s.Name, sortText(s.Name), searchText(s.Name, s.Email), s.Administrator, s.Active, nullable(s.RoleID), s.Capabilities.String(), s.Language, s.ID)
}

// OtherActiveAdministrators counts the active administrators beside one.
func (t Tx) OtherActiveAdministrators(ctx context.Context, id int64) (int64, error) {
	return t.count(ctx, `SELECT COUNT(*) FROM staff WHERE administrator AND active AND id <> $1`, id)
}

func (t Tx) count(ctx context.Context, query string, args ...any) (int64, error) {
	return t.id(ctx, "count", query, args...)
}

// nullable is NULL for id 0.
func nullable(id int64) sql.NullInt64 { return sql.NullInt64{Int64: id, Valid: id != 0} }

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

// CapabilityHolders counts roles and staff holding a capability whose name starts with prefix.
func (t Tx) CapabilityHolders(ctx context.Context, prefix string) (int64, error) {
	return t.count(ctx, `SELECT (SELECT COUNT(*) FROM roles WHERE ' ' || capabilities LIKE $1) + (SELECT COUNT(*) FROM staff WHERE ' ' || capabilities LIKE $1)`, "% "+prefix+"%")
}
