package walls

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// evilAndShipped is a folder with the shipped module and one without grants that answers whatever the
// query says.
func evilAndShipped(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, source := range []string{e2e.ShippedModule, "host/internal/hosttest/testdata/evil"} {
		zip := hosttest.Package(t, source)
		if err := os.Symlink(zip, filepath.Join(dir, filepath.Base(zip))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestNothingAModuleAnswersReachesBeyondItsBox shows a hundred hostile answers to somebody who is
// impersonating, in a page and in a dialog: banner and Stop stay on top, the page's script works on,
// nothing of the host's is asked for, and Chromium reads what is left as the host does.
func TestNothingAModuleAnswersReachesBeyondItsBox(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t, "--packages", evilAndShipped(t))
	p := e2e.SignedIn(t, d, e2e.Ann)
	for name, story := range map[string]func(*testing.T, *e2e.Person){
		"dialogs of many types are text, a page or nothing": dialogsOfManyTypes,
		"a button that says it is Install installs nothing": oneClickMakesNoAdministrator,
		"answers are what they were declared to be":         answersAreWhatTheyWereDeclared,
		"only a person is led on to another address":        onlyAPersonIsLedOn,
	} {
		t.Run(name, func(t *testing.T) { story(t, p.Part(t)) })
	}
	p = e2e.SignedIn(t, d, e2e.Ann)
	p.Impersonate("Customer", "Jane Doe (Acme Ltd)")
	for _, answer := range hostileAnswers {
		t.Run(answer.name, func(t *testing.T) { standsAnswer(p.Part(t), answer.body) })
	}
	t.Run("fields named as what forms have", func(t *testing.T) {
		p := p.Part(t)
		p.Visit("/")
		var names []string
		p.Eval(namesOfForms, &names)
		standsAnswer(p, `<form method="post" action="/m/evil/echo"><input name="`+strings.Join(names, `"><input name="`)+`"><button>x</button></form>`)
	})
	t.Run("a dialog over the way back", func(t *testing.T) { dialogsLeaveTheWayBack(t, p.Part(t)) })
	p.Visit("/")
	p.Stop()
}

// evilPage is the address of a page of the evil module that answers so.
func evilPage(area, page, kind, body string) string {
	return area + "/m/evil/" + page + "?" + url.Values{"type": {kind}, "body": {body}}.Encode()
}

// standing is what must hold of every page while somebody is impersonating.
const standing = `(() => {
	const wrong = [];
	const onTop = (name, e) => {
		e.scrollIntoView({ block: "nearest" });
		const r = e.getBoundingClientRect();
		const hit = Document.prototype.elementFromPoint.call(document, r.left + r.width / 2, r.top + r.height / 2);
		if (!hit || !(e === hit || e.contains(hit))) wrong.push(name + " is covered by " + (hit && hit.outerHTML.slice(0, 200)));
	};
	const all = (s) => [...Document.prototype.querySelectorAll.call(document, s)];
	const attributesOf = (e) => [...Object.getOwnPropertyDescriptor(Element.prototype, "attributes").get.call(e)];
	const attribute = (e, name) => Element.prototype.getAttribute.call(e, name);
	const banner = all("body > .switch-banner");
	const stop = all(".bar form[action='/session/restore'] button");
	if (banner.length !== 1) wrong.push(banner.length + " banners"); else onTop("the banner", banner[0]);
	if (stop.length !== 1) wrong.push(stop.length + " ways back"); else onTop("Stop", stop[0]);
	if (all(".switch-banner").length !== 1) wrong.push("a banner of the module's");
	if (all("[data-until]").length !== 1 || all("[data-countdown]").length !== 1) wrong.push("another countdown");
	const box = all(".module-page")[0];
	if (!box) return [...wrong, "no box"];
	for (const e of box.querySelectorAll("*")) {
		if (Element.prototype.closest.call(e, ".ts-wrapper, .tomselected")) continue; // the host's own select
		for (const a of attributesOf(e)) {
			if (/^(on|style$|hx-|data-bs-|data-hx-|popover|command|form$|srcdoc|target)/.test(a.name)) wrong.push(a.name + " on " + e.localName);
			if (a.name === "id" && !a.value.startsWith("m-evil-")) wrong.push("id " + a.value);
		}
		if (/^(script|style|iframe|frame|object|embed|link|meta|base|template|svg|math|dialog|noscript|portal|fencedframe)$/.test(e.localName)) wrong.push(e.localName);
		if (e.localName === "input" && e.type === "password") wrong.push("a password field");
		if (/password|one-time|webauthn|username|cc-/.test(attribute(e, "autocomplete") || "")) wrong.push("asks for credentials");
		const leads = e.localName === "form" ? attribute(e, "action") : attribute(e, "formaction");
		if (leads !== null && !new URL(leads, location.href).pathname.startsWith("/m/evil/")) wrong.push(e.localName + " leads to " + leads);
		if (e.localName === "a" && e.href && new URL(e.href).origin !== location.origin) wrong.push("a link to " + e.href);
		const s = getComputedStyle(e);
		if (s.position === "fixed" || s.position === "sticky") wrong.push(e.localName + " is " + s.position);
	}
	const asked = performance.getEntriesByType("resource").map((r) => new URL(r.name))
		.filter((u) => u.origin !== location.origin || !/^\/(assets|m\/evil)\//.test(u.pathname));
	if (asked.length) wrong.push("asked for " + asked.join(" "));
	const e = document.documentElement;
	if (e.scrollWidth > e.clientWidth) wrong.push("the page is wider than the screen");
	return wrong;
})()`

// namesOfForms are the properties of a form that a field of that name takes the place of.
const namesOfForms = `(() => {
	const names = new Set();
	for (let p = HTMLFormElement.prototype; p; p = Object.getPrototypeOf(p)) Object.getOwnPropertyNames(p).forEach((n) => names.add(n));
	return [...names];
})()`

// changedTab is another tab that says who this browser is now; the page must say that it is out of date.
const changedTab = `new Promise((done) => {
	const channel = new BroadcastChannel("understudy");
	channel.postMessage({ subject: "staff:99", name: "Somebody Else", session: 99, version: 99 });
	let tries = 0;
	const look = () => {
		const dialog = Document.prototype.getElementById.call(document, "changed");
		if (dialog.open) { channel.close(); dialog.close(); done(true); }
		else if (++tries > 500) done(false);
		else requestAnimationFrame(look);
	};
	look();
})`

// pressed clicks whatever can be clicked in the box, without leaving the page.
const pressed = `(() => {
	addEventListener("click", (e) => e.preventDefault());
	addEventListener("submit", (e) => e.preventDefault());
	const some = [...document.querySelector(".module-page").querySelectorAll("a, button, summary, label, [role], [tabindex], input, div, span, p")];
	for (const e of some.slice(0, 50)) {
		if (!Element.prototype.matches.call(e, "a[data-modal]")) HTMLElement.prototype.click.call(e);
	}
})()`

// inBox lists the elements in the box as the browser parses them: name, then attributes in order. The
// page's script has changed nothing of it.
const inBox = `new Promise((done) => {
	const request = new XMLHttpRequest();
	request.open("GET", location.href);
	request.responseType = "document";
	request.onload = () => done([...request.response.querySelector(".module-page").querySelectorAll("*")].map((e) =>
		[e.localName, ...[...Object.getOwnPropertyDescriptor(Element.prototype, "attributes").get.call(e)].map((a) => a.name + "=" + a.value).sort()].join(" ")));
	request.send();
})`

// standsAnswer opens an answer as a page of the portal and holds all that must hold.
func standsAnswer(p *e2e.Person, body string) {
	p.T.Helper()
	path := evilPage("", "", "text/html", body)
	before := len(p.ConsoleErrors())
	p.Visit(path)
	check := func(when string) {
		p.T.Helper()
		var wrong []string
		p.Eval(standing, &wrong)
		if len(wrong) > 0 {
			p.T.Errorf("%s: %s", when, strings.Join(wrong, "; "))
		}
	}
	check("shown")
	var read []string
	p.Eval(inBox, &read)
	if want := asTheHostReads(p, path); !slices.Equal(read, want) {
		p.T.Errorf("Chromium reads\n%s\nthe host wrote\n%s", strings.Join(read, "\n"), strings.Join(want, "\n"))
	}
	p.Eval(pressed, nil)
	check("pressed")
	var told bool
	if p.Eval(changedTab, &told); !told {
		p.T.Error("the page doesn't notice that this browser is somebody else's now")
	}
	for _, said := range p.ConsoleErrors()[before:] {
		if !strings.HasPrefix(said, "network: ") { // an image the module doesn't have
			p.T.Errorf("the console says %s", said)
		}
	}
}

// asTheHostReads lists the elements in the box by the host's own parser, out of the page as it was sent.
func asTheHostReads(p *e2e.Person, path string) []string {
	p.T.Helper()
	var page string
	p.Eval(`fetch(`+quote(path)+`).then((r) => r.text())`, &page)
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		p.T.Fatal(err)
	}
	list := []string{}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "class" && a.Val == "module-page" }) {
			for inner := range n.Descendants() {
				if inner.Type == html.ElementNode {
					var attributes []string
					for _, a := range inner.Attr {
						attributes = append(attributes, a.Key+"="+a.Val)
					}
					slices.Sort(attributes)
					list = append(list, strings.Join(append([]string{inner.Data}, attributes...), " "))
				}
			}
		}
	}
	return list
}

