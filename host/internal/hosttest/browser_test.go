package hosttest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

const formPage = `<!doctype html><html lang="en"><head><title>Form</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/tabler.min.css"><link rel="stylesheet" href="/tabler-vendors.min.css"><link rel="stylesheet" href="/page.css">
<script src="/tabler.min.js" defer></script><script src="/tom-select.complete.min.js" defer></script><script src="/page.js" defer></script></head>
<body><main><h1>Form</h1>
<noscript><p>Scripts are off.</p></noscript>
<form method="post" action="/sent" enctype="multipart/form-data">
<p><label for="email">Email Address</label> <input id="email" name="email" class="form-control"></p>
<p><label for="day">Day</label> <input id="day" name="day" type="date" class="form-control"></p>
<p><label><input name="agree" type="checkbox" value="yes" class="form-check-input"> I agree</label></p>
<p><label for="kind">User Type</label> <select id="kind" name="kind" class="form-select"><option value="s">Staff</option><option value="c">Customer</option><option value="x" disabled>Robot</option></select></p>
<p><label for="user">User</label> <select id="user" name="user" aria-label="User"></select></p>
<p><label for="file" class="btn">Choose File</label> <input id="file" name="file" type="file" class="visually-hidden"></p>
<p class="loud">Whole words</p>
<button class="btn">Save</button> <button class="btn" type="button" disabled>Never</button>
</form>
<button class="btn" type="button" data-bs-toggle="modal" data-bs-target="#modal">Open it</button>
<a class="btn" href="#" id="hello">Say <b>hello</b></a>
<table class="table"><tr><td>Alpha</td><td><button class="btn">Remove</button></td></tr><tr><td>Beta</td><td><button class="btn" id="beta">Remove</button></td></tr></table>
<svg width="24" height="24" role="img" aria-label="People"><use href="/icons.svg#users"/></svg>
</main>
<div class="modal fade" id="modal" tabindex="-1" aria-labelledby="title"><div class="modal-dialog"><div class="modal-content"><div class="modal-header"><h2 class="modal-title" id="title">Impersonate</h2></div>
<div class="modal-body"><button type="button" class="btn" data-bs-dismiss="modal">Close</button></div></div></div></div>
</body></html>`

const pageScript = `
new TomSelect('#user', {valueField: 'id', labelField: 'name', searchField: 'name', shouldLoad: q => q.length > 1,
	load: (query, done) => fetch('/search?q=' + encodeURIComponent(query)).then(r => r.json()).then(done),
	render: {option: (data, escape) => '<div>' + escape(data.name) + ' <small>' + escape(data.email) + '</small></div>'}})
document.getElementById('hello').addEventListener('click', event => { event.preventDefault(); event.target.closest('a').textContent = 'hello to you' })
document.getElementById('beta').addEventListener('click', event => event.target.closest('tr').remove())
document.addEventListener('keydown', event => { if (event.key === 'K' && event.shiftKey) document.title = 'Shift K' })
`

