package web

import (
	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// profileView is one's own page: name, preferences, password, sessions.
type profileView struct {
	*Page
	Form        *form
	Preferences *form
	Password    *form
	Sessions    []sessionRow
	Others      bool // there are sessions besides this one
	Base        string
	Blocked     string
	SessionsWhy string // why the sessions aren't shown
}

type sessionRow struct {
	crm.Session
	Current bool
}

func (v *visit) profile() error { return v.showProfile("", nil) }

// showProfile draws the page; part says which of its forms cause is about.
func (v *visit) showProfile(part string, cause error) error {
	name, fields, err := v.ownFields()
	if err != nil {
		return err
	}
	base := "/admin/profile"
	if v.who.Area() == portal {
		base = "/profile"
	}
	p := v.newPage(v.text("nav_my_profile"))
	p.Heading = name
	view := profileView{
		Page: p, Base: v.path(base), Blocked: p.Blocked("sensitive"),
		Form:        p.newForm(base, "write", v.text("save"), fields...),
		Preferences: p.preferencesForm(base),
		Password: p.newForm(base+"/password", "sensitive", v.text("change_password"), append([]field{
			{Name: "old_password", Kind: "password", Label: v.text("field_old_password"), Required: true, Autocomplete: "current-password"},
		}, v.newPasswordFields()...)...),
	}
	forms := map[string]*form{"profile": view.Form, "password": view.Password}
	status := 200
	if f := forms[part]; f != nil && cause != nil {
		if err := f.keep(v).refuse(cause); err != nil {
			return err
		}
		status = f.Status
	}
	if err := v.ownSessions(&view); err != nil {
		return err
	}
	return v.render(status, "profile", view)
}

// ownFields are the subject's own name and, of a contact, a little more.
func (v *visit) ownFields() (string, []field, error) {
	var name, email, phone, position string
	if v.who.Area() == admin {
		s, err := v.app.OwnStaff(v.r.Context(), v.who)
		if err != nil {
			return "", nil, err
		}
		name, email = s.Name, s.Email
	} else {
		c, err := v.app.OwnContact(v.r.Context(), v.who)
		if err != nil {
			return "", nil, err
		}
		name, email, phone, position = c.Name, c.Email, c.Phone, c.Position
	}
	fields := []field{
		{Name: "name", Kind: "text", Label: v.text("field_name"), Value: name, Required: true, Autocomplete: "name"},
		{Name: "email", Kind: "email", Label: v.text("field_email"), Value: email, Fixed: v.text("email_fixed")},
	}
	if v.who.Area() == portal {
		fields = append(fields,
			field{Name: "phone", Kind: "tel", Label: v.text("field_phone"), Value: phone, Autocomplete: "tel"},
			field{Name: "position", Kind: "text", Label: v.text("field_position"), Value: position, Autocomplete: "organization-title"})
	}
	return name, fields, nil
}

func (p *Page) preferencesForm(back string) *form {
	language := p.languageField(p.Who.Subject.Language, "language_from_browser")
	theme := field{Name: "theme", Kind: "select", Label: p.T("field_theme"), Value: p.Who.Subject.Theme, Choices: []choice{
		{"", p.T("theme_automatic")}, {"light", p.T("theme_light")}, {"dark", p.T("theme_dark")},
	}}
	return p.newForm("/preferences", "write", p.T("save"), language, theme, field{Name: "back", Kind: "hidden", Value: back})
}

// ownSessions lists the subject's sign-ins; under a borrowed name they are nobody's business.
func (v *visit) ownSessions(view *profileView) error {
	if view.Blocked != "" {
		view.SessionsWhy = view.Blocked
		return nil
	}
	list, err := v.app.OwnSessions(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	for _, s := range list {
		current := s.ID == v.who.Session.ID
		view.Sessions = append(view.Sessions, sessionRow{s, current})
		view.Others = view.Others || !current
	}
	return nil
}

func (v *visit) profileAddress() string {
	if v.who.Area() == portal {
		return "/profile"
	}
	return "/admin/profile"
}

func (v *visit) saveProfile() error {
	f := app.ProfileForm{Name: v.value("name"), Phone: v.value("phone"), Position: v.value("position")}
	if err := v.app.SaveOwnProfile(v.r.Context(), v.who, f); err != nil {
		return v.showProfile("profile", err)
	}
	return v.done(v.profileAddress(), "flash_profile_saved")
}

// savePreferences sets language and theme, whichever the form has, and goes back to where it stood.
func (v *visit) savePreferences() error {
	language, theme := v.who.Subject.Language, v.who.Subject.Theme
	if v.r.PostForm.Has("language") {
		language = v.value("language")
	}
	if v.r.PostForm.Has("theme") {
		theme = v.value("theme")
	}
	if err := v.app.SaveOwnPreferences(v.r.Context(), v.who, language, theme); err != nil {
		return err
	}
	v.redirect(nextAddress(v.value("back"), v.who.Area()))
	return nil
}

func (v *visit) changePassword() error {
	password, err := v.newPassword()
	if err == nil {
		err = v.app.ChangeOwnPassword(v.r.Context(), v.who, v.value("old_password"), password)
	}
	if err != nil {
		return v.showProfile("password", err)
	}
	return v.done(v.profileAddress(), "flash_password_changed")
}

func (v *visit) revokeSession() error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	if err := v.app.RevokeSession(v.r.Context(), v.who, id); err != nil {
		return err
	}
	return v.done(v.profileAddress(), "flash_session_ended")
}

func (v *visit) revokeOtherSessions() error {
	if err := v.app.RevokeOtherSessions(v.r.Context(), v.who); err != nil {
		return err
	}
	return v.done(v.profileAddress(), "flash_sessions_ended")
}
