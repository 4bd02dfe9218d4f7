package web

import (
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// More time and more rights for a running switch are asked for in the language of the person at the
// screen, as the banner is that leads here.

func (v *visit) askMoreTime() error { return v.moreTime(nil) }

func (v *visit) moreTime(cause error) error {
	p, back, err := v.widenPage("title_more_time")
	if err != nil {
		return err
	}
	f := p.newForm("/session/extend", "open", p.T("more_time_button"), p.widenReason(), field{Name: "next", Kind: "hidden", Value: back})
	line := p.T("more_time_text", "Subject", v.who.Subject.Title(), "Until", p.Time(v.who.Switch.ExpiresAt))
	return v.showWiden(p, f, back, cause, line)
}

func (v *visit) extendSwitch() error {
	v.lang = v.actorLanguage()
	w, err := v.app.ExtendSwitch(v.r.Context(), v.who, v.value("reason"))
	if crm.KindOf(err) == crm.Invalid {
		return v.moreTime(err)
	}
	if err != nil {
		return err
	}
	return v.done(nextAddress(v.value("next"), v.who.Area()), "flash_switch_extended", "Until", v.timeText(w.ExpiresAt))
}

func (v *visit) askMoreRights() error { return v.moreRights(nil) }

func (v *visit) moreRights(cause error) error {
	p, back, err := v.widenPage("title_more_rights")
	if err != nil {
		return err
	}
	password := field{
		Name: "password", Kind: "password", Label: p.T("field_password_of", "Name", v.who.Actor.Name),
		Help: p.T("help_password_of", "Name", v.who.Actor.Name, "Subject", v.who.Subject.Name), Required: true, Autocomplete: "current-password",
	}
	if aboutPassword(cause) {
		password.Error = v.sentence(cause)
	}
	f := p.newForm("/session/elevate", "open", p.T("more_rights_button"), p.widenReason(), password, field{Name: "next", Kind: "hidden", Value: back})
	return v.showWiden(p, f, back, cause, p.T("more_rights_text", "Subject", v.who.Subject.Title()))
}

func (v *visit) elevateSwitch() error {
	v.lang = v.actorLanguage()
	_, err := v.app.ElevateSwitch(v.r.Context(), v.who, v.value("reason"), v.value("password"))
	if crm.KindOf(err) == crm.Invalid || aboutPassword(err) {
		return v.moreRights(err)
	}
	if err != nil {
		return err
	}
	return v.done(nextAddress(v.value("next"), v.who.Area()), "flash_switch_elevated", "Subject", v.who.Subject.Name)
}

// widenPage is a page in the actor's language, and where to go after it. NotFound unless switched.
func (v *visit) widenPage(title string) (*Page, string, error) {
	if !v.who.Switched() {
		return nil, "", crm.Refuse(crm.NotFound, "not_switched")
	}
	v.lang = v.actorLanguage()
	next := v.r.URL.Query().Get("next")
	if v.r.Method != get {
		next = v.value("next")
	}
	return v.newPage(v.text(title)), nextAddress(next, v.who.Area()), nil
}

func (p *Page) widenReason() field {
	return field{Name: "reason", Kind: "textarea", Label: p.T("field_reason"), Help: p.T("help_widen_reason"), Required: true}
}

func (v *visit) showWiden(p *Page, f *form, back string, cause error, line string) error {
	f.Back, f.Blocked = v.path(back), ""
	if cause != nil {
		f.keep(v)
		f.Status = statusOf(cause)
		if !aboutPassword(cause) {
			f.Fields[0].Error = v.sentence(cause)
		}
	}
	return v.render(f.Status, "confirm", confirmView{Page: p, Lines: []string{line}, Form: f})
}