// page serves the form under the policy of the host's pages, with the libraries they use.
func serveForm(t *testing.T) string {
	t.Helper()
	vendor := filepath.Join(Root(t), "host/internal/web/assets/vendor")
	if _, err := os.Stat(filepath.Join(vendor, "tabler.min.css")); err != nil {
		Missing(t, "assets", "run make assets")
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir(vendor)))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "visit", Value: "first", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, formPage)
	})
	mux.HandleFunc("GET /page.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		io.WriteString(w, pageScript)
	})
	mux.HandleFunc("GET /page.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		io.WriteString(w, ".loud { text-transform: uppercase } :root { --tblr-danger: #b42318 }")
	})
	mux.HandleFunc("GET /search", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains("jane doe", strings.ToLower(r.FormValue("q"))) {
			io.WriteString(w, `[{"id": "1", "name": "Jane Doe (Acme Ltd)", "email": "jane@acme.example"}, {"id": "2", "name": "Janet Doe (Acme Ltd)", "email": "janet@acme.example"}]`)
			return
		}
		io.WriteString(w, `[]`)
	})
	mux.HandleFunc("POST /sent", func(w http.ResponseWriter, r *http.Request) {
		_, file, err := r.FormFile("file")
		name := "none"
		if err == nil {
			name = file.Filename
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><html lang=en><link rel=icon href=data:,><title>Sent</title><main><h1>Sent</h1><p>%s, %s, %s, %s, %s, %s</p></main>",
			r.FormValue("email"), r.FormValue("day"), r.FormValue("agree"), r.FormValue("kind"), r.FormValue("user"), name)
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestFormIsFilledByItsLabels(t *testing.T) {
	url := serveForm(t)
	b := NewBrowser(t)
	b.Open(url)
	b.Fill("Email Address", "overwritten@example.com")
	b.Fill("Email Address", "jane@acme.example")
	if got := b.Value("Email Address"); got != "jane@acme.example" {
		t.Errorf("Email Address holds %q", got)
	}
	b.Fill("Day", "2026-11-22")
	b.Check("I agree", true)
	b.Choose("User Type", "Customer")
	b.Choose("User", "Jane Doe (Acme Ltd)")
	if got := b.Text(".ts-control .item"); got != "Jane Doe (Acme Ltd)" {
		t.Errorf("User shows %q", got)
	}
	path := filepath.Join(t.TempDir(), "impersonation.zip")
	if err := os.WriteFile(path, []byte("zip"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.SetFile("Choose File", path)
	b.Click("button", "Save")
	b.See("jane@acme.example, 2026-11-22, yes, c, 1, impersonation.zip")
	b.WaitURL("/sent")
	if errs := b.ConsoleErrors(); len(errs) > 0 {
		t.Errorf("the libraries break the pages' policy:\n%s", strings.Join(errs, "\n"))
	}
}

func TestChosenUserCanBeChanged(t *testing.T) {
	url := serveForm(t)
	b := NewBrowser(t)
	b.Open(url)
	b.Choose("User", "Jane Doe")
	b.Choose("User", "Janet Doe")
	if got := b.Text(".ts-control .item"); got != "Janet Doe (Acme Ltd)" {
		t.Errorf("User shows %q", got)
	}
}

func TestModalHidesThePageBehindIt(t *testing.T) {
	url := serveForm(t)
	b := NewBrowser(t)
	b.ReducedMotion(true)
	b.Open(url)
	b.DontSee("Impersonate")
	b.Click("button", "Open it")
	b.SeeRole("dialog", "Impersonate")
	b.In("dialog", "Impersonate").See("Close")
	b.Press("Escape")
	b.DontSeeRole("dialog", "Impersonate")
	if got := b.Focused(); got != "Open it" {
		t.Errorf("the focus went to %q", got)
	}
}

func TestTextIsSeenAsWrittenAndClicked(t *testing.T) {
	url := serveForm(t)
	b := NewBrowser(t)
	b.Open(url)
	b.See("Whole words")
	b.ClickText("Say hello")
	b.See("hello to you")
	b.In("row", "Beta").Click("button", "Remove")
	b.DontSee("Beta")
	b.See("Alpha")
	b.Press("Shift+K")
	var title string
	b.Eval("document.title", &title)
	if title != "Shift K" {
		t.Errorf("title %q", title)
	}
	if !b.HasRole("button", "Save") || b.HasRole("link", "Save") {
		t.Error("HasRole mistakes the button")
	}
}

func TestCookiesBelongToOneBrowser(t *testing.T) {
	url := serveForm(t)
	b, other := NewBrowser(t), NewBrowser(t)
	b.Open(url)
	cookie := b.Cookie("visit")
	if cookie == nil || cookie.Value != "first" || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode {
		t.Fatalf("cookie %+v", cookie)
	}
	b.SetCookie(url, &http.Cookie{Name: "mine", Value: "1"})
	tab := b.NewTab()
	tab.Open(url)
	if tab.Cookie("mine") == nil {
		t.Error("a tab of the same browser lacks its cookie")
	}
	other.Open(url)
	if other.Cookie("mine") != nil {
		t.Error("another browser has the cookie")
	}
}

func TestScreenIsWhatThePersonSet(t *testing.T) {
	url := serveForm(t)
	b := NewBrowser(t)
	b.Viewport(360, 640)
	b.ColorScheme("dark")
	b.ReducedMotion(true)
	b.Open(url)
	var is []bool
	b.Eval("[innerWidth === 360, matchMedia('(prefers-color-scheme: dark)').matches, matchMedia('(prefers-reduced-motion: reduce)').matches]", &is)
	if slices.Contains(is, false) {
		t.Errorf("width, scheme, motion: %v", is)
	}
	path := filepath.Join(t.TempDir(), "screen.png")
	b.Screenshot(path)
	if picture, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(picture), "\x89PNG") {
		t.Errorf("screenshot: %v", err)
	}
}

func TestPageWorksWithoutScripts(t *testing.T) {
	url := serveForm(t)
	b := NewBrowser(t)
	b.JavaScript(false)
	b.Open(url)
	b.See("Scripts are off.")
	b.Fill("Email Address", "plain@example.com")
	b.Click("button", "Save")
	b.See("plain@example.com")
	b.JavaScript(true)
	b.Open(url)
	b.DontSee("Scripts are off.")
}

func TestConsoleErrorsAndAxeSayWhatIsWrong(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, `<!doctype html><html><title>Bad</title><main><h1>Bad</h1><input><script>document.write('x')</script></main>`)
	}))
	t.Cleanup(server.Close)
	b := NewBrowser(t)
	b.Open(server.URL)
	b.wait("a breach of the policy", func() (bool, string) {
		return slices.ContainsFunc(b.ConsoleErrors(), func(e string) bool { return strings.Contains(e, "Content Security Policy") }), ""
	})
	found := strings.Join(b.Axe(), "\n")
	for _, rule := range []string{"label (critical)", "html-has-lang (serious)"} {
		if !strings.Contains(found, rule) {
			t.Errorf("axe doesn't find %s:\n%s", rule, found)
		}
	}
}

