package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

var proxiesOfTests = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fd00::/8")}

func from(peer string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = peer
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// A client is where the last hop nobody vouches for says it is, and has one address however it is written.
func TestTheClientIsTheLastHopThatIsNoProxy(t *testing.T) {
	const forwarded = "X-Forwarded-For"
	for _, c := range []struct {
		r    *http.Request
		want string
	}{
		{from("203.0.113.5:4000"), "203.0.113.5"},
		{from("203.0.113.5:4000", forwarded, "198.51.100.1"), "203.0.113.5"},
		{from("[::ffff:203.0.113.5]:4000"), "203.0.113.5"},
		{from("10.0.0.1:4000"), "10.0.0.1"},
		{from("10.0.0.1:4000", forwarded, "198.51.100.1"), "198.51.100.1"},
		{from("[::ffff:10.0.0.1]:4000", forwarded, "198.51.100.1"), "198.51.100.1"},
		{from("10.0.0.1:4000", forwarded, "1.1.1.1, 198.51.100.1, 10.0.0.9"), "198.51.100.1"},
		{from("10.0.0.1:4000", forwarded, "1.1.1.1", forwarded, "198.51.100.1"), "198.51.100.1"},
		{from("10.0.0.1:4000", forwarded, "198.51.100.1:5555"), "198.51.100.1"},
		{from("10.0.0.1:4000", forwarded, "[2001:DB8::0:1]:5555"), "2001:db8::1"},
		{from("10.0.0.1:4000", forwarded, "2001:db8:0::1"), "2001:db8::1"},
		{from("10.0.0.1:4000", forwarded, "::ffff:198.51.100.1"), "198.51.100.1"},
		{from("10.0.0.1:4000", forwarded, "10.0.0.7, 10.0.0.8"), "10.0.0.7"},
		{from("10.0.0.1:4000", forwarded, "198.51.100.1, unknown"), "10.0.0.1"},
		{from("10.0.0.1:4000", forwarded, "198.51.100.1, <script>, 10.0.0.9"), "10.0.0.9"},
		{from("10.0.0.1:4000", forwarded, ""), "10.0.0.1"},
		{from("[fd00::1]:4000", forwarded, "fe80::1%eth0"), "fe80::1"},
		{from("127.0.0.2:4000", forwarded, "198.51.100.1"), "127.0.0.2"},
	} {
		if got := clientIP(c.r, proxiesOfTests); got != c.want {
			t.Errorf("%s says %q: the client is %s, want %s", c.r.RemoteAddr, c.r.Header.Values(forwarded), got, c.want)
		}
	}
}

func TestTheProtocolIsTheProxysWord(t *testing.T) {
	s := &server{proxies: proxiesOfTests}
	const proto = "X-Forwarded-Proto"
	for _, c := range []struct {
		r    *http.Request
		want bool
	}{
		{from("10.0.0.1:1"), false},
		{from("10.0.0.1:1", proto, "http"), false},
		{from("10.0.0.1:1", proto, "https"), true},
		{from("10.0.0.1:1", proto, "HTTPS"), true},
		{from("10.0.0.1:1", proto, "http, https"), true},
		{from("10.0.0.1:1", proto, "https, http"), false},
		{from("10.0.0.1:1", proto, "https", proto, "http"), false},
		{from("203.0.113.5:1", proto, "https"), false},
	} {
		if got := s.overTLS(c.r); got != c.want {
			t.Errorf("%s says %q: TLS is %v", c.r.RemoteAddr, c.r.Header.Values(proto), got)
		}
	}
}

func TestARequestKeepsTheNumberAProxyGaveIt(t *testing.T) {
	const header = "X-Request-Id"
	for _, id := range []string{"0123456789abcdef0123456789abcdef", "7f3c6a52-8d1e-4a55-9d0f-aaaaaaaaaaaa", "req_01.ABCDE"} {
		if got := requestID(from("10.0.0.1:1", header, id), proxiesOfTests); got != id {
			t.Errorf("%q became %q", id, got)
		}
		if got := requestID(from("203.0.113.5:1", header, id), proxiesOfTests); got == id {
			t.Errorf("a stranger named it %q", id)
		}
	}
	for _, bad := range []string{"", "short", strings.Repeat("x", 49), "with space", "with\"quote", "line\nbreak", "<b>12345678</b>", "-begins-badly", "naïve-naïve"} {
		r := from("10.0.0.1:1")
		r.Header[header] = []string{bad}
		if got := requestID(r, proxiesOfTests); got == bad || len(got) != 16 {
			t.Errorf("%q was taken as %q", bad, got)
		}
	}
	two := from("10.0.0.1:1", header, "aaaaaaaaaaaa", header, "bbbbbbbbbbbb")
	if got := requestID(two, proxiesOfTests); got == "aaaaaaaaaaaa" || got == "bbbbbbbbbbbb" {
		t.Errorf("of two numbers one was taken: %q", got)
	}
}

// Nothing leads out of the base path, and nothing of it answers elsewhere.
func TestNothingLeadsOutOfTheBasePath(t *testing.T) {
	s := newSiteAt(t, "/crm")
	b := s.as(ann)
	for asked, want := range map[string]string{
		"/crm":                            "/crm/",
		"/crm?q=1":                        "/crm/?q=1",
		"/crm//admin//staff":              "/crm/admin/staff",
		"/crm/admin/./staff?q=a%26b":      "/crm/admin/staff?q=a%26b",
		"/crm/../admin":                   "/crm/admin",
		"/crm//evil.example/..%2f":        "/crm/evil.example/..%2f",
		"/crm/admin/staff/":               "/crm/admin/staff",
		"/crm/admin/customers//":          "/crm/admin/customers/",
		"/crm/admin/m/none/../../roles/x": "/crm/admin/roles/x",
	} {
		if a := b.raw(asked); a.Header.Get("Location") != want {
			t.Errorf("%s: %d, leads to %q, want %q", asked, a.StatusCode, a.Header.Get("Location"), want)
		}
	}
	for _, asked := range []string{"/", "/admin", "/crmx", "/crmadmin", "/crm%2Fadmin", "/%63rm/admin", "//crm/admin", "/CRM/admin", "/healthz", "/crm.evil.example/"} {
		a := b.raw(asked)
		if a.StatusCode != http.StatusNotFound || a.Header.Get("Location") != "" || a.Header.Get("X-Request-Id") == "" || !strings.Contains(a.body, "/crm/") {
			t.Errorf("%s: %d, %v, %s", asked, a.StatusCode, a.Header, a.body)
		}
	}
	for _, asked := range []string{"/crm/healthz", "/crm/readyz", "/crm/admin", "/crm/session"} {
		if a := b.raw(asked); a.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", asked, a.StatusCode)
		}
	}
}

// raw asks for an address as it stands, base path and all.
func (b *browser) raw(address string) answer {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.http.URL+address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.sent(r)
}

// At the end /readyz fails first, answers still come, and each tells its connection to close.
func TestAStoppingReplicaSaysSoAndGoesOn(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	b.get("/readyz").wants(t, 200)
	s.server.draining = func() bool { return true }
	b.get("/readyz").wants(t, 503).says(t, "stopping")
	if a := b.get("/admin").wants(t, 200); !a.Close {
		t.Error("the connection stays open")
	}
}

func TestEveryAnswerHasANumberOfItsOwn(t *testing.T) {
	s := newSite(t)
	b, seen := s.as(ann), map[string]bool{}
	for _, address := range []string{"/healthz", "/readyz", "/metrics", "/favicon.ico", "/assets/x/none.js", "/admin", "/admin", "/nowhere", "//admin", "/admin/roles/none", "/company"} {
		id := b.raw(address).Header.Get("X-Request-Id")
		if id == "" || seen[id] {
			t.Errorf("%s is called %q", address, id)
		}
		seen[id] = true
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodTrace} {
		if a := b.do(method, "/admin/profile", nil); a.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %d has no number", method, a.StatusCode)
		}
	}
}
