package e2e

import (
	"html"
	"net/http"
	"regexp"
	"strings"
)

// Whose is what a page says about whose it is.
type Whose struct {
	Subject string // such as contact:7; empty on a page of nobody's
	Session string
	Banner  string // names the actor when it is another
}

var (
	bodyTag    = regexp.MustCompile(`<body data-subject="([^"]*)" data-name="[^"]*" data-session="([^"]*)"`)
	bannerText = regexp.MustCompile(`(?s)<section class="switch-banner[^>]*aria-label="([^"]*)"`)
)

// Whose reads it; false for an answer that isn't a page of the site.
func (a Answer) Whose() (Whose, bool) {
	body := bodyTag.FindStringSubmatch(a.Body)
	if body == nil {
		return Whose{}, false
	}
	w := Whose{Subject: body[1], Session: body[2]}
	if banner := bannerText.FindStringSubmatch(a.Body); banner != nil {
		w.Banner = html.UnescapeString(banner[1])
	}
	return w, true
}

// WantPage is a page that must be there and be this account's; banner is what must stand above it,
// empty for none.
func (c *Client) WantPage(path, subject, banner string) Answer {
	c.T.Helper()
	got := c.Get(path)
	w, page := got.Whose()
	if got.Status != http.StatusOK || !page || w.Subject != subject || w.Banner != banner {
		c.T.Errorf("%s: %d, a page of %q under %q, want %q under %q: %s", path, got.Status, w.Subject, w.Banner, subject, banner, got.Text())
	}
	return got
}

// Crawl opens every page that links lead to from an address.
func (c *Client) Crawl(from string) {
	c.T.Helper()
	href := regexp.MustCompile(`(?:href|data-search-url)="(/[^"#]*)"`)
	known, todo := map[string]bool{from: true}, []string{from}
	for len(todo) > 0 {
		page := c.Get(todo[0])
		todo = todo[1:]
		if page.Status >= 500 {
			c.T.Errorf("%d: %s", page.Status, page.Text())
		}
		if location := page.Header.Get("Location"); strings.HasPrefix(location, "/") && !known[location] {
			known[location] = true
			todo = append(todo, location)
		}
		for _, found := range href.FindAllStringSubmatch(page.Body, -1) {
			address := strings.ReplaceAll(found[1], "&amp;", "&")
			if !known[address] && !strings.HasPrefix(address, "/assets/") && !strings.Contains(address, "after=") {
				known[address] = true
				todo = append(todo, address)
			}
		}
	}
}