func TestLibrariesArePoliteToEveryone(t *testing.T) {
	url := serveForm(t)
	b := NewBrowser(t)
	b.Open(url)
	for _, violation := range b.Axe() {
		t.Error(violation)
	}
}

func TestWhatIsNotThereFailsWithAPicture(t *testing.T) {
	t.Setenv("UNDERSTUDY_TEST_SCREENSHOTS", t.TempDir())
	url := serveForm(t)
	for what, story := range map[string]func(b *Browser){
		`button "Nowhere"`:                func(b *Browser) { b.Click("button", "Nowhere") },
		"it is disabled":                  func(b *Browser) { b.Click("button", "Never") },
		"there are 2: say which with In":  func(b *Browser) { b.Click("button", "Remove") },
		`the text "Nobody wrote this"`:    func(b *Browser) { b.See("Nobody wrote this") },
		`the text "Whole words" to be`:    func(b *Browser) { b.DontSee("Whole words") },
		`the field "Phone"`:               func(b *Browser) { b.Fill("Phone", "1") },
		"there are: Staff, Customer":      func(b *Browser) { b.Choose("User Type", "Nobody") },
		`no option "Zoe" of "User"`:       func(b *Browser) { b.Choose("User", "Zoe") },
		`within row "Gamma"`:              func(b *Browser) { b.In("row", "Gamma").Click("button", "Remove") },
		`the file field "Choose Picture"`: func(b *Browser) { b.SetFile("Choose Picture", "x.png") },
	} {
		fake := watch(t, func(fake testing.TB) {
			b := NewBrowser(t)
			b.Open(url)
			b.t, b.Patience = fake, 300*time.Millisecond
			story(b)
		})
		if fake.ended != "failed" || !strings.Contains(fake.said(), what) || !strings.Contains(fake.said(), url) || !strings.Contains(fake.said(), ".png") {
			t.Errorf("%s: the test %s and said:\n%s", what, fake.ended, fake.said())
		}
	}
}
