package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// Place is a page as somebody sees it.
type Place struct {
	Name string
	Path string
	Open func(p *Person) // what to do there first, nil for nothing
	Says string          // what must be on it, so that no error page is praised for its contrast
}

// Inspect looks at a page in every light and at every width.
func (p *Person) Inspect(t *testing.T, place Place, name string) {
	t.Helper()
	p.ColorScheme("light")
	p.ReducedMotion(true)
	p.Viewport(1280, 800)
	before := len(p.ConsoleErrors())
	p.tour(t, place)
	Pictures(p.Browser, name+"-light")
	reportOn(t, name+", light", p.Axe())
	p.ColorScheme("dark")
	hosttest.Eventually(t, name+" follows the machine into the dark", func() bool {
		var dark bool
		p.Eval(`(!document.querySelector('link[href*=tabler]') || document.documentElement.dataset.bsTheme === 'dark') && document.getAnimations().length === 0`, &dark)
		return dark
	})
	Pictures(p.Browser, name+"-dark")
	reportOn(t, name+", dark", p.Axe("color-contrast", "link-in-text-block"))
	p.ColorScheme("light")
	p.Viewport(360, 740)
	if wide := p.Overflow(); wide != "" {
		t.Errorf("%s at 360 px: %s", name, wide)
	}
	if covered := p.coveredHeading(); covered != "" {
		t.Errorf("%s at 360 px: the heading is covered by %s", name, covered)
	}
	Pictures(p.Browser, name+"-360")
	p.Viewport(1920, 1080)
	if wide := p.Overflow(); wide != "" {
		t.Errorf("%s at 1920 px: %s", name, wide)
	}
	reportOn(t, name+", console", unexpected(p.ConsoleErrors()[before:]))
}

// Narrow looks at a page on a telephone.
func (p *Person) Narrow(t *testing.T, place Place, name string, rightToLeft bool) {
	t.Helper()
	p.ReducedMotion(true)
	p.Viewport(1280, 800)
	before := len(p.ConsoleErrors())
	place.Says = ""
	if strings.HasPrefix(place.Name, "modal") {
		place.Open = func(p *Person) {
			p.Click("link", p.IconName())
			p.Text("#modal h2")
		}
	}
	p.tour(t, place)
	if p.Text("html") == "" {
		t.Errorf("%s is empty", name)
	}
	var direction string
	p.Eval(`document.documentElement.dir`, &direction)
	if rightToLeft != (direction == "rtl") {
		t.Errorf("%s runs %s", name, direction)
	}
	if rightToLeft {
		reportOn(t, name+", mirrored", p.mirrored())
	}
	Pictures(p.Browser, name+"-rtl")
	p.Viewport(360, 740)
	if wide := p.Overflow(); wide != "" {
		t.Errorf("%s at 360 px: %s", name, wide)
	}
	Pictures(p.Browser, name+"-rtl-360")
	reportOn(t, name+", console", unexpected(p.ConsoleErrors()[before:]))
}

// tour opens the page and does what it needs.
func (p *Person) tour(t *testing.T, place Place) {
	t.Helper()
	p.Visit(place.Path)
	if place.Open != nil {
		place.Open(p)
	}
	if place.Says != "" {
		p.See(place.Says)
	}
}

// IconName is what the module's item on the navigation bar is called in the page's language.
func (p *Person) IconName() string {
	p.T.Helper()
	var name string
	p.Eval(`document.querySelector('a[data-modal]').textContent.trim()`, &name)
	return name
}

// coveredHeading is the text of a control that stands on the heading, "" when none does.
func (p *Person) coveredHeading() string {
	p.T.Helper()
	var covered string
	p.Eval(`(() => {
		const heading = document.querySelector('main h1')
		if (!heading) return ''
		const words = document.createRange()
		words.selectNodeContents(heading)
		const a = words.getBoundingClientRect()
		const over = [...document.querySelectorAll('main a, main button')].find(e => {
			const b = e.getBoundingClientRect()
			return b.width && a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1
		})
		return over ? over.innerText : ''
	})()`, &covered)
	return covered
}

// mirrored are times and telephone numbers that a right-to-left page would turn around.
func (p *Person) mirrored() []string {
	p.T.Helper()
	var wrong []string
	p.Eval(`[...document.querySelectorAll('main *')].filter(e => e.checkVisibility() && !e.children.length && (e.localName === 'time' || /^\+\d[\d ]+$/.test(e.innerText)))
		.filter(e => getComputedStyle(e).direction !== 'ltr').slice(0, 3).map(e => e.innerText)`, &wrong)
	return wrong
}

func reportOn(t *testing.T, where string, wrong []string) {
	t.Helper()
	for _, each := range wrong {
		t.Errorf("%s: %s", where, each)
	}
}

func unexpected(errors []string) []string {
	return slices.DeleteFunc(slices.Clone(errors), expected.MatchString)
}

// expected are the browser's own words about error pages: what was asked for wasn't there.
var expected = regexp.MustCompile(`Failed to load resource: the server responded with a status of (401|403|404|405|409|422)`)
