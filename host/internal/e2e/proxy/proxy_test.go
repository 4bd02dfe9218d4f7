// Package proxy tells of a host behind nginx as we ship it.
package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// below is the configuration we ship, changed for a path as it says itself.
func below(t *testing.T, path string) string {
	t.Helper()
	file := hosttest.ProxyFile(t)
	changed := strings.Replace(file, "location / {", "location "+path+"/ {", 1)
	if changed == file {
		t.Fatal("nginx.conf has no location /")
	}
	return changed
}

// The whole journey in a browser, behind nginx as we ship it, by TLS and below a path: the module
// comes in by an upload, and its pages stand below the path, too.
func TestTheJourneyBelowAPathBehindNginx(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t, "--bare", "--base-path", "/crm", "--trusted-proxies", "127.0.0.1")
	n := hosttest.StartProxy(t, below(t, "/crm"), d.Address)
	p := &e2e.Person{Browser: hosttest.NewBrowser(t), T: t, Site: n.Address + "/crm"}
	p.AnyCertificate()
	p.Open(strings.TrimSuffix(p.Site, "/crm") + "/crm")
	p.WaitURL(p.Site + "/login")
	p.SignIn(e2e.Ann, e2e.DemoPassword)
	if c := p.Cookie("understudy"); c == nil || !c.Secure || c.Path != "/crm/" {
		t.Errorf("the session's cookie: %+v", c)
	}
	staysBelow(p)
	p.Visit("/admin/modules")
	p.SetFile("Choose File", hosttest.Package(t, e2e.ShippedModule))
	p.Click("button", "Install")
	p.ModuleRow().Click("button", "Activate")
	p.ModuleRow().SeeRole("link", "View Log")
	staysBelow(p)
	p.SaveSettings(false, true, true)
	p.Impersonate("Customer", "Jane Doe (Acme Ltd)")
	p.WaitURL(p.Site + "/")
	p.Is("Jane Doe")
	staysBelow(p)
	p.In("navigation", "Main menu").Click("link", "Company details")
	p.WaitURL(p.Site + "/company")
	p.Visit("/session")
	staysBelow(p)
	p.Click("link", "Go on")
	p.WaitURL(p.Site + "/")
	p.Stop()
	p.Self("Ann Lee")
	p.Visit("/admin/modules")
	p.ModuleRow().Click("link", "View Log")
	p.WaitURL(p.Site + "/admin/m/impersonation/log")
	p.See("Jane Doe")
	for _, page := range []string{"Languages", "Timeline"} {
		p.Visit("/admin/m/impersonation/log")
		staysBelow(p)
		followed(p, page)
		staysBelow(p)
	}
	p.Visit("/admin/settings/impersonation")
	staysBelow(p)
	if said := p.ConsoleErrors(); len(said) > 0 {
		t.Errorf("the console: %q", said)
	}
}

// followed opens the first link of that name, and checks that it leads below the site.
func followed(p *e2e.Person, name string) {
	p.T.Helper()
	var href string
	p.Eval(fmt.Sprintf(`([...document.querySelectorAll("main a")].find(a => a.innerText.trim().startsWith(%q)) || {}).href || ""`, name), &href)
	if !strings.HasPrefix(href, p.Site+"/") {
		p.T.Errorf("%s: %s leads to %q", p.URL(), name, href)
		return
	}
	p.Open(href)
	p.SeeRole("main", "")
}

// staysBelow checks that everything the page leads to, sends to or loads stands below the site.
func staysBelow(p *e2e.Person) {
	p.T.Helper()
	var all []string
	p.Eval(`[...document.querySelectorAll("[href], [src], form, [formaction], [data-search-url], [hx-get]")].flatMap(e =>
		[e.getAttribute("href") !== null && (e.href.baseVal ?? e.href), e.getAttribute("src") !== null && e.src, e.tagName === "FORM" && e.getAttribute("action") !== null && new URL(e.getAttribute("action"), location).href,
		 e.hasAttribute("formaction") && e.formAction, e.dataset.searchUrl && new URL(e.dataset.searchUrl, location).href, e.getAttribute("hx-get") && new URL(e.getAttribute("hx-get"), location).href].filter(Boolean))`, &all)
	if len(all) == 0 {
		p.T.Errorf("%s leads nowhere", p.URL())
	}
	site, err := url.Parse(p.Site)
	if err != nil {
		p.T.Fatal(err)
	}
	for _, address := range all {
		u, err := url.Parse(address)
		if err != nil {
			p.T.Fatal(err)
		}
		if u.Host == "" || u.Host == site.Host {
			if strings.HasPrefix(u.Path, site.Path+"/") || u.Path == "" && u.Fragment != "" {
				continue
			}
			p.T.Errorf("%s leads to %s", p.URL(), address)
		}
	}
}

