package replicas

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/understudy-crm/understudy/host/internal/e2e"
)

// looksAround is staff at work in the admin area.
func (v *guest) looksAround(ctx context.Context) {
	v.get(v.any("/admin", "/admin/customers", "/admin/contacts?q=cli", "/admin/customers?q=comp", "/admin/customers/1", "/admin/profile"))
	switch v.rand.IntN(10) {
	case 0:
		v.save("/admin/profile", "/admin/profile", "profile_changed", url.Values{"name": {v.names[v.self]}})
	case 1:
		v.save("/preferences", "/admin/customers", "preferences_changed", url.Values{"theme": {v.any("light", "dark")}, "back": {"/admin/customers"}})
	case 2:
		v.plain()
	}
}

// usesThePortal is a customer's contact.
func (v *guest) usesThePortal(ctx context.Context) {
	v.get(v.any("/", "/profile", "/company"))
	switch v.rand.IntN(10) {
	case 0, 1:
		v.saveOwn()
	case 2:
		v.plain()
	}
}

// saveOwn changes the telephone number of whoever's portal it is.
func (v *guest) saveOwn() {
	whose := v.self
	if v.as != "" {
		whose = v.as
	}
	name, _, _ := strings.Cut(v.names[whose], " (")
	v.save("/profile", "/profile", "profile_changed", url.Values{"name": {name}, "phone": {fmt.Sprintf("+44 20 %d", v.rand.IntN(1e6))}})
}

// comesAndGoes signs in and out.
func (v *guest) comesAndGoes(ctx context.Context) {
	v.get("/admin")
	v.pause(ctx)
	v.get("/admin/profile")
	if v.rand.IntN(4) == 0 {
		v.signOut()
		if got, ok := v.ask("page", http.MethodGet, "/admin", nil); ok && got.Status != http.StatusSeeOther {
			v.mistake("%s is out, and /admin is %d: %s", v.self, got.Status, got.Text())
		}
		v.signIn()
	}
}

// impersonates becomes somebody, looks and works as them, and comes back, in one way or another.
func (v *guest) impersonates(ctx context.Context) {
	if v.as == "" {
		v.ask("module page", http.MethodGet, "/admin/m/impersonation/search?kind=contact&q="+v.any("cli", "client+1", "jane", "comp"), nil)
		v.becomesSomebody()
	}
	for range 2 + v.rand.IntN(5) {
		if v.as == "" || ctx.Err() != nil {
			break
		}
		v.pause(ctx)
		v.worksAs()
	}
	switch v.rand.IntN(12) {
	case 0:
		v.signOut()
		v.signIn()
	case 1: // they forget, and go on
	default:
		if v.as != "" {
			v.comeBack()
		}
		v.get("/admin")
	}
}

func (v *guest) becomesSomebody() {
	target := v.any(v.crowd...)
	for v.rand.IntN(3) == 0 || target == v.self {
		target = v.any(v.staff...)
	}
	if v.rand.IntN(3) == 0 {
		v.becomeInTwoTabs(target)
	} else {
		v.become(target)
	}
	v.get("/admin") // as a contact they are led to their own home
}

// worksAs does what the subject would.
func (v *guest) worksAs() {
	contact := strings.HasPrefix(v.as, "contact:")
	pages := []string{"/admin", "/admin/profile", "/admin/customers?q=comp", "/admin/customers/1"}
	if contact {
		pages = []string{"/", "/profile", "/company"}
	}
	v.get(v.any(pages...))
	if v.as == "" {
		return
	}
	switch v.rand.IntN(12) {
	case 0, 1:
		if contact {
			v.saveOwn()
		}
	case 2:
		got, ok := v.ask("extend", http.MethodPost, "/session/extend", url.Values{"reason": {"more load"}})
		if ok && got.Status == http.StatusSeeOther && v.as != "" && got.Header.Get("Location") != "/admin" {
			v.wrote(got, "switch_extended")
		}
	case 3:
		v.plain()
	case 4: // what a borrowed name may not
		got, ok := v.ask("refused", http.MethodPost, "/profile/password", url.Values{"old_password": {"x"}, "password": {"y"}, "repeat": {"y"}})
		if ok && got.Status < 400 && v.as != "" && contact {
			// Led home, when the switch has ended meanwhile: then the plain page says so.
			if v.plain(); v.as != "" {
				v.mistake("%s changed the password of %s: %d", v.self, v.as, got.Status)
			}
		}
	}
}

// becomeInTwoTabs is become while other tabs of the same browser ask for pages: each is the page of
// who they were or of whom they become, and says which.
func (v *guest) becomeInTwoTabs(target string) {
	var tabs sync.WaitGroup
	answers := make([]e2e.Answer, 3)
	for i := range answers {
		tabs.Go(func() { answers[i], _ = v.fetch("other tab", http.MethodGet, "/admin", nil) })
	}
	v.become(target)
	tabs.Wait()
	for _, got := range answers {
		w, page := got.Whose()
		if !page || w.Subject == "" {
			continue // nobody's: it carried a secret that had just died
		}
		banner := ""
		if w.Subject != v.self {
			banner = "You (" + v.names[v.self] + ") are signed in as " + v.names[w.Subject]
		}
		if w.Session != v.session || (w.Subject != v.self && w.Subject != target) || w.Banner != banner {
			v.mistake("another tab of %s, who becomes %s: a page of %s at %s under %q", v.self, target, w.Subject, w.Session, w.Banner)
		}
		if got.Status >= 500 {
			v.mistake("another tab: %d %s", got.Status, got.Text())
		}
	}
}

// administers looks after the site: modules that were given up, settings, others' switches.
func (v *guest) administers(ctx context.Context) {
	if got, ok := v.get("/admin/modules"); ok && strings.Contains(got.Body, "/impersonation/retry") {
		v.ask("retry", http.MethodPost, "/admin/modules/impersonation/retry", nil)
	}
	v.pause(ctx)
	v.get(v.any("/admin/activity", "/admin/activity?q=client", "/admin/activity?action=switch_started", "/admin/staff", "/admin/roles", "/admin/modules/impersonation/log"))
	v.pause(ctx)
	v.ask("module page", http.MethodGet, v.any("/admin/m/impersonation/log", "/admin/m/impersonation/start"), nil)
	v.pause(ctx)
	switch v.rand.IntN(4) {
	case 0:
		v.save("/admin/settings/general", "/admin/settings/general", "settings_changed", url.Values{"site_name": {"Understudy " + v.any("A", "B")}, "language": {"en"}})
	case 1:
		v.ask("module settings", http.MethodPost, "/admin/settings/impersonation", url.Values{
			"s_disable_impersonation": {"false"}, "s_enable_customers": {"true"}, "s_enable_admins": {"true"}, "s_time_limit": {v.any("50", "60")},
		})
	case 2:
		if got, ok := v.ask("module page", http.MethodGet, "/admin/m/impersonation/active", nil); ok {
			if found := endField.FindStringSubmatch(got.Body); found != nil {
				v.token = html.UnescapeString(found[1])
				v.ask("force", http.MethodPost, "/admin/m/impersonation/active/end", url.Values{"id": {found[2]}})
			}
		}
	}
}

var endField = regexp.MustCompile(`(?s)/active/end">.*?name="form_token" value="([^"]+)".*?name="id" value="(\d+)"`)
