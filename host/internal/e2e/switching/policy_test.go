package switching

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
)

const impersonationPages = "/m/impersonation"

// Four eyes, on the real program: asked, approved by another administrator, good for one start.
func TestAnAdministratorNeedsAnothersApproval(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	admin, other := e2e.SignedInClient(t, d, e2e.Ann), e2e.NewClient(t, d)
	other.SignIn(admin.Hire(t, "Zoe Quinn", "zoe@example.com", "en"))
	admin.Want(admin.Post("/admin/settings/impersonation", "s_four_eyes", "true"), http.StatusSeeOther)

	asked := admin.Post("/session/switch", "target", "staff:5", "reason", "the invoice")
	admin.Want(asked, http.StatusForbidden)
	if !strings.Contains(asked.Text(), "Administrators have been asked") {
		t.Errorf("%s", asked.Text())
	}
	if page := other.Get("/admin"); !strings.Contains(page.Text(), "Ann Lee asks to become Zoe Quinn, an administrator. Reason: the invoice") {
		t.Errorf("Zoe isn't told: %s", page.Text())
	}
	version := regexp.MustCompile(`name="version" value="([^"]+)"`).FindStringSubmatch(other.Get("/admin" + impersonationPages + "/approvals").Body)
	if version == nil {
		t.Fatal("the ask isn't on the page")
	}
	answer := []string{"actor", "staff:1", "target", "staff:5", "answer", "yes", "version", version[1]}
	admin.Want(admin.Post("/admin"+impersonationPages+"/approvals/answer", answer...), http.StatusForbidden)
	admin.Want(admin.Post("/session/switch", "target", "staff:5"), http.StatusForbidden)

	version = regexp.MustCompile(`name="version" value="([^"]+)"`).FindStringSubmatch(other.Get("/admin" + impersonationPages + "/approvals").Body)
	answer[len(answer)-1] = version[1]
	other.Want(other.Post("/admin"+impersonationPages+"/approvals/answer", answer...), http.StatusSeeOther)
	if page := admin.Get("/admin"); !strings.Contains(page.Text(), "Zoe Quinn has approved that you become Zoe Quinn") {
		t.Errorf("Ann isn't told: %s", page.Text())
	}
	admin.Want(admin.Post("/session/switch", "target", "staff:5"), http.StatusSeeOther)
	admin.Want(admin.Post("/session/restore"), http.StatusSeeOther)
	admin.Want(admin.Post("/session/switch", "target", "staff:5"), http.StatusForbidden)
	if page := other.Get("/admin/activity"); !strings.Contains(page.Text(), "impersonation approved") {
		t.Error("the approval isn't in the Activity Log")
	}
}

// The way round it that needs no second person: demote an administrator, become them, promote them
// from another browser. And one alert, not one a start, for who becomes many.
func TestFourEyesStayOnWhomSomebodyIsAlready(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	admin, other := e2e.SignedInClient(t, d, e2e.Ann), e2e.SignedInClient(t, d, e2e.Ann)
	admin.Want(admin.Post("/admin/settings/impersonation", "s_four_eyes", "true", "s_targets_per_hour", "1"), http.StatusSeeOther)
	start := func(target string) { // the last two are asked for the password
		admin.Want(admin.Post("/session/switch", "target", target, "reason", "a look", "password", e2e.DemoPassword), http.StatusSeeOther)
	}
	start("staff:3")
	if page := admin.Get("/session"); !strings.Contains(page.Text(), "Cleo Park") {
		t.Fatalf("%s", page.Text())
	}
	other.Want(other.Post("/admin/staff/3", "name", "Cleo Park", "email", e2e.Cleo, "administrator", "true", "role", "0", "language", "en"), http.StatusSeeOther)
	if page := admin.Get("/session"); strings.Contains(page.Text(), "Cleo Park") {
		t.Errorf("an administrator now, and nobody approved: %s", page.Text())
	}
	for _, target := range []string{"contact:1", "contact:2"} {
		start(target)
		admin.Want(admin.Post("/session/restore"), http.StatusSeeOther)
	}
	alerts := 0
	d.Query(t, "SELECT COUNT(*) FROM account_notices WHERE text_key = 'notice_many_targets'", func(scan func(...any)) { scan(&alerts) })
	if alerts != 1 {
		t.Errorf("Cleo, the other administrator, has %d alerts", alerts)
	}
}

