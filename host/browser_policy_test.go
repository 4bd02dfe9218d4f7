package main

import (
	"strings"
	"testing"
)

// An impersonation as an auditor and a customer would have it: with a reason, reading only, widened
// on the record, told to whom it concerned, and ended or forbidden by the customer.
func TestAnImpersonationUnderPolicy(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	admin := signedIn(t, d, ann)
	admin.choosePolicy(map[string]string{"Reason": "Required", "Tell the person afterwards": "On their next page"}, "Read-only by default", "Four eyes for administrators", "Ask for the own password first")
	b := signedIn(t, d, ben)
	b.lookAsJane(t)
	b.widen(t)
	j := signedIn(t, d, jane)
	j.endsAndForbids(t)
	b.isOut()
	admin.readsAll(t)
}

// choosePolicy sets some choices, and Yes to some questions, on the module's settings page.
func (p *person) choosePolicy(choices map[string]string, yes ...string) {
	p.t.Helper()
	p.open("/admin/settings/impersonation")
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
func (p *person) lookAsJane(t *testing.T) {
	t.Helper()
	p.open("/admin")
	p.Press("Alt+Shift+I")
	p.SeeRole("dialog", "Impersonate")
	pictures(p.Browser, "policy-start")
	p.dialog().Choose("User Type", "Everyone")
	p.dialog().Choose("User", "Jane Doe (Acme Ltd)")
	p.dialog().Click("button", "Impersonate")
	p.SeeRole("dialog", "Impersonate") // the browser wants the reason first
	p.dialog().Fill("Reason", "She can't find her address")
	p.dialog().Click("button", "Impersonate")
	p.SeeRole("button", "Stop Impersonation")
	p.See("are signed in as Jane Doe (Acme Ltd), read-only")
	p.open("/company")
	p.See("read-only")
	if !p.disabled("button[type=submit].btn-primary") {
		t.Error("the button of what would be refused can be pressed")
	}
}

func (p *person) disabled(selector string) (is bool) {
	p.t.Helper()
	p.Eval(`document.querySelector('main `+selector+`').disabled`, &is)
	return is
}

// widen asks for more time and for more than reading, as somebody does who has no mouse.
func (p *person) widen(t *testing.T) {
	t.Helper()
	p.inspect(t, place{path: "/session/extend?next=/company", says: "Your time as Jane Doe"}, "policy-extend")
	p.inspect(t, place{path: "/session/elevate?next=/company", says: "Password of Ben Ortiz"}, "policy-elevate")
	p.Viewport(1280, 800)
	p.open("/company")
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
	p.open("/profile")
	p.See("This is refused while you are signed in as Jane Doe")
}

// endsAndForbids is the customer: she sees who, ends it, and forbids the next.
func (p *person) endsAndForbids(t *testing.T) {
	t.Helper()
	p.Click("link", "Support access")
	p.See("Ben Ortiz")
	p.See("She can't find her address")
	p.clickFirst("link", "What was changed Ben Ortiz")
	p.See("company")
	p.open("/m/impersonation/access")
	p.clickFirst("button", "End now Ben Ortiz")
	p.See("Ended. Whoever it was is out with their next click.")
	p.See("Ended by the customer")
	p.inspect(t, place{path: "/m/impersonation/access", says: "Ben Ortiz"}, "policy-access")
	p.Viewport(1280, 800)
	p.open("/m/impersonation/access")
	p.Click("radio", "Never")
	p.In("main", "").Click("button", "Save")
	p.See("Support may never sign in as your contacts.")
	p.open("/")
	p.See("Ben Ortiz") // the notice of what has ended
}

// isOut is the colleague whose time was ended, and who can't begin again.
func (p *person) isOut() {
	p.t.Helper()
	p.open("/company") // hers no more: home it is, with the sentence that says why
	p.WaitURL("/admin")
	p.See("Your time as Jane Doe was ended by the customer.")
	p.self("Ben Ortiz")
	p.openModal()
	p.dialog().Choose("User Type", "Customer")
	p.dialog().SeeOptions("User", "jane", "Jane Doe (Acme Ltd)")
	p.See("This customer doesn't allow support access.")
}

// readsAll is the administrator, afterwards.
func (p *person) readsAll(t *testing.T) {
	t.Helper()
	p.open("/admin/m/impersonation/log")
	p.clickFirst("link", "Timeline Ben Ortiz")
	for _, text := range []string{"Started", "Page seen", "Elevated to full", "She asked me to mend it", "Changed", "Ended"} {
		p.See(text)
	}
	p.inspect(t, place{path: p.path(), says: "Elevated to full"}, "policy-timeline")
	p.inspect(t, place{path: "/admin/m/impersonation/active", says: "Nobody acts as anybody just now"}, "policy-active")
	p.inspect(t, place{path: "/admin/m/impersonation/who?staff=staff:2&target=contact:1", says: "Roles"}, "policy-who")
	p.inspect(t, place{path: "/admin/m/impersonation/approvals", says: "Nobody asks for an approval"}, "policy-approvals")
}

// clickFirst clicks the first one whose name begins so.
func (p *person) clickFirst(role, begin string) {
	p.t.Helper()
	for _, name := range p.Names(role) {
		if strings.HasPrefix(name, begin) {
			p.Click(role, name)
			return
		}
	}
	p.t.Fatalf("there is no %s whose name begins with %q: %q", role, begin, p.Names(role))
}

func (p *person) path() (path string) {
	p.t.Helper()
	p.Eval(`location.pathname + location.search`, &path)
	return path
}
