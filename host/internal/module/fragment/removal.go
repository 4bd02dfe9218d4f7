package fragment

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"github.com/understudy-crm/understudy/sdk/markup"
)

// Kind is what sort of thing was left out.
type Kind string

// The kinds.
const (
	Element   Kind = "element"
	Attribute Kind = "attribute"
	Class     Kind = "class"
	Field     Kind = "field"
	Address   Kind = "address"
	Invalid   Kind = "value"
)

// Removal is one thing that was left out of a fragment.
type Removal struct {
	Line    int    // of the source, from 1; zero where it isn't known
	Kind    Kind   //
	Element string // the element it was, or was on
	What    string // the attribute, class or value; empty for an element
	Why     string // what else there is to say, may be empty
}

// maxRemovals bounds how many of each kind are told of one page.
const maxRemovals = 100

// reasons end the sentence about a removal; each names the list to look at.
var reasons = map[Kind]string{
	Element:   "the element is not on the list of what a page may hold",
	Attribute: "the attribute is not on the list of this element",
	Class:     "the class is not on the list",
	Field:     "the field's type is not on the list",
	Address:   "the address leads where it may not",
	Invalid:   "the value is not one the attribute may have",
}

// String says it in a line for the module's author, such as
// "line 3: <div> class position-fixed: the class is not on the list".
func (r Removal) String() string {
	var s strings.Builder
	if r.Line > 0 {
		fmt.Fprintf(&s, "line %d: ", r.Line)
	}
	fmt.Fprintf(&s, "<%s>", clip(r.Element))
	switch {
	case r.Kind == Class:
		s.WriteString(" class " + clip(r.What))
	case r.What != "":
		s.WriteString(" " + clip(r.What))
	}
	s.WriteString(": " + reasons[r.Kind])
	if r.Why != "" {
		s.WriteString(" (" + r.Why + ")")
	}
	return s.String()
}

func (w *writer) remove(kind Kind, element, what, why string) {
	if w.told == nil {
		w.told = map[Kind]int{}
	}
	if w.told[kind]++; w.told[kind] <= maxRemovals {
		w.removed = append(w.removed, Removal{Line: w.line, Kind: kind, Element: element, What: what, Why: why})
	}
}

// kindOf tells an address that leads elsewhere from another value that isn't allowed.
func kindOf(v markup.Value) Kind {
	switch v {
	case markup.Link, markup.Image, markup.Form, markup.Own:
		return Address
	}
	return Invalid
}

func quoted(value string) string { return strconv.Quote(clip(value)) }

func clip(text string) string {
	const most = 80
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// lineMark is the attribute by which Explain has the parser carry lines along.
const lineMark = "data-source-line"

// Explain says what Clean leaves out of a source, with the lines it stands in. It reads a marked copy
// of the source, never what is shown.
func (r Rules) Explain(source string) []Removal {
	_, removed, err := r.rewrite(prepare(strings.ToValidUTF8(source, "\uFFFD"), true))
	if err != nil {
		return nil
	}
	return removed
}

// lineOf is the line an element was marked with, or the one of what stands around it.
func lineOf(n *html.Node, around int) int {
	if mark, has := attribute(n, lineMark); has {
		if line, err := strconv.Atoi(mark); err == nil {
			return line
		}
	}
	return around
}
