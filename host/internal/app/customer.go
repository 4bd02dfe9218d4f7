package app

import (
	"context"
	"net/url"
	"strconv"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// Customers lists customers by company.
func (a *App) Customers(ctx context.Context, who crm.Who, q crm.Query) (crm.Page[crm.Customer], error) {
	if err := a.allow(who, crm.ReadRoute, crm.CustomersView); err != nil {
		return crm.Page[crm.Customer]{}, err
	}
	return a.store.Read().Customers(ctx, q)
}

// Customer reads one customer.
func (a *App) Customer(ctx context.Context, who crm.Who, id int64) (crm.Customer, error) {
	if err := a.allow(who, crm.ReadRoute, crm.CustomersView); err != nil {
		return crm.Customer{}, err
	}
	c, err := a.store.Read().Customer(ctx, id)
	return c, found(err, "customer_not_found")
}

// SaveCustomer adds (id 0) or changes a customer.
func (a *App) SaveCustomer(ctx context.Context, who crm.Who, c crm.Customer) (int64, error) {
	needed, action := crm.CustomersEdit, "customer_changed"
	if c.ID == 0 {
		needed, action = crm.CustomersCreate, "customer_created"
	}
	if err := a.allow(who, crm.WriteRoute, needed); err != nil {
		return 0, err
	}
	if err := cleanCustomer(&c); err != nil {
		return 0, err
	}
	err := a.changeRights(ctx, who, action, func(tx store.Tx) (string, map[string]string, error) {
		if c.ID == 0 {
			c.CreatedAt = a.Now()
			id, err := tx.InsertCustomer(ctx, c)
			c.ID = id
			return customerObject(id), map[string]string{"company": c.Company}, err
		}
		before, err := tx.Customer(ctx, c.ID)
		if err != nil {
			return "", nil, found(err, "customer_not_found")
		}
		if err := tx.UpdateCustomer(ctx, c); err != nil {
			return "", nil, err
		}
		if before.Active != c.Active {
			if err := tx.SetCustomerActive(ctx, c.ID, c.Active); err != nil {
				return "", nil, err
			}
		}
		return customerObject(c.ID), customerDetail(before, c), raiseIf(ctx, tx, before.Active != c.Active)
	})
	return c.ID, err
}

func customerObject(id int64) string { return "customer:" + strconv.FormatInt(id, 10) }

// raiseIf raises the authority revision for a change of somebody's rights, not for ordinary edits.
func raiseIf(ctx context.Context, tx store.Tx, rights bool) error {
	if !rights {
		return nil
	}
	return tx.RaiseRevision(ctx)
}

// cleanCustomer trims and checks every field.
func cleanCustomer(c *crm.Customer) error {
	var err error
	if c.Company, err = crm.CleanName(c.Company); err != nil {
		return crm.Refuse(crm.Invalid, "company_invalid")
	}
	for _, f := range []struct {
		text *string
		max  int
	}{{&c.Phone, 50}, {&c.Website, 200}, {&c.Address, 500}, {&c.City, 100}, {&c.Country, 100}, {&c.VAT, 50}} {
		if *f.text, err = crm.CleanText(*f.text, f.max); err != nil {
			return err
		}
	}
	if c.Language, err = CleanLanguage(c.Language); err != nil {
		return err
	}
	if c.Website == "" {
		return nil
	}
	if u, err := url.Parse(c.Website); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return crm.Refuse(crm.Invalid, "website_invalid")
	}
	return nil
}

// customerDetail names what changed.
func customerDetail(before, after crm.Customer) map[string]string {
	d := map[string]string{"company": after.Company}
	for name, pair := range map[string][2]string{
		"phone": {before.Phone, after.Phone}, "website": {before.Website, after.Website}, "address": {before.Address, after.Address}, "city": {before.City, after.City},
		"country": {before.Country, after.Country}, "vat": {before.VAT, after.VAT}, "language": {before.Language, after.Language},
		"was_called": {after.Company, before.Company}, "active": {strconv.FormatBool(before.Active), strconv.FormatBool(after.Active)},
	} {
		if pair[0] != pair[1] {
			d[name] = pair[1]
		}
	}
	return d
}

