package web

import (
	"fmt"
	"html/template"
	"strings"
	"sync"

	"github.com/understudy-crm/understudy/host/internal/module"
)

// barPart is a stretch of the navigation bar: items that are drawn already, or one that goes back,
// whose form carries a token of this session.
type barPart struct {
	Drawn template.HTML
	navItem
}

// bars are the bars of one snapshot of the modules, drawn once for all who see the same: with fifty
// modules drawing theirs would take longer than the rest of the page.
type bars struct {
	surface *module.Surface
	mu      sync.Mutex
	drawn   map[barKey][]barPart
}

type barKey struct {
	sight module.Sight
	actor string // the language of what goes back
}

// maxBars bounds how many different bars are kept; people differ in rights and languages only.
const maxBars = 1000

// navbar is what modules put on the bar, taken from the snapshot without asking any of them.
func (v *visit) navbar() []barPart {
	surface, page, actor := v.modules.Surface(), v.moduleLanguage(), v.actorModuleLanguage()
	known := v.bars.Load()
	if known == nil || known.surface != surface {
		known = &bars{surface: surface, drawn: map[barKey][]barPart{}}
		v.bars.Store(known)
	}
	key := barKey{v.viewer(page).Sight(), actor}
	known.mu.Lock()
	defer known.mu.Unlock()
	bar, drawn := known.drawn[key]
	if !drawn {
		if len(known.drawn) >= maxBars {
			clear(known.drawn)
		}
		bar = v.drawBar(v.barItems(surface, page, actor))
		known.drawn[key] = bar
	}
	return bar
}

// barItems are the items in their order. The way back speaks the actor's language, the rest the page's.
func (v *visit) barItems(surface *module.Surface, page, actor string) []navItem {
	var items []navItem
	for _, item := range surface.Navbar(v.viewer(page)) {
		if !item.Restore || actor == page {
			items = append(items, v.navItem(item, page))
		}
	}
	if actor == page {
		return items
	}
	for _, item := range surface.Navbar(v.viewer(actor)) {
		if item.Restore {
			items = append(items, v.navItem(item, actor))
		}
	}
	return items
}

// drawBar draws what is the same for everybody who sees it.
func (v *visit) drawBar(items []navItem) (bar []barPart) {
	var same strings.Builder
	flush := func() {
		if same.Len() > 0 {
			bar = append(bar, barPart{Drawn: template.HTML(same.String())}) //nolint:gosec // a template drew it
			same.Reset()
		}
	}
	for _, item := range items {
		if item.Restore {
			flush()
			bar = append(bar, barPart{navItem: item})
		} else if err := v.templates.parts.ExecuteTemplate(&same, "bar-item", item); err != nil {
			v.log.ErrorContext(v.r.Context(), "draw an item of the bar", "item", item.ID, "module", item.Module, "error", err)
		}
	}
	flush()
	return bar
}

// still is all that the parts of a page may know which are drawn once for a language.
type still struct {
	server        *server
	Language, Dir string
}

// T is a sentence of the host.
func (s still) T(key string) string { return s.server.languages.text(s.Language, key) }

// Still draws a part that is the same for everybody who reads the page's language, once.
func (p *Page) Still(name string) (template.HTML, error) {
	s := p.visit.server
	key := name + " " + p.Language
	if known, drawn := s.still.Load(key); drawn {
		if html, is := known.(template.HTML); is {
			return html, nil
		}
	}
	var text strings.Builder
	if err := s.templates.parts.ExecuteTemplate(&text, name, still{s, p.Language, p.Dir}); err != nil {
		return "", fmt.Errorf("draw %s: %w", name, err)
	}
	html := template.HTML(text.String()) //nolint:gosec // a template drew it
	s.still.Store(key, html)
	return html, nil
}
