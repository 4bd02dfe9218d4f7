package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

func TestSignInAsksForBothAndLeadsBack(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.get("/admin/customers?q=acme").wants(t, 303).leadsTo(t, "/admin/login?next=%2Fadmin%2Fcustomers%3Fq%3Dacme")
	b.get("/admin/login?next=%2Fadmin%2Fcustomers").wants(t, 200).says(t, "Email Address", "Password", "Login", `value="/admin/customers"`)
	b.post("/admin/login", "email", ann, "password", "wrong").wants(t, 403).says(t, "The email address or the password is wrong", `value="admin@example.com"`)
	b.post("/admin/login", "email", jane, "password", demoPassword).wants(t, 403)
	b.post("/admin/login", "email", ann, "password", demoPassword, "next", "/admin/customers").wants(t, 303).leadsTo(t, "/admin/customers")
	b.get("/admin/login").wants(t, 303).leadsTo(t, "/admin")
	b.post("/admin/login", "email", ben, "password", demoPassword).wants(t, 409).says(t, "Ann Lee")
}

func TestLockoutSaysForHowLong(t *testing.T) {
	b := newSite(t).browser()
	for range 5 {
		b.post("/login", "email", jane, "password", "wrong").wants(t, 403)
	}
	b.post("/login", "email", jane, "password", demoPassword).wants(t, 429).says(t, "Try again in 15 min.")
}

// devise_masquerade CVE-2021-28680: the way back was an id in the client's hands. The cookie names nobody.
func TestTheCookieHoldsOnlyASecret(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	a := b.post("/admin/login", "email", ann, "password", demoPassword).wants(t, 303)
	set := a.Header.Get("Set-Cookie")
	for _, part := range []string{"understudy=", "HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(set, part) {
			t.Errorf("%q in %q", part, set)
		}
	}
	first := b.cookie().Value
	b.get("/admin").wants(t, 200)
	b.become(jane)
	second := b.cookie().Value
	if first == second || len(second) != 43 {
		t.Error("the secret did not change with the subject")
	}
	// The old secret is dead, and the answer to it doesn't take the newer cookie away.
	old := s.browser()
	if a := old.do("GET", "/", nil, "Cookie", "understudy="+first); a.StatusCode != http.StatusSeeOther || strings.Contains(a.Header.Get("Set-Cookie"), "understudy=") {
		t.Error(a.StatusCode, a.Header)
	}
}

func TestAnExpiredSignInKeepsTheForm(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	b.get("/admin/customers/new").wants(t, 200)
	s.ahead.Store(int64(24 * time.Hour))
	a := b.post("/admin/customers/new", "company", "Kept & Sons", "phone", "1").wants(t, 401).says(t, "The form you sent is kept", `name="kept"`)
	kept := hidden(t, a.body, "kept")
	a = b.post("/admin/login", "email", ann, "password", demoPassword, "kept", kept).wants(t, 200).says(t, "Your form was kept", `value="Kept &amp; Sons"`, "Continue")
	if strings.Contains(hidden(t, a.body, "form_token"), kept) {
		t.Error("the old token was kept")
	}
	b.post("/admin/customers/new", "company", "Kept & Sons", "phone", "1").wants(t, 303)
	b.get("/admin/customers?q=kept").wants(t, 200).says(t, "Kept &amp; Sons")
}

func TestAKeptFormLeadsNowhereElse(t *testing.T) {
	s := newSite(t)
	for _, kept := range []string{`{"action":"https://evil.example/","fields":{}}`, `{"action":"//evil.example","fields":{}}`, `{"action":"/company"}`, `nonsense`} {
		s.browser().post("/admin/login", "email", ann, "password", demoPassword, "kept", kept).wants(t, 303).leadsTo(t, "/admin")
	}
	b := s.browser()
	a := b.do("POST", "/admin/profile/password", url.Values{"old_password": {"secret-old"}, "password": {"secret-new"}, "note": {"x"}}).wants(t, 401)
	a.silent(t, "secret-old", "secret-new")
}

func hidden(t *testing.T, body, name string) string {
	t.Helper()
	_, after, ok := strings.Cut(body, `name="`+name+`" value="`)
	if !ok {
		t.Fatalf("no hidden field %s in\n%s", name, body)
	}
	value, _, _ := strings.Cut(after, `"`)
	return strings.NewReplacer("&#34;", `"`, "&amp;", "&", "&#43;", "+", "&lt;", "<", "&gt;", ">", "&#39;", "'").Replace(value)
}

func TestNextLeadsOnlyIntoTheArea(t *testing.T) {
	for next, want := range map[string]string{
		"/admin/customers": "/admin/customers", "/admin/customers?q=a%20b&after=x": "/admin/customers?q=a%20b&after=x", "/admin": "/admin",
		"": "/admin", "//evil.example": "/admin", "https://evil.example": "/admin", `/\evil.example`: "/admin", `\\evil.example`: "/admin", "/admin/../../evil": "/admin",
		"/admin\r\nSet-Cookie: a=b": "/admin", "/admin/%0d%0aX: y": "/admin", "/%5cevil.example": "/admin", "/company": "/admin", "/": "/admin",
		"javascript:alert(1)": "/admin", "/admin/login": "/admin", "/session/restore": "/admin", "/assets/x/app.js": "/admin", "http:/admin": "/admin", "/admin@evil.example": "/admin",
		" /admin": "/admin", "/adminevil": "/admin", "///evil.example/admin": "/admin",
	} {
		if got := nextAddress(next, crm.Admin); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
	if got := nextAddress("/admin/customers", crm.Portal); got != "/" {
		t.Errorf("the other area's address leads to %q", got)
	}
	if got := nextAddress("/company", crm.Portal); got != "/company" {
		t.Errorf("/company leads to %q", got)
	}
}

func FuzzNextStaysHere(f *testing.F) {
	for _, seed := range []string{"/admin", "//evil", `/\evil`, "/admin/%2f%2fevil", "/admin?x=//evil", "/admin/\tx", "/admin#//x"} {
		f.Add(seed)
	}
	here, _ := url.Parse("https://crm.example/admin/login")
	f.Fuzz(func(t *testing.T, next string) {
		got := nextAddress(next, crm.Admin)
		u, err := here.Parse(got)
		if err != nil || u.Host != "crm.example" || u.Scheme != "https" || (u.Path != "/admin" && !strings.HasPrefix(u.Path, "/admin/")) || strings.ContainsAny(got, "\\\r\n\t ") {
			t.Errorf("%q leads to %q", next, got)
		}
	})
}