func quote(text string) string {
	raw, _ := json.Marshal(text)
	return string(raw)
}

// openEvilDialog opens the module's dialog, which answers so.
func openEvilDialog(p *e2e.Person, area, kind, body string) {
	p.T.Helper()
	p.Eval(`document.querySelector(".bar a[data-modal][href*='/m/evil/']").setAttribute("href", `+quote(evilPage(area, "modal", kind, body))+`)`, nil)
	p.Bar().Click("link", "Weather")
	waitDialog(p)
}

func waitDialog(p *e2e.Person) {
	p.T.Helper()
	p.Eval(`new Promise((done) => {
		const look = () => document.querySelector("#modal.show .modal-body") ? done() : requestAnimationFrame(look);
		look();
	})`, nil)
}

// A dialog takes what the host's script may put into a page and nothing else, whatever the answer is
// called.
func dialogsOfManyTypes(t *testing.T, p *e2e.Person) {
	gadget := `<b>here</b><iframe srcdoc="<script src=/assets/x/app.js></script>"></iframe><script>document.title = "taken"</script>` +
		`<form action="/admin/staff" method="post"><input name="email" value="eve@example.com"></form>`
	for _, kind := range []string{
		"text/plain", "text/html", "text/html; charset=utf-7", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/json", "text/css",
		"text/javascript", "multipart/x-mixed-replace; boundary=x", "application/octet-stream", "text/html;;", "text/htmlx", " ", "message/rfc822",
	} {
		t.Run(kind, func(t *testing.T) {
			p := p.Part(t)
			p.Visit("/admin")
			openEvilDialog(p, "/admin", kind, gadget)
			var wrong []string
			p.Eval(`(() => {
				const box = document.querySelector("#modal-content"), wrong = [];
				for (const s of ["iframe", "script", "form[action='/admin/staff']", "[srcdoc]"]) if (box.querySelector(s)) wrong.push(s);
				if (document.title === "taken") wrong.push("a script ran");
				const asked = performance.getEntriesByType("resource").map((r) => new URL(r.name).pathname).filter((n) => !/^\/(assets|admin\/m\/evil)\//.test(n));
				return wrong.concat(asked);
			})()`, &wrong)
			if len(wrong) > 0 {
				t.Errorf("left or asked for: %v", wrong)
			}
		})
	}
}

