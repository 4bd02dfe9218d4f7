package web

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// withRights runs the module of testdata/rights in the site.
func (s *site) withRights(t *testing.T) {
	t.Helper()
	modules, ctx := s.server.modules, context.Background()
	if err := modules.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = modules.Stop(ctx) })
	zip, err := os.ReadFile(hosttest.Package(t, "host/internal/hosttest/testdata/rights"))
	if err != nil {
		t.Fatal(err)
	}
	review, err := modules.Upload(ctx, crm.Operator(), "rights.zip", bytes.NewReader(zip))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := modules.Install(ctx, crm.Operator(), review.StagedID); err != nil {
		t.Fatal(err)
	}
	if err := modules.Activate(ctx, crm.Operator(), "rights"); err != nil {
		t.Fatal(err)
	}
}

func (s *site) contactForm(email string) string {
	return "/admin/contacts/" + strconv.FormatInt(s.account(email).ID, 10)
}

func TestContactsGetTheirRightsOnTheirForm(t *testing.T) {
	s := newSite(t)
	a := s.as(ann)
	checkPage(t, a.get(s.contactForm(omar)).wants(t, 200)).silent(t, "Capabilities")
	s.withRights(t)
	form := checkPage(t, a.get(s.contactForm(omar)).wants(t, 200)).says(t, "Capabilities", "See who came", `value="rights@see"`, "besides what every contact may").silent(t, "Do things", "rights/do", " checked disabled")
	if strings.Count(form.body, `name="shown"`) != 2 {
		t.Errorf("boxes: %s", form.main())
	}
	o := s.as(omar)
	o.get("/m/rights/visitors").wants(t, 403)
	o.get("/").silent(t, "Visitors")
	fields := []string{"name", "Omar Haddad", "email", omar, "primary", "false", "shown", "rights@see", "shown", "rights@change"}
	a.post(s.contactForm(omar), append(fields, "capability", "rights@see")...).wants(t, 303)
	a.get(s.contactForm(omar)).says(t, `value="rights@see" checked`).silent(t, `value="rights@change" checked`)
	o.get("/").says(t, "/m/rights/visitors")
	o.get("/m/rights/visitors").wants(t, 200).says(t, "holds: see.")
	a.get("/admin/activity?action=contact_changed").says(t, "Capabilities: rights@see", "Omar Haddad")

	// What a form names beyond what a running module lets contacts do changes nothing.
	a.get(s.contactForm(omar))
	a.post(s.contactForm(omar), append(fields, "capability", "rights@see", "capability", "rights/do", "shown", "rights/do", "capability", "other@x", "shown", "other@x", "capability", "staff.edit", "shown", "staff.edit")...).wants(t, 303)
	if got, err := s.app.Account(t.Context(), s.account(omar)); err != nil || got.Capabilities.String() != "rights@see" {
		t.Errorf("Omar holds %q, %v", got.Capabilities, err)
	}

	// While the module is off the box isn't shown, and the right stays.
	if err := s.server.modules.Deactivate(t.Context(), crm.Operator(), "rights"); err != nil {
		t.Fatal(err)
	}
	o.get("/m/rights/visitors").wants(t, 404)
	a.get(s.contactForm(omar)).silent(t, "Capabilities")
	a.post(s.contactForm(omar), fields...).wants(t, 303)
	if got, err := s.app.Account(t.Context(), s.account(omar)); err != nil || got.Capabilities.String() != "rights@see" {
		t.Errorf("Omar holds %q, %v", got.Capabilities, err)
	}
	a.get("/admin/modules/rights/uninstall").says(t, "its permissions given to 1 contact")
}

func TestThePrimaryContactsRightsAreShownAndFixed(t *testing.T) {
	s := newSite(t)
	s.withRights(t)
	a := s.as(ann)
	page := checkPage(t, a.get(s.contactForm(jane)).wants(t, 200))
	page.says(t, `value="rights@see" checked disabled aria-describedby="capabilities-fixed"`, "The primary contact may do all of this").silent(t, `name="shown"`)
	s.as(jane).get("/m/rights/visitors").wants(t, 200).says(t, "holds: see change.")
	a.post(s.contactForm(jane), "name", "Jane Doe", "email", jane, "primary", "true").wants(t, 303)
	s.as(jane).get("/m/rights/visitors").wants(t, 200)
	// An administrator who acts as Jane sees what Jane sees, and is told Jane's rights.
	a.get("/admin")
	a.become(jane)
	a.get("/m/rights/visitors").wants(t, 200).says(t, "holds: see change.")
	a.post("/session/restore").wants(t, 303)
	a.get("/admin/m/rights/things").wants(t, 200).says(t, "holds: do.")
	a.get("/admin/roles/1").says(t, "Do things").silent(t, "See who came")
	a.get("/admin/staff/2").says(t, "Do things").silent(t, "See who came")
}