// behindNginx is a demo behind nginx as we ship it.
func behindNginx(t *testing.T, args ...string) (e2e.Demo, *hosttest.Proxy) {
	t.Helper()
	d := e2e.RunDemo(t, append([]string{"--trusted-proxies", "127.0.0.1"}, args...)...)
	return d, hosttest.StartProxy(t, hosttest.ProxyFile(t), d.Address)
}

// What nginx says of a browser is believed, what a browser says of itself, by nginx or past it, isn't.
func TestOnlyAProxySaysWhoAsks(t *testing.T) {
	t.Parallel()
	d, n := behindNginx(t)
	lies := http.Header{"X-Forwarded-For": {"203.0.113.9"}, "X-Forwarded-Proto": {"https"}, "X-Request-Id": {"chosen-by-a-stranger"}, "Forwarded": {"for=203.0.113.9"}, "X-Real-Ip": {"203.0.113.9"}}

	through := e2e.NewClient(t, d)
	through.Client, through.Site = *n.Client(t, "127.0.0.77"), n.Address
	got := through.Send(http.MethodPost, "/admin/login", url.Values{"email": {e2e.Ann}, "password": {e2e.DemoPassword}}, lies)
	through.Want(got, http.StatusSeeOther)
	if set := got.Header.Get("Set-Cookie"); !strings.Contains(set, "; Secure") {
		t.Errorf("by TLS the cookie is %q", set)
	}
	if id := got.Header.Get("X-Request-Id"); len(id) != 32 {
		t.Errorf("the request is called %q, not as nginx calls it", id)
	}
	wantSignIn(t, d, "127.0.0.77", got.Header.Get("X-Request-Id"))

	past := e2e.NewClient(t, d)
	past.Transport = n.Transport(t, "127.0.0.78") // the same machine, but no proxy's address
	got = past.Send(http.MethodPost, "/admin/login", url.Values{"email": {e2e.Ann}, "password": {e2e.DemoPassword}}, lies)
	past.Want(got, http.StatusSeeOther)
	if set := got.Header.Get("Set-Cookie"); strings.Contains(set, "; Secure") {
		t.Errorf("by plain http the cookie is %q", set)
	}
	if id := got.Header.Get("X-Request-Id"); id == "" || id == "chosen-by-a-stranger" {
		t.Errorf("the request is called %q", id)
	}
	wantSignIn(t, d, "127.0.0.78", got.Header.Get("X-Request-Id"))

	plain := n.Client(t, "127.0.0.77")
	response, err := plain.Get(n.Plain + "/admin/login?next=%2Fadmin%2Fstaff")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusPermanentRedirect || response.Header.Get("Location") != n.Address+"/admin/login?next=%2Fadmin%2Fstaff" {
		t.Errorf("plain http: %s, to %s", response.Status, response.Header.Get("Location"))
	}
}

// wantSignIn checks what the Activity Log says of the last sign-in.
func wantSignIn(t *testing.T, d e2e.Demo, ip, request string) {
	t.Helper()
	var gotIP, gotRequest string
	d.Query(t, "SELECT ip, request_id FROM audit_entries WHERE action = 'signed_in' ORDER BY id DESC LIMIT 1", func(scan func(...any)) { scan(&gotIP, &gotRequest) })
	if gotIP != ip || gotRequest != request {
		t.Errorf("the record has %s and request %s; they were %s and %s", gotIP, gotRequest, ip, request)
	}
}

