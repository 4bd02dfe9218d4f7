package hosttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// place names a part of the page by its role and a part of its accessible name.
type place struct{ role, name string }

func (p place) String() string { return fmt.Sprintf("%s %q", p.role, p.name) }

// element is something on the page as the accessibility tree has it.
type element struct {
	node     cdp.BackendNodeID
	role     string
	name     string
	disabled bool
}

// In narrows everything to the one element of that role whose accessible name holds name or,
// where the role has none, whose text does: In("row", "Acme Ltd"). It is looked up anew at every step.
func (b *Browser) In(role, name string) *Browser {
	narrowed := *b
	narrowed.within = append(slices.Clone(b.within), place{role, name})
	return &narrowed
}

// HasRole reports, without waiting, whether an element of that role and accessible name is there
// for everyone: hidden ones and those behind a modal dialog don't count.
func (b *Browser) HasRole(role, name string) bool {
	b.t.Helper()
	found, _ := b.byRole(role, name)
	return len(found) > 0
}

// SeeRole waits for an element of that role and accessible name.
func (b *Browser) SeeRole(role, name string) {
	b.t.Helper()
	b.wait(place{role, name}.String(), func() (bool, string) {
		found, err := b.byRole(role, name)
		return len(found) > 0, reason(err)
	})
}

// DontSeeRole waits until no element of that role and accessible name is there.
func (b *Browser) DontSeeRole(role, name string) {
	b.t.Helper()
	b.wait("no "+place{role, name}.String(), func() (bool, string) {
		found, err := b.byRole(role, name)
		return err == nil && len(found) == 0, reason(err)
	})
}

// See waits for the text on the screen, as a person reads it: whitespace is one space, and
// whatever the style sheet does to capitals doesn't count. What fields hold is no text.
func (b *Browser) See(text string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("the text %q", text), func() (bool, string) {
		shown, err := b.shown()
		if err != nil {
			return false, err.Error()
		}
		return strings.Contains(shown, squeeze(text)), "the page says: " + clip(shown, 1200)
	})
}

// DontSee waits until the text isn't on the screen.
func (b *Browser) DontSee(text string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("the text %q to be gone", text), func() (bool, string) {
		shown, err := b.shown()
		return err == nil && !strings.Contains(shown, squeeze(text)), reason(err)
	})
}

// Text waits for the first element that matches the CSS selector and returns its text.
func (b *Browser) Text(selector string) string {
	b.t.Helper()
	var text *string
	b.wait("an element matching "+selector, func() (bool, string) {
		root, err := b.root()
		if err != nil {
			return false, err.Error()
		}
		err = b.call(root, &text, `function (selector) { return this.querySelector(selector)?.innerText ?? null }`, selector)
		return err == nil && text != nil, reason(err)
	})
	return squeeze(*text)
}

// shown is the text within the current place.
func (b *Browser) shown() (string, error) {
	root, err := b.root()
	if err != nil {
		return "", err
	}
	var text string
	// An adopted sheet is the browser's own way in: the page's policy on styles doesn't apply.
	err = b.call(root, &text, `function () {
		const plain = new CSSStyleSheet()
		plain.replaceSync('* { text-transform: none !important }')
		document.adoptedStyleSheets.push(plain)
		try { return (this === document ? document.body : this)?.innerText ?? '' }
		finally { document.adoptedStyleSheets.pop() }
	}`)
	return squeeze(text), err
}

// byRole finds the elements of the role, any when empty, with exactly that accessible name.
func (b *Browser) byRole(role, name string) ([]element, error) {
	root, err := b.root()
	if err != nil {
		return nil, err
	}
	return b.query(root, role, func(n string) bool { return n == squeeze(name) })
}

// one is the only element of that role and name; several are a question the test must answer by In.
func (b *Browser) one(role, name string) (element, error) {
	found, err := b.byRole(role, name)
	if err != nil {
		return element{}, err
	}
	return only(found)
}

func only(found []element) (element, error) {
	switch len(found) {
	case 0:
		return element{}, errors.New("there is none")
	case 1:
		return found[0], nil
	}
	return element{}, fmt.Errorf("there are %d: say which with In", len(found))
}

