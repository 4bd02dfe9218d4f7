package web

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// signInView is the sign-in page of an area.
type signInView struct {
	*Page
	Form     *form
	Next     string
	Kept     string // the form that was sent without a sign-in, to be kept
	KeptText string
	Other    string // the other area's sign-in
	OtherTxt string
}

// keptForm is a form somebody sent after the sign-in had ended.
type keptForm struct {
	Action string     `json:"action"`
	Fields url.Values `json:"fields"`
}

func (v *visit) staffLogin() error   { return v.login(admin) }
func (v *visit) contactLogin() error { return v.login(portal) }

func (v *visit) login(area crm.Area) error {
	if v.who.SignedIn() {
		return v.alreadySignedIn()
	}
	return v.showLogin(area, http.StatusOK, v.r.URL.Query().Get("next"), "", nil)
}

// alreadySignedIn never drops or inherits a session silently: who wants to be somebody else signs
// out first.
func (v *visit) alreadySignedIn() error {
	if v.who.Switched() {
		return crm.Refuse(crm.Conflict, "signed_in_switched", "Actor", v.who.Actor.Name, "Subject", v.who.Subject.Title())
	}
	if v.r.Method != get {
		return crm.Refuse(crm.Conflict, "signed_in_already", "Name", v.who.Subject.Title())
	}
	v.redirect(nextAddress(v.r.URL.Query().Get("next"), v.who.Area()))
	return nil
}

func (v *visit) showLogin(area crm.Area, status int, next, kept string, cause error) error {
	p := v.newPage(v.text("title_login_" + string(area)))
	f := p.newForm(area.Login(), "", v.text("login"),
		field{Name: "email", Kind: "email", Label: v.text("field_email"), Required: true, Autocomplete: "username"},
		field{Name: "password", Kind: "password", Label: v.text("field_password"), Required: true, Autocomplete: "current-password"})
	f.Blocked = ""
	f.keep(v)
	view := signInView{Page: p, Form: f, Next: next, Kept: kept, Other: v.path(portal.Login()), OtherTxt: v.text("login_other_portal")}
	if area == portal {
		view.Other, view.OtherTxt = v.path(admin.Login()), v.text("login_other_admin")
	}
	if kept != "" {
		view.KeptText = v.text("login_form_kept")
	}
	if cause != nil {
		f.Error = v.sentence(cause)
	}
	return v.render(status, "login", view)
}

func (v *visit) signInStaff() error   { return v.signIn(admin) }
func (v *visit) signInContact() error { return v.signIn(portal) }

func (v *visit) signIn(area crm.Area) error {
	if err := v.readBody(); err != nil {
		return err
	}
	if v.who.SignedIn() {
		return v.alreadySignedIn()
	}
	next, kept := v.value("next"), v.value("kept")
	secret, who, err := v.app.SignIn(v.r.Context(), area, v.value("email"), v.value("password"), v.client)
	if kind := crm.KindOf(err); kind == crm.Denied || kind == crm.TooMany || kind == crm.Invalid {
		return v.showLogin(area, statusOf(err), next, kept, err)
	}
	if err != nil {
		return err
	}
	if err := v.setSecret(secret); err != nil {
		return err
	}
	v.who, v.lang = who, ""
	v.request.SetWho(who)
	if kept != "" {
		return v.showKept(kept)
	}
	v.redirect(nextAddress(next, area))
	return nil
}

// toLogin asks for a sign-in and remembers where to go after it; a form that was sent is kept in
// the page, except for passwords and files.
func (v *visit) toLogin() error {
	area := areaOf(v.r.URL.Path)
	if v.route != nil && v.route.area != both {
		area = v.route.area
	}
	if v.r.Method == http.MethodGet || v.r.Method == http.MethodHead {
		address := area.Login()
		if v.r.URL.Path != area.Home() && nextAddress(v.localURI(), area) == v.localURI() {
			address += "?next=" + url.QueryEscape(v.localURI())
		}
		v.redirect(address)
		return nil
	}
	if v.wantsFragment() {
		v.redirect(area.Login())
		return nil
	}
	return v.showLogin(area, http.StatusUnauthorized, "", v.keepForm(area), nil)
}

// localURI is an address of this request without the base path, query included.
func (v *visit) localURI() string {
	if v.r.URL.RawQuery == "" {
		return v.r.URL.Path
	}
	return v.r.URL.Path + "?" + v.r.URL.RawQuery
}

// maxKept is the largest form that is kept, in bytes.
const maxKept = maxForm / 4

// keepForm writes down the form that was sent, empty when there is none worth keeping. Anybody may
// have sent it: only plain fields are read, and no more of them than would be kept.
func (v *visit) keepForm(area crm.Area) string {
	if !v.mayKeepForm(area) {
		return ""
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxKept)
	if err := v.readBody(); err != nil {
		return ""
	}
	kept := keptForm{Action: v.localURI(), Fields: url.Values{}}
	for name, values := range v.r.PostForm {
		if name != "form_token" && !strings.Contains(name, "password") {
			kept.Fields[name] = values
		}
	}
	data, err := json.Marshal(kept)
	if err != nil || len(data) > maxKept {
		return ""
	}
	return string(data)
}

// mayKeepForm tells, without reading it, whether a form is of the kind that is kept.
func (v *visit) mayKeepForm(area crm.Area) bool {
	if v.route == nil || v.route.need.perPage || v.route.pattern == uploadPattern || nextAddress(v.localURI(), area) != v.localURI() {
		return false
	}
	kind, _, err := mime.ParseMediaType(v.r.Header.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded"
}

// keptView offers a kept form to be sent again, with a token of the new session.
type keptView struct {
	*Page
	Action string
	Fields []field
	Home   string
}

func (v *visit) showKept(text string) error {
	var kept keptForm
	area := v.who.Area()
	err := json.Unmarshal([]byte(text), &kept)
	if unusable := err != nil || nextAddress(kept.Action, area) != kept.Action; unusable {
		v.redirect(area.Home())
		return nil
	}
	p := v.newPage(v.text("title_kept"))
	view := keptView{Page: p, Action: v.path(kept.Action), Home: v.path(area.Home())}
	for name, values := range kept.Fields {
		if name == "form_token" {
			continue
		}
		for _, value := range values {
			view.Fields = append(view.Fields, field{Name: name, Kind: "hidden", Value: value})
		}
	}
	return v.show("kept", view)
}
