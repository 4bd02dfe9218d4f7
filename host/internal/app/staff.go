package app

import (
	"context"
	"strconv"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// StaffList lists staff by name.
func (a *App) StaffList(ctx context.Context, who crm.Who, q crm.Query) (crm.Page[crm.StaffMember], error) {
	if err := a.allow(who, crm.ReadRoute, crm.StaffView); err != nil {
		return crm.Page[crm.StaffMember]{}, err
	}
	return a.store.Read().Staff(ctx, q)
}

// StaffMember reads one staff member.
func (a *App) StaffMember(ctx context.Context, who crm.Who, id int64) (crm.StaffMember, error) {
	if err := a.allow(who, crm.ReadRoute, crm.StaffView); err != nil {
		return crm.StaffMember{}, err
	}
	s, err := a.store.Read().StaffMember(ctx, id)
	return s, found(err, "staff_not_found")
}

// StaffForm is what a form says about a staff member.
type StaffForm struct {
	ID            int64 // 0 for a new one
	Name          string
	Email         string
	Administrator bool
	Active        bool
	RoleID        int64 // 0 for none
	Language      string
	Capabilities  crm.Capabilities // those ticked
	Shown         crm.Capabilities // those the form offered; all others stay as they are
}

// SaveStaff adds or changes a staff member. Nobody gives what they don't hold themselves, changes
// who may do more than they, or takes the last active administrator away.
func (a *App) SaveStaff(ctx context.Context, who crm.Who, f StaffForm) (int64, error) {
	needed := crm.StaffEdit
	if f.ID == 0 {
		needed = crm.StaffCreate
	}
	if err := a.allow(who, crm.SensitiveRoute, needed); err != nil {
		return 0, err
	}
	id := f.ID
	action := "staff_changed"
	if id == 0 {
		action = "staff_created"
	}
	err := a.changeRights(ctx, who, action, func(tx store.Tx) (string, map[string]string, error) {
		before, after, err := a.staffAfter(ctx, tx, who, f)
		if err != nil {
			return "", nil, err
		}
		if id, err = putStaff(ctx, tx, after); err != nil {
			return "", nil, err
		}
		after.ID = id
		if err := a.dropLinksOfOld(ctx, tx, after.Key(), before.Email, after.Email); err != nil {
			return "", nil, err
		}
		return after.Key().String(), staffDetail(before, after), tx.RaiseRevision(ctx)
	})
	return id, err
}

// staffAfter is the row as it is and as the form wants it, if who may want that.
func (a *App) staffAfter(ctx context.Context, tx store.Tx, who crm.Who, f StaffForm) (before, after crm.StaffMember, err error) {
	before = crm.StaffMember{CreatedAt: a.Now(), Capabilities: crm.Capabilities{}}
	if f.ID != 0 {
		if before, err = a.managed(ctx, tx, who, f.ID); err != nil {
			return before, after, err
		}
	}
	after = before
	after.Administrator, after.Active, after.RoleID = f.Administrator, f.Active, f.RoleID
	after.Capabilities = merged(before.Capabilities, f.Capabilities, f.Shown.Of(crm.Staff))
	if after.Name, err = crm.CleanName(f.Name); err != nil {
		return before, after, err
	}
	if after.Email, err = crm.CleanEmail(f.Email); err != nil {
		return before, after, err
	}
	if after.Language, err = CleanLanguage(f.Language); err != nil {
		return before, after, err
	}
	return before, after, a.mayMake(ctx, tx, who, before, after)
}

// mayMake refuses giving rights one doesn't hold, and losing the last administrator.
func (a *App) mayMake(ctx context.Context, tx store.Tx, who crm.Who, before, after crm.StaffMember) error {
	if after.ID != 0 && after.ID == who.Actor.Key.ID && !after.Active {
		return crm.Refuse(crm.Conflict, "staff_deactivate_self")
	}
	if after.ID != 0 && before.Administrator && before.Active && (!after.Administrator || !after.Active) {
		others, err := tx.OtherActiveAdministrators(ctx, after.ID)
		if err != nil {
			return err
		}
		if others == 0 {
			return crm.Refuse(crm.Conflict, "last_administrator")
		}
	}
	given := crm.Capabilities{}
	if after.RoleID != 0 && after.RoleID != before.RoleID {
		role, err := tx.Role(ctx, after.RoleID)
		if err != nil {
			return found(err, "role_not_found")
		}
		given = role.Capabilities
	}
	if after.Administrator && !before.Administrator && !who.Subject.Administrator {
		return crm.Refuse(crm.Denied, "administrators_only")
	}
	return mayGive(who, before.Capabilities, after.Capabilities.Union(given))
}

// mayGive refuses giving what one doesn't hold.
func mayGive(who crm.Who, before, after crm.Capabilities) error {
	if who.Subject.Administrator || after.Within(before.Union(who.Subject.Capabilities)) {
		return nil
	}
	return crm.Refuse(crm.Denied, "gives_more_rights")
}

// merged keeps what the form didn't show and takes the rest from it.
func merged(before, ticked, shown crm.Capabilities) crm.Capabilities {
	after := crm.Capabilities{}
	for c := range before {
		if !shown.Has(c) {
			after[c] = true
		}
	}
	for c := range ticked {
		if shown.Has(c) {
			after[c] = true
		}
	}
	return after
}

func putStaff(ctx context.Context, tx store.Tx, s crm.StaffMember) (int64, error) {
	if s.ID != 0 {
		return s.ID, taken(tx.UpdateStaff(ctx, s), "email_taken")
	}
	id, err := tx.InsertStaff(ctx, s)
	return id, taken(err, "email_taken")
}

// staffDetail names what changed.
func staffDetail(before, after crm.StaffMember) map[string]string {
	d := map[string]string{"name": after.Name}
	if before.Active != after.Active {
		d["active"] = strconv.FormatBool(after.Active)
	}
	if before.Administrator != after.Administrator {
		d["administrator"] = strconv.FormatBool(after.Administrator)
	}
	if before.Email != after.Email {
		d["email"] = after.Email
	}
	if before.RoleID != after.RoleID {
		d["role"] = strconv.FormatInt(after.RoleID, 10)
	}
	if was, is := before.Capabilities.String(), after.Capabilities.String(); was != is {
		d["capabilities"] = is
	}
	return d
}

// SetStaffActive activates or deactivates a staff member.
func (a *App) SetStaffActive(ctx context.Context, who crm.Who, id int64, active bool) error {
	if err := a.allow(who, crm.SensitiveRoute, crm.StaffEdit); err != nil {
		return err
	}
	return a.changeRights(ctx, who, "staff_changed", func(tx store.Tx) (string, map[string]string, error) {
		before, err := a.managed(ctx, tx, who, id)
		if err != nil {
			return "", nil, err
		}
		after := before
		after.Active = active
		if err := a.mayMake(ctx, tx, who, before, after); err != nil {
			return "", nil, err
		}
		if err := tx.SetActive(ctx, after.Key(), active); err != nil {
			return "", nil, err
		}
		return after.Key().String(), staffDetail(before, after), tx.RaiseRevision(ctx)
	})
}

// managed reads a staff member whom who may change.
func (a *App) managed(ctx context.Context, tx store.Tx, who crm.Who, id int64) (crm.StaffMember, error) {
	account, err := tx.Account(ctx, crm.AccountKey{Kind: crm.Staff, ID: id})
	if err != nil {
		return crm.StaffMember{}, found(err, "staff_not_found")
	}
	if err := mayManage(who, account); err != nil {
		return crm.StaffMember{}, err
	}
	return tx.StaffMember(ctx, id)
}
