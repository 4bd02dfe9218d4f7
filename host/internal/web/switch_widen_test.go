package web

import (
	"database/sql"
	"net/url"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

func TestMoreTimeIsAskedForInTheActorsLanguageAndComesBackToThePage(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	b.get("/session/extend").wants(t, 404).says(t, "You are in your own account already")
	b.become(omar)
	b.get("/company").says(t, `href="/session/extend?next=%2fcompany"`, ">Extend<").silent(t, "/session/elevate")
	b.get("/session/extend?next=/company").wants(t, 200).says(t, `<html lang="en" dir="ltr"`, "Your time as Omar Haddad (Acme Ltd) is up at", `value="/company"`)
	b.post("/session/extend", "reason", "", "next", "/company").wants(t, 422).says(t, "Give a reason", `value="/company"`)
	b.post("/session/extend", "reason", "still looking", "next", "/company").wants(t, 409).says(t, "There is no more time to be had")
	s.limit = 2 * time.Hour
	b.get("/session/extend?next=/company")
	b.post("/session/extend", "reason", "still looking", "next", "/company").wants(t, 303).leadsTo(t, "/company")
	b.get("/company").says(t, "120 min left")
	s.limit = 3 * time.Hour
	b.post("/session/extend", "reason", "x", "next", "//evil.example").wants(t, 303).leadsTo(t, "/")
}

func TestMoreRightsTakeTheActorsPassword(t *testing.T) {
	s := newSite(t)
	s.mode = crm.ReadOnly
	b := s.as(ann)
	b.become(jane)
	b.get("/company").says(t, "read-only", `href="/session/elevate?next=%2fcompany"`, ">Allow changes<")
	b.get("/session/elevate?next=/company").wants(t, 200).says(t, "Password of Ann Lee", "not that of Jane Doe")
	b.post("/session/elevate", "reason", "to mend it", "password", demoPassword).wants(t, 403).says(t, "You may look only")
	s.mode = crm.Full
	b.get("/session/elevate?next=/company")
	b.post("/session/elevate", "reason", "to mend it", "password", "wrong", "next", "/company").wants(t, 422).says(t, "to mend it", "is-invalid").silent(t, `value="wrong"`)
	b.post("/session/elevate", "reason", "", "password", demoPassword, "next", "/company").wants(t, 422).says(t, "Give a reason")
	b.post("/session/elevate", "reason", "to mend it", "password", demoPassword, "next", "/company").wants(t, 303).leadsTo(t, "/company")
	b.get("/company").silent(t, "read-only", "/session/elevate")
	b.post("/company", "company", "Acme Ltd", "city", "Leeds").wants(t, 303)
	b.post("/session/restore").wants(t, 303)
	b.get("/admin/activity?action=switch_elevated").says(t, "Was allowed to make changes as somebody else", "to mend it")
}

// A module's form can start a switch, but neither widen one nor be told the password.
func TestAModulesTokenWidensNothing(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	b.become(jane)
	r, err := s.app.Resolve(t.Context(), b.cookie().Value, crm.Client{})
	if err != nil {
		t.Fatal(err)
	}
	scoped := s.app.FormToken(r.Who, "sample")
	for _, path := range []string{"/session/extend", "/session/elevate", "/session/restore"} {
		b.do("POST", path, url.Values{"form_token": {scoped}, "reason": {"x"}, "password": {demoPassword}}).wants(t, 403)
	}
}

func TestTheOwnPasswordIsAskedForBeforeAStart(t *testing.T) {
	s := newSite(t)
	s.within = time.Minute
	b := s.as(ann)
	s.ahead.Store(int64(2 * time.Minute))
	target := s.account(jane).String()
	b.post("/session/switch", "target", target, "reason", "a <b>reason", "ticket", "T-1").wants(t, 200).
		says(t, "Your own password, please", "You are about to be signed in as Jane Doe.", "Password of Ann Lee", "a &lt;b&gt;reason", `value="T-1"`)
	b.post("/session/switch", "target", target, "reason", "why", "ticket", "T-1", "password", "").wants(t, 403).says(t, "You are about to be signed in as Jane Doe.")
	b.post("/session/switch", "target", target, "reason", "why", "ticket", "T-1", "password", "wrong").wants(t, 422).says(t, `value="why"`).silent(t, `value="wrong"`)
	b.post("/session/switch", "target", "contact:999", "password", demoPassword).wants(t, 404)
	b.post("/session/switch", "target", target, "reason", "why", "ticket", "T-1", "password", demoPassword).wants(t, 303).leadsTo(t, "/")
	b.get("/").says(t, "You (Ann Lee) are signed in as Jane Doe")
	page, err := s.app.Switches(t.Context(), app.SwitchQuery{Outcome: "active"})
	if err != nil || len(page.Rows) != 1 || page.Rows[0].Reason != "why" || page.Rows[0].Ticket != "T-1" {
		t.Errorf("recorded: %+v, %v", page.Rows, err)
	}
}

// What is answered by leading elsewhere shows no sentence, so it takes none away.
func TestAnExtensionLeavesTheSentenceForTheNextPage(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	b.become(jane)
	b.get("/company")
	s.limit = 2 * time.Hour
	waiting := `UPDATE sessions SET notice = '{"key":"switch_ended_stopped","args":{"Subject":"Rosa Diaz","Minutes":"3"}}'`
	if err := s.behind(func(db *sql.DB) error { _, err := db.ExecContext(t.Context(), waiting); return err }); err != nil {
		t.Fatal(err)
	}
	b.post("/session/extend", "reason", "more", "next", "/company").wants(t, 303)
	b.get("/company").says(t, "You have more time, until", "You were signed in as Rosa Diaz for 3 min.")
}
