// Package markup lists what the HTML of a module's page may hold. The host rebuilds every page from
// these lists before a browser sees it: what isn't on them is left out, the words inside an element
// that isn't on them stay. README.md beside this file is the same as a table, for reading.
package markup

import (
	"slices"
	"strings"
)

// A Value says what an attribute may hold. Where the value isn't allowed, the attribute is left out.
type Value int

// The kinds of values.
const (
	Text       Value = iota // any text
	Flag                    // present or not; what stands after = is left out
	Number                  // digits, with a sign and a fraction
	Span                    // 1 to 100: a table of wider cells can hold a browser up for minutes
	OneOf                   // one of Attribute.Words, in small letters
	ClassNames              // names from Classes; the others are left out one by one
	Name                    // a name of the page's own, which the host prefixes with m-<module>-
	Names                   // several of them, separated by spaces
	FieldName               // the name a form field is sent under: small letters, digits and _ . : [ ] -
	Date                    // digits and the signs of ISO 8601
	Language                // a BCP 47 tag
	Link                    // an address of this site, or #name of the page's own
	Image                   // an address of the module's own pages, or of the host's assets
	Form                    // as Own; with the grant session.switch also the site's /session/switch
	Own                     // an address of the module's own pages
)

// A field's name becomes a property of its form. One such as parentNode would lead the libraries of the
// page round in a circle at the first click, so none has a capital.

// Attribute is what one attribute may hold.
type Attribute struct {
	Value Value
	Words []string // for OneOf
}

func oneOf(words string) Attribute { return Attribute{OneOf, strings.Fields(words)} }

// Everywhere are the attributes every element may have. Beside them each element may have any
// data-m-… attribute, which the host never looks at.
var Everywhere = map[string]Attribute{
	"class":     {Value: ClassNames},
	"dir":       oneOf("ltr rtl auto"),
	"hidden":    {Value: Flag},
	"id":        {Value: Name},
	"lang":      {Value: Language},
	"role":      oneOf(roles),
	"tabindex":  oneOf("0 -1"),
	"title":     {Value: Text},
	"translate": oneOf("yes no"),

	"aria-atomic":       oneOf("true false"),
	"aria-busy":         oneOf("true false"),
	"aria-checked":      oneOf("true false mixed"),
	"aria-colcount":     {Value: Number},
	"aria-colindex":     {Value: Number},
	"aria-colspan":      {Value: Number},
	"aria-controls":     {Value: Names},
	"aria-current":      oneOf("page step location date time true false"),
	"aria-describedby":  {Value: Names},
	"aria-description":  {Value: Text},
	"aria-details":      {Value: Names},
	"aria-disabled":     oneOf("true false"),
	"aria-errormessage": {Value: Names},
	"aria-expanded":     oneOf("true false"),
	"aria-hidden":       oneOf("true false"),
	"aria-invalid":      oneOf("true false grammar spelling"),
	"aria-label":        {Value: Text},
	"aria-labelledby":   {Value: Names},
	"aria-level":        {Value: Number},
	"aria-live":         oneOf("off polite"),
	"aria-orientation":  oneOf("horizontal vertical"),
	"aria-placeholder":  {Value: Text},
	"aria-posinset":     {Value: Number},
	"aria-pressed":      oneOf("true false mixed"),
	"aria-readonly":     oneOf("true false"),
	"aria-required":     oneOf("true false"),
	"aria-rowcount":     {Value: Number},
	"aria-rowindex":     {Value: Number},
	"aria-rowspan":      {Value: Number},
	"aria-selected":     oneOf("true false"),
	"aria-setsize":      {Value: Number},
	"aria-sort":         oneOf("ascending descending none other"),
	"aria-valuemax":     {Value: Number},
	"aria-valuemin":     {Value: Number},
	"aria-valuenow":     {Value: Number},
	"aria-valuetext":    {Value: Text},
}

// roles leaves out those that pose as parts of the host's own page: banner, main, navigation as the
// site's, dialogs.
const roles = "alert article cell columnheader definition feed figure group heading img list listitem log meter none note " +
	"presentation progressbar radiogroup region row rowgroup rowheader search separator status table term timer toolbar"

