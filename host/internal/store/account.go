package store

import (
	"context"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// personColumns read a staff member or a contact, whichever of the two joins found a row.
type personColumns struct {
	staff struct {
		id                  int64
		email, name         string
		administrator       bool
		active              bool
		role, own, roleCaps string
		language, theme     string
		lastSignIn          int64
	}
	contact struct {
		id                         int64
		email, name                string
		active, primary            bool
		own                        string
		customerID                 int64
		company                    string
		language, customerLanguage string
		theme                      string
		lastSignIn                 int64
	}
}

func (p *personColumns) dest() []any {
	s, c := &p.staff, &p.contact
	return []any{
		&s.id, &s.email, &s.name, &s.administrator, &s.active, &s.role, &s.own, &s.roleCaps, &s.language, &s.theme, &s.lastSignIn,
		&c.id, &c.email, &c.name, &c.active, &c.primary, &c.own, &c.customerID, &c.company, &c.language, &c.customerLanguage, &c.theme, &c.lastSignIn,
	}
}

func (p *personColumns) account() crm.Account {
	if s := p.staff; s.id != 0 {
		return crm.Account{
			Key: crm.AccountKey{Kind: crm.Staff, ID: s.id}, Name: s.name, Email: s.email, Active: s.active, Administrator: s.administrator,
			Role: s.role, Capabilities: crm.ParseCapabilities(s.own + " " + s.roleCaps), Language: s.language, Theme: s.theme, LastSignIn: at(s.lastSignIn),
		}
	}
	c := p.contact
	if c.id == 0 {
		return crm.Account{}
	}
	a := crm.Account{
		Key: crm.AccountKey{Kind: crm.Contact, ID: c.id}, Name: c.name, Email: c.email, Active: c.active, Primary: c.primary,
		Capabilities: crm.ParseCapabilities(c.own).Of(crm.Contact), CustomerID: c.customerID, Company: c.company, Language: c.language, Theme: c.theme, LastSignIn: at(c.lastSignIn),
	}
	if a.Language == "" {
		a.Language = c.customerLanguage
	}
	return a
}

const (
	staffAccount = `SELECT s.id, s.email, s.name, s.administrator, s.active, COALESCE(r.name, ''), s.capabilities, COALESCE(r.capabilities, ''), s.language, s.theme, s.last_sign_in, s.password
		FROM staff s LEFT JOIN roles r ON r.id = s.role_id `
	contactAccount = `SELECT c.id, c.email, c.name, c.active AND u.active, c.is_primary, c.capabilities, c.customer_id, u.company, c.language, u.language, c.theme, c.last_sign_in, c.password
		FROM contacts c JOIN customers u ON u.id = c.customer_id `
)

// Credentials is an account with the hash of its password, empty when it has none yet. Only sign-in
// and changing a password need it.
type Credentials struct {
	crm.Account
	PasswordHash string
}

func scanStaffAccount(row scanner) (Credentials, error) {
	var (
		p personColumns
		c Credentials
	)
	err := row.Scan(append(p.dest()[:11], &c.PasswordHash)...)
	c.Account = p.account()
	return c, err
}

func scanContactAccount(row scanner) (Credentials, error) {
	var (
		p personColumns
		c Credentials
	)
	err := row.Scan(append(p.dest()[11:], &c.PasswordHash)...)
	c.Account = p.account()
	return c, err
}

func (t Tx) credentials(ctx context.Context, kind crm.AccountKind, condition string, args ...any) (Credentials, error) {
	if kind == crm.Staff {
		return one(ctx, t, "read staff account", scanStaffAccount, staffAccount+"WHERE s."+condition, args...)
	}
	return one(ctx, t, "read contact account", scanContactAccount, contactAccount+"WHERE c."+condition, args...)
}

// Account reads one account, NotFound when there is none.
func (t Tx) Account(ctx context.Context, key crm.AccountKey) (crm.Account, error) {
	c, err := t.credentials(ctx, key.Kind, "id = $1", key.ID)
	return c.Account, err
}

// Credentials reads one account with its password's hash.
func (t Tx) Credentials(ctx context.Context, key crm.AccountKey) (Credentials, error) {
	return t.credentials(ctx, key.Kind, "id = $1", key.ID)
}

// CredentialsByEmail reads the account that signs in with this address.
func (t Tx) CredentialsByEmail(ctx context.Context, kind crm.AccountKind, email string) (Credentials, error) {
	return t.credentials(ctx, kind, "email = $1", email)
}

// AccountQuery narrows and pages a search over the accounts of one kind.
type AccountQuery struct {
	Kind       crm.AccountKind
	Term       string
	Limit      int
	After      string
	ActiveOnly bool
	Except     crm.AccountKey
}

// SearchAccounts lists accounts by name.
func (t Tx) SearchAccounts(ctx context.Context, q AccountQuery) (crm.Page[crm.Account], error) {
	l := listing[Credentials]{what: "search accounts", scan: scanStaffAccount, query: staffAccount, table: "s", id: func(c Credentials) int64 { return c.Key.ID }}
	s := search{kind: searchKindOf(q.Kind), words: termWords(q.Term)}
	if q.Kind == crm.Contact {
		l.scan, l.query, l.table = scanContactAccount, contactAccount, "c"
		l.where.words(q.Term, "c.search", "u.search")
	} else {
		l.where.words(q.Term, "s.search")
	}
	if q.ActiveOnly {
		l.where.and(l.table + ".active")
		s.flags = []gram{flagActive}
		if q.Kind == crm.Contact {
			l.where.and("u.active")
			s.flags = []gram{flagUsable}
		}
	}
	if q.Except.Kind == q.Kind {
		l.where.and(l.table+".id <> ?", q.Except.ID)
		s.except = q.Except.ID
	}
	limit := bounded(q.Limit, 20, 100)
	list, err := l.page(ctx, t, s, q.After, limit)
	accounts := make([]crm.Account, len(list))
	for i, c := range list {
		accounts[i] = c.Account
	}
	return paged(accounts, limit, func(a crm.Account) string { return sortPosition(a.Key.ID, a.Name) }), err
}

// SetActive activates or deactivates an account.
func (t Tx) SetActive(ctx context.Context, key crm.AccountKey, active bool) error {
	if err := t.touchAccount(ctx, key); err != nil {
		return err
	}
	return t.exec(ctx, "set active", `UPDATE `+table(key.Kind)+` SET active = $1 WHERE id = $2`, active, key.ID)
}

// touchAccount has an account indexed anew, and the customer of a contact, who may be without one that
// can sign in now. Call it while there is the row.
func (t Tx) touchAccount(ctx context.Context, key crm.AccountKey) error {
	t.touch(searchKindOf(key.Kind), key.ID)
	if key.Kind == crm.Staff {
		return nil
	}
	customer, err := t.count(ctx, `SELECT COALESCE(MAX(customer_id), 0) FROM contacts WHERE id = $1`, key.ID)
	t.touch(searchCustomers, customer)
	return err
}

// SetPassword replaces an account's password hash.
func (t Tx) SetPassword(ctx context.Context, key crm.AccountKey, hash string) error {
	return t.exec(ctx, "set password", `UPDATE `+table(key.Kind)+` SET password = $1 WHERE id = $2`, hash, key.ID)
}

// SetLastSignIn remembers when an account last signed in.
func (t Tx) SetLastSignIn(ctx context.Context, key crm.AccountKey, now time.Time) error {
	return t.exec(ctx, "set last sign-in", `UPDATE `+table(key.Kind)+` SET last_sign_in = $1 WHERE id = $2`, millis(now), key.ID)
}

// SetPreferences replaces an account's language and theme.
func (t Tx) SetPreferences(ctx context.Context, key crm.AccountKey, language, theme string) error {
	return t.exec(ctx, "set preferences", `UPDATE `+table(key.Kind)+` SET language = $1, theme = $2 WHERE id = $3`, language, theme, key.ID)
}

// table is where accounts of a kind are kept.
func table(kind crm.AccountKind) string {
	if kind == crm.Staff {
		return "staff"
	}
	return "contacts"
}