// SetCustomerActive activates or deactivates a customer, and with it the sign-in of its contacts.
func (a *App) SetCustomerActive(ctx context.Context, who crm.Who, id int64, active bool) error {
	if err := a.allow(who, crm.WriteRoute, crm.CustomersEdit); err != nil {
		return err
	}
	return a.changeRights(ctx, who, "customer_changed", func(tx store.Tx) (string, map[string]string, error) {
		before, err := tx.Customer(ctx, id)
		if err != nil {
			return "", nil, found(err, "customer_not_found")
		}
		after := before
		after.Active = active
		if err := tx.SetCustomerActive(ctx, id, active); err != nil {
			return "", nil, err
		}
		return customerObject(id), customerDetail(before, after), raiseIf(ctx, tx, before.Active != active)
	})
}

// DeleteCustomer removes a customer that has no contacts, Conflict otherwise.
func (a *App) DeleteCustomer(ctx context.Context, who crm.Who, id int64) error {
	if err := a.allow(who, crm.WriteRoute, crm.CustomersDelete); err != nil {
		return err
	}
	return a.changeRights(ctx, who, "customer_deleted", func(tx store.Tx) (string, map[string]string, error) {
		c, err := tx.Customer(ctx, id)
		if err != nil {
			return "", nil, found(err, "customer_not_found")
		}
		if c.Contacts > 0 {
			return "", nil, crm.Refuse(crm.Conflict, "customer_has_contacts", "Contacts", c.Contacts)
		}
		return customerObject(id), map[string]string{"company": c.Company}, tx.DeleteCustomer(ctx, id)
	})
}

// Contacts lists the contacts of a customer, or of all with customer 0, by name.
func (a *App) Contacts(ctx context.Context, who crm.Who, customer int64, q crm.Query) (crm.Page[crm.ContactPerson], error) {
	if err := a.allow(who, crm.ReadRoute, crm.CustomersView); err != nil {
		return crm.Page[crm.ContactPerson]{}, err
	}
	return a.store.Read().Contacts(ctx, customer, q)
}

// PrimaryContact reads a customer's primary contact, NotFound when it has none.
func (a *App) PrimaryContact(ctx context.Context, who crm.Who, customer int64) (crm.ContactPerson, error) {
	if err := a.allow(who, crm.ReadRoute, crm.CustomersView); err != nil {
		return crm.ContactPerson{}, err
	}
	c, err := a.store.Read().PrimaryContact(ctx, customer)
	return c, found(err, "contact_not_found")
}

// ContactPerson reads one contact.
func (a *App) ContactPerson(ctx context.Context, who crm.Who, id int64) (crm.ContactPerson, error) {
	if err := a.allow(who, crm.ReadRoute, crm.CustomersView); err != nil {
		return crm.ContactPerson{}, err
	}
	c, err := a.store.Read().ContactPerson(ctx, id)
	return c, found(err, "contact_not_found")
}

// ContactForm is what a form says about a contact; of its Capabilities those ticked.
type ContactForm struct {
	crm.ContactPerson
	Shown crm.Capabilities // those the form offered; all others stay as they are
}

// SaveContact adds (id 0) or changes a contact. Making it the primary one takes that from the
// others. Its customer can't be changed. Whoever may edit contacts gives them their capabilities:
// nobody on the staff holds any of these.
func (a *App) SaveContact(ctx context.Context, who crm.Who, f ContactForm) (int64, error) {
	// The address is what a contact signs in with: who sets it could take the account over.
	if err := a.allow(who, crm.SensitiveRoute, crm.CustomersEdit); err != nil {
		return 0, err
	}
	c := f.ContactPerson
	if err := cleanContact(&c); err != nil {
		return 0, err
	}
	action := "contact_changed"
	if c.ID == 0 {
		action = "contact_created"
	}
	err := a.changeRights(ctx, who, action, func(tx store.Tx) (string, map[string]string, error) {
		before, err := a.putContact(ctx, tx, &c, f.Shown)
		if err != nil {
			return "", nil, err
		}
		if c.Primary {
			if err := tx.ClearPrimary(ctx, c.CustomerID, c.ID); err != nil {
				return "", nil, err
			}
		}
		return c.Key().String(), contactDetail(before, c), raiseIf(ctx, tx, mayOther(before, c))
	})
	return c.ID, err
}

// mayOther tells whether a contact may do other things than before. Becoming the primary one takes
// that from somebody else, who may do less then.
func mayOther(before, after crm.ContactPerson) bool {
	return before.Active != after.Active || before.Primary != after.Primary || before.Capabilities.String() != after.Capabilities.String()
}

