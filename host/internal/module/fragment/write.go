package fragment

import (
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"github.com/understudy-crm/understudy/sdk/markup"
)

// writer writes what the lists allow of a parsed fragment.
type writer struct {
	Rules
	out     strings.Builder
	inForm  bool
	inLink  bool
	line    int // of the element being looked at, zero where lines aren't known
	removed []Removal
	told    map[Kind]int // how many there were of each kind
}

var voids = []string{"br", "col", "hr", "img", "input", "wbr"}

func (w *writer) node(n *html.Node) {
	if w.out.Len() > maxOutput { // it is refused anyway
		return
	}
	switch n.Type {
	case html.TextNode:
		w.out.WriteString(html.EscapeString(n.Data))
	case html.ElementNode:
		w.element(n)
	}
}

func (w *writer) children(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.node(c)
	}
}

// element writes an element of the list, and of any other what it holds, unless that isn't words.
func (w *writer) element(n *html.Node) {
	w.line = lineOf(n, w.line)
	n.Data = nameOf(n)
	_, known := markup.Elements[n.Data]
	switch {
	case n.Namespace != "" || slices.Contains(markup.DroppedWhole, n.Data):
		w.remove(Element, n.Data, "", "with all it holds")
	case !known:
		w.remove(Element, n.Data, "", "what it holds stays")
		w.children(n)
	case n.Data == "input" && !w.fieldAllowed(n):
	case n.Data == "form":
		w.once(n, &w.inForm, w.formAllowed(n))
	case n.Data == "a":
		w.once(n, &w.inLink, true)
	default:
		w.write(n)
	}
}

// once writes an element that may not hold another of its kind, which would end it early: of such a
// one, and where it isn't allowed, stays what it holds.
func (w *writer) once(n *html.Node, inside *bool, allowed bool) {
	if *inside || !allowed {
		w.children(n)
		return
	}
	*inside = true
	w.write(n)
	*inside = false
}

func (w *writer) write(n *html.Node) {
	w.out.WriteString("<" + n.Data)
	w.attributes(n)
	w.out.WriteString(">")
	if slices.Contains(voids, n.Data) {
		return
	}
	first := n.FirstChild
	if (n.Data == "pre" || n.Data == "textarea") && first != nil && strings.HasPrefix(first.Data, "\n") {
		w.out.WriteString("\n") // the parser takes one away
	}
	w.children(n)
	w.out.WriteString("</" + n.Data + ">")
}

// fieldAllowed refuses fields of types that aren't on the list, the password's among them: a browser
// takes a field of an unknown type for one of text.
func (w *writer) fieldAllowed(n *html.Node) bool {
	kind, has := attribute(n, "type")
	if _, ok := w.value(n, "type", kind); has && !ok {
		w.remove(Field, n.Data, "type="+quoted(kind), "such a field may not stand on a module's page")
		return false
	}
	return true
}

// formAllowed refuses forms that lead elsewhere. Their fields stay, and can't be sent.
func (w *writer) formAllowed(n *html.Node) bool {
	action, has := attribute(n, "action")
	if _, ok := w.value(n, "action", action); has && !ok {
		w.remove(Address, n.Data, "action="+quoted(action), "a form may lead to the module's own pages only")
		return false
	}
	return true
}

func (w *writer) attributes(n *html.Node) {
	for _, a := range n.Attr {
		if a.Namespace != "" || a.Key == lineMark {
			continue
		}
		if ownData(a.Key) {
			w.attribute(a.Key, a.Val)
			continue
		}
		allowed, ok := markup.Allowed(n.Data, a.Key)
		if !ok {
			w.remove(Attribute, n.Data, a.Key, "")
			continue
		}
		value, ok := w.value(n, a.Key, a.Val)
		switch {
		case ok && allowed.Value == markup.Flag:
			w.out.WriteString(" " + a.Key)
		case ok:
			w.attribute(a.Key, value)
		case allowed.Value != markup.ClassNames: // those are told one by one
			w.remove(kindOf(allowed.Value), n.Data, a.Key+"="+quoted(a.Val), "")
		}
	}
	if _, has := attribute(n, "action"); n.Data == "form" && !has {
		w.attribute("action", (&url.URL{Path: w.Here.Path}).String()) // in a dialog, a form without one would go to the page below
	}
}

func (w *writer) attribute(name, value string) {
	w.out.WriteString(" " + name + `="` + html.EscapeString(value) + `"`)
}

// ownData tells the attributes a module may use as it likes.
func ownData(name string) bool {
	rest, own := strings.CutPrefix(name, "data-m-")
	return own && rest != "" && !strings.ContainsFunc(rest, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Namespace == "" && a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}