// The first case of all: a dialog whose one click made an administrator.
func oneClickMakesNoAdministrator(t *testing.T, p *e2e.Person) {
	before := staffCount(p)
	for _, body := range []string{
		`<iframe srcdoc="<script src='/assets/x/vendor/htmx.min.js'></script><button hx-post='/admin/staff' hx-vals='{&quot;administrator&quot;:true}'>OK</button>"></iframe>`,
		`<button hx-post="/admin/staff" hx-trigger="load" hx-vals='{"name":"Eve","email":"eve@example.com","administrator":"true"}'>OK</button>`,
		`<form action="/admin/staff" method="post"><input name="name" value="Eve"><input name="email" value="eve@example.com"><button>OK</button></form>`,
		`<form action="/admin/m/evil/echo" method="post"><button formaction="/admin/staff">OK</button></form>`,
		`<a href="javascript:fetch('/admin/staff')">OK</a>`,
	} {
		for _, kind := range []string{"text/plain", "text/html"} {
			p.Visit("/admin")
			openEvilDialog(p, "/admin", kind, body)
			p.Eval(`document.querySelectorAll("#modal-content :is(a, button:not(.btn-close))").forEach((e) => e.click())`, nil)
			p.Visit("/admin")
			if after := staffCount(p); after != before {
				t.Fatalf("%s as %s: %d staff, were %d", body, kind, after, before)
			}
		}
	}
}

func staffCount(p *e2e.Person) int {
	p.T.Helper()
	p.Visit("/admin/staff")
	var count int
	p.Eval(`document.querySelectorAll("#rows tbody tr").length`, &count)
	return count
}