// The customer's side, on the real program: what runs ends at once, by "End now" and by "Never".
func TestACustomerEndsAndForbidsSupportAccess(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	admin, colleague, customer := e2e.SignedInClient(t, d, e2e.Ann), e2e.SignedInClient(t, d, e2e.Ben), e2e.SignedInClient(t, d, e2e.Jane)
	bystander := e2e.SignedInClient(t, d, e2e.Omar)
	admin.Want(admin.Post("/admin/settings/impersonation", "s_tell_subject", "portal", "s_ticket", "optional"), http.StatusSeeOther)
	start := func(target string) e2e.Answer {
		return colleague.Post("/session/switch", "target", target, "reason", "the invoice", "ticket", "T-7")
	}
	isBen := func(want bool) {
		t.Helper()
		if page := colleague.Get("/session"); strings.Contains(page.Text(), "ben@example.com") != want {
			t.Errorf("who is it: %s", page.Text())
		}
	}
	colleague.Want(start("contact:2"), http.StatusSeeOther)
	isBen(false)
	colleague.Want(colleague.Get(impersonationPages+"/access"), http.StatusForbidden) // Omar hasn't the right
	page := customer.Get(impersonationPages + "/access")
	for _, says := range []string{"Ben Ortiz", "Omar Haddad", "the invoice", "T-7", "Active now"} {
		if !strings.Contains(page.Text(), says) {
			t.Errorf("lacks %q: %s", says, page.Text())
		}
	}
	id := regexp.MustCompile(`name="id" value="(\d+)"`).FindStringSubmatch(page.Body)
	if id == nil {
		t.Fatal("nothing can be ended")
	}
	bystander.Want(bystander.Post(impersonationPages+"/access/end", "id", id[1]), http.StatusForbidden)
	customer.Want(customer.Post(impersonationPages+"/access/end", "id", id[1]), http.StatusSeeOther)
	isBen(true)
	if page := admin.Get("/admin" + impersonationPages + "/log"); !strings.Contains(page.Text(), "Ended by the customer") || !strings.Contains(page.Text(), "Jane Doe") {
		t.Errorf("the log says %s", page.Text())
	}
	if page := bystander.Get("/"); !strings.Contains(page.Body, "Ben Ortiz") {
		t.Errorf("Omar isn't told: %s", page.Text())
	}

	colleague.Want(start("contact:2"), http.StatusSeeOther)
	isBen(false)
	customer.Want(customer.Post(impersonationPages+"/access/choice", "choice", "never"), http.StatusSeeOther)
	isBen(true)
	if refused := start("contact:1"); refused.Status != http.StatusForbidden || !strings.Contains(refused.Text(), "doesn't allow support access") {
		t.Errorf("%d %s", refused.Status, refused.Text())
	}
	colleague.Want(start("contact:3"), http.StatusSeeOther) // Globex has chosen nothing
	colleague.Want(colleague.Post("/session/restore"), http.StatusSeeOther)
	customer.Want(customer.Post(impersonationPages+"/access/choice", "choice", "ask", "hours", "1"), http.StatusSeeOther)
	colleague.Want(start("contact:1"), http.StatusSeeOther)
	// Under the borrowed name the customer's choice can't be made, nor anything ended.
	colleague.Want(colleague.Post(impersonationPages+"/access/choice", "choice", "always"), http.StatusForbidden)
	if page := colleague.Get(impersonationPages + "/access"); page.Status != http.StatusOK || strings.Contains(page.Text(), "End now") {
		t.Errorf("%d %s", page.Status, page.Text())
	}
	customer.Want(customer.Post(impersonationPages+"/access/choice", "choice", "ask", "withdraw", "yes"), http.StatusSeeOther)
	isBen(true)
}

// The timeline, and both exports, of what was really done.
func TestATimelineTellsWhatWasDone(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	admin := e2e.SignedInClient(t, d, e2e.Ann)
	admin.Want(admin.Post("/session/switch", "target", "contact:1", "reason", "=1+1"), http.StatusSeeOther)
	admin.Want(admin.Get("/company"), http.StatusOK)
	admin.Want(admin.Post("/company", "phone", "+44 20 7946 0000", "company", "Acme Ltd"), http.StatusSeeOther)
	admin.Want(admin.Post("/profile/password", "old_password", "x", "password", "y", "repeat", "y"), http.StatusForbidden)
	admin.Want(admin.Post("/session/restore"), http.StatusSeeOther)

	page := admin.Get("/admin" + impersonationPages + "/log/entry?id=1")
	for _, says := range []string{"Started", "Page seen", "/company", "Changed", "Refused", "Ended", "=1+1"} {
		if !strings.Contains(page.Text(), says) {
			t.Errorf("the timeline lacks %q: %s", says, page.Text())
		}
	}
	entry := e2e.SignedInClient(t, d, e2e.Jane).Get(impersonationPages + "/access/entry?id=1")
	if !strings.Contains(entry.Text(), "Changed") || strings.Contains(entry.Text(), "Page seen") {
		t.Errorf("Jane sees %s", entry.Text())
	}
	for format, says := range map[string]string{"csv": "'=1+1", "json": `"reason":"=1+1"`} {
		file := admin.Post("/admin"+impersonationPages+"/log/export", "format", format)
		if file.Status != http.StatusOK || !strings.Contains(file.Body, says) || !strings.HasSuffix(file.Header.Get("Content-Disposition"), "."+format) {
			t.Errorf("%s: %d %v %s", format, file.Status, file.Header, file.Body)
		}
	}
	admin.Want(admin.Get("/admin"+impersonationPages+"/log/export?format=csv"), http.StatusMethodNotAllowed)
	if page := admin.Get("/admin" + impersonationPages + "/active"); strings.Contains(page.Text(), "No:") || !strings.Contains(page.Text(), "The way back to oneself can be reached") {
		t.Errorf("the self-check says %s", page.Text())
	}
	if page := admin.Get("/admin" + impersonationPages + "/who?" + url.Values{"staff": {"staff:3"}, "target": {"contact:1"}}.Encode()); !strings.Contains(page.Text(), "Cleo Park may not become Jane Doe") {
		t.Errorf("%s", page.Text())
	}
}

