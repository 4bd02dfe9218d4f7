package hosttest

import (
	"context"
	"fmt"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// FillDemo puts the example people into an empty database, whose role Support holds these besides
// customers, and a crowd with the same password: agent1@example.com and so on, of that role, and
// client1@crowd.example and so on, three to a company.
func FillDemo(t testing.TB, database string, agents, clients int, supportMay ...crm.Capability) {
	t.Helper()
	db, err := store.Open(t.Context(), database, "NORMAL")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // all was committed
	a := app.New(app.Options{Store: db, Version: "3.1.0"})
	if err := a.FillDemo(t.Context(), supportMay...); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), func(tx store.Tx) error { return crowd(t.Context(), tx, agents, clients) }); err != nil {
		t.Fatal(err)
	}
}

func crowd(ctx context.Context, tx store.Tx, agents, clients int) error {
	like, err := tx.CredentialsByEmail(ctx, crm.Staff, "ben@example.com")
	if err != nil {
		return err
	}
	roles, err := tx.Roles(ctx)
	if err != nil {
		return err
	}
	support := crm.Role{}
	for _, role := range roles {
		if role.Name == "Support" {
			support = role
		}
	}
	for i := range agents {
		id, err := tx.InsertStaff(ctx, crm.StaffMember{Name: fmt.Sprintf("Agent %d", i+1), Email: fmt.Sprintf("agent%d@example.com", i+1), RoleID: support.ID, Active: true})
		if err == nil {
			err = tx.SetPassword(ctx, crm.AccountKey{Kind: crm.Staff, ID: id}, like.PasswordHash)
		}
		if err != nil {
			return err
		}
	}
	company := int64(0)
	for i := range clients {
		if i%3 == 0 {
			if company, err = tx.InsertCustomer(ctx, crm.Customer{Company: fmt.Sprintf("Company %d", i/3+1), Active: true}); err != nil {
				return err
			}
		}
		c := crm.ContactPerson{CustomerID: company, Name: fmt.Sprintf("Client %d", i+1), Email: fmt.Sprintf("client%d@crowd.example", i+1), Primary: i%3 == 0, Active: true}
		id, err := tx.InsertContact(ctx, c)
		if err == nil {
			err = tx.SetPassword(ctx, crm.AccountKey{Kind: crm.Contact, ID: id}, like.PasswordHash)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
