package app

import (
	"context"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// ProfileForm is what people may change about themselves.
type ProfileForm struct {
	Name     string
	Phone    string // contacts only
	Position string // contacts only
}

// OwnStaff reads the subject's own row.
func (a *App) OwnStaff(ctx context.Context, who crm.Who) (crm.StaffMember, error) {
	if err := a.allow(who, crm.ReadRoute); err != nil {
		return crm.StaffMember{}, err
	}
	return a.store.Read().StaffMember(ctx, ownID(who, crm.Staff))
}

// OwnContact reads the subject's own row.
func (a *App) OwnContact(ctx context.Context, who crm.Who) (crm.ContactPerson, error) {
	if err := a.allow(who, crm.ReadRoute); err != nil {
		return crm.ContactPerson{}, err
	}
	return a.store.Read().ContactPerson(ctx, ownID(who, crm.Contact))
}

// ownID is the subject's id if it is of this kind, and nobody's otherwise.
func ownID(who crm.Who, kind crm.AccountKind) int64 {
	if who.Subject.Key.Kind != kind {
		return 0
	}
	return who.Subject.Key.ID
}

// SaveOwnProfile changes what people may change about themselves.
func (a *App) SaveOwnProfile(ctx context.Context, who crm.Who, f ProfileForm) error {
	if err := a.allow(who, crm.WriteRoute); err != nil {
		return err
	}
	return a.change(ctx, who, "profile_changed", func(tx store.Tx) (string, map[string]string, error) {
		if who.Subject.Key.Kind == crm.Staff {
			return a.saveOwnStaff(ctx, tx, who, f)
		}
		c, err := tx.ContactPerson(ctx, who.Subject.Key.ID)
		if err != nil {
			return "", nil, err
		}
		before := c
		c.Name, c.Phone, c.Position = f.Name, f.Phone, f.Position
		if err := cleanContact(&c); err != nil {
			return "", nil, err
		}
		return c.Key().String(), contactDetail(before, c), tx.SetContactProfile(ctx, c)
	})
}

func (a *App) saveOwnStaff(ctx context.Context, tx store.Tx, who crm.Who, f ProfileForm) (string, map[string]string, error) {
	s, err := tx.StaffMember(ctx, who.Subject.Key.ID)
	if err != nil {
		return "", nil, err
	}
	before := s
	if s.Name, err = crm.CleanName(f.Name); err != nil {
		return "", nil, err
	}
	return s.Key().String(), staffDetail(before, s), tx.SetStaffName(ctx, s)
}

// SaveOwnPreferences sets the subject's language ("" for none chosen) and theme ("light", "dark" or
// "" for automatic).
func (a *App) SaveOwnPreferences(ctx context.Context, who crm.Who, language, theme string) error {
	if err := a.allow(who, crm.WriteRoute); err != nil {
		return err
	}
	language, err := CleanLanguage(language)
	if err != nil {
		return err
	}
	if theme != "" && theme != "light" && theme != "dark" {
		return crm.Refuse(crm.Invalid, "theme_invalid")
	}
	return a.change(ctx, who, "preferences_changed", func(tx store.Tx) (string, map[string]string, error) {
		return who.Subject.Key.String(), map[string]string{"language": language, "theme": theme}, tx.SetPreferences(ctx, who.Subject.Key, language, theme)
	})
}

// OwnCompany reads the customer a contact belongs to.
func (a *App) OwnCompany(ctx context.Context, who crm.Who) (crm.Customer, error) {
	if err := a.allow(who, crm.ReadRoute); err != nil {
		return crm.Customer{}, err
	}
	c, err := a.store.Read().Customer(ctx, who.Subject.CustomerID)
	return c, found(err, "customer_not_found")
}

// SaveOwnCompany changes a contact's own company; whether it is active is not the contact's to say.
func (a *App) SaveOwnCompany(ctx context.Context, who crm.Who, c crm.Customer) error {
	if err := a.allow(who, crm.WriteRoute); err != nil {
		return err
	}
	if err := cleanCustomer(&c); err != nil {
		return err
	}
	return a.change(ctx, who, "company_changed", func(tx store.Tx) (string, map[string]string, error) {
		before, err := tx.Customer(ctx, who.Subject.CustomerID)
		if err != nil {
			return "", nil, found(err, "customer_not_found")
		}
		c.ID, c.Active = before.ID, before.Active
		return customerObject(c.ID), customerDetail(before, c), tx.UpdateCustomer(ctx, c)
	})
}
