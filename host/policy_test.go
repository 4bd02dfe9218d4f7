package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

const impersonationPages = "/m/impersonation"

// Four eyes, on the real program: asked, approved by another administrator, good for one start.
func TestAnAdministratorNeedsAnothersApproval(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	admin, other := signedInClient(t, d, ann), newClient(t, d)
	other.signIn(admin.hire(t, "Zoe Quinn", "zoe@example.com", "en"))
	admin.want(admin.post("/admin/settings/impersonation", "s_four_eyes", "true"), http.StatusSeeOther)

	asked := admin.post("/session/switch", "target", "staff:5", "reason", "the invoice")
	admin.want(asked, http.StatusForbidden)
	if !strings.Contains(asked.text(), "Administrators have been asked") {
		t.Errorf("%s", asked.text())
	}
	if page := other.get("/admin"); !strings.Contains(page.text(), "Ann Lee asks to become Zoe Quinn, an administrator. Reason: the invoice") {
		t.Errorf("Zoe isn't told: %s", page.text())
	}
	version := regexp.MustCompile(`name="version" value="([^"]+)"`).FindStringSubmatch(other.get("/admin" + impersonationPages + "/approvals").Body)
	if version == nil {
		t.Fatal("the ask isn't on the page")
	}
	answer := []string{"actor", "staff:1", "target", "staff:5", "answer", "yes", "version", version[1]}
	admin.want(admin.post("/admin"+impersonationPages+"/approvals/answer", answer...), http.StatusForbidden)
	admin.want(admin.post("/session/switch", "target", "staff:5"), http.StatusForbidden)

	version = regexp.MustCompile(`name="version" value="([^"]+)"`).FindStringSubmatch(other.get("/admin" + impersonationPages + "/approvals").Body)
	answer[len(answer)-1] = version[1]
	other.want(other.post("/admin"+impersonationPages+"/approvals/answer", answer...), http.StatusSeeOther)
	if page := admin.get("/admin"); !strings.Contains(page.text(), "Zoe Quinn has approved that you become Zoe Quinn") {
		t.Errorf("Ann isn't told: %s", page.text())
	}
	admin.want(admin.post("/session/switch", "target", "staff:5"), http.StatusSeeOther)
	admin.want(admin.post("/session/restore"), http.StatusSeeOther)
	admin.want(admin.post("/session/switch", "target", "staff:5"), http.StatusForbidden)
	if page := other.get("/admin/activity"); !strings.Contains(page.text(), "impersonation approved") {
		t.Error("the approval isn't in the Activity Log")
	}
}

// The way round it that needs no second person: demote an administrator, become them, promote them
// from another browser. And one alert, not one a start, for who becomes many.
func TestFourEyesStayOnWhomSomebodyIsAlready(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	admin, other := signedInClient(t, d, ann), signedInClient(t, d, ann)
	admin.want(admin.post("/admin/settings/impersonation", "s_four_eyes", "true", "s_targets_per_hour", "1"), http.StatusSeeOther)
	start := func(target string) { // the last two are asked for the password
		admin.want(admin.post("/session/switch", "target", target, "reason", "a look", "password", demoPassword), http.StatusSeeOther)
	}
	start("staff:3")
	if page := admin.get("/session"); !strings.Contains(page.text(), "Cleo Park") {
		t.Fatalf("%s", page.text())
	}
	other.want(other.post("/admin/staff/3", "name", "Cleo Park", "email", cleo, "administrator", "true", "role", "0", "language", "en"), http.StatusSeeOther)
	if page := admin.get("/session"); strings.Contains(page.text(), "Cleo Park") {
		t.Errorf("an administrator now, and nobody approved: %s", page.text())
	}
	for _, target := range []string{"contact:1", "contact:2"} {
		start(target)
		admin.want(admin.post("/session/restore"), http.StatusSeeOther)
	}
	alerts := 0
	d.query(t, "SELECT COUNT(*) FROM account_notices WHERE text_key = 'notice_many_targets'", func(scan func(...any)) { scan(&alerts) })
	if alerts != 1 {
		t.Errorf("Cleo, the other administrator, has %d alerts", alerts)
	}
}