// Packages come in through nginx as large as the host takes them, and are refused in the host's own words beyond.
func TestUploadsPassNginxUpToTheHostsLimit(t *testing.T) {
	t.Parallel()
	d, n := behindNginx(t, "--bare")
	c := e2e.NewClient(t, d)
	c.Client, c.Site = *n.Client(t, "127.0.0.1"), n.Address
	c.SignIn(e2e.Ann, e2e.DemoPassword)
	c.UploadTooBig(65 << 20)
}

// A replica that is gone, or stopping, is passed over, and what was sent to it isn't sent again.
func TestNginxPassesAReplicaOverThatIsGone(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t, "--bare", "--trusted-proxies", "127.0.0.1")
	n := hosttest.StartProxy(t, hosttest.ProxyFile(t), "http://127.0.0.1:1", d.Address) // nobody listens on the first
	c := e2e.NewClient(t, d)
	c.Client, c.Site = *n.Client(t, "127.0.0.1"), n.Address
	c.SignIn(e2e.Ann, e2e.DemoPassword)
	for range 4 {
		c.Want(c.Get("/admin"), http.StatusOK)
		c.Want(c.Post("/admin/profile", "name", "Ann Lee", "email", e2e.Ann, "language", ""), http.StatusSeeOther)
	}
}

// A replica that stops is noticed by nobody: neither by who reads nor by who sends something.
func TestAStoppingReplicaIsNotSeenThroughNginx(t *testing.T) {
	t.Parallel()
	leaving := e2e.RunDemo(t, "--bare", "--trusted-proxies", "127.0.0.1", "--drain-delay", "500ms")
	staying := e2e.RunDemo(t, "--bare", "--trusted-proxies", "127.0.0.1")
	n := hosttest.StartProxy(t, hosttest.ProxyFile(t), leaving.Address, staying.Address)
	var asked, wrong atomic.Int64
	ctx, enough := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			client := &http.Client{Transport: n.Transport(t, "127.0.0.1")}
			for i := 0; ctx.Err() == nil; i++ {
				address, method := n.Address+"/session", http.MethodGet
				if i%2 == 1 {
					address, method = n.Address+"/logout", http.MethodPost // of nobody: it asks for a sign-in
				}
				req, _ := http.NewRequestWithContext(context.WithoutCancel(ctx), method, address, http.NoBody)
				res, err := client.Do(req)
				if asked.Add(1); err != nil {
					t.Error(err)
					return
				}
				_ = res.Body.Close()
				if res.StatusCode >= 500 {
					wrong.Add(1)
				}
			}
		})
	}
	hosttest.Eventually(t, "both are asked", func() bool { return asked.Load() > 50 })
	if err := leaving.Stop(); err != nil {
		t.Error(err)
	}
	before := asked.Load()
	hosttest.Eventually(t, "the other goes on", func() bool { return asked.Load() > before+50 })
	enough()
	all.Wait()
	if wrong.Load() > 0 {
		t.Errorf("%d of %d requests failed", wrong.Load(), asked.Load())
	}
	t.Logf("%d requests", asked.Load())
}

func TestSettingsOfTheProxyThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for args, says := range map[string]string{
		"--base-path crm":                      "--base-path",
		"--base-path /a/../b":                  "--base-path",
		"--base-path //evil.example":           "--base-path",
		"--trusted-proxies 10.0.0.300":         "--trusted-proxies",
		"--trusted-proxies 127.0.0.1,::/0":     "everybody",
		"--trusted-proxies ::ffff:10.0.0.0/97": "IPv4",
		"--drain-delay -1s":                    "--drain-delay",
		"--drain-delay 1h":                     "--drain-delay",
		"--base-path /crm --mail.host 127.0.0.1 --mail.from crm@example.com --mail.links https://example.com": "--mail.links",
	} {
		data := t.TempDir()
		cmd := exec.CommandContext(t.Context(), hosttest.Program(t), append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data, "--modules", filepath.Join(data, "m")}, strings.Fields(args)...)...)
		said, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(said), says) {
			t.Errorf("%s: %v, %s", args, err, said)
		}
	}
}
