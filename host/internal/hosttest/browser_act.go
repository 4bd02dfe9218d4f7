package hosttest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Click presses the mouse on the one element of that role and accessible name, once it is
// enabled, has stopped moving and nothing covers it; then it waits for the page that follows.
func (b *Browser) Click(role, name string) {
	b.t.Helper()
	b.wait("a click on "+place{role, name}.String(), func() (bool, string) {
		found, err := b.one(role, name)
		if err != nil {
			return false, err.Error()
		}
		if found.disabled {
			return false, "it is disabled"
		}
		object, err := b.object(found.node)
		if err == nil {
			err = b.press(object)
		}
		return err == nil, reason(err)
	})
	b.settle()
}

// ClickText presses the mouse on the first text on the screen that is exactly this, or else holds this.
func (b *Browser) ClickText(text string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("a click on the text %q", text), func() (bool, string) {
		root, err := b.root()
		if err != nil {
			return false, err.Error()
		}
		object, err := b.callForObject(root, `function (text) {
			const says = e => (e.textContent ?? '').replace(/\s+/g, ' ').trim()
			const root = this === document ? document.body : this
			const all = [...root.querySelectorAll('*')].filter(e => e.checkVisibility({visibilityProperty: true}))
			const deepest = fits => all.find(e => fits(says(e)) && ![...e.children].some(c => fits(says(c))))
			return deepest(t => t === text) ?? deepest(t => t.includes(text)) ?? null
		}`, squeeze(text))
		if err == nil && object == "" {
			err = errors.New("there is none")
		}
		if err == nil {
			err = b.press(object)
		}
		return err == nil, reason(err)
	})
	b.settle()
}

// press clicks into the middle of the element.
func (b *Browser) press(object runtime.RemoteObjectID) error {
	x, y, err := b.middle(object)
	if err != nil {
		return err
	}
	// Dialogs and menus arrive by moving; a person waits for them to stop.
	time.Sleep(pollInterval)
	if nextX, nextY, err := b.middle(object); err != nil || math.Hypot(nextX-x, nextY-y) > 0.5 {
		return errors.Join(errors.New("it is moving"), err)
	}
	var cover string
	if err := b.call(object, &cover, `function (x, y) {
		const hit = document.elementFromPoint(x, y)
		if (!hit) return 'the edge of the screen'
		if (this === hit || this.contains(hit) || hit.closest('label')?.control === this) return ''
		return hit.outerHTML.slice(0, 200)
	}`, x, y); err != nil {
		return err
	}
	if cover != "" {
		return fmt.Errorf("it is covered by %s", cover)
	}
	ctx, cancel := b.patient()
	defer cancel()
	return chromedp.Do(ctx, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y), chromedp.MouseClickXY(x, y))
}

// middle scrolls the element onto the screen and returns its middle there.
func (b *Browser) middle(object runtime.RemoteObjectID) (x, y float64, err error) {
	ctx, cancel := b.patient()
	defer cancel()
	if _, err := chromedp.Call(ctx, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{ObjectID: object}); err != nil {
		return 0, 0, fmt.Errorf("scroll to it: %w", err)
	}
	res, err := chromedp.Call(ctx, dom.GetContentQuads, dom.GetContentQuadsParams{ObjectID: object})
	if err != nil {
		return 0, 0, fmt.Errorf("find it on the screen: %w", err)
	}
	for _, quad := range res.Quads {
		if len(quad) == 8 && quad[0] != quad[4] && quad[1] != quad[5] {
			return (quad[0] + quad[2] + quad[4] + quad[6]) / 4, (quad[1] + quad[3] + quad[5] + quad[7]) / 4, nil
		}
	}
	return 0, 0, errors.New("it takes no room on the screen")
}

// Fill replaces what the field of that label holds, as typing would.
func (b *Browser) Fill(label, value string) {
	b.t.Helper()
	field := b.field(label)
	var typed bool
	err := b.call(field, &typed, `function (value) {
		this.focus()
		if (['date', 'time', 'datetime-local', 'month', 'week', 'color', 'range'].includes(this.type)) {
			this.value = value
			this.dispatchEvent(new Event('input', {bubbles: true}))
			this.dispatchEvent(new Event('change', {bubbles: true}))
			return false
		}
		if (this.select) this.select()
		else getSelection().selectAllChildren(this)
		return true
	}`, value)
	if err == nil && typed {
		err = b.typeText(value)
	}
	if err != nil {
		b.failf("fill %q: %v", label, err)
	}
}

// Value is what the field of that label holds.
func (b *Browser) Value(label string) string {
	b.t.Helper()
	var value string
	if err := b.call(b.field(label), &value, `function () { return this.type === 'checkbox' ? String(this.checked) : this.value ?? this.innerText }`); err != nil {
		b.failf("read %q: %v", label, err)
	}
	return value
}

