package e2e

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// Client is a person without a browser, who sends what no page offers. Redirects aren't followed.
type Client struct {
	http.Client
	T    *testing.T
	Site string
	Seen io.Writer // takes every answer, nil for none
}

// Answer is a response that has been read.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// NewClient is a client who isn't signed in.
func NewClient(t *testing.T, d Demo) *Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Client{Client: http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, T: t, Site: d.Address}
}

// SignedInClient is a client who has signed in.
func SignedInClient(t *testing.T, d Demo, email string) *Client {
	t.Helper()
	c := NewClient(t, d)
	c.SignIn(email, DemoPassword)
	return c
}

// SignIn signs in, which must be let.
func (c *Client) SignIn(email, password string) {
	c.T.Helper()
	got := c.Send(http.MethodPost, Login(email), url.Values{"email": {email}, "password": {password}}, nil)
	if got.Status != http.StatusSeeOther {
		c.T.Fatalf("%s doesn't get in: %d %s", email, got.Status, got.Text())
	}
}

// Send sends a form as it is, with these headers beside.
func (c *Client) Send(method, path string, form url.Values, header http.Header) Answer {
	c.T.Helper()
	return c.SendBody(method, path, strings.NewReader(form.Encode()), "application/x-www-form-urlencoded", header)
}

// SendBody sends a body of this kind.
func (c *Client) SendBody(method, path string, body io.Reader, kind string, header http.Header) Answer {
	c.T.Helper()
	got, err := c.TrySend(method, path, body, kind, header)
	if err != nil {
		c.T.Fatal(err)
	}
	return got
}

// TrySend is SendBody where the host may die meanwhile.
func (c *Client) TrySend(method, path string, body io.Reader, kind string, header http.Header) (Answer, error) {
	c.T.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(c.T.Context()), method, c.Site+path, body)
	if err != nil {
		c.T.Fatal(err)
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
		return Answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return Answer{}, err
	}
	got := Answer{res.StatusCode, res.Header, string(text)}
	if c.Seen != nil {
		fmt.Fprintf(c.Seen, "%s %s: %d\n%v\n%s\n", method, path, got.Status, got.Header, got.Body)
	}
	return got, nil
}

// Get asks for a page.
func (c *Client) Get(path string) Answer {
	c.T.Helper()
	return c.Send(http.MethodGet, path, nil, nil)
}

// Post sends a form with a token that is good now.
func (c *Client) Post(path string, pairs ...string) Answer {
	c.T.Helper()
	form := url.Values{"form_token": {c.Token()}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return c.Send(http.MethodPost, path, form, nil)
}

// Hire adds an administrator who reads this language, and returns what they sign in with.
func (c *Client) Hire(t *testing.T, name, email, language string) (string, string) {
	t.Helper()
	added := c.Post("/admin/staff/new", "name", name, "email", email, "administrator", "true", "role", "0", "language", language)
	if added.Status != http.StatusSeeOther {
		t.Fatalf("add %s: %d %s", name, added.Status, added.Text())
	}
	page := c.Post(strings.TrimPrefix(added.Header.Get("Location"), c.Site) + "/password-link")
	link := PasswordLink.FindString(page.Body)
	password := "pass-" + Unguessable()
	set := c.Anybody().Send(http.MethodPost, link, url.Values{"password": {password}, "repeat": {password}}, nil)
	if set.Status != http.StatusSeeOther {
		t.Fatalf("set the password of %s by %q: %d %s", name, link, set.Status, set.Text())
	}
	return email, password
}

// PasswordLink is the address at which a new password is set.
var PasswordLink = regexp.MustCompile(`/password/[^"]+`)

// Anybody is a client at the same site who isn't signed in.
func (c *Client) Anybody() *Client {
	return NewClient(c.T, Demo{Process: &hosttest.Process{Address: c.Site}})
}

// Settings saves the module's three settings.
func (c *Client) Settings(disabled, customers, admins bool) {
	c.T.Helper()
	c.Want(c.Post("/admin/settings/impersonation", "s_disable_impersonation", fmt.Sprint(disabled),
		"s_enable_customers", fmt.Sprint(customers), "s_enable_admins", fmt.Sprint(admins)), http.StatusSeeOther)
}

// TokenField finds the token of a form.
var TokenField = regexp.MustCompile(`name="form_token" value="([^"]+)"`)

// Token is what a form of this person's pages carries; the plain page has one for everybody.
func (c *Client) Token() string {
	c.T.Helper()
	page := c.Get("/session")
	found := TokenField.FindStringSubmatch(page.Body)
	if found == nil {
		c.T.Fatalf("no token on /session: %d %s", page.Status, page.Text())
	}
	return html.UnescapeString(found[1])
}

// Secret is what the session cookie holds.
func (c *Client) Secret() string {
	c.T.Helper()
	site, err := url.Parse(c.Site)
	if err != nil {
		c.T.Fatal(err)
	}
	for _, cookie := range c.Jar.Cookies(site) {
		if cookie.Name == "understudy" {
			return cookie.Value
		}
	}
	return ""
}

// Cookie makes a secret what the browser holds.
func (c *Client) Cookie(secret string) {
	c.T.Helper()
	site, err := url.Parse(c.Site)
	if err != nil {
		c.T.Fatal(err)
	}
	c.Jar.SetCookies(site, []*http.Cookie{{Name: "understudy", Value: secret, Path: "/"}})
}

// Lend gives a browser this client's session, so that it needn't sign in again.
func (c *Client) Lend(b *hosttest.Browser) {
	c.T.Helper()
	b.SetCookie(c.Site, &http.Cookie{Name: "understudy", Value: c.Secret(), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

var (
	tags   = regexp.MustCompile(`(?s)<(script|style|head)\b.*?</(script|style|head)>|<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
)

// Text is what the page says, without its markup.
func (a Answer) Text() string {
	return strings.TrimSpace(spaces.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(a.Body, " ")), " "))
}

// Want checks the status of an answer and what it says.
func (c *Client) Want(got Answer, status int, says ...string) {
	c.T.Helper()
	if got.Status != status {
		c.T.Errorf("status %d, want %d: %s", got.Status, status, got.Text())
		return
	}
	for _, s := range says {
		if !strings.Contains(got.Text(), s) {
			c.T.Errorf("lacks %q: %s", s, got.Text())
		}
	}
}