// Reading only at first, more by a reason and the own password, longer by a reason, and no longer
// than the cap: by the module's policy and the host's pages.
func TestReadOnlyIsRaisedAndExtendedByPolicy(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	admin := e2e.SignedInClient(t, d, e2e.Ann)
	if page := admin.Post("/admin/settings/impersonation", "s_time_limit", "90", "s_hard_cap", "60"); page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Text(), "can't be shorter than the time limit") {
		t.Errorf("%d %s", page.Status, page.Text())
	}
	admin.Want(admin.Post("/admin/settings/impersonation", "s_read_only", "true", "s_reason", "required", "s_hard_cap", "61"), http.StatusSeeOther)
	if page := admin.Post("/session/switch", "target", "contact:1"); page.Status != http.StatusForbidden || !strings.Contains(page.Text(), "A reason is required") {
		t.Errorf("%d %s", page.Status, page.Text())
	}
	admin.Want(admin.Post("/session/switch", "target", "contact:1", "reason", "the invoice"), http.StatusSeeOther)
	admin.Want(admin.Post("/company", "phone", "1", "company", "Acme Ltd"), http.StatusForbidden)
	if page := admin.Post("/session/elevate", "reason", "to correct it", "password", "wrong"); page.Status < 400 {
		t.Errorf("raised with a wrong password: %d", page.Status)
	}
	admin.Want(admin.Post("/session/elevate", "reason", "to correct it", "password", e2e.DemoPassword), http.StatusSeeOther)
	admin.Want(admin.Post("/company", "phone", "2", "company", "Acme Ltd"), http.StatusSeeOther)
	d.Exec(t, `UPDATE session_switches SET started_at = started_at - 600000, expires_at = expires_at - 600000`)
	if page := admin.Post("/session/extend", "reason", "it takes longer"); page.Status != http.StatusSeeOther {
		t.Errorf("extend: %d %s", page.Status, page.Text())
	}
	if page := admin.Post("/session/extend", "reason", "and longer"); page.Status != http.StatusForbidden || !strings.Contains(page.Text(), "longest time") {
		t.Errorf("beyond the cap: %d %s", page.Status, page.Text())
	}
	admin.Want(admin.Post("/session/restore"), http.StatusSeeOther)
	page := admin.Get("/admin" + impersonationPages + "/log")
	for _, says := range []string{"Read-only, then full from", "Extended: 1"} {
		if !strings.Contains(page.Text(), says) {
			t.Errorf("the log lacks %q: %s", says, page.Text())
		}
	}
}

// The picker by keyboard alone: everyone in one search, pinned without leaving the modal.
func TestPickingAcrossKindsAndPinning(t *testing.T) {
	t.Parallel()
	p := e2e.SignedIn(t, e2e.RunDemo(t), e2e.Ann)
	p.OpenModal()
	p.Dialog().Choose("User Type", "Everyone")
	p.Dialog().SeeOptions("User", "ros", "Rosa Diaz (Globex)")
	p.Dialog().Choose("User", "Rosa Diaz (Globex)")
	p.Dialog().Click("button", "Pin this user")
	p.Dialog().See("Pinned users")
	p.Dialog().SeeRole("button", "Unpin Rosa Diaz (Globex)")
	p.Dialog().Choose("User Type", "Everyone")
	p.Dialog().SeeOptions("User", "ros", "Rosa Diaz (Globex)")
	p.Dialog().Click("button", "Unpin Rosa Diaz (Globex)")
	p.Dialog().SeeRole("button", "Impersonate")
	if p.Dialog().HasRole("button", "Unpin Rosa Diaz (Globex)") {
		t.Error("she is pinned still")
	}
	p.Dialog().Fill("Reason", "the invoice")
	p.Dialog().Click("button", "Impersonate")
	p.SeeRole("button", "Stop Impersonation")
	p.Stop()
	// Whom she was last comes first, before those whose names do.
	var first string
	p.OpenModal()
	p.Dialog().Choose("User Type", "Customer")
	p.Dialog().SeeOptions("User", "", "Jane Doe (Acme Ltd)", "Omar Haddad (Acme Ltd)", "Rosa Diaz (Globex)")
	p.Eval(`document.querySelector('[role=option]').innerText`, &first)
	if !strings.HasPrefix(first, "Rosa Diaz") {
		t.Errorf("first is %q", first)
	}
}
