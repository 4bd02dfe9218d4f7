package web

import (
	"errors"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// fragmentRules is where the addresses in a module's fragment may lead. All of them are as a browser
// asks for them, the base path included.
type fragmentRules struct {
	here *url.URL // the page's own address
	base string   // of the site
	root string   // the module's, in this area
}

// dropped are the elements that go with all they hold: they run, load or reach beyond the fragment,
// or a browser reads their content by rules of its own.
var dropped = []string{
	"script", "style", "meta", "base", "link", "iframe", "object", "embed", "frame", "frameset", "template", "applet", "bgsound", "param", "keygen",
	"plaintext", "xmp", "noembed", "noframes", "title", "html", "head", "body", "svg", "math",
}

var voids = []string{"area", "br", "col", "hr", "img", "input", "source", "track", "wbr"}

var plainName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// maxCleanings is how often a fragment is parsed again before it counts as one made to be read
// differently each time.
const maxCleanings = 6

var errUnsteady = errors.New("the HTML reads differently each time it is parsed")

// clean is the fragment balanced, and without what a module has no business to put into a page. It
// is parsed until it stays what it is, so that a browser reads what was looked at here.
func (f fragmentRules) clean(fragment string) (string, error) {
	for range maxCleanings {
		nodes, err := html.ParseFragmentWithOptions(strings.NewReader(fragment), &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}, html.ParseOptionEnableScripting(false))
		if err != nil {
			return "", err
		}
		w := fragmentWriter{fragmentRules: f}
		for _, n := range nodes {
			w.node(n)
		}
		if w.out.String() == fragment {
			return fragment, nil
		}
		fragment = w.out.String()
	}
	return "", errUnsteady
}

// fragmentWriter writes what is left of a parsed fragment. It does not use html.Render, which
// writes the text of a noscript as it is.
type fragmentWriter struct {
	fragmentRules
	out              strings.Builder
	inForm, noscript bool
}

func (w *fragmentWriter) node(n *html.Node) {
	switch n.Type {
	case html.TextNode:
		w.out.WriteString(html.EscapeString(n.Data))
	case html.ElementNode:
		w.element(n)
	}
}

func (w *fragmentWriter) children(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.node(c)
	}
}

func (w *fragmentWriter) element(n *html.Node) {
	if n.Namespace != "" || !plainName.MatchString(n.Data) || slices.Contains(dropped, n.Data) {
		return
	}
	// A form in a form, or a noscript in one, would end the outer one early.
	if inside := n.Data == "form" && w.inForm || n.Data == "noscript" && w.noscript; inside {
		w.children(n)
		return
	}
	form, noscript := w.inForm, w.noscript
	w.inForm, w.noscript = form || n.Data == "form", noscript || n.Data == "noscript"
	w.out.WriteString("<" + n.Data)
	w.attributes(n)
	w.out.WriteString(">")
	if !slices.Contains(voids, n.Data) {
		if first := n.FirstChild; slices.Contains([]string{"pre", "listing", "textarea"}, n.Data) && first != nil && strings.HasPrefix(first.Data, "\n") {
			w.out.WriteString("\n") // the parser takes one away
		}
		w.children(n)
		w.out.WriteString("</" + n.Data + ">")
	}
	w.inForm, w.noscript = form, noscript
}

func (w *fragmentWriter) attributes(n *html.Node) {
	strays := n.Data == "form" && slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "action" && w.address(n.Data, a.Key, a.Val) == "" })
	for _, a := range n.Attr {
		if a.Namespace != "" || !plainName.MatchString(a.Key) || forbidden(a.Key) || strays && (a.Key == "method" || a.Key == "action") {
			continue
		}
		value := a.Val
		if slices.Contains(addresses, a.Key) {
			if value = w.address(n.Data, a.Key, a.Val); value == "" {
				continue
			}
		}
		w.out.WriteString(" " + a.Key)
		if value != "" || a.Key == "value" || a.Key == "alt" {
			w.out.WriteString(`="` + html.EscapeString(value) + `"`)
		}
	}
}

func forbidden(name string) bool {
	for _, prefix := range []string{"on", "hx-", "data-hx-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{"style", "srcdoc", "srcset", "form", "formtarget", "target", "data-upload", "ping", "background", "is", "nonce"}, name)
}

// addresses are the attributes that hold one.
var addresses = []string{"href", "src", "action", "formaction", "data-search-url", "poster", "cite", "longdesc", "data", "usemap"}

// address is where an attribute leads, whole, and empty when it may not lead there.
func (w *fragmentWriter) address(element, name, value string) string {
	value = strings.TrimSpace(value)
	if strings.HasPrefix(value, "#") {
		return value
	}
	target, err := url.Parse(value)
	if err != nil {
		return ""
	}
	whole := w.here.ResolveReference(target)
	inside := whole.String()
	if trimmed := strings.TrimSuffix(whole.Path, "/"); trimmed != "" && trimmed != whole.Path {
		inside = (&url.URL{Path: trimmed}).String()
	}
	if whole.Host != "" || whole.Scheme != "" || !crm.IsLocal(inside) {
		return ""
	}
	below := func(root string) bool { return whole.Path == root || strings.HasPrefix(whole.Path, root+"/") }
	switch {
	case below(w.root),
		element == "a" && name == "href" && (w.base == "" || below(w.base)),
		name == "action" && whole.Path == w.base+"/session/switch",
		name == "src" && strings.HasPrefix(whole.Path, path.Join("/", w.base, "assets")+"/"):
		return whole.String()
	}
	return ""
}