// Elements are the elements a page may hold, each with the attributes it may have beside Everywhere.
var Elements = map[string]map[string]Attribute{
	"a": {
		"href": {Value: Link}, "download": {Value: Text}, "rel": oneOf("next prev"),
		"data-modal": {Value: Flag},
	},
	"abbr": nil, "address": nil, "article": nil, "aside": nil, "b": nil, "bdi": nil, "bdo": nil, "blockquote": nil, "br": nil,
	"button": {
		"disabled": {Value: Flag}, "name": {Value: FieldName}, "type": oneOf("submit reset button"), "value": {Value: Text},
		"formaction": {Value: Own}, "formnovalidate": {Value: Flag},
	},
	"caption": nil, "cite": nil, "code": nil,
	"col": {"span": {Value: Span}}, "colgroup": {"span": {Value: Span}},
	"data": {"value": {Value: Text}}, "datalist": nil, "dd": nil,
	"del":     {"datetime": {Value: Date}},
	"details": {"open": {Value: Flag}},
	"dfn":     nil, "div": nil, "dl": nil, "dt": nil, "em": nil,
	"fieldset":   {"disabled": {Value: Flag}},
	"figcaption": nil, "figure": nil,
	"form": {
		"action": {Value: Form}, "method": oneOf("get post"), "autocomplete": oneOf("on off"), "novalidate": {Value: Flag},
		"enctype": oneOf("application/x-www-form-urlencoded multipart/form-data"),
	},
	"h1": nil, "h2": nil, "h3": nil, "h4": nil, "h5": nil, "h6": nil, "hgroup": nil, "hr": nil, "i": nil,
	"img": {
		"src": {Value: Image}, "alt": {Value: Text}, "width": {Value: Number}, "height": {Value: Number},
		"loading": oneOf("lazy eager"), "decoding": oneOf("async sync auto"),
	},
	"input": {
		"type": oneOf("text search email tel url number range date time datetime-local month week color checkbox radio file hidden submit reset button"),
		"name": {Value: FieldName}, "value": {Value: Text}, "placeholder": {Value: Text}, "accept": {Value: Text},
		"autocomplete": oneOf(completions), "inputmode": oneOf("none text decimal numeric tel search email url"),
		"checked": {Value: Flag}, "disabled": {Value: Flag}, "multiple": {Value: Flag}, "readonly": {Value: Flag}, "required": {Value: Flag},
		"max": {Value: Text}, "min": {Value: Text}, "step": {Value: Text}, "maxlength": {Value: Number}, "minlength": {Value: Number},
		"size": {Value: Number}, "list": {Value: Name}, "spellcheck": oneOf("true false"),
	},
	"ins": {"datetime": {Value: Date}}, "kbd": nil, "label": {"for": {Value: Name}}, "legend": nil,
	"li": {"value": {Value: Number}}, "mark": nil, "menu": nil,
	"meter": {
		"value": {Value: Number}, "min": {Value: Number}, "max": {Value: Number}, "low": {Value: Number}, "high": {Value: Number}, "optimum": {Value: Number},
	},
	"nav": nil, "ol": {"start": {Value: Number}, "reversed": {Value: Flag}, "type": {Value: OneOf, Words: []string{"1", "a", "A", "i", "I"}}},
	"optgroup": {"label": {Value: Text}, "disabled": {Value: Flag}},
	"option": {
		"value": {Value: Text}, "label": {Value: Text}, "selected": {Value: Flag}, "disabled": {Value: Flag},
		"data-detail": {Value: Text}, "data-reason": {Value: Text},
	},
	"output": {"for": {Value: Names}, "name": {Value: FieldName}}, "p": nil, "pre": nil,
	"progress": {"value": {Value: Number}, "max": {Value: Number}}, "q": nil, "rp": nil, "rt": nil, "ruby": nil, "s": nil, "samp": nil,
	"search": nil, "section": nil,
	"select": {
		"name": {Value: FieldName}, "disabled": {Value: Flag}, "multiple": {Value: Flag}, "required": {Value: Flag}, "size": {Value: Number},
		"autocomplete": oneOf(completions),
		"data-enhance": {Value: Flag}, "data-search-url": {Value: Own}, "data-search-with": {Value: FieldName},
	},
	"small": nil, "span": nil, "strong": nil, "sub": nil, "summary": nil, "sup": nil,
	"table": nil, "tbody": nil, "td": cell, "textarea": {
		"name": {Value: FieldName}, "rows": {Value: Number}, "cols": {Value: Number}, "placeholder": {Value: Text}, "wrap": oneOf("soft hard"),
		"disabled": {Value: Flag}, "readonly": {Value: Flag}, "required": {Value: Flag}, "maxlength": {Value: Number}, "minlength": {Value: Number},
		"autocomplete": oneOf(completions), "spellcheck": oneOf("true false"),
	},
	"tfoot": nil, "th": header, "thead": nil, "time": {"datetime": {Value: Date}}, "tr": nil, "u": nil, "ul": nil, "var": nil, "wbr": nil,
}

var cell = map[string]Attribute{"colspan": {Value: Span}, "rowspan": {Value: Span}, "headers": {Value: Names}}

var header = map[string]Attribute{
	"colspan": {Value: Span}, "rowspan": {Value: Span}, "headers": {Value: Names}, "abbr": {Value: Text},
	"scope": oneOf("col row colgroup rowgroup"),
}

// completions are what a browser may fill in by itself: nothing one signs in or pays with.
const completions = "off on name honorific-prefix given-name additional-name family-name honorific-suffix nickname organization-title " +
	"organization street-address address-line1 address-line2 address-line3 address-level1 address-level2 country country-name postal-code language url"

// DroppedWhole are the elements whose content goes with them: it isn't words for a person, or a
// browser reads it by rules of its own.
var DroppedWhole = strings.Fields("applet audio base canvas dialog embed frame frameset head iframe link math meta noembed noframes noscript object " +
	"param picture plaintext script source style svg template title track video xmp")

// Allowed returns what the attribute of an element may hold.
func Allowed(element, attribute string) (Attribute, bool) {
	if a, ok := Elements[element][attribute]; ok {
		return a, true
	}
	a, ok := Everywhere[attribute]
	return a, ok
}

// HasClass tells whether a class is on the list.
func HasClass(name string) bool {
	_, found := slices.BinarySearch(Classes, name)
	return found
}
