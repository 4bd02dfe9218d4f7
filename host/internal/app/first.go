package app

import (
	"context"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// CreateAdministrator adds an administrator with a password; Conflict when the address is taken.
func (a *App) CreateAdministrator(ctx context.Context, who crm.Who, name, email, password string) (int64, error) {
	if err := a.allowAdministrator(who, crm.SensitiveRoute); err != nil {
		return 0, err
	}
	return a.insertAdministrator(ctx, who, name, email, password, func(store.Tx) error { return nil })
}

func (a *App) insertAdministrator(ctx context.Context, who crm.Who, name, email, password string, first func(store.Tx) error) (int64, error) {
	s := crm.StaffMember{Administrator: true, Active: true, CreatedAt: a.Now()}
	var err error
	if s.Name, err = crm.CleanName(name); err != nil {
		return 0, err
	}
	if s.Email, err = crm.CleanEmail(email); err != nil {
		return 0, err
	}
	hash, err := a.newPassword(ctx, crm.Account{Name: s.Name, Email: s.Email}, password)
	if err != nil {
		return 0, err
	}
	err = a.changeRights(ctx, who, "administrator_created", func(tx store.Tx) (string, map[string]string, error) {
		if err := first(tx); err != nil {
			return "", nil, err
		}
		if s.ID, err = tx.InsertStaff(ctx, s); err != nil {
			return "", nil, taken(err, "email_taken")
		}
		if err := tx.SetPassword(ctx, s.Key(), hash); err != nil {
			return "", nil, err
		}
		return s.Key().String(), map[string]string{"email": s.Email}, tx.RaiseRevision(ctx)
	})
	return s.ID, err
}

// taken gives a Conflict its own sentence and passes other errors on.
func taken(err error, key string) error {
	if crm.KindOf(err) == crm.Conflict {
		return &crm.Error{Kind: crm.Conflict, Key: key, Err: err}
	}
	return err
}

// FirstLink makes the token of the one-time address that creates the first administrator; the one
// before it is dead, unless another replica is there, whose it may be. Not needed once there is anybody on the staff.
func (a *App) FirstLink(ctx context.Context) (token string, needed bool, err error) {
	if needed, err = a.staffless(ctx, a.store.Read()); err != nil || !needed {
		return "", false, err
	}
	token, hash := newSecret()
	return token, true, a.store.Write(ctx, func(tx store.Tx) error {
		nobody := crm.AccountKey{Kind: crm.Staff}
		others, err := tx.Replicas(ctx)
		if err != nil {
			return err
		}
		if len(others) < 2 { // else another replica has just told somebody its own
			if err := tx.DeleteLinks(ctx, purposeFirst, nobody, a.Now()); err != nil {
				return err
			}
		}
		return tx.InsertLink(ctx, hash, store.Link{Purpose: purposeFirst, Account: nobody, Expires: a.Now().Add(LinkLife)})
	})
}

func (a *App) staffless(ctx context.Context, tx store.Tx) (bool, error) {
	staffed, err := tx.Staffed(ctx)
	return !staffed, err
}

// CheckFirstLink says whether the token may still create the first administrator.
func (a *App) CheckFirstLink(ctx context.Context, token string) error {
	return a.checkFirst(ctx, a.store.Read(), token)
}

func (a *App) checkFirst(ctx context.Context, tx store.Tx, token string) error {
	if _, err := a.link(ctx, tx, token, purposeFirst); err != nil {
		return err
	}
	needed, err := a.staffless(ctx, tx)
	if err == nil && !needed {
		err = crm.Refuse(crm.NotFound, "link_invalid")
	}
	return err
}

// CreateFirstAdministrator uses the first link up.
func (a *App) CreateFirstAdministrator(ctx context.Context, token, name, email, password string, client crm.Client) error {
	if err := a.CheckFirstLink(ctx, token); err != nil {
		return err
	}
	who := crm.Who{Client: client}
	_, err := a.insertAdministrator(ctx, who, name, email, password, func(tx store.Tx) error {
		if err := a.checkFirst(ctx, tx, token); err != nil {
			return err
		}
		_, err := tx.DeleteLink(ctx, hashSecret(token))
		return err
	})
	return err
}
