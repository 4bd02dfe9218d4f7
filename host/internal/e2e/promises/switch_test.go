package promises

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/e2e"
)

func row13(t *testing.T, d e2e.Demo, admin *e2e.Person) {
	admin.Impersonate("Customer", "Jane Doe (Acme Ltd)")
	admin.WaitURL(d.Address + "/")
	admin.SeeRole("heading", "Welcome, Jane Doe")
	admin.Is("Jane Doe")
	admin.In("navigation", "Main menu").SeeRole("link", "Company details")
	admin.Stop()
	admin.Self("Ann Lee")
	admin.Impersonate("Staff", "Cleo Park")
	admin.WaitURL("/admin")
	admin.See("You (Ann Lee) are signed in as Cleo Park")
	admin.Is("Cleo Park")
	if got := admin.In("navigation", "Main menu").Names("link"); !slices.Equal(got, []string{"Dashboard", "Customers"}) {
		t.Errorf("as Cleo the menu offers %q", got)
	}
	admin.Stop()
	colleague := e2e.SignedIn(t, d, e2e.Ben)
	colleague.Impersonate("Customer", "Rosa Diaz (Globex)")
	colleague.WaitURL(d.Address + "/")
	colleague.Stop()
	colleague.Self("Ben Ortiz")
	// Also from the rows of people.
	admin.Visit("/admin/staff")
	admin.In("row", "Cleo Park").Click("link", "Impersonate")
	admin.Dialog().Click("button", "Impersonate")
	admin.See("You (Ann Lee) are signed in as Cleo Park")
	admin.Stop()
	admin.Visit("/admin/contacts")
	admin.In("row", "Omar Haddad").Click("link", "Impersonate")
	admin.Dialog().Click("button", "Impersonate")
	admin.See("You (Ann Lee) are signed in as Omar Haddad")
	admin.Stop()
}

func row14(t *testing.T, d e2e.Demo, admin *e2e.Person) {
	defer admin.ReducedMotion(false)
	for kind, user := range map[string]string{"Customer": "Jane Doe (Acme Ltd)", "Staff": "Cleo Park"} {
		admin.ReducedMotion(false)
		admin.Impersonate(kind, user)
		var blinks struct {
			Runs          int
			EndsAfter     float64
			Before, After string
		}
		admin.Eval(`(async () => {
			const stop = [...document.querySelectorAll('header button, .navbar button')].find(b => b.innerText.trim() === 'Stop Impersonation')
			const own = stop.getAnimations()
			const endsAfter = Math.max(0, ...own.map(a => a.effect.getComputedTiming().endTime))
			own.forEach(a => a.finish())
			await Promise.all(own.map(a => a.finished))
			return {runs: own.length, endsAfter, after: getComputedStyle(stop).backgroundColor}
		})()`, &blinks)
		if blinks.Runs == 0 || blinks.EndsAfter <= 0 || blinks.EndsAfter >= 5000 {
			t.Errorf("as %s: %d animations, over after %v ms", user, blinks.Runs, blinks.EndsAfter)
		}
		if blinks.After == "" || blinks.After == "rgba(0, 0, 0, 0)" {
			t.Errorf("as %s: no highlight stays: %q", user, blinks.After)
		}
		admin.ReducedMotion(true)
		admin.Reload()
		admin.SeeRole("button", "Stop Impersonation")
		var moving int
		admin.Eval(`document.getAnimations().length`, &moving)
		if moving != 0 {
			t.Errorf("as %s: %d animations for somebody who asked for less movement", user, moving)
		}
		admin.Stop()
	}
}

// session is a row of the sessions' table, without what changes at every change of subject.
type session struct{ id, actor, subject, created, expires int64 }

func sessionOf(t *testing.T, d e2e.Demo, staff int64) session {
	t.Helper()
	var all []session
	d.Query(t, "SELECT id, actor_id, subject_id, created_at, expires_at FROM sessions ORDER BY id", func(scan func(...any)) {
		var s session
		scan(&s.id, &s.actor, &s.subject, &s.created, &s.expires)
		if s.actor == staff {
			all = append(all, s)
		}
	})
	if len(all) == 0 {
		t.Fatal("no session")
	}
	return all[len(all)-1]
}

