package web

import (
	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// switchSession makes another account the subject of this session. Whether it may is the app's to
// say; here only the form is read and the browser given its new secret.
func (v *visit) switchSession() error {
	target, err := v.switchTarget()
	if err != nil {
		return err
	}
	wish := app.SwitchWish{Target: target, Reason: v.value("reason"), Ticket: v.value("ticket")}
	secret, w, err := v.app.SwitchSession(v.r.Context(), v.who, wish)
	if crm.KeyOf(err) == "password_confirmation_needed" {
		// Asked for only now: who isn't allowed anyway needs no password to hear so.
		if !v.r.PostForm.Has("password") {
			return v.askPasswordToSwitch(wish, w, nil)
		}
		if err := v.app.ConfirmPassword(v.r.Context(), v.who, v.value("password")); aboutPassword(err) {
			return v.askPasswordToSwitch(wish, w, err)
		} else if err != nil {
			return err
		}
		secret, w, err = v.app.SwitchSession(v.r.Context(), v.who, wish)
		if crm.KeyOf(err) == "password_confirmation_needed" { // none was typed, and the last one is too long ago
			return v.askPasswordToSwitch(wish, w, err)
		}
	}
	if err != nil {
		return err
	}
	if err := v.setSecret(secret); err != nil {
		return err
	}
	v.redirect(w.Subject.Kind.Area().Home())
	return nil
}

// askPasswordToSwitch asks for the own password, and carries what was asked for on.
func (v *visit) askPasswordToSwitch(wish app.SwitchWish, w crm.Switch, cause error) error {
	p := v.newPage(v.text("title_switch_password"))
	password := field{
		Name: "password", Kind: "password", Label: v.text("field_password_of", "Name", v.who.Actor.Name),
		Help: v.text("help_switch_password"), Required: true, Autocomplete: "current-password",
	}
	f := p.newForm("/session/switch", "sensitive", v.text("switch_button"))
	f.Back = v.path(v.who.Area().Home())
	if cause != nil {
		f.Status, password.Error = statusOf(cause), v.sentence(cause)
	}
	f.Fields = []field{
		{Name: "target", Kind: "hidden", Value: wish.Target.String()},
		{Name: "reason", Kind: "hidden", Value: wish.Reason},
		{Name: "ticket", Kind: "hidden", Value: wish.Ticket},
		password,
	}
	line := v.text("switch_password_text", "Subject", w.SubjectName)
	return v.render(f.Status, "confirm", confirmView{Page: p, Lines: []string{line}, Form: f})
}

// switchTarget reads "target" ("contact:7"), or "kind" and "id".
func (v *visit) switchTarget() (crm.AccountKey, error) {
	if target := v.value("target"); target != "" {
		return crm.ParseAccountKey(target)
	}
	return crm.ParseAccountKey(v.value("kind") + ":" + v.value("id"))
}

// restoreSession sets the subject back to the actor. It takes no parameter, needs no right and no
// module, and works from both areas.
func (v *visit) restoreSession() error {
	if v.ended && !v.who.Switched() {
		v.redirect(v.who.Area().Home())
		return nil
	}
	secret, ended, err := v.app.RestoreSession(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	if err := v.setSecret(secret); err != nil {
		return err
	}
	v.redirect(ended.Actor.Kind.Area().Home())
	return nil
}

// sessionView is the plain page: no layout, no script, no module.
type sessionView struct {
	*Page
	Text     string
	Left     string
	Switched bool
}

// sessionPage says who this browser is and offers the way back. It works in every state.
func (v *visit) sessionPage() error {
	language := v.actorLanguage()
	p := &Page{
		Language: language, Dir: direction(language), SiteName: v.site().name, Who: v.who,
		Signed: v.who.SignedIn(), Switched: v.who.Switched(), visit: v,
	}
	p.Title = p.T("title_session")
	view := sessionView{Page: p, Switched: p.Switched, Text: p.T("session_signed_out")}
	if p.Signed {
		p.Token, p.Area = v.app.FormToken(v.who, ""), v.who.Area()
		view.Text = p.T("session_self", "Name", v.who.Subject.Title(), "Email", v.who.Subject.Email)
	}
	if p.Switched {
		view.Text = p.T("banner_text", "Actor", v.who.Actor.Name, "Subject", v.who.Subject.Title())
		view.Left = p.T("session_until", "Since", p.Time(v.who.Switch.StartedAt), "Until", p.Time(v.who.Switch.ExpiresAt))
	}
	return v.show("session", view)
}

// logoutView asks what "Logout" means while switched.
type logoutView struct {
	*Page
	Text string
}

// askLogout asks before it ends anything, for leaving somebody else's account isn't leaving one's own.
func (v *visit) askLogout() error {
	if !v.who.SignedIn() {
		v.redirect(portal.Login())
		return nil
	}
	p := v.newPage(v.text("title_logout"))
	view := logoutView{Page: p, Text: v.text("logout_self", "Name", v.who.Subject.Title())}
	if v.who.Switched() {
		view.Text = v.languages.text(v.actorLanguage(), "logout_switched", "Actor", v.who.Actor.Name, "Subject", v.who.Subject.Title())
	}
	return v.show("logout", view)
}

// logout ends the session, and with it the switch it may be under.
func (v *visit) logout() error {
	area := v.who.Actor.Key.Kind.Area()
	if err := v.app.SignOut(v.r.Context(), v.who); err != nil {
		return err
	}
	if err := v.setSecret(""); err != nil {
		return err
	}
	return v.done(area.Login(), "flash_signed_out")
}