// A page is HTML, choices are the host's own JSON, a file is saved, whatever the module calls them.
func answersAreWhatTheyWereDeclared(t *testing.T, p *e2e.Person) {
	p.Visit("/admin")
	ask := func(page, kind, body string) (status int, header http.Header, text string) {
		t.Helper()
		var got struct {
			Status int
			Header map[string]string
			Text   string
		}
		p.Eval(`fetch(`+quote(evilPage("/admin", page, kind, body))+`).then(async (r) => ({Status: r.status, Header: Object.fromEntries(r.headers), Text: await r.text()}))`, &got)
		header = http.Header{}
		for name, value := range got.Header {
			header.Set(name, value)
		}
		return got.Status, header, got.Text
	}
	for _, kind := range []string{"text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript", "text/csv", ""} {
		status, header, text := ask("file", kind, "<script>alert(1)</script>")
		if status != 200 || !strings.HasPrefix(header.Get("Content-Disposition"), "attachment") || header.Get("X-Content-Type-Options") != "nosniff" ||
			header.Get("Content-Security-Policy") != "sandbox; default-src 'none'" || text != "<script>alert(1)</script>" {
			t.Errorf("a file called %q: %d %v %s", kind, status, header, text)
		}
		if got := header.Get("Content-Type"); got != "text/csv" && got != "application/octet-stream" {
			t.Errorf("a file called %q is sent as %s", kind, got)
		}
		_, header, text = ask("choices", kind, `{"results":[{"value":"<a>","text":"</script>","more":1}],"other":"<b>"}`)
		if header.Get("Content-Type") != "application/json" || text != `{"results":[{"value":"\u003ca\u003e","text":"\u003c/script\u003e"}]}` {
			t.Errorf("choices called %q: %v %s", kind, header, text)
		}
	}
	if status, header, text := ask("choices", "text/html", "<b>no choices</b>"); status < 500 || strings.Contains(text, "<b>no choices") {
		t.Errorf("choices that are none: %d %v %.300s", status, header, text)
	}
	if status, _, text := ask("", "application/json", `{"a":"<script>alert(1)</script>"}`); status < 500 || strings.Contains(text, "<script>alert(1)") {
		t.Errorf("a page that is none: %d %.300s", status, text)
	}
	if status, _, text := ask("", "text/plain", "a < b <script>alert(1)</script>"); status != 200 || !strings.Contains(text, `<p class="pre-line">a &lt; b &lt;script&gt;alert(1)`) {
		t.Errorf("plain text: %d %s", status, text)
	}
}

// A module may lead a person to another page, but not an image of its page or a search in it: the browser
// would ask for pages of the host's that nobody opened.
func onlyAPersonIsLedOn(t *testing.T, p *e2e.Person) {
	const led = "/admin/m/evil/echo?to=/admin/profile"
	p.Visit(led)
	p.WaitURL("/admin/profile")
	var got []string
	p.Eval(`Promise.all([
		fetch("`+led+`").then((r) => r.status + " " + new URL(r.url).pathname),
		fetch("`+led+`", { headers: { "X-Modal": "1" } }).then((r) => r.status + " " + r.headers.get("X-Location")),
		new Promise((done) => {
			const image = new Image();
			image.onload = image.onerror = () => done(performance.getEntriesByName(image.src).map((e) => e.responseStatus).join());
			image.src = "`+led+`&image";
		}),
	])`, &got)
	if want := []string{"404 /admin/m/evil/echo", "204 /admin/profile", "404"}; !slices.Equal(got, want) {
		t.Errorf("a script, a dialog and an image get %q, want %q", got, want)
	}
}

// While impersonating, a dialog of a module's begins below the banner and the bar.
func dialogsLeaveTheWayBack(t *testing.T, p *e2e.Person) {
	for _, size := range []struct{ width, height int64 }{{1280, 800}, {360, 740}} {
		p.Viewport(size.width, size.height)
		long := strings.Repeat("<p>long</p>", 40)
		p.Visit(evilPage("", "", "text/html", long+`<a class="btn" data-modal href="/m/evil/modal?body=`+url.QueryEscape(long)+`">Open here</a>`))
		p.Click("link", "Open here") // far down the page
		waitDialog(p)
		var hit []string
		p.Eval(`[...document.querySelectorAll("body > .switch-banner, .bar form[action='/session/restore'] button")].map((e) => {
			const r = e.getBoundingClientRect();
			const hit = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
			return hit && (hit === e || e.contains(hit)) ? "" : e.className + " is covered by " + (hit && hit.className);
		}).filter(Boolean)`, &hit)
		if len(hit) > 0 {
			t.Errorf("%dx%d: %v", size.width, size.height, hit)
		}
	}
	p.Viewport(1280, 800)
	p.Click("button", "Stop Impersonation")
	p.WaitURL("/admin")
	p.Impersonate("Customer", "Jane Doe (Acme Ltd)")
}
