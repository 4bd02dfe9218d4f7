package web

import (
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

func TestSwitchLandsOnTheRightDashboardAndRestoreComesBack(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	b.become(jane)
	b.get("/").says(t, "You (Ann Lee) are signed in as Jane Doe (Acme Ltd)", "60 min left", "Return to your account", "⇄ Jane Doe", "favicon-switched.svg", "Welcome, Jane Doe")
	b.post("/session/restore").wants(t, 303).leadsTo(t, "/admin")
	b.get("/admin").wants(t, 200).says(t, "You were signed in as Jane Doe for less than a minute. You are back in your own account.").silent(t, "are signed in as Jane")
	b.get("/admin").silent(t, "You were signed in as") // a notice is shown once
	b.become(ben)
	b.get("/admin").says(t, "You (Ann Lee) are signed in as Ben Ortiz").silent(t, `href="/admin/modules"`)
	b.post("/session/restore").wants(t, 303)
}

func TestTheBannerSpeaksTheActorsLanguage(t *testing.T) {
	b := newSite(t).as(ann)
	b.become(omar)
	b.get("/").says(t, `<html lang="ar" dir="rtl"`, "tabler.rtl.min.css", `lang="en" dir="ltr"`, "You (Ann Lee) are signed in as Omar Haddad", "لوحة المعلومات")
	b.post("/session/restore").wants(t, 303)
	b.get("/admin")
	b.become(rosa)
	b.get("/").says(t, `<html lang="es" dir="ltr"`, "Datos de la empresa", "You (Ann Lee) are signed in as Rosa Diaz (Globex)")
}

func TestSensitiveThingsAreRefusedWhileSwitchedAndRecorded(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	b.become(jane)
	b.get("/profile").says(t, "This is refused while you are signed in as Jane Doe", "disabled").silent(t, "127.0.0.1")
	b.post("/profile/password", "old_password", demoPassword, "password", "another-password", "repeat", "another-password").wants(t, 403).says(t, "Return to your account")
	b.post("/profile", "name", "Jane Doe", "phone", "123").wants(t, 303).leadsTo(t, "/profile")
	b.get("/admin/customers").wants(t, 403).says(t, "You are signed in as Jane Doe (Acme Ltd), who can&#39;t open this part of the site")
	b.get("/nothing").wants(t, 404).says(t, "You (Ann Lee) are signed in as")
	b.get("/profile").wants(t, 200)
	b.post("/session/switch", "target", s.account(omar).String()).wants(t, 409).says(t, "You are signed in as Jane Doe already")
	b.post("/session/restore").wants(t, 303)
	b.get("/admin/activity?action=refused").wants(t, 200).says(t, "Was refused something while acting as somebody else", "POST /profile/password", "Ann Lee", "Jane Doe")
}

func TestReadOnlySwitchesOnlyRead(t *testing.T) {
	s := newSite(t)
	s.mode = crm.ReadOnly
	b := s.as(ann)
	b.become(jane)
	b.get("/company").wants(t, 200).says(t, "read-only", "disabled")
	b.post("/company", "company", "Evil Ltd").wants(t, 403).says(t, "read-only")
	b.post("/session/restore").wants(t, 303)
}

func TestARefusedSwitchSaysWhyAndChangesNothing(t *testing.T) {
	s := newSite(t)
	b := s.as(ben)
	before := b.cookie().Value
	b.post("/session/switch", "target", s.account(ann).String()).wants(t, 403).says(t, "Ann Lee is an administrator")
	b.post("/session/switch", "target", "contact:999").wants(t, 404)
	b.post("/session/switch", "target", "x").wants(t, 422)
	s.refuse = crm.Refuse(crm.Unavailable, "switch_module_off")
	b.post("/session/switch", "kind", "contact", "id", "1").wants(t, 503).says(t, "No active module allows this")
	if b.cookie().Value != before {
		t.Error("a refused switch changed the session")
	}
	b.get("/admin").wants(t, 200).says(t, "Ben Ortiz")
	s.as(jane).post("/session/switch", "target", s.account(rosa).String()).wants(t, 403)
}

// devise_masquerade #53, #102, metasmoke #1020: no page one can't open, no signing in again.
func TestTheSwitchEndsByItselfWithASentence(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	b.become(jane)
	s.ahead.Store(int64(61 * time.Minute))
	a := b.get("/profile").wants(t, 303).leadsTo(t, "/admin") // it goes on as the actor, who has no such page
	if !strings.Contains(a.Header.Get("Set-Cookie"), "understudy=") {
		t.Error("no new secret")
	}
	b.get("/admin").wants(t, 200).says(t, "Your time as Jane Doe was up.")
}

// gitlabhq #10074: a wall for the target (a second factor, terms) hid the way back. There are no such
// walls here, and this page and the way back ask for no right and stand in both areas.
func TestTheSessionPageWorksInEveryState(t *testing.T) {
	s := newSite(t)
	s.browser().get("/session").wants(t, 200).says(t, "Nobody is signed in in this browser.").silent(t, "<script")
	b := s.as(ann)
	b.get("/session").wants(t, 200).says(t, "You are signed in as Ann Lee").silent(t, "<script", "Return to your account")
	b.become(omar)
	b.get("/session").wants(t, 200).says(t, `lang="en"`, "You (Ann Lee) are signed in as Omar Haddad (Acme Ltd)", "Return to your account", "Sign out completely").silent(t, "<script")
	b.post("/session/restore").wants(t, 303).leadsTo(t, "/admin")
	b.get("/admin")
	b.post("/session/restore").wants(t, 404).says(t, "You are in your own account already.")
}

// filament PR #154: neither a sign-out nor a sign-in on the other side drops the switch unasked.
func TestLogoutAsksWhileSwitched(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	b.become(jane)
	b.get("/").says(t, `href="/logout"`)
	b.get("/logout").wants(t, 200).says(t, "Return to your account", "Sign out completely", "You (Ann Lee) are signed in as Jane Doe (Acme Ltd). Do you want to return to your own account, or to sign out of this browser altogether?")
	b.get("/login").wants(t, 409).says(t, "Return to your account")
	b.post("/login", "email", rosa, "password", demoPassword).wants(t, 409)
	b.get("/logout")
	b.post("/logout").wants(t, 303).leadsTo(t, "/admin/login")
	b.get("/admin/login").wants(t, 200).says(t, "You are signed out.")
	b.get("/").wants(t, 303).leadsTo(t, "/login")
	b.post("/admin/login", "email", ann, "password", demoPassword).wants(t, 303)
	b.get("/admin").says(t, "Last time you were signed in as Jane Doe; it ended when you signed out.")
}

func TestScriptsGetPiecesAndAreNotRedirected(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	a := b.do("GET", "/admin/customers/new", nil, "X-Modal", "1").wants(t, 200)
	a.says(t, `class="modal-title"`, "form_token").silent(t, "<html", "<aside")
	a = b.do("GET", "/admin/settings", nil, "X-Modal", "1").wants(t, 204)
	if a.Header.Get("X-Location") != "/admin/settings/general" {
		t.Error(a.Header)
	}
	b.do("GET", "/admin/nothing", nil, "X-Modal", "1").wants(t, 404).silent(t, "<html")
	b.do("GET", "/admin/nothing", nil, "Accept", "application/json").wants(t, 404).says(t, `"error":`)
}