// The customer's side, on the real program: what runs ends at once, by "End now" and by "Never".
func TestACustomerEndsAndForbidsSupportAccess(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	admin, colleague, customer := signedInClient(t, d, ann), signedInClient(t, d, ben), signedInClient(t, d, jane)
	bystander := signedInClient(t, d, omar)
	admin.want(admin.post("/admin/settings/impersonation", "s_tell_subject", "portal", "s_ticket", "optional"), http.StatusSeeOther)
	start := func(target string) answer {
		return colleague.post("/session/switch", "target", target, "reason", "the invoice", "ticket", "T-7")
	}
	isBen := func(want bool) {
		t.Helper()
		if page := colleague.get("/session"); strings.Contains(page.text(), "ben@example.com") != want {
			t.Errorf("who is it: %s", page.text())
		}
	}
	colleague.want(start("contact:2"), http.StatusSeeOther)
	isBen(false)
	colleague.want(colleague.get(impersonationPages+"/access"), http.StatusForbidden) // Omar hasn't the right
	page := customer.get(impersonationPages + "/access")
	for _, says := range []string{"Ben Ortiz", "Omar Haddad", "the invoice", "T-7", "Active now"} {
		if !strings.Contains(page.text(), says) {
			t.Errorf("lacks %q: %s", says, page.text())
		}
	}
	id := regexp.MustCompile(`name="id" value="(\d+)"`).FindStringSubmatch(page.Body)
	if id == nil {
		t.Fatal("nothing can be ended")
	}
	bystander.want(bystander.post(impersonationPages+"/access/end", "id", id[1]), http.StatusForbidden)
	customer.want(customer.post(impersonationPages+"/access/end", "id", id[1]), http.StatusSeeOther)
	isBen(true)
	if page := admin.get("/admin" + impersonationPages + "/log"); !strings.Contains(page.text(), "Ended by the customer") || !strings.Contains(page.text(), "Jane Doe") {
		t.Errorf("the log says %s", page.text())
	}
	if page := bystander.get("/"); !strings.Contains(page.Body, "Ben Ortiz") {
		t.Errorf("Omar isn't told: %s", page.text())
	}

	colleague.want(start("contact:2"), http.StatusSeeOther)
	isBen(false)
	customer.want(customer.post(impersonationPages+"/access/choice", "choice", "never"), http.StatusSeeOther)
	isBen(true)
	if refused := start("contact:1"); refused.Status != http.StatusForbidden || !strings.Contains(refused.text(), "doesn't allow support access") {
		t.Errorf("%d %s", refused.Status, refused.text())
	}
	colleague.want(start("contact:3"), http.StatusSeeOther) // Globex has chosen nothing
	colleague.want(colleague.post("/session/restore"), http.StatusSeeOther)
	customer.want(customer.post(impersonationPages+"/access/choice", "choice", "ask", "hours", "1"), http.StatusSeeOther)
	colleague.want(start("contact:1"), http.StatusSeeOther)
	// Under the borrowed name the customer's choice can't be made, nor anything ended.
	colleague.want(colleague.post(impersonationPages+"/access/choice", "choice", "always"), http.StatusForbidden)
	if page := colleague.get(impersonationPages + "/access"); page.Status != http.StatusOK || strings.Contains(page.text(), "End now") {
		t.Errorf("%d %s", page.Status, page.text())
	}
	customer.want(customer.post(impersonationPages+"/access/choice", "choice", "ask", "withdraw", "yes"), http.StatusSeeOther)
	isBen(true)
}

// The timeline, and both exports, of what was really done.
func TestATimelineTellsWhatWasDone(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	admin := signedInClient(t, d, ann)
	admin.want(admin.post("/session/switch", "target", "contact:1", "reason", "=1+1"), http.StatusSeeOther)
	admin.want(admin.get("/company"), http.StatusOK)
	admin.want(admin.post("/company", "phone", "+44 20 7946 0000", "company", "Acme Ltd"), http.StatusSeeOther)
	admin.want(admin.post("/profile/password", "old_password", "x", "password", "y", "repeat", "y"), http.StatusForbidden)
	admin.want(admin.post("/session/restore"), http.StatusSeeOther)

	page := admin.get("/admin" + impersonationPages + "/log/entry?id=1")
	for _, says := range []string{"Started", "Page seen", "/company", "Changed", "Refused", "Ended", "=1+1"} {
		if !strings.Contains(page.text(), says) {
			t.Errorf("the timeline lacks %q: %s", says, page.text())
		}
	}
	entry := signedInClient(t, d, jane).get(impersonationPages + "/access/entry?id=1")
	if !strings.Contains(entry.text(), "Changed") || strings.Contains(entry.text(), "Page seen") {
		t.Errorf("Jane sees %s", entry.text())
	}
	for format, says := range map[string]string{"csv": "'=1+1", "json": `"reason":"=1+1"`} {
		file := admin.post("/admin"+impersonationPages+"/log/export", "format", format)
		if file.Status != http.StatusOK || !strings.Contains(file.Body, says) || !strings.HasSuffix(file.Header.Get("Content-Disposition"), "."+format) {
			t.Errorf("%s: %d %v %s", format, file.Status, file.Header, file.Body)
		}
	}
	admin.want(admin.get("/admin"+impersonationPages+"/log/export?format=csv"), http.StatusMethodNotAllowed)
	if page := admin.get("/admin" + impersonationPages + "/active"); strings.Contains(page.text(), "No:") || !strings.Contains(page.text(), "The way back to oneself can be reached") {
		t.Errorf("the self-check says %s", page.text())
	}
	if page := admin.get("/admin" + impersonationPages + "/who?" + url.Values{"staff": {"staff:3"}, "target": {"contact:1"}}.Encode()); !strings.Contains(page.text(), "Cleo Park may not become Jane Doe") {
		t.Errorf("%s", page.text())
	}
}

