package store

import (
	"context"
	"database/sql"

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
	l := listing[crm.StaffMember]{what: "list staff", scan: scanStaff, query: staffColumns, table: "s", id: func(s crm.StaffMember) int64 { return s.ID }}
	l.where.words(q.Term, "s.search")
	l.where.active("s.active", q)
	s := search{kind: searchStaff, words: termWords(q.Term)}
	s.byActive(q)
	limit := bounded(q.Limit, 25, 100)
	list, err := l.page(ctx, t, s, q.After, limit)
	return paged(list, limit, func(s crm.StaffMember) string { return sortPosition(s.ID, s.Name) }), err
}

// InsertStaff writes a new staff member without a password.
func (t Tx) InsertStaff(ctx context.Context, s crm.StaffMember) (int64, error) {
	id, err := t.id(ctx, "insert staff member", `INSERT INTO staff (email, name, sort, search, password, administrator, active, role_id, capabilities, language, theme, created_at, last_sign_in)
		VALUES ($1, $2, $3, $4, '', $5, $6, $7, $8, $9, $10, $11, 0) RETURNING id`,
		s.Email, s.Name, sortText(s.Name), searchText(s.Name, s.Email), s.Administrator, s.Active, nullable(s.RoleID), s.Capabilities.String(), s.Language, s.Theme, millis(s.CreatedAt))
	t.touch(searchStaff, id)
	return id, err
}

// UpdateStaff writes a staff member's row, but for password, theme and sign-in.
func (t Tx) UpdateStaff(ctx context.Context, s crm.StaffMember) error {
	t.touch(searchStaff, s.ID)
	return t.exec(ctx, "update staff member", `UPDATE staff SET email = $1, name = $2, sort = $3, search = $4, administrator = $5, active = $6, role_id = $7, capabilities = $8, language = $9 WHERE id = $10`,
		s.Email, s.Name, sortText(s.Name), searchText(s.Name, s.Email), s.Administrator, s.Active, nullable(s.RoleID), s.Capabilities.String(), s.Language, s.ID)
}

// SetStaffName writes what people may change about themselves.
func (t Tx) SetStaffName(ctx context.Context, s crm.StaffMember) error {
	t.touch(searchStaff, s.ID)
	return t.exec(ctx, "set staff member's name", `UPDATE staff SET name = $1, sort = $2, search = $3 WHERE id = $4`, s.Name, sortText(s.Name), searchText(s.Name, s.Email), s.ID)
}

// OtherActiveAdministrators counts the active administrators beside one.
func (t Tx) OtherActiveAdministrators(ctx context.Context, id int64) (int64, error) {
	return t.count(ctx, `SELECT COUNT(*) FROM staff WHERE administrator AND active AND id <> $1`, id)
}

// Administrators lists the active administrators.
func (t Tx) Administrators(ctx context.Context) ([]crm.Account, error) {
	list, err := all(ctx, t, "list administrators", scanStaffAccount, staffAccount+`WHERE s.administrator AND s.active ORDER BY s.id`)
	accounts := make([]crm.Account, len(list))
	for i, c := range list {
		accounts[i] = c.Account
	}
	return accounts, err
}

// nullable is NULL for id 0.
func nullable(id int64) sql.NullInt64 { return sql.NullInt64{Int64: id, Valid: id != 0} }
