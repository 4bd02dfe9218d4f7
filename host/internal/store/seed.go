package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// LastNumbers are the greatest ids there are.
type LastNumbers struct{ Staff, Customers, Contacts int64 }

// LastNumbers reads the greatest ids, 0 where there is no row.
func (t Tx) LastNumbers(ctx context.Context) (LastNumbers, error) {
	return one(ctx, t, "read last numbers", func(row scanner) (n LastNumbers, err error) {
		return n, row.Scan(&n.Staff, &n.Customers, &n.Contacts)
	}, `SELECT (SELECT COALESCE(MAX(id), 0) FROM staff), (SELECT COALESCE(MAX(id), 0) FROM customers), (SELECT COALESCE(MAX(id), 0) FROM contacts)`)
}

// Staffed tells whether there is anybody on the staff.
func (t Tx) Staffed(ctx context.Context) (bool, error) {
	return one(ctx, t, "look for staff", scanBool, `SELECT EXISTS (SELECT 1 FROM staff)`)
}

// Peopled tells whether there is any account or customer.
func (t Tx) Peopled(ctx context.Context) (bool, error) {
	return one(ctx, t, "look for people", scanBool, `SELECT EXISTS (SELECT 1 FROM staff) OR EXISTS (SELECT 1 FROM customers)`)
}

func scanBool(row scanner) (b bool, err error) {
	err = row.Scan(&b)
	return b, err
}

// InsertStaffMembers writes new staff members without passwords. As the next two, it leaves indexing to
// [Store.RebuildSearch].
func (t Tx) InsertStaffMembers(ctx context.Context, list []crm.StaffMember) error {
	return inRows(ctx, t, "insert staff members", "staff (email, name, sort, search, password, administrator, active, role_id, capabilities, language, theme, created_at, last_sign_in)", list,
		func(s crm.StaffMember) []any {
			return []any{
				s.Email, s.Name, sortText(s.Name), searchText(s.Name, s.Email), "", s.Administrator, s.Active, nullable(s.RoleID), s.Capabilities.String(),
				s.Language, s.Theme, millis(s.CreatedAt), 0,
			}
		}, nil)
}

// InsertCustomers writes new customers, and returns their ids in order.
func (t Tx) InsertCustomers(ctx context.Context, list []crm.Customer) (ids []int64, err error) {
	err = inRows(ctx, t, "insert customers", "customers (company, sort, search, phone, website, address, city, country, vat, language, active, created_at)", list,
		func(c crm.Customer) []any {
			return []any{
				c.Company, sortText(c.Company), searchText(c.Company, c.City), c.Phone, c.Website, c.Address, c.City, c.Country, c.VAT, c.Language, c.Active, millis(c.CreatedAt),
			}
		}, &ids)
	return ids, err
}

// InsertContacts writes new contacts without passwords.
func (t Tx) InsertContacts(ctx context.Context, list []crm.ContactPerson) error {
	return inRows(ctx, t, "insert contacts", `contacts (customer_id, email, name, sort, search, phone, position, password, is_primary, capabilities, active, language, theme, created_at, last_sign_in)`, list,
		func(c crm.ContactPerson) []any {
			return []any{
				c.CustomerID, c.Email, c.Name, sortText(c.Name), searchText(c.Name, c.Email), c.Phone, c.Position, "", c.Primary, c.Capabilities.String(), c.Active,
				c.Language, c.Theme, millis(c.CreatedAt), 0,
			}
		}, nil)
}

// ExpectMany makes room for many new rows: SQLite's writer would read and write the pages of its
// indexes again and again. ExpectFew gives the room back.
func (s *Store) ExpectMany(ctx context.Context) error { return s.cacheKiB(ctx, 256<<10) }

// ExpectFew undoes ExpectMany.
func (s *Store) ExpectFew(ctx context.Context) error { return s.cacheKiB(ctx, 2000) }

func (s *Store) cacheKiB(ctx context.Context, size int) error {
	if s.engine == PostgreSQL {
		return nil
	}
	_, err := s.write.ExecContext(ctx, `PRAGMA cache_size = -`+strconv.Itoa(size))
	return failed("make room", err)
}

// rowsPerInsert is how many rows one statement inserts. PostgreSQL is further away, and takes up to
// 65,535 arguments. SQLite keeps a copy of each page that a statement of several rows changes.
func (t Tx) rowsPerInsert() int {
	if t.engine == PostgreSQL {
		return 250
	}
	return 1
}

// inRows inserts many rows. With ids set it takes down theirs.
func inRows[T any](ctx context.Context, t Tx, what, into string, list []T, values func(T) []any, ids *[]int64) error {
	var returning string
	if ids != nil {
		returning = ` RETURNING id`
	}
	var prepared *sql.Stmt
	for len(list) > 0 {
		n := min(t.rowsPerInsert(), len(list))
		var args []any
		for _, row := range list[:n] {
			args = append(args, values(row)...)
		}
		query := `INSERT INTO ` + into + ` VALUES ` + places(n, len(args)/n) + returning
		if list = list[n:]; t.engine == SQLite && prepared == nil {
			var err error
			if prepared, err = t.prepare(ctx, query); err != nil {
				return failed(what, err)
			}
			defer prepared.Close()
		}
		added, err := t.insert(ctx, what, query, prepared, ids != nil, args)
		if err != nil {
			return err
		}
		if ids != nil {
			*ids = append(*ids, added...)
		}
	}
	return nil
}

// prepare prepares a statement for the rest of a transaction.
func (t Tx) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	tx, ok := t.db.(interface {
		PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	})
	if !ok {
		return nil, errors.New("outside a transaction")
	}
	return tx.PrepareContext(ctx, query)
}

// insert runs an INSERT, the prepared one if there is one, and gives the ids it returns.
func (t Tx) insert(ctx context.Context, what, query string, prepared *sql.Stmt, returning bool, args []any) ([]int64, error) {
	switch {
	case prepared != nil && returning:
		var id int64
		err := prepared.QueryRowContext(ctx, args...).Scan(&id)
		return []int64{id}, failed(what, err)
	case prepared != nil:
		_, err := prepared.ExecContext(ctx, args...)
		return nil, failed(what, err)
	case returning:
		return all(ctx, t, what, func(row scanner) (id int64, err error) { return id, row.Scan(&id) }, query, args...)
	}
	return nil, t.exec(ctx, what, query, args...)
}

// places is "($1, $2), ($3, $4)" for two rows of two columns.
func places(rows, columns int) string {
	var b strings.Builder
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteString("($")
		case i%columns == 0:
			b.WriteString("), ($")
		default:
			b.WriteString(", $")
		}
		b.WriteString(strconv.Itoa(i + 1))
	}
	return b.String() + ")"
}