// putContact writes the row and returns what it was before.
func (a *App) putContact(ctx context.Context, tx store.Tx, c *crm.ContactPerson, shown crm.Capabilities) (before crm.ContactPerson, err error) {
	ticked, shown := c.Capabilities, shown.Of(crm.Contact)
	c.Capabilities = merged(nil, ticked, shown)
	if c.ID != 0 {
		if before, err = tx.ContactPerson(ctx, c.ID); err != nil {
			return before, found(err, "contact_not_found")
		}
		c.CustomerID, c.Capabilities = before.CustomerID, merged(before.Capabilities, ticked, shown)
		if err := tx.UpdateContact(ctx, *c); err != nil {
			return before, taken(err, "email_taken")
		}
		if before.Active != c.Active {
			if err := tx.SetActive(ctx, c.Key(), c.Active); err != nil {
				return before, err
			}
		}
		return before, a.dropLinksOfOld(ctx, tx, c.Key(), before.Email, c.Email)
	}
	if _, err := tx.Customer(ctx, c.CustomerID); err != nil {
		return before, found(err, "customer_not_found")
	}
	c.CreatedAt = a.Now()
	c.ID, err = tx.InsertContact(ctx, *c)
	return before, taken(err, "email_taken")
}

func cleanContact(c *crm.ContactPerson) error {
	var err error
	if c.Name, err = crm.CleanName(c.Name); err != nil {
		return err
	}
	if c.Email, err = crm.CleanEmail(c.Email); err != nil {
		return err
	}
	if c.Phone, err = crm.CleanText(c.Phone, 50); err != nil {
		return err
	}
	if c.Position, err = crm.CleanText(c.Position, 100); err != nil {
		return err
	}
	c.Language, err = CleanLanguage(c.Language)
	return err
}

// contactDetail names what changed.
func contactDetail(before, after crm.ContactPerson) map[string]string {
	d := map[string]string{"name": after.Name}
	for name, pair := range map[string][2]string{
		"email": {before.Email, after.Email}, "phone": {before.Phone, after.Phone}, "position": {before.Position, after.Position}, "language": {before.Language, after.Language},
		"was_called": {after.Name, before.Name}, "active": {strconv.FormatBool(before.Active), strconv.FormatBool(after.Active)},
	} {
		if pair[0] != pair[1] && pair[1] != "" {
			d[name] = pair[1]
		}
	}
	if before.Primary != after.Primary {
		d["primary"] = strconv.FormatBool(after.Primary)
	}
	if was, is := before.Capabilities.String(), after.Capabilities.String(); was != is {
		d["capabilities"] = is
	}
	return d
}

// SetContactActive activates or deactivates a contact.
func (a *App) SetContactActive(ctx context.Context, who crm.Who, id int64, active bool) error {
	if err := a.allow(who, crm.SensitiveRoute, crm.CustomersEdit); err != nil {
		return err
	}
	return a.changeRights(ctx, who, "contact_changed", func(tx store.Tx) (string, map[string]string, error) {
		before, err := tx.ContactPerson(ctx, id)
		if err != nil {
			return "", nil, found(err, "contact_not_found")
		}
		after := before
		after.Active = active
		if err := tx.SetActive(ctx, after.Key(), active); err != nil {
			return "", nil, err
		}
		return after.Key().String(), contactDetail(before, after), raiseIf(ctx, tx, before.Active != active)
	})
}

// DeleteContact removes a contact; its sessions end.
func (a *App) DeleteContact(ctx context.Context, who crm.Who, id int64) error {
	if err := a.allow(who, crm.SensitiveRoute, crm.CustomersDelete); err != nil {
		return err
	}
	return a.changeRights(ctx, who, "contact_deleted", func(tx store.Tx) (string, map[string]string, error) {
		c, err := tx.ContactPerson(ctx, id)
		if err != nil {
			return "", nil, found(err, "contact_not_found")
		}
		if _, err := a.dropSessions(ctx, tx, c.Key(), func(crm.Session) bool { return true }); err != nil {
			return "", nil, err
		}
		if err := tx.DeleteNotices(ctx, c.Key()); err != nil {
			return "", nil, err
		}
		if err := tx.DeleteContact(ctx, id); err != nil {
			return "", nil, err
		}
		return c.Key().String(), map[string]string{"name": c.Name}, tx.RaiseRevision(ctx)
	})
}
