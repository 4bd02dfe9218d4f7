package app

import (
	"context"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// DemoPassword is the password of every example account.
const DemoPassword = "understudy-demo"

// FillDemo puts the example people into an empty database. Role Support holds the host's customer
// rights and supportMay besides; role Sales holds the customer rights alone.
func (a *App) FillDemo(ctx context.Context, supportMay ...crm.Capability) error {
	hash, err := a.passwords.hash(ctx, DemoPassword)
	if err != nil {
		return err
	}
	return a.store.Write(ctx, func(tx store.Tx) error {
		roles, err := a.demoRoles(ctx, tx, supportMay)
		if err != nil {
			return err
		}
		keys, err := a.demoStaff(ctx, tx, roles)
		if err != nil {
			return err
		}
		contacts, err := a.demoCustomers(ctx, tx)
		if err != nil {
			return err
		}
		for _, key := range append(keys, contacts...) {
			if err := tx.SetPassword(ctx, key, hash); err != nil {
				return err
			}
		}
		if err := a.audit(tx, crm.Operator(), "demo_filled", "", nil); err != nil {
			return err
		}
		return tx.RaiseRevision(ctx)
	})
}

func (a *App) demoRoles(ctx context.Context, tx store.Tx, supportMay []crm.Capability) (map[string]int64, error) {
	customers := crm.NewCapabilities(crm.CustomersView, crm.CustomersCreate, crm.CustomersEdit)
	ids := map[string]int64{}
	for name, caps := range map[string]crm.Capabilities{"Support": customers.Union(crm.NewCapabilities(supportMay...)), "Sales": customers} {
		id, err := tx.InsertRole(ctx, crm.Role{Name: name, Capabilities: caps})
		if err != nil {
			return nil, err
		}
		ids[name] = id
	}
	return ids, nil
}

func (a *App) demoStaff(ctx context.Context, tx store.Tx, roles map[string]int64) ([]crm.AccountKey, error) {
	var keys []crm.AccountKey
	for _, s := range []crm.StaffMember{
		{Name: "Ann Lee", Email: "admin@example.com", Administrator: true, Active: true},
		{Name: "Ben Ortiz", Email: "ben@example.com", RoleID: roles["Support"], Active: true},
		{Name: "Cleo Park", Email: "cleo@example.com", RoleID: roles["Sales"], Active: true},
		{Name: "Dan Moss", Email: "dan@example.com", RoleID: roles["Sales"]},
	} {
		s.CreatedAt = a.Now()
		id, err := tx.InsertStaff(ctx, s)
		if err != nil {
			return nil, err
		}
		keys = append(keys, crm.AccountKey{Kind: crm.Staff, ID: id})
	}
	return keys, nil
}

func (a *App) demoCustomers(ctx context.Context, tx store.Tx) ([]crm.AccountKey, error) {
	var keys []crm.AccountKey
	for _, d := range []struct {
		customer crm.Customer
		contacts []crm.ContactPerson
	}{
		{crm.Customer{Company: "Acme Ltd", Active: true, Phone: "+44 20 7946 0000", Address: "1 Anvil Street", City: "London", Country: "United Kingdom"}, []crm.ContactPerson{
			{Name: "Jane Doe", Email: "jane@acme.example", Position: "Head of Purchasing", Primary: true, Active: true},
			{Name: "Omar Haddad", Email: "omar@acme.example", Position: "Engineer", Active: true, Language: "ar"},
		}},
		{crm.Customer{Company: "Globex", Active: true, City: "Madrid", Country: "Spain", Language: "es"}, []crm.ContactPerson{
			{Name: "Rosa Diaz", Email: "rosa@globex.example", Primary: true, Active: true, Language: "es"},
		}},
		{crm.Customer{Company: "Initech", City: "Austin", Country: "United States"}, []crm.ContactPerson{
			{Name: "Bill Lum", Email: "bill@initech.example", Primary: true, Active: true},
		}},
	} {
		d.customer.CreatedAt = a.Now()
		customer, err := tx.InsertCustomer(ctx, d.customer)
		if err != nil {
			return nil, err
		}
		for _, c := range d.contacts {
			c.CustomerID, c.CreatedAt = customer, a.Now()
			id, err := tx.InsertContact(ctx, c)
			if err != nil {
				return nil, err
			}
			keys = append(keys, crm.AccountKey{Kind: crm.Contact, ID: id})
		}
	}
	return keys, nil
}