// typeText replaces the selection of whatever has the focus.
func (b *Browser) typeText(text string) error {
	ctx, cancel := b.patient()
	defer cancel()
	if text == "" {
		return chromedp.Do(ctx, chromedp.KeyEvent(kb.Delete))
	}
	_, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: text})
	return err
}

// Check ticks the checkbox or switch of that label, or unticks it.
func (b *Browser) Check(label string, ticked bool) {
	b.t.Helper()
	b.wait(fmt.Sprintf("%q to be %t", label, ticked), func() (bool, string) {
		var is bool
		field := b.field(label)
		if err := b.call(field, &is, `function () { return this.checked }`); err != nil || is == ticked {
			return err == nil, reason(err)
		}
		err := b.press(field)
		b.settle()
		return false, reason(err)
	})
}

// field waits for the enabled form field with that accessible name. Where Tom Select stands in
// front of a select, its own field is the one.
func (b *Browser) field(label string) runtime.RemoteObjectID {
	b.t.Helper()
	var field runtime.RemoteObjectID
	b.wait(fmt.Sprintf("the field %q", label), func() (bool, string) {
		named, err := b.byRole("", label)
		if err != nil {
			return false, err.Error()
		}
		var fields []element
		for _, e := range named {
			object, err := b.object(e.node)
			if err != nil {
				return false, err.Error()
			}
			var is bool
			if err := b.call(object, &is, `function () { return this.matches?.('input:not([type=hidden]), select:not(.tomselected), textarea, [contenteditable=true]') ?? false }`); err != nil {
				return false, err.Error()
			}
			if is {
				fields = append(fields, e)
				field = object
			}
		}
		e, err := only(fields)
		if err == nil && e.disabled {
			err = errors.New("it is disabled")
		}
		return err == nil, reason(err)
	})
	return field
}

// Choose picks the option of the field of that label: of a plain select, or of one that Tom
// Select made searchable. There it opens the list, and types when the option isn't shown yet: what
// stands before " (", the whole option, its first word; the server has time to answer
// each. The option is named exactly, or by a part that only one shown option has.
func (b *Browser) Choose(label, option string) {
	b.t.Helper()
	field := b.field(label)
	var plain bool
	if err := b.call(field, &plain, `function () { return this.tagName === 'SELECT' }`); err != nil {
		b.failf("choose %q: %v", label, err)
	}
	if plain {
		b.choosePlain(label, option)
	} else {
		b.chooseSearched(label, option, field)
	}
	b.settle()
}

func (b *Browser) choosePlain(label, option string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("the option %q of %q", option, label), func() (bool, string) {
		var missing string
		err := b.call(b.field(label), &missing, `function (option) {
			const says = o => o.label.replace(/\s+/g, ' ').trim()
			const all = [...this.options], parts = all.filter(o => says(o).includes(option))
			const found = all.find(o => says(o) === option) ?? (parts.length === 1 ? parts[0] : null)
			if (!found) return 'there are: ' + all.map(says).join(', ')
			if (found.disabled) return 'it is disabled'
			this.focus()
			if (this.multiple) found.selected = true
			else this.value = found.value
			this.dispatchEvent(new Event('input', {bubbles: true}))
			this.dispatchEvent(new Event('change', {bubbles: true}))
			return ''
		}`, squeeze(option))
		if err != nil {
			return false, err.Error()
		}
		return missing == "", missing
	})
}

func (b *Browser) chooseSearched(label, option string, field runtime.RemoteObjectID) {
	b.t.Helper()
	// With something chosen the field itself is out of sight; its frame is what one clicks.
	frame, err := b.callForObject(field, `function () { return this.closest('.ts-wrapper')?.querySelector('.ts-control') ?? this }`)
	if err != nil {
		b.failf("choose %q: %v", label, err)
	}
	b.wait(fmt.Sprintf("a click on %q", label), func() (bool, string) {
		err := b.press(frame)
		return err == nil, reason(err)
	})
	name, _, _ := strings.Cut(option, " (")
	word, _, _ := strings.Cut(option, " ")
	tries := slices.Compact([]string{"", name, option, word})
	var why string
	for i, text := range tries {
		if text != "" {
			if err := b.typeSearch(text); err != nil {
				b.failf("choose %q: type %q: %v", label, text, err)
			}
		}
		patience := b.Patience / time.Duration(len(tries))
		if i == 0 {
			patience = min(patience, 700*time.Millisecond)
		}
		var ok bool
		if why, ok = b.waitFor(patience, func() (bool, string) {
			found, err := b.option(field, option)
			if err == nil {
				err = b.press(found)
			}
			return err == nil, reason(err)
		}); ok {
			return
		}
	}
	b.failf("no option %q of %q: %s", option, label, why)
}

// typeSearch replaces the text of the search field that has the focus.
func (b *Browser) typeSearch(text string) error {
	ctx, cancel := b.patient()
	defer cancel()
	if _, err := evaluate(ctx, "document.activeElement?.select?.()"); err != nil {
		return err
	}
	return b.typeText(text)
}

