package hosttest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// For is the same tab for a part of the test: what fails there fails that part.
func (b *Browser) For(t testing.TB) *Browser {
	other := *b
	other.t = t
	return &other
}

// Names are the accessible names of the elements of a role, in the page's order. It waits for the place they
// are looked for in, not for any of them.
func (b *Browser) Names(role string) []string {
	b.t.Helper()
	var found []element
	b.wait("every "+role, func() (bool, string) { // the page may be about to be another one
		root, err := b.root()
		if err == nil {
			found, err = b.query(root, role, func(string) bool { return true })
		}
		return err == nil, reason(err)
	})
	names := make([]string, 0, len(found))
	for _, e := range found {
		names = append(names, e.name)
	}
	return names
}

// SeeOptions waits until the field of that label offers exactly these, in any order: each begins
// with its text, since details may follow it. The list of a searchable field is opened first, and
// what is typed, when not empty, is searched for.
func (b *Browser) SeeOptions(label, typed string, want ...string) {
	b.t.Helper()
	field := b.field(label)
	var plain bool
	if err := b.call(field, &plain, `function () { return this.tagName === 'SELECT' }`); err != nil {
		b.failf("read %q: %v", label, err)
	}
	if !plain {
		b.openList(label, field)
		if typed != "" {
			if err := b.typeSearch(typed); err != nil {
				b.failf("type %q into %q: %v", typed, label, err)
			}
		}
	}
	b.wait(fmt.Sprintf("%q to offer exactly %s", label, strings.Join(want, ", ")), func() (bool, string) {
		var shown []string
		var err error
		if plain {
			err = b.call(b.field(label), &shown, `function () { return [...this.options].map(o => o.label.replace(/\s+/g, ' ').trim()) }`)
		} else {
			shown, err = b.listed(field)
		}
		if err != nil {
			return false, err.Error()
		}
		return sameBeginnings(shown, want), "it offers " + strings.Join(shown, " | ")
	})
}

func sameBeginnings(shown, want []string) bool {
	if len(shown) != len(want) {
		return false
	}
	for _, w := range want {
		if !slices.ContainsFunc(shown, func(s string) bool { return strings.HasPrefix(s, w) }) {
			return false
		}
	}
	return true
}

// openList shows the list of a searchable field.
func (b *Browser) openList(label string, field runtime.RemoteObjectID) {
	b.t.Helper()
	frame, err := b.callForObject(field, `function () { return this.closest('.ts-wrapper')?.querySelector('.ts-control') ?? this }`)
	if err != nil {
		b.failf("open %q: %v", label, err)
	}
	b.wait(fmt.Sprintf("the list of %q", label), func() (bool, string) {
		var open bool
		if err := b.call(field, &open, `function () { return this.getAttribute('aria-expanded') === 'true' }`); err != nil || open {
			return open, reason(err)
		}
		return false, reason(b.press(frame))
	})
}

// listed are the texts of the open list that belongs to the field.
func (b *Browser) listed(field runtime.RemoteObjectID) ([]string, error) {
	var shown []string
	err := b.call(field, &shown, `function () {
		const list = document.getElementById(this.getAttribute('aria-controls') ?? this.getAttribute('aria-owns'))
		return [...(list?.querySelectorAll('[role=option]') ?? [])].map(o => o.innerText.replace(/\s+/g, ' ').trim())
	}`)
	return shown, err
}

// Overflow names what makes the page wider than the screen, "" when nothing does.
func (b *Browser) Overflow() string {
	b.t.Helper()
	var wide string
	b.Eval(`(() => {
		const page = document.documentElement, width = page.clientWidth
		if (page.scrollWidth <= width) return ''
		const scrolls = e => { for (let p = e.parentElement; p && p !== document.body; p = p.parentElement) if (getComputedStyle(p).overflowX !== 'visible') return true; return false }
		const out = [...document.body.querySelectorAll('*')].filter(e => { const r = e.getBoundingClientRect(); return r.width > 0 && (r.right > width + 1 || r.left < -1) && !scrolls(e) && e.checkVisibility() })
		return page.scrollWidth + ' > ' + width + ' px: ' + out.slice(0, 3).map(e => e.outerHTML.slice(0, 120)).join(' … ')
	})()`, &wide)
	return wide
}

// Languages says which languages the person's browser asks for, such as "fr,en;q=0.5".
func (b *Browser) Languages(accept string) {
	b.t.Helper()
	var agent string
	b.Eval("navigator.userAgent", &agent)
	if _, err := chromedp.Call(b.tab, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: accept}); err != nil {
		b.t.Fatalf("ask for %s: %v", accept, err)
	}
}

// UploadSpeed slows down what the tab sends, in bytes a second; 0 is as fast as it goes.
func (b *Browser) UploadSpeed(bytes float64) {
	b.t.Helper()
	params := network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{}}
	if bytes > 0 {
		params.MatchedNetworkConditions = append(params.MatchedNetworkConditions, &network.Conditions{DownloadThroughput: -1, UploadThroughput: bytes})
	}
	if _, err := chromedp.Call(b.tab, network.EmulateNetworkConditionsByRule, params); err != nil {
		b.t.Fatalf("slow the upload down: %v", err)
	}
}

// Back goes to the page before, as the browser's button does.
func (b *Browser) Back() {
	b.t.Helper()
	b.Eval("void setTimeout(() => history.back())", nil) // later: a page that goes at once takes the answer with it
	b.settle()
}
