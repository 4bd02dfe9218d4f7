// Package fragment makes what a module's page answered fit to stand inside a page of the host's.
//
// The HTML is parsed into a tree and written anew from the lists of package markup: elements,
// attributes, values and classes that aren't on them are left out, and told. What is written holds no
// "<" but those of tags from the list, and no raw text, style or script in any context, so that no
// browser can read anything else into it. Names get the module's prefix, so that none of them is
// ever one of the host's.
//
// The package knows neither modules nor HTTP: it takes text and an address, and can be used wherever
// a stranger's HTML has to stand in one's own page.
package fragment

import (
	"errors"
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Rules say whose fragment it is and where its addresses may lead. Addresses are as a browser asks
// for them, the base path included.
type Rules struct {
	Module   string   // its id, which prefixes every name
	Here     *url.URL // the page's own address, by which relative ones are read
	Base     string   // where the site stands, empty at the root
	Root     string   // where the module stands in this area
	Switches bool     // it may have a form sent to the site's /session/switch
}

// maxCleanings is how often a fragment is parsed again before it counts as one made to be read
// differently each time.
const maxCleanings = 8

// maxOutput bounds what is written, in bytes: prefixes and whole addresses make a page longer.
const maxOutput = 12 << 20

var (
	errUnsteady = errors.New("the HTML reads differently each time it is parsed")
	errTooLong  = errors.New("the page becomes too long when it is written out")
)

// Clean returns the fragment balanced, with nothing in it but what the lists allow, and what was left
// out, at most maxRemovals of it. The result is parsed and written again until it stays as it is; a
// fragment that doesn't come to rest is an error, and so is one that becomes a huge page by the rules.
func (r Rules) Clean(source string) (string, []Removal, error) {
	out, removed, err := r.rewrite(prepare(strings.ToValidUTF8(source, "\uFFFD"), false))
	for range maxCleanings {
		if err != nil {
			return "", nil, err
		}
		before := out
		if out, _, err = r.rewrite(prepare(before, false)); err == nil && out == before {
			return out, removed, nil
		}
	}
	return "", nil, errUnsteady
}

// Plain returns plain text as a fragment.
func Plain(text string) string {
	return `<p class="pre-line">` + html.EscapeString(text) + `</p>`
}

// rewrite parses once and writes once what has been prepared.
func (r Rules) rewrite(source string) (string, []Removal, error) {
	nodes, err := parse(source)
	if err != nil {
		return "", nil, err
	}
	w := writer{Rules: r}
	for _, n := range nodes {
		w.node(n)
	}
	if w.out.Len() > maxOutput {
		return "", nil, errTooLong
	}
	return w.out.String(), w.removed, nil
}

// parse reads a fragment as a browser does that puts it into a div.
func parse(source string) ([]*html.Node, error) {
	div := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	return html.ParseFragmentWithOptions(strings.NewReader(source), div, html.ParseOptionEnableScripting(false))
}