// option is the option of that name in the list that belongs to the field.
func (b *Browser) option(field runtime.RemoteObjectID, option string) (runtime.RemoteObjectID, error) {
	list, err := b.callForObject(field, `function () { return document.getElementById(this.getAttribute('aria-controls') ?? this.getAttribute('aria-owns')) ?? document.body }`)
	if err != nil {
		return "", err
	}
	all, err := b.query(list, "option", func(string) bool { return true })
	if err != nil {
		return "", err
	}
	var names []string
	var exact, parts []element
	for _, e := range all {
		names = append(names, e.name)
		switch {
		case e.name == squeeze(option):
			exact = append(exact, e)
		case strings.Contains(e.name, squeeze(option)):
			parts = append(parts, e)
		}
	}
	if len(exact) == 0 {
		exact = parts
	}
	found, err := only(exact)
	if err != nil {
		return "", fmt.Errorf("%w; shown: %s", err, strings.Join(names, ", "))
	}
	if found.disabled {
		return "", errors.New("it is disabled")
	}
	return b.object(found.node)
}

// SetFile gives the file field of that label a file. The field may be hidden behind its label.
func (b *Browser) SetFile(label, path string) {
	b.t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		b.t.Fatal(err)
	}
	b.wait(fmt.Sprintf("the file field %q", label), func() (bool, string) {
		root, err := b.root()
		if err != nil {
			return false, err.Error()
		}
		field, err := b.callForObject(root, `function (label) {
			const says = e => (e?.textContent ?? '').replace(/\s+/g, ' ').trim()
			return [...this.querySelectorAll('input[type=file]')].find(field => field.ariaLabel === label ||
				[...field.labels].some(l => says(l) === label) ||
				(field.getAttribute('aria-labelledby') ?? '').split(' ').some(id => id && says(document.getElementById(id)) === label)) ?? null
		}`, squeeze(label))
		if err == nil && field == "" {
			err = errors.New("there is none")
		}
		if err == nil {
			ctx, cancel := b.patient()
			defer cancel()
			_, err = chromedp.Call(ctx, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: []string{path}, ObjectID: field})
		}
		return err == nil, reason(err)
	})
	b.settle()
}

var keys = map[string]string{
	"Escape": kb.Escape, "Enter": kb.Enter, "Tab": kb.Tab, "Space": " ", "Backspace": kb.Backspace, "Delete": kb.Delete,
	"ArrowUp": kb.ArrowUp, "ArrowDown": kb.ArrowDown, "ArrowLeft": kb.ArrowLeft, "ArrowRight": kb.ArrowRight, "Home": kb.Home, "End": kb.End,
}

var modifiers = map[string]chromedp.Modifier{"Shift": kb.ModifierShift, "Control": kb.ModifierCtrl, "Alt": kb.ModifierAlt, "Meta": kb.ModifierMeta}

// Press strikes a key, such as "Escape", "a" or "Shift+Tab", wherever the focus is.
func (b *Browser) Press(key string) {
	b.t.Helper()
	parts := strings.Split(key, "+")
	stroke := parts[len(parts)-1]
	if named, ok := keys[stroke]; ok {
		stroke = named
	}
	var held []chromedp.Modifier
	for _, name := range parts[:len(parts)-1] {
		held = append(held, modifiers[name])
	}
	ctx, cancel := b.patient()
	defer cancel()
	for _, r := range stroke {
		if err := strike(ctx, r, held); err != nil {
			b.failf("press %s: %v", key, err)
		}
	}
	b.settle()
}

// strike sends a key going down and up. What it writes belongs to the first of the two: sent by
// itself, as chromedp would, it arrives even where the page has prevented the key.
func strike(ctx context.Context, key rune, held []chromedp.Modifier) error {
	var events []*input.DispatchKeyEventParams
	for _, event := range kb.Encode(key) {
		for _, modifier := range held {
			event.Modifiers |= int64(modifier)
		}
		if event.Type != kb.KeyChar {
			events = append(events, event)
		} else if event.Modifiers&^int64(kb.ModifierShift) == 0 {
			events[0].Type, events[0].Text, events[0].UnmodifiedText = input.DispatchKeyEventTypeKeyDown, event.Text, event.UnmodifiedText
		}
	}
	for _, event := range events {
		if _, err := chromedp.Call(ctx, input.DispatchKeyEvent, *event); err != nil {
			return err
		}
	}
	return nil
}

// Focused is the accessible name of the element that has the focus.
func (b *Browser) Focused() string {
	b.t.Helper()
	ctx, cancel := b.patient()
	defer cancel()
	res, err := chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: "document.activeElement", ObjectGroup: group})
	if err != nil {
		b.failf("ask for the focus: %v", err)
	}
	found, err := b.query(res.Result.ObjectID, "", func(string) bool { return true })
	if err != nil || len(found) == 0 {
		b.failf("name what has the focus: %v", err)
	}
	return found[0].name
}