// query asks the accessibility tree below root. Ignored elements, the hidden and the inert, aren't found.
func (b *Browser) query(root runtime.RemoteObjectID, role string, named func(string) bool) ([]element, error) {
	ctx, cancel := b.patient()
	defer cancel()
	res, err := chromedp.Call(ctx, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: root, Role: role})
	if err != nil {
		return nil, err
	}
	var found []element
	for _, node := range res.Nodes {
		if node.Ignored || node.BackendDOMNodeID == 0 {
			continue
		}
		e := element{node: node.BackendDOMNodeID, role: axText(node.Role), name: squeeze(axText(node.Name))}
		// A text's own node carries the same name as the element around it.
		if e.role == "StaticText" || e.role == "InlineTextBox" || !named(e.name) {
			continue
		}
		for _, property := range node.Properties {
			if property.Name == "disabled" && property.Value != nil {
				e.disabled = string(property.Value.Value) == "true"
			}
		}
		found = append(found, e)
	}
	return found, nil
}

func axText(value *accessibility.Value) string {
	if value == nil {
		return ""
	}
	var text string
	// A value of another kind isn't a text to compare with.
	_ = json.Unmarshal(value.Value, &text)
	return text
}

// root is the document, or the innermost place of In.
func (b *Browser) root() (runtime.RemoteObjectID, error) {
	ctx, cancel := b.patient()
	defer cancel()
	res, err := chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: "document", ObjectGroup: group})
	if err != nil {
		return "", err
	}
	root := res.Result.ObjectID
	for _, place := range b.within {
		found, err := b.inside(root, place)
		if err != nil {
			return "", err
		}
		if root, err = b.object(found.node); err != nil {
			return "", err
		}
	}
	return root, nil
}

// inside is the one element below root that the place names.
func (b *Browser) inside(root runtime.RemoteObjectID, place place) (element, error) {
	all, err := b.query(root, place.role, func(string) bool { return true })
	if err != nil {
		return element{}, err
	}
	wanted := squeeze(place.name)
	var fits, exact []element
	for _, e := range all {
		name := e.name
		if name == "" {
			if name, err = b.textOf(e); err != nil {
				return element{}, err
			}
		}
		if strings.Contains(name, wanted) {
			fits = append(fits, e)
		}
		if name == wanted {
			exact = append(exact, e)
		}
	}
	if len(fits) > 1 && len(exact) == 1 {
		fits = exact
	}
	found, err := only(fits)
	if err != nil {
		return element{}, fmt.Errorf("%s: %w", place, err)
	}
	return found, nil
}

func (b *Browser) textOf(e element) (string, error) {
	object, err := b.object(e.node)
	if err != nil {
		return "", err
	}
	var text string
	err = b.call(object, &text, `function () { return this.innerText ?? '' }`)
	return squeeze(text), err
}

// group collects the handles on the page's objects; the page's end frees them.
const group = "hosttest"

// object is a handle on the element for scripts.
func (b *Browser) object(node cdp.BackendNodeID) (runtime.RemoteObjectID, error) {
	ctx, cancel := b.patient()
	defer cancel()
	res, err := chromedp.Call(ctx, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: node, ObjectGroup: group})
	if err != nil {
		return "", err
	}
	return res.Object.ObjectID, nil
}

// call runs a function with the object as its this, and stores what it returns in out.
func (b *Browser) call(object runtime.RemoteObjectID, out any, function string, args ...any) error {
	res, err := b.invoke(object, true, function, args...)
	if err != nil || out == nil {
		return err
	}
	if len(res.Value) == 0 {
		res.Value = []byte("null")
	}
	return json.Unmarshal(res.Value, out)
}

// callForObject is call for a function that returns an element; "" when it returned none.
func (b *Browser) callForObject(object runtime.RemoteObjectID, function string, args ...any) (runtime.RemoteObjectID, error) {
	res, err := b.invoke(object, false, function, args...)
	if err != nil {
		return "", err
	}
	return res.ObjectID, nil
}

func (b *Browser) invoke(object runtime.RemoteObjectID, byValue bool, function string, args ...any) (*runtime.RemoteObject, error) {
	ctx, cancel := b.patient()
	defer cancel()
	params := runtime.CallFunctionOnParams{ObjectID: object, FunctionDeclaration: function, ReturnByValue: &byValue, UserGesture: new(true), ObjectGroup: group}
	for _, arg := range args {
		value, err := json.Marshal(arg)
		if err != nil {
			return nil, err
		}
		params.Arguments = append(params.Arguments, &runtime.CallArgument{Value: value})
	}
	res, err := chromedp.Call[runtime.CallFunctionOnParams, runtime.CallFunctionOnResult](ctx, runtime.CallFunctionOn, params)
	if err != nil {
		return nil, err
	}
	if res.ExceptionDetails != nil {
		return nil, &chromedp.ExceptionError{ExceptionDetails: res.ExceptionDetails}
	}
	return res.Result, nil
}

func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }

func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " …"
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
