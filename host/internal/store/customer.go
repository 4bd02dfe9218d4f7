package store

import (
	"context"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

const customerColumns = `SELECT u.id, u.company, u.phone, u.website, u.address, u.city, u.country, u.vat, u.language, u.active, u.created_at,
	(SELECT COUNT(*) FROM contacts c WHERE c.customer_id = u.id) FROM customers u `

func scanCustomer(row scanner) (crm.Customer, error) {
	var (
		c       crm.Customer
		created int64
	)
	err := row.Scan(&c.ID, &c.Company, &c.Phone, &c.Website, &c.Address, &c.City, &c.Country, &c.VAT, &c.Language, &c.Active, &created, &c.Contacts)
	c.CreatedAt = at(created)
	return c, err
}

// Customer reads one customer.
func (t Tx) Customer(ctx context.Context, id int64) (crm.Customer, error) {
	return one(ctx, t, "read customer", scanCustomer, customerColumns+`WHERE u.id = $1`, id)
}

// Customers lists customers by company. Filter "active" is "yes" or "no".
func (t Tx) Customers(ctx context.Context, q crm.Query) (crm.Page[crm.Customer], error) {
	l := customerListing("list customers", q.Term)
	l.where.active("u.active", q)
	s := search{kind: searchCustomers, words: termWords(q.Term)}
	s.byActive(q)
	limit := bounded(q.Limit, 25, 100)
	list, err := l.page(ctx, t, s, q.After, limit)
	return paged(list, limit, func(c crm.Customer) string { return sortPosition(c.ID, c.Company) }), err
}

func customerListing(what, term string) listing[crm.Customer] {
	l := listing[crm.Customer]{what: what, scan: scanCustomer, query: customerColumns, table: "u", id: func(c crm.Customer) int64 { return c.ID }}
	l.where.words(term, "u.search")
	return l
}

// CompaniesWithoutContact lists, by company, the first customers that term finds and whose contacts
// can't sign in: none is active, or the customer isn't.
func (t Tx) CompaniesWithoutContact(ctx context.Context, term string, limit int) ([]crm.Customer, error) {
	l := customerListing("list companies without contact", term)
	l.where.and("(NOT u.active OR NOT EXISTS (SELECT 1 FROM contacts k WHERE k.customer_id = u.id AND k.active))")
	list, err := l.page(ctx, t, search{kind: searchCustomers, words: termWords(term), flags: []gram{flagDeserted}}, "", limit)
	return list[:min(len(list), limit)], err
}

// InsertCustomer writes a new customer.
func (t Tx) InsertCustomer(ctx context.Context, c crm.Customer) (int64, error) {
	id, err := t.id(ctx, "insert customer", `INSERT INTO customers (company, sort, search, phone, website, address, city, country, vat, language, active, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id`,
		c.Company, sortText(c.Company), searchText(c.Company, c.City), c.Phone, c.Website, c.Address, c.City, c.Country, c.VAT, c.Language, c.Active, millis(c.CreatedAt))
	t.touch(searchCustomers, id)
	return id, err
}

// UpdateCustomer writes a customer's row, but for whether it is active.
func (t Tx) UpdateCustomer(ctx context.Context, c crm.Customer) error {
	t.touch(searchCustomers, c.ID)
	search := searchText(c.Company, c.City)
	renamed, err := t.count(ctx, `SELECT COUNT(*) FROM customers WHERE id = $1 AND search <> $2`, c.ID, search)
	if err != nil {
		return err
	}
	if renamed > 0 {
		t.touchContactsOf(c.ID) // they are found by it, too
	}
	return t.exec(ctx, "update customer", `UPDATE customers SET company = $1, sort = $2, search = $3, phone = $4, website = $5, address = $6, city = $7, country = $8, vat = $9,
		language = $10 WHERE id = $11`,
		c.Company, sortText(c.Company), search, c.Phone, c.Website, c.Address, c.City, c.Country, c.VAT, c.Language, c.ID)
}

// SetCustomerActive activates or deactivates a customer.
func (t Tx) SetCustomerActive(ctx context.Context, id int64, active bool) error {
	t.touch(searchCustomers, id)
	t.touchContactsOf(id)
	return t.exec(ctx, "set customer active", `UPDATE customers SET active = $1 WHERE id = $2`, active, id)
}

// DeleteCustomer removes a customer that has no contacts.
func (t Tx) DeleteCustomer(ctx context.Context, id int64) error {
	t.touch(searchCustomers, id)
	return t.exec(ctx, "delete customer", `DELETE FROM customers WHERE id = $1`, id)
}

const contactColumns = `SELECT c.id, c.customer_id, u.company, c.email, c.name, c.phone, c.position, c.is_primary, c.capabilities, c.active, c.language, c.theme, c.created_at, c.last_sign_in
	FROM contacts c JOIN customers u ON u.id = c.customer_id `

func scanContact(row scanner) (crm.ContactPerson, error) {
	var (
		c               crm.ContactPerson
		caps            string
		created, signed int64
	)
	err := row.Scan(&c.ID, &c.CustomerID, &c.Company, &c.Email, &c.Name, &c.Phone, &c.Position, &c.Primary, &caps, &c.Active, &c.Language, &c.Theme, &created, &signed)
	c.Capabilities = crm.ParseCapabilities(caps).Of(crm.Contact)
	c.CreatedAt, c.LastSignIn = at(created), at(signed)
	return c, err
}

// ContactPerson reads one contact.
func (t Tx) ContactPerson(ctx context.Context, id int64) (crm.ContactPerson, error) {
	return one(ctx, t, "read contact", scanContact, contactColumns+`WHERE c.id = $1`, id)
}

// PrimaryContact reads a customer's primary contact, NotFound when it has none.
func (t Tx) PrimaryContact(ctx context.Context, customer int64) (crm.ContactPerson, error) {
	return one(ctx, t, "read primary contact", scanContact, contactColumns+`WHERE c.customer_id = $1 AND c.is_primary ORDER BY c.id LIMIT 1`, customer)
}

// Contacts lists the contacts of a customer, or of all with customer 0, by name.
func (t Tx) Contacts(ctx context.Context, customer int64, q crm.Query) (crm.Page[crm.ContactPerson], error) {
	l := listing[crm.ContactPerson]{what: "list contacts", scan: scanContact, query: contactColumns, table: "c", id: func(c crm.ContactPerson) int64 { return c.ID }}
	var s search
	if customer != 0 {
		l.where.and("c.customer_id = ?", customer) // few of all, so each of them is looked at
	} else {
		s.kind, s.words = searchContacts, termWords(q.Term)
		s.byActive(q)
	}
	l.where.words(q.Term, "c.search", "u.search")
	l.where.active("c.active", q)
	limit := bounded(q.Limit, 25, 100)
	list, err := l.page(ctx, t, s, q.After, limit)
	return paged(list, limit, func(c crm.ContactPerson) string { return sortPosition(c.ID, c.Name) }), err
}

// InsertContact writes a new contact without a password.
func (t Tx) InsertContact(ctx context.Context, c crm.ContactPerson) (int64, error) {
	id, err := t.id(ctx, "insert contact", `INSERT INTO contacts (customer_id, email, name, sort, search, phone, position, password, is_primary, capabilities, active, language, theme, created_at, last_sign_in)
		VALUES ($1, $2, $3, $4, $5, $6, $7, '', $8, $9, $10, $11, $12, $13, 0) RETURNING id`,
		c.CustomerID, c.Email, c.Name, sortText(c.Name), searchText(c.Name, c.Email), c.Phone, c.Position, c.Primary, c.Capabilities.String(), c.Active, c.Language, c.Theme, millis(c.CreatedAt))
	t.touch(searchContacts, id)
	t.touch(searchCustomers, c.CustomerID)
	return id, err
}

// UpdateContact writes a contact's row, but for customer, password, theme, sign-in
// and whether it is active.
func (t Tx) UpdateContact(ctx context.Context, c crm.ContactPerson) error {
	t.touch(searchContacts, c.ID)
	return t.exec(ctx, "update contact", `UPDATE contacts SET email = $1, name = $2, sort = $3, search = $4, phone = $5, position = $6, is_primary = $7, capabilities = $8, language = $9 WHERE id = $10`,
		c.Email, c.Name, sortText(c.Name), searchText(c.Name, c.Email), c.Phone, c.Position, c.Primary, c.Capabilities.String(), c.Language, c.ID)
}

// SetContactProfile writes what contacts may change about themselves.
func (t Tx) SetContactProfile(ctx context.Context, c crm.ContactPerson) error {
	t.touch(searchContacts, c.ID)
	return t.exec(ctx, "set contact's profile", `UPDATE contacts SET name = $1, sort = $2, search = $3, phone = $4, position = $5 WHERE id = $6`,
		c.Name, sortText(c.Name), searchText(c.Name, c.Email), c.Phone, c.Position, c.ID)
}

// ClearPrimary makes no contact but one the customer's primary contact.
func (t Tx) ClearPrimary(ctx context.Context, customer, except int64) error {
	return t.exec(ctx, "clear primary contact", `UPDATE contacts SET is_primary = FALSE WHERE customer_id = $1 AND id <> $2`, customer, except)
}

// DeleteContact removes a contact.
func (t Tx) DeleteContact(ctx context.Context, id int64) error {
	if err := t.touchAccount(ctx, crm.AccountKey{Kind: crm.Contact, ID: id}); err != nil {
		return err
	}
	return t.exec(ctx, "delete contact", `DELETE FROM contacts WHERE id = $1`, id)
}

// Counts are the figures of the dashboard.
type Counts struct{ Customers, Contacts, Staff, ActiveStaff int64 }

// Counts counts people and companies. The search index knows how many there are.
func (t Tx) Counts(ctx context.Context) (c Counts, err error) {
	err = t.snapshot(ctx, func(t Tx) error {
		version, err := t.searchVersion(ctx)
		if err != nil {
			return err
		}
		query := `SELECT (SELECT COUNT(*) FROM customers), (SELECT COUNT(*) FROM contacts), (SELECT COUNT(*) FROM staff), (SELECT COUNT(*) FROM staff WHERE active)`
		var args []any
		if version == searchVersion {
			const entries = `(SELECT CAST(COALESCE(SUM(entries), 0) AS BIGINT) FROM search_segments WHERE kind = `
			query, args = `SELECT `+entries+`$1), `+entries+`$2), `+entries+`$3), (SELECT COUNT(*) FROM staff WHERE active)`, []any{searchCustomers, searchContacts, searchStaff}
		}
		c, err = one(ctx, t, "count", func(row scanner) (c Counts, err error) {
			return c, row.Scan(&c.Customers, &c.Contacts, &c.Staff, &c.ActiveStaff)
		}, query, args...)
		return err
	})
	return c, err
}
