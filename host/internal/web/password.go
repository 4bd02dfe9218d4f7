package web

import (
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// passwordView is the page behind a set-password link, and that of the first administrator.
type passwordView struct {
	*Page
	Lead string
	Form *form
}

func (v *visit) passwordLink() error { return v.showPasswordLink(nil) }

func (v *visit) showPasswordLink(cause error) error {
	account, err := v.app.OpenPasswordLink(v.r.Context(), v.r.PathValue("token"))
	if err != nil {
		return err
	}
	p := v.newPage(v.text("title_set_password"))
	p.Plain = true
	f := p.newForm(v.r.URL.Path, "", v.text("set_password"), v.newPasswordFields()...)
	f.Blocked = ""
	if cause != nil {
		if err := f.refuse(cause); err != nil {
			return err
		}
	}
	return v.render(f.Status, "password", passwordView{Page: p, Lead: v.text("set_password_for", "Name", account.Name, "Email", account.Email), Form: f})
}

func (v *visit) newPasswordFields() []field {
	return []field{
		{Name: "password", Kind: "password", Label: v.text("field_new_password"), Required: true, Autocomplete: "new-password", Help: v.text("help_password", "Min", crm.MinPassword)},
		{Name: "repeat", Kind: "password", Label: v.text("field_repeat_password"), Required: true, Autocomplete: "new-password"},
	}
}

// newPassword is what was typed twice.
func (v *visit) newPassword() (string, error) {
	if v.value("password") != v.value("repeat") {
		return "", crm.Refuse(crm.Invalid, "passwords_differ")
	}
	return v.value("password"), nil
}

// refuseBorrowedName lets nobody set a password behind another person's name, on pages that are
// open to everybody.
func (v *visit) refuseBorrowedName() error {
	return v.app.CheckClass(v.who, crm.SensitiveRoute)
}

func (v *visit) setPassword() error {
	if err := v.refuseBorrowedName(); err != nil {
		return err
	}
	if err := v.readBody(); err != nil {
		return err
	}
	token := v.r.PathValue("token")
	account, err := v.app.OpenPasswordLink(v.r.Context(), token)
	if err != nil {
		return err
	}
	password, err := v.newPassword()
	if err == nil {
		err = v.app.SetPasswordByLink(v.r.Context(), token, password, v.client)
	}
	if err != nil {
		return v.showPasswordLink(err)
	}
	return v.done(account.Key.Kind.Area().Login(), "flash_password_set")
}

// setup is the page of the first administrator, open while there is none and only to whoever holds
// the link the program printed.
func (v *visit) setup() error { return v.showSetup(nil) }

func (v *visit) showSetup(cause error) error {
	if err := v.app.CheckFirstLink(v.r.Context(), v.r.PathValue("token")); err != nil {
		return err
	}
	p := v.newPage(v.text("title_setup"))
	p.Plain = true
	fields := []field{
		{Name: "name", Kind: "text", Label: v.text("field_name"), Required: true, Autocomplete: "name"},
		{Name: "email", Kind: "email", Label: v.text("field_email"), Required: true, Autocomplete: "username"},
	}
	f := p.newForm(v.r.URL.Path, "", v.text("create_administrator"), append(fields, v.newPasswordFields()...)...).keep(v)
	f.Blocked = ""
	if cause != nil {
		if err := f.refuse(cause); err != nil {
			return err
		}
	}
	return v.render(f.Status, "password", passwordView{Page: p, Lead: v.text("setup_lead"), Form: f})
}

func (v *visit) createFirstAdministrator() error {
	if err := v.refuseBorrowedName(); err != nil {
		return err
	}
	if err := v.readBody(); err != nil {
		return err
	}
	password, err := v.newPassword()
	if err == nil {
		err = v.app.CreateFirstAdministrator(v.r.Context(), v.r.PathValue("token"), v.value("name"), v.value("email"), password, v.client)
	}
	if err != nil {
		return v.showSetup(err)
	}
	return v.done(admin.Login(), "flash_first_administrator")
}
