package switching

import (
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
)

// An impersonation as an auditor and a customer would have it: with a reason, reading only, widened
// on the record, told to whom it concerned, and ended or forbidden by the customer.
func TestAnImpersonationUnderPolicy(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	admin := e2e.SignedIn(t, d, e2e.Ann)
	choosePolicy(admin, map[string]string{"Reason": "Required", "Tell the person afterwards": "On their next page"}, "Read-only by default", "Four eyes for administrators", "Ask for the own password first")
	b := e2e.SignedIn(t, d, e2e.Ben)
	lookAsJane(t, b)
	widen(t, b)
	j := e2e.SignedIn(t, d, e2e.Jane)
	endsAndForbids(t, j)
	isOut(b)
	readsAll(t, admin)
}

// choosePolicy sets some choices, and Yes to some questions, on the module's settings page.
func choosePolicy(p *e2e.Person, choices map[string]string, yes ...string) {
	p.T.Helper()
	p.Visit("/admin/settings/impersonation")
	for label, choice := range choices {
		p.Choose(label, choice)
	}
	for _, name := range yes {
		p.In("group", name).Click("radio", "Yes")
	}
	p.Click("button", "Save Settings")
	p.See("Settings saved.")
	p.See("Every impersonation begins by reading only.")
}

// lookAsJane starts by the shortcut; what is seen can't be changed.
func lookAsJane(t *testing.T, p *e2e.Person) {
	t.Helper()
	p.Visit("/admin")
	p.Press("Alt+Shift+I")
	p.SeeRole("dialog", "Impersonate")
	e2e.Pictures(p.Browser, "policy-start")
	p.Dialog().Choose("User Type", "Everyone")
	p.Dialog().Choose("User", "Jane Doe (Acme Ltd)")
	p.Dialog().Click("button", "Impersonate")
	p.SeeRole("dialog", "Impersonate") // the browser wants the reason first
	p.Dialog().Fill("Reason", "She can't find her address")
	p.Dialog().Click("button", "Impersonate")
	p.SeeRole("button", "Stop Impersonation")
	p.See("are signed in as Jane Doe (Acme Ltd), read-only")
	p.Visit("/company")
	p.See("read-only")
	if !isDisabled(p, "button[type=submit].btn-primary") {
		t.Error("the button of what would be refused can be pressed")
	}
}

func isDisabled(p *e2e.Person, selector string) (is bool) {
	p.T.Helper()
	p.Eval(`document.querySelector('main `+selector+`').disabled`, &is)
	return is
}

// widen asks for more time and for more than reading, as somebody does who has no mouse.
func widen(t *testing.T, p *e2e.Person) {
	t.Helper()
	p.Inspect(t, e2e.Place{Path: "/session/extend?next=/company", Says: "Your time as Jane Doe"}, "policy-extend")
	p.Inspect(t, e2e.Place{Path: "/session/elevate?next=/company", Says: "Password of Ben Ortiz"}, "policy-elevate")
	p.Viewport(1280, 800)
	p.Visit("/company")
	p.Click("link", "Allow changes")
	p.Fill("Reason", "She asked me to mend it")
	p.Fill("Password of Ben Ortiz", "not the password")
	p.Press("Enter")
	p.See("The current password is wrong.")
	if kept := ""; true {
		p.Eval(`document.querySelector('textarea[name=reason]').value`, &kept)
		if kept != "She asked me to mend it" {
			t.Errorf("of what was typed %q is left", kept)
		}
	}
	p.Fill("Password of Ben Ortiz", "understudy-demo")
	p.Press("Enter")
	p.WaitURL("/company")
	p.See("You can make changes as Jane Doe now.")
	p.Fill("City", "Leeds")
	p.Click("button", "Save")
	p.See("saved")
	p.Visit("/profile")
	p.See("This is refused while you are signed in as Jane Doe")
}

// endsAndForbids is the customer: she sees who, ends it, and forbids the next.
func endsAndForbids(t *testing.T, p *e2e.Person) {
	t.Helper()
	p.Click("link", "Support access")
	p.See("Ben Ortiz")
	p.See("She can't find her address")
	clickFirst(p, "link", "What was changed Ben Ortiz")
	p.See("company")
	p.Visit("/m/impersonation/access")
	clickFirst(p, "button", "End now Ben Ortiz")
	p.See("Ended. Whoever it was is out with their next click.")
	p.See("Ended by the customer")
	p.Inspect(t, e2e.Place{Path: "/m/impersonation/access", Says: "Ben Ortiz"}, "policy-access")
	p.Viewport(1280, 800)
	p.Visit("/m/impersonation/access")
	p.Click("radio", "Never")
	p.In("main", "").Click("button", "Save")
	p.See("Support may never sign in as your contacts.")
	p.Visit("/")
	p.See("Ben Ortiz") // the notice of what has ended
}

// isOut is the colleague whose time was ended, and who can't begin again.
func isOut(p *e2e.Person) {
	p.T.Helper()
	p.Visit("/company") // hers no more: home it is, with the sentence that says why
	p.WaitURL("/admin")
	p.See("Your time as Jane Doe was ended by the customer.")
	p.Self("Ben Ortiz")
	p.OpenModal()
	p.Dialog().Choose("User Type", "Customer")
	p.Dialog().SeeOptions("User", "jane", "Jane Doe (Acme Ltd)")
	p.See("This customer doesn't allow support access.")
}

// readsAll is the administrator, afterwards.
func readsAll(t *testing.T, p *e2e.Person) {
	t.Helper()
	p.Visit("/admin/m/impersonation/log")
	clickFirst(p, "link", "Timeline Ben Ortiz")
	for _, text := range []string{"Started", "Page seen", "Elevated to full", "She asked me to mend it", "Changed", "Ended"} {
		p.See(text)
	}
	p.Inspect(t, e2e.Place{Path: pathOf(p), Says: "Elevated to full"}, "policy-timeline")
	p.Inspect(t, e2e.Place{Path: "/admin/m/impersonation/active", Says: "Nobody acts as anybody just now"}, "policy-active")
	p.Inspect(t, e2e.Place{Path: "/admin/m/impersonation/who?staff=staff:2&target=contact:1", Says: "Roles"}, "policy-who")
	p.Inspect(t, e2e.Place{Path: "/admin/m/impersonation/approvals", Says: "Nobody asks for an approval"}, "policy-approvals")
}

// clickFirst clicks the first one whose name begins so.
func clickFirst(p *e2e.Person, role, begin string) {
	p.T.Helper()
	for _, name := range p.Names(role) {
		if strings.HasPrefix(name, begin) {
			p.Click(role, name)
			return
		}
	}
	p.T.Fatalf("there is no %s whose name begins with %q: %q", role, begin, p.Names(role))
}

func pathOf(p *e2e.Person) (path string) {
	p.T.Helper()
	p.Eval(`location.pathname + location.search`, &path)
	return path
}