func TestTheLinkStandsWhereThePersonIs(t *testing.T) {
	s := newSite(t)
	s.withRights(t)
	a, jane, omar := s.as(ann), s.account(jane).ID, s.account(omar).ID
	link := func(kind string, id int64) string {
		return `href="/admin/m/rights/things?kind=` + kind + `&amp;id=` + strconv.FormatInt(id, 10) + `"`
	}
	a.get("/admin/staff").says(t, link("staff", s.account(cleo).ID)).silent(t, link("staff", s.account(ann).ID), link("staff", 4)) // oneself, and Dan who is inactive
	a.get("/admin/staff/3").says(t, link("staff", 3))
	a.get("/admin/contacts").says(t, link("contact", jane), link("contact", omar))
	a.get(s.contactForm("jane@acme.example")).says(t, link("contact", jane))
	customer := checkPage(t, a.get("/admin/customers/1").wants(t, 200)).says(t, link("contact", jane), link("contact", omar), "<span>Meet: <bdi>Jane Doe</bdi></span>")
	if strings.Count(customer.body, link("contact", jane)) != 2 {
		t.Error("not both beside the heading and on the row")
	}
	a.get("/admin/customers/1?q=omar").says(t, "<bdi>Jane Doe</bdi></span>") // whatever the list shows
	for _, c := range []struct{ path, wants string }{{"/admin/customers/3", "Initech"}, {"/admin/customers/1", "Acme"}} {
		b := a
		if c.wants == "Acme" {
			b = s.as(cleo) // for whom the rule doesn't show it
		}
		b.get(c.path).wants(t, http.StatusOK).says(t, c.wants).silent(t, "Meet: ")
	}
	s.as(cleo).get("/admin/contacts").wants(t, 200).silent(t, "/admin/m/rights/")
	if err := s.app.SetContactActive(t.Context(), crm.Operator(), jane, false); err != nil {
		t.Fatal(err)
	}
	a.get("/admin/customers/1").says(t, link("contact", omar)).silent(t, "Meet: <bdi>Jane", link("contact", jane))
}

func TestItemsOfTheBarSayTheirKeys(t *testing.T) {
	s := newSite(t)
	s.withRights(t)
	a := s.as(ann)
	checkPage(t, a.get("/admin")).says(t, `title="Things (Alt&#43;Shift&#43;T)" aria-keyshortcuts="Alt&#43;Shift&#43;T"`, `title="Note (Alt&#43;Shift&#43;N)" aria-keyshortcuts="Alt&#43;Shift&#43;N" data-modal`)
	a.become(jane)
	checkPage(t, a.get("/")).says(t, `<button class="btn btn-warning highlighted" type="submit" title="Back to oneself (Alt&#43;Shift&#43;B)" aria-keyshortcuts="Alt&#43;Shift&#43;B">`,
		`title="Visitors (Alt&#43;Shift&#43;T)"`)
}

// filament, lfx #1044: every page says whose eyes these are, those that say what went wrong included,
// to the person at the screen: in the actor's language, whatever the page speaks.
func TestEveryErrorPageSaysWhoseEyesTheseAre(t *testing.T) {
	for _, target := range []string{omar, ben} {
		t.Run(target, func(t *testing.T) {
			s := newSite(t)
			a := s.as(ann)
			a.become(target)
			area, own, refused := "/admin", "/admin/profile", "/admin/modules"
			if target == omar {
				area, own, refused = "", "/profile", "/admin"
			}
			old := a.token
			a.get(own).wants(t, 200)
			a.post("/session/restore").wants(t, 303)
			a.get("/admin")
			a.become(target)
			a.get(own)
			fresh := a.token
			check := func(status int, got answer) {
				t.Helper()
				name := map[string]string{omar: "Omar Haddad", ben: "Ben Ortiz"}[target]
				checkPage(t, got.wants(t, status)).says(t, "You (Ann Lee) are signed in as "+name, "<title>⇄ "+name, "favicon-switched.svg",
					`<section class="switch-banner`, `lang="en" dir="ltr"`, "60 min left", `action="/session/restore"`, "/session")
			}
			check(403, a.get(refused))
			check(404, a.get(area+"/nowhere"))
			check(404, a.get(area+"/m/none/x"))
			check(405, a.do("DELETE", own, nil))
			a.token = old
			check(409, a.post(own, "name", "X"))
			a.token = fresh
			check(413, a.post(own, "name", strings.Repeat("x", maxForm+1)))
			check(422, a.post(own, "name", ""))
			a.token = fresh
			check(403, a.post("/profile/password", "old_password", "x"))
			broken := s.server.templates.pages["profile"]
			delete(s.server.templates.pages, "profile")
			check(500, a.get(own))
			s.server.templates.pages["profile"] = broken
			check(200, a.get(own))
		})
	}
}

// The plain page is marked, too, and times are those of the clock at the screen, not the target's.
func TestTimesOfASwitchAreTheActorsClock(t *testing.T) {
	s := newSite(t)
	a := s.as(ann)
	a.become(rosa)
	for _, zone := range []string{"Asia/Tokyo", "America/Lima", ""} {
		place, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		a.client.Jar.SetCookies(a.get("/").Request.URL, []*http.Cookie{{Name: "understudy_zone", Value: strings.ReplaceAll(zone, "/", "%2F")}})
		open, err := s.rows.Read().Switches(t.Context(), store.SwitchQuery{Outcome: "active"})
		if err != nil || len(open.Rows) != 1 {
			t.Fatalf("%+v %v", open, err)
		}
		end := open.Rows[0].ExpiresAt.In(place)
		a.get("/").says(t, `title="Until `+end.Format("15:04")+`"`)
		a.get("/session").says(t, end.Format("2006-01-02 15:04"), "<title>⇄ Rosa Diaz", "favicon-switched.svg", `<html lang="en"`)
	}
}