func row15(t *testing.T, d e2e.Demo, _ *e2e.Person) {
	admin := e2e.SignedIn(t, d, e2e.Ann)
	admin.Click("button", admin.AccountMenu())
	admin.Click("button", "Dark")
	admin.SeeRole("main", "")
	theme := func() (theme string) {
		admin.Eval(`document.documentElement.dataset.bsTheme`, &theme)
		return theme
	}
	if theme() != "dark" {
		t.Fatalf("the theme is %q", theme())
	}
	before := sessionOf(t, d, 1)
	admin.Impersonate("Customer", "Jane Doe (Acme Ltd)")
	if theme() != "light" {
		t.Errorf("as Jane the theme is %q", theme())
	}
	admin.Click("button", "Stop Impersonation")
	admin.WaitURL(d.Address + "/admin")
	admin.Self("Ann Lee")
	admin.See("You were signed in as Jane Doe")
	if theme() != "dark" {
		t.Errorf("back, the theme is %q", theme())
	}
	if after := sessionOf(t, d, 1); after != before {
		t.Errorf("another session: %+v, was %+v", after, before)
	}
	admin.Click("button", admin.AccountMenu())
	admin.Click("button", "Automatic")
}

func row16(t *testing.T, d e2e.Demo, _ *e2e.Person) {
	var seen bytes.Buffer
	word := "pass-" + e2e.Unguessable()
	admin := e2e.SignedInClient(t, d, e2e.Ann)
	admin.Seen = &seen
	// A password of Jane's own, by the link an administrator hands over.
	page := admin.Post("/admin/contacts/1/password-link")
	link := regexp.MustCompile(`https?://[^"]*/password/[^"]+`).FindString(page.Body)
	if link == "" {
		t.Fatalf("no set-password link: %d %s", page.Status, page.Text())
	}
	seen.Reset() // the link is shown this once, on purpose
	contact := e2e.NewClient(t, d)
	contact.Seen = &seen
	got := contact.Send(http.MethodPost, strings.TrimPrefix(link, d.Address), map[string][]string{"password": {word}, "repeat": {word}}, nil)
	if got.Status != http.StatusSeeOther {
		t.Fatalf("set a password: %d %s", got.Status, got.Text())
	}
	contact.SignIn(e2e.Jane, word)
	if got := contact.Send(http.MethodPost, "/login", map[string][]string{"email": {e2e.Jane}, "password": {"wrong " + word}}, nil); got.Status < 400 {
		t.Errorf("a second sign-in with the wrong password: %d", got.Status)
	}
	contact.Crawl("/")
	admin.Crawl("/admin")
	admin.Want(admin.Post("/session/switch", "target", "contact:1", "reason", "ticket 7"), http.StatusSeeOther)
	admin.Crawl("/")
	admin.Want(admin.Post("/profile/password", "old_password", word, "password", word+"2", "repeat", word+"2"), http.StatusForbidden)
	admin.Want(admin.Post("/session/restore"), http.StatusSeeOther)
	admin.Crawl("/admin/activity")
	admin.Want(admin.Post("/admin/m/impersonation/log/export", "format", "json"), http.StatusOK)
	admin.Get("/admin/modules/impersonation/log")

	secrets := map[string]string{"Jane's password": word}
	for _, table := range []string{"staff", "contacts"} {
		d.Query(t, "SELECT name, password FROM "+table, func(scan func(...any)) {
			var name, hash string
			scan(&name, &hash)
			secrets["the hash of "+name] = hash
		})
	}
	log := d.Output()
	for what, secret := range secrets {
		if len(secret) < 8 {
			t.Errorf("%s is %q", what, secret)
		}
		if strings.Contains(seen.String(), secret) || strings.Contains(seen.String(), strings.TrimPrefix(secret, "$")) {
			t.Errorf("%s stands in an answer", what)
		}
		if strings.Contains(log, secret) {
			t.Errorf("%s stands in the log", what)
		}
	}
	if n := strings.Count(log, app.DemoPassword); n != 1 {
		t.Errorf("the demo's password stands %d times in what the demo printed, once is the welcome", n)
	}
	if strings.Contains(seen.String(), app.DemoPassword) {
		t.Error("the demo's password stands in an answer")
	}
	for _, file := range []string{"understudy.db", "understudy.db-wal"} {
		if content, err := os.ReadFile(filepath.Join(d.Data, file)); err == nil && bytes.Contains(content, []byte(word)) {
			t.Errorf("Jane's password stands in %s", file)
		}
	}
	if seen.Len() < 100_000 {
		t.Errorf("only %d bytes were looked at", seen.Len())
	}
}
