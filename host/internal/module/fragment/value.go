package fragment

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/sdk/markup"
)

var (
	numberPattern   = regexp.MustCompile(`^[+-]?[0-9]{1,15}(\.[0-9]{1,15})?$`)
	spanPattern     = regexp.MustCompile(`^([1-9][0-9]?|100)$`)
	namePattern     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}$`)
	fieldPattern    = regexp.MustCompile(`^[a-z0-9_][a-z0-9_.:\[\]-]{0,127}$`)
	datePattern     = regexp.MustCompile(`^[0-9TZPYMWDHS:.+ -]{1,64}$`)
	languagePattern = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,7}$`)
)

// value is what an attribute that is on the list is written with, and false when it may not hold that.
func (w *writer) value(n *html.Node, name, value string) (string, bool) {
	allowed, _ := markup.Allowed(n.Data, name)
	switch allowed.Value {
	case markup.Text:
		return value, true
	case markup.Flag:
		return "", name != "data-modal" || w.opensOwnPage(n)
	case markup.OneOf:
		return word(allowed.Words, value)
	case markup.ClassNames:
		return w.classes(n, value)
	case markup.Name:
		return w.name(strings.TrimSpace(value))
	case markup.Names:
		return w.names(value)
	case markup.Link, markup.Image, markup.Form, markup.Own:
		return w.address(allowed.Value, value)
	}
	return value, shapes[allowed.Value].MatchString(value)
}

var shapes = map[markup.Value]*regexp.Regexp{
	markup.Number: numberPattern, markup.Span: spanPattern, markup.FieldName: fieldPattern, markup.Date: datePattern, markup.Language: languagePattern,
}

// word finds a value among words that differ in more than the case of their letters, or not at all.
func word(words []string, value string) (string, bool) {
	value = strings.TrimSpace(value)
	if slices.Contains(words, value) {
		return value, true
	}
	value = strings.ToLower(value)
	return value, slices.Contains(words, value)
}

func (w *writer) classes(n *html.Node, value string) (string, bool) {
	var kept []string
	for name := range strings.FieldsSeq(value) {
		if markup.HasClass(name) {
			kept = append(kept, name)
		} else {
			w.remove(Class, n.Data, name, "")
		}
	}
	return strings.Join(kept, " "), len(kept) > 0
}

// name makes a name the module's own.
func (w *writer) name(value string) (string, bool) {
	prefix := "m-" + w.Module + "-"
	if !namePattern.MatchString(value) {
		return "", false
	}
	if !strings.HasPrefix(value, prefix) {
		value = prefix + value
	}
	return value, true
}

func (w *writer) names(value string) (string, bool) {
	var kept []string
	for one := range strings.FieldsSeq(value) {
		if name, ok := w.name(one); ok {
			kept = append(kept, name)
		}
	}
	return strings.Join(kept, " "), len(kept) > 0
}

// opensOwnPage tells whether a link leads to a page of the module's: only those open in a dialog.
func (w *writer) opensOwnPage(n *html.Node) bool {
	href, _ := attribute(n, "href")
	_, own := w.address(markup.Own, href)
	return own
}

// address is where an address leads, whole, and false when it may not lead there.
func (w *writer) address(kind markup.Value, value string) (string, bool) {
	value = strings.TrimSpace(value)
	if name, inside := strings.CutPrefix(value, "#"); inside && kind == markup.Link {
		name, ok := w.name(name)
		return "#" + name, ok
	}
	target, err := url.Parse(value)
	if err != nil {
		return "", false
	}
	whole := w.Here.ResolveReference(target)
	if whole.Host != "" || whole.Scheme != "" || whole.User != nil || !local(whole) || !w.leadsTo(kind, whole.Path) {
		return "", false
	}
	return whole.String(), true
}

// local tells addresses that stay on this site and mean the same to everybody who reads them.
func local(whole *url.URL) bool {
	inside := whole.String()
	if trimmed := strings.TrimSuffix(whole.Path, "/"); trimmed != "" && trimmed != whole.Path {
		inside = (&url.URL{Path: trimmed}).String()
	}
	return crm.IsLocal(inside)
}

// leadsTo tells whether an address of a kind may have this path.
func (w *writer) leadsTo(kind markup.Value, place string) bool {
	below := func(root string) bool { return place == root || strings.HasPrefix(place, root+"/") }
	if below(w.Root) {
		return true
	}
	switch kind {
	case markup.Link:
		return w.Base == "" || below(w.Base)
	case markup.Image:
		return strings.HasPrefix(place, path.Join("/", w.Base, "assets")+"/")
	case markup.Form:
		return w.Switches && place == w.Base+"/session/switch"
	}
	return false
}
