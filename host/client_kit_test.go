package main

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// client is a person without a browser, who sends what no page offers. Redirects aren't followed.
type client struct {
	http.Client
	t    *testing.T
	site string
	seen io.Writer // takes every answer, nil for none
}

// answer is a response that has been read.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

func newClient(t *testing.T, d demo) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &client{Client: http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, t: t, site: d.Address}
}

func signedInClient(t *testing.T, d demo, email string) *client {
	t.Helper()
	c := newClient(t, d)
	c.signIn(email, demoPassword)
	return c
}

// send sends a form as it is, with these headers beside.
func (c *client) send(method, path string, form url.Values, header http.Header) answer {
	c.t.Helper()
	return c.sendBody(method, path, strings.NewReader(form.Encode()), "application/x-www-form-urlencoded", header)
}

func (c *client) sendBody(method, path string, body io.Reader, kind string, header http.Header) answer {
	c.t.Helper()
	got, err := c.trySend(method, path, body, kind, header)
	if err != nil {
		c.t.Fatal(err)
	}
	return got
}

// trySend is sendBody where the host may die meanwhile.
func (c *client) trySend(method, path string, body io.Reader, kind string, header http.Header) (answer, error) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(c.t.Context()), method, c.site+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	if method != http.MethodGet {
		req.Header.Set("Content-Type", kind)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if sized, ok := body.(interface{ Size() int64 }); ok {
		req.ContentLength = sized.Size() // as a browser says it
	}
	res, err := c.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	got := answer{res.StatusCode, res.Header, string(text)}
	if c.seen != nil {
		fmt.Fprintf(c.seen, "%s %s: %d\n%v\n%s\n", method, path, got.Status, got.Header, got.Body)
	}
	return got, nil
}

func (c *client) get(path string) answer {
	c.t.Helper()
	return c.send(http.MethodGet, path, nil, nil)
}

// post sends a form with a token that is good now.
func (c *client) post(path string, pairs ...string) answer {
	c.t.Helper()
	form := url.Values{"form_token": {c.token()}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return c.send(http.MethodPost, path, form, nil)
}

// hire adds an administrator who reads this language, and returns what they sign in with.
func (c *client) hire(t *testing.T, name, email, language string) (string, string) {
	t.Helper()
	added := c.post("/admin/staff/new", "name", name, "email", email, "administrator", "true", "role", "0", "language", language)
	if added.Status != http.StatusSeeOther {
		t.Fatalf("add %s: %d %s", name, added.Status, added.text())
	}
	page := c.post(strings.TrimPrefix(added.Header.Get("Location"), c.site) + "/password-link")
	link := passwordLink.FindString(page.Body)
	password := "pass-" + unguessable()
	set := c.anybody().send(http.MethodPost, link, url.Values{"password": {password}, "repeat": {password}}, nil)
	if set.Status != http.StatusSeeOther {
		t.Fatalf("set the password of %s by %q: %d %s", name, link, set.Status, set.text())
	}
	return email, password
}

var passwordLink = regexp.MustCompile(`/password/[^"]+`)

// anybody is a client at the same site who isn't signed in.
func (c *client) anybody() *client {
	return newClient(c.t, demo{Process: &hosttest.Process{Address: c.site}})
}

// settings saves the module's three settings.
func (c *client) settings(disabled, customers, admins bool) {
	c.t.Helper()
	c.want(c.post("/admin/settings/impersonation", "s_disable_impersonation", fmt.Sprint(disabled),
		"s_enable_customers", fmt.Sprint(customers), "s_enable_admins", fmt.Sprint(admins)), http.StatusSeeOther)
}

var tokenField = regexp.MustCompile(`name="form_token" value="([^"]+)"`)

// token is what a form of this person's pages carries; the plain page has one for everybody.
func (c *client) token() string {
	c.t.Helper()
	page := c.get("/session")
	found := tokenField.FindStringSubmatch(page.Body)
	if found == nil {
		c.t.Fatalf("no token on /session: %d %s", page.Status, page.text())
	}
	return html.UnescapeString(found[1])
}

// secret is what the session cookie holds.
func (c *client) secret() string {
	c.t.Helper()
	site, err := url.Parse(c.site)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, cookie := range c.Jar.Cookies(site) {
		if cookie.Name == "understudy" {
			return cookie.Value
		}
	}
	return ""
}

// lend gives a browser this client's session, so that it needn't sign in again.
func (c *client) lend(b *hosttest.Browser) {
	c.t.Helper()
	b.SetCookie(c.site, &http.Cookie{Name: "understudy", Value: c.secret(), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// text is what the page says, without its markup.
func (a answer) text() string {
	return strings.TrimSpace(spaces.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(a.Body, " ")), " "))
}

func (c *client) want(got answer, status int, says ...string) {
	c.t.Helper()
	if got.Status != status {
		c.t.Errorf("status %d, want %d: %s", got.Status, status, got.text())
		return
	}
	for _, s := range says {
		if !strings.Contains(got.text(), s) {
			c.t.Errorf("lacks %q: %s", s, got.text())
		}
	}
}

// uploadTooBig sends that many bytes as a package, past the check in the browser.
func (c *client) uploadTooBig(size int64) {
	c.t.Helper()
	head := "--x\r\nContent-Disposition: form-data; name=\"form_token\"\r\n\r\n" + c.token() +
		"\r\n--x\r\nContent-Disposition: form-data; name=\"package\"; filename=\"big.zip\"\r\nContent-Type: application/zip\r\n\r\n"
	const foot = "\r\n--x--\r\n"
	body := sizedBody{io.MultiReader(strings.NewReader(head), io.LimitReader(zeros{}, size), strings.NewReader(foot)), int64(len(head)+len(foot)) + size}
	got := c.sendBody(http.MethodPost, "/admin/modules/upload", body, "multipart/form-data; boundary=x", http.Header{"X-Form-Token": {c.token()}})
	c.want(got, http.StatusRequestEntityTooLarge, "64.0 MiB", "65.0 MiB")
	namesASetting(c.t, got.text())
}

// namesASetting checks that the setting a sentence speaks of is one that --help lists.
func namesASetting(t *testing.T, sentence string) {
	t.Helper()
	help, err := exec.CommandContext(t.Context(), hosttest.Program(t), "serve", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`setting ([^\s,)]+)`).FindStringSubmatch(sentence)
	if named == nil || !strings.Contains(string(help), named[1]) {
		t.Errorf("no setting that --help knows is named: %s", sentence)
	}
}

// sizedBody is a body of a length that is known before.
type sizedBody struct {
	io.Reader
	size int64
}

func (b sizedBody) Size() int64 { return b.size }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