// Reading only at first, more by a reason and the own password, longer by a reason, and no longer
// than the cap: by the module's policy and the host's pages.
func TestReadOnlyIsRaisedAndExtendedByPolicy(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	admin := signedInClient(t, d, ann)
	if page := admin.post("/admin/settings/impersonation", "s_time_limit", "90", "s_hard_cap", "60"); page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.text(), "can't be shorter than the time limit") {
		t.Errorf("%d %s", page.Status, page.text())
	}
	admin.want(admin.post("/admin/settings/impersonation", "s_read_only", "true", "s_reason", "required", "s_hard_cap", "61"), http.StatusSeeOther)
	if page := admin.post("/session/switch", "target", "contact:1"); page.Status != http.StatusForbidden || !strings.Contains(page.text(), "A reason is required") {
		t.Errorf("%d %s", page.Status, page.text())
	}
	admin.want(admin.post("/session/switch", "target", "contact:1", "reason", "the invoice"), http.StatusSeeOther)
	admin.want(admin.post("/company", "phone", "1", "company", "Acme Ltd"), http.StatusForbidden)
	if page := admin.post("/session/elevate", "reason", "to correct it", "password", "wrong"); page.Status < 400 {
		t.Errorf("raised with a wrong password: %d", page.Status)
	}
	admin.want(admin.post("/session/elevate", "reason", "to correct it", "password", demoPassword), http.StatusSeeOther)
	admin.want(admin.post("/company", "phone", "2", "company", "Acme Ltd"), http.StatusSeeOther)
	d.exec(t, `UPDATE session_switches SET started_at = started_at - 600000, expires_at = expires_at - 600000`)
	if page := admin.post("/session/extend", "reason", "it takes longer"); page.Status != http.StatusSeeOther {
		t.Errorf("extend: %d %s", page.Status, page.text())
	}
	if page := admin.post("/session/extend", "reason", "and longer"); page.Status != http.StatusForbidden || !strings.Contains(page.text(), "longest time") {
		t.Errorf("beyond the cap: %d %s", page.Status, page.text())
	}
	admin.want(admin.post("/session/restore"), http.StatusSeeOther)
	page := admin.get("/admin" + impersonationPages + "/log")
	for _, says := range []string{"Read-only, then full from", "Extended: 1"} {
		if !strings.Contains(page.text(), says) {
			t.Errorf("the log lacks %q: %s", says, page.text())
		}
	}
}

// The picker by keyboard alone: everyone in one search, pinned without leaving the modal.
func TestPickingAcrossKindsAndPinning(t *testing.T) {
	t.Parallel()
	p := signedIn(t, runDemo(t), ann)
	p.openModal()
	p.dialog().Choose("User Type", "Everyone")
	p.dialog().SeeOptions("User", "ros", "Rosa Diaz (Globex)")
	p.dialog().Choose("User", "Rosa Diaz (Globex)")
	p.dialog().Click("button", "Pin this user")
	p.dialog().See("Pinned users")
	p.dialog().SeeRole("button", "Unpin Rosa Diaz (Globex)")
	p.dialog().Choose("User Type", "Everyone")
	p.dialog().SeeOptions("User", "ros", "Rosa Diaz (Globex)")
	p.dialog().Click("button", "Unpin Rosa Diaz (Globex)")
	p.dialog().SeeRole("button", "Impersonate")
	if p.dialog().HasRole("button", "Unpin Rosa Diaz (Globex)") {
		t.Error("she is pinned still")
	}
	p.dialog().Fill("Reason", "the invoice")
	p.dialog().Click("button", "Impersonate")
	p.SeeRole("button", "Stop Impersonation")
	p.stop()
	// Whom she was last comes first, before those whose names do.
	var first string
	p.openModal()
	p.dialog().Choose("User Type", "Customer")
	p.dialog().SeeOptions("User", "", "Jane Doe (Acme Ltd)", "Omar Haddad (Acme Ltd)", "Rosa Diaz (Globex)")
	p.Eval(`document.querySelector('[role=option]').innerText`, &first)
	if !strings.HasPrefix(first, "Rosa Diaz") {
		t.Errorf("first is %q", first)
	}
}
