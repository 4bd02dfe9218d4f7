package web

import "github.com/understudy-crm/understudy/host/internal/crm"

// What installs code that will run here asks for the own password first, unless it was given a
// moment ago.

// passwordField asks for the own password, nil when it was given a moment ago.
func (v *visit) passwordField() *field {
	if crm.KeyOf(v.app.CheckConfirmed(v.r.Context(), v.who)) != "password_confirmation_needed" {
		return nil
	}
	return &field{Name: "password", Kind: "password", Label: v.text("field_own_password"), Help: v.text("help_own_password"), Required: true, Autocomplete: "current-password"}
}

// aboutPassword tells errors that the own password, given again, would mend.
func aboutPassword(err error) bool {
	switch crm.KeyOf(err) {
	case "password_wrong", "sign_in_locked", "password_confirmation_needed":
		return true
	}
	return false
}

// confirmView asks before something that can't be undone, or that needs the own password.
type confirmView struct {
	*Page
	Lines  []string
	Form   *form
	Danger bool
}

// confirm shows a page that asks, with the only button posting to the same address.
func (v *visit) confirm(class, title, button, back string, lines ...string) error {
	p := v.newPage(title)
	f := p.newForm(v.r.URL.Path, class, button)
	f.Back = v.path(back)
	return v.show("confirm", confirmView{Page: p, Lines: lines, Form: f, Danger: true})
}

// confirmByPassword shows a page that asks for the own password, because of what was wrong with it.
func (v *visit) confirmByPassword(cause error, title, button, back string, lines ...string) error {
	p := v.newPage(title)
	f := p.newForm(v.r.URL.Path, "sensitive", button)
	f.Back, f.Status = v.path(back), statusOf(cause)
	if password := v.passwordField(); password != nil {
		password.Error = v.sentence(cause)
		f.Fields = append(f.Fields, *password)
	}
	return v.render(f.Status, "confirm", confirmView{Page: p, Lines: lines, Form: f})
}
