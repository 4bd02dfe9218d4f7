package module

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// Surface is everything the running modules add to the screen, as one snapshot that never changes.
// Reading it calls no module and no database; any goroutine may.
type Surface struct {
	modules []*surfaceModule // those that run, by id
	texts   map[string]*texts
	names   map[string]string
}

type surfaceModule struct {
	id       string
	name     string
	added    *contributions
	texts    *texts
	settings map[string]string
	decides  bool
	switches bool // it was granted session.switch
}

// Viewer is for whom something is drawn.
type Viewer struct {
	Who      crm.Who
	Area     crm.Area
	Language string
}

// NavbarItem is a drawn item of the navigation bar.
type NavbarItem struct {
	Module, ID, Label, Icon   string
	Attention, Modal, Restore bool
	Highlighted               bool   // a labelled button that doesn't pulse
	Shortcut                  string // the letter that does with Alt and Shift what a click does; empty for none
	Href                      string
}

// Section is a module's entry in Setup, Settings.
type Section struct{ Module, Title string }

// SettingsPage is a module's settings as the host draws them.
type SettingsPage struct {
	Module, Title string
	Fields        []SettingField
	Notes         []string
}

// SettingField is one setting. Kind is "bool", "text", "number" or "choice".
type SettingField struct {
	Key, Kind, Label, Help, Value string
	Choices                       []Choice
	Min, Max                      int64
}

// Choice is one allowed value.
type Choice struct{ Value, Label string }

// Link is a link on a module's row.
type Link struct{ Label, Href string }

// AccountAction is a link on an account's row.
type AccountAction struct {
	Module, Label, Icon string
	Modal               bool
	Href                func(crm.AccountKey) string
}

// Feature is a module's row in the table of features and capabilities, in words.
type Feature struct {
	Label        string
	Module       string
	Capabilities []FeatureCapability
}

// FeatureCapability is one capability, in words.
type FeatureCapability struct {
	Capability crm.Capability
	Label      string
}

// Page is a declared address of a running module.
type Page struct {
	Class   crm.RouteClass // what an unsafe method to it does
	answers Answers
	title   string
	module  *surfaceModule
	visible rule
}

// Title is the page's title in a language.
func (p Page) Title(language string) string { return p.module.texts.text(language, p.title, nil) }

// Allowed tells whether the viewer may open the page; without a rule administrators may.
func (p Page) Allowed(v Viewer) bool { return p.module.shows(p.visible, v, false) }

// shows asks a rule; open says what no rule means: everyone, or administrators only.
func (m *surfaceModule) shows(r rule, v Viewer, open bool) bool {
	if r == nil {
		return open || administrator(v.Who.Subject)
	}
	return r(view{v, m.settings})
}

func (m *surfaceModule) root(area crm.Area) string {
	if area == crm.Admin {
		return "/admin/m/" + m.id
	}
	return "/m/" + m.id
}

// Navbar is what the viewer sees on the navigation bar, module by module.
func (s *Surface) Navbar(v Viewer) []NavbarItem {
	var items []NavbarItem
	taken, kept := map[string]bool{"": true}, s.keysBack(v)
	for _, m := range s.modules {
		for _, item := range m.added.navbar {
			if !slices.Contains(item.areas, v.Area) || !m.shows(item.visible, v, true) {
				continue
			}
			href := m.root(v.Area) + item.page
			if item.restore {
				href = "/session/restore"
			}
			drawn := NavbarItem{
				Module: m.id, ID: item.id, Label: m.texts.text(v.Language, item.label, nil), Icon: item.icon,
				Attention: item.attention, Highlighted: item.highlighted, Modal: item.modal, Restore: item.restore, Href: href,
			}
			back := item.restore && m.switches
			if !taken[item.shortcut] && (back || !kept[item.shortcut]) { // two items may want the same: the first has it
				drawn.Shortcut, taken[item.shortcut] = item.shortcut, true
			}
			items = append(items, drawn)
		}
	}
	return items
}

// keysBack are the letters of the ways back of modules that may switch: no other item takes those.
func (s *Surface) keysBack(v Viewer) map[string]bool {
	kept := map[string]bool{}
	for _, m := range s.modules {
		for _, item := range m.added.navbar {
			if item.restore && m.switches && slices.Contains(item.areas, v.Area) && m.shows(item.visible, v, true) {
				kept[item.shortcut] = true
			}
		}
	}
	return kept
}

// SettingsSections are the modules with a settings page.
func (s *Surface) SettingsSections(language string) []Section {
	var sections []Section
	for _, m := range s.modules {
		if m.added.settings != nil {
			sections = append(sections, Section{m.id, m.texts.text(language, m.added.settings.title, nil)})
		}
	}
	return sections
}

// SettingsPage is a module's settings page with the saved values; false when it has none or does
// not run.
func (s *Surface) SettingsPage(module, language string) (SettingsPage, bool) {
	m := s.module(module)
	if m == nil || m.added.settings == nil {
		return SettingsPage{}, false
	}
	say := func(key string) string {
		if key == "" {
			return ""
		}
		return m.texts.text(language, key, nil)
	}
	p := SettingsPage{Module: m.id, Title: say(m.added.settings.title)}
	for _, f := range m.added.settings.fields {
		field := SettingField{Key: f.key, Kind: f.kind, Label: say(f.label), Help: say(f.help), Value: m.settings[f.key], Min: f.min, Max: f.max}
		for _, c := range f.choices {
			field.Choices = append(field.Choices, Choice{c.Value, say(c.Label)})
		}
		p.Fields = append(p.Fields, field)
	}
	for _, n := range m.added.settings.notes {
		if n.when == nil || n.when(view{settings: m.settings}) {
			p.Notes = append(p.Notes, say(n.text))
		}
	}
	return p, true
}

// ActionLinks are the links on a running module's row that the viewer may follow.
func (s *Surface) ActionLinks(module string, v Viewer) []Link {
	m := s.module(module)
	if m == nil {
		return nil
	}
	return s.links(m, m.added.links, v)
}

// SettingsLinks are the links on a running module's settings page that the viewer may follow.
func (s *Surface) SettingsLinks(module string, v Viewer) []Link {
	m := s.module(module)
	if m == nil || m.added.settings == nil {
		return nil
	}
	return s.links(m, m.added.settings.links, v)
}

func (s *Surface) links(m *surfaceModule, list []actionLink, v Viewer) []Link {
	var links []Link
	for _, l := range list {
		href := "/admin/settings/" + m.id
		if l.page != "" {
			if p, ok := s.Page(m.id, crm.Admin, l.page); !ok || !p.Allowed(v) {
				continue
			}
			href = m.root(crm.Admin) + l.page
		}
		links = append(links, Link{m.texts.text(v.Language, l.label, nil), href})
	}
	return links
}

// AccountActions are the links on rows of one kind of account.
func (s *Surface) AccountActions(kind crm.AccountKind, v Viewer) []AccountAction {
	var actions []AccountAction
	for _, m := range s.modules {
		for _, a := range m.added.actions {
			if !slices.Contains(a.kinds, kind) || v.Area != crm.Admin || !m.shows(a.visible, v, false) {
				continue
			}
			address := m.root(crm.Admin) + a.page
			actions = append(actions, AccountAction{
				Module: m.id, Label: m.texts.text(v.Language, a.label, nil), Icon: a.icon, Modal: a.modal,
				Href: func(key crm.AccountKey) string {
					return address + "?kind=" + url.QueryEscape(string(key.Kind)) + "&id=" + strconv.FormatInt(key.ID, 10)
				},
			})
		}
	}
	return actions
}

// Languages lists the languages running modules have texts in, sorted.
func (s *Surface) Languages() []string {
	tags := map[string]bool{}
	for _, m := range s.modules {
		for tag := range m.texts.byTag {
			tags[tag] = true
		}
	}
	return slices.Sorted(maps.Keys(tags))
}

// Features are the running modules' rows in the table of features and capabilities of staff.
func (s *Surface) Features(language string) []Feature { return s.rights(crm.Staff, language) }

// ContactRights are the running modules' rows in the table of what contacts may do.
func (s *Surface) ContactRights(language string) []Feature { return s.rights(crm.Contact, language) }

func (s *Surface) rights(kind crm.AccountKind, language string) []Feature {
	var features []Feature
	for _, m := range s.modules {
		f := Feature{Label: m.name, Module: m.id}
		if m.added.feature != "" {
			f.Label = m.texts.text(language, m.added.feature, nil)
		}
		for _, c := range m.added.capabilities {
			if c.Capability.Holders() == kind {
				f.Capabilities = append(f.Capabilities, FeatureCapability{c.Capability, m.texts.text(language, c.Label, nil)})
			}
		}
		if len(f.Capabilities) > 0 {
			features = append(features, f)
		}
	}
	return features
}

// Page finds the page a module declared for a path, the longest that fits. False means 404: the
// module isn't asked.
func (s *Surface) Page(module string, area crm.Area, path string) (Page, bool) {
	m := s.module(module)
	if m == nil || !cleanRequestPath(path) {
		return Page{}, false
	}
	var best *page
	for i := range m.added.pages {
		p := &m.added.pages[i]
		fits := p.path == path || (strings.HasSuffix(p.path, "/") && p.path != "/" && strings.HasPrefix(path, p.path))
		if fits && slices.Contains(p.areas, area) && (best == nil || len(p.path) > len(best.path)) {
			best = p
		}
	}
	if best == nil {
		return Page{}, false
	}
	return Page{Class: best.unsafe, answers: best.answers, title: best.title, module: m, visible: best.visible}, true
}

// cleanRequestPath refuses paths that could mean another page to the module than to the host.
func cleanRequestPath(p string) bool {
	if !strings.HasPrefix(p, "/") || strings.ContainsFunc(p, invisible) || strings.Contains(p, "\\") {
		return false
	}
	if p == "/" {
		return true
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(p[1:], "/"), "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}

// Text is a module's message in a language, with fallbacks down to English and the key itself. It
// also knows installed modules that don't run.
func (s *Surface) Text(module, language, key string, args map[string]any) string {
	if t := s.texts[module]; t != nil {
		return t.text(language, key, args)
	}
	return key
}

// Name is an installed module's name as its manifest says it, or its id.
func (s *Surface) Name(module string) string {
	if name := s.names[module]; name != "" {
		return name
	}
	return module
}

// HasSwitchDecider tells whether a running module decides session switches.
func (s *Surface) HasSwitchDecider() bool {
	return slices.ContainsFunc(s.modules, func(m *surfaceModule) bool { return m.decides })
}

// MaySwitch tells whether a running module was granted session.switch: its forms may be sent to the
// session switch.
func (s *Surface) MaySwitch(module string) bool {
	m := s.module(module)
	return m != nil && m.switches
}

func (s *Surface) module(id string) *surfaceModule {
	i, ok := slices.BinarySearchFunc(s.modules, id, func(m *surfaceModule, id string) int { return strings.Compare(m.id, id) })
	if !ok {
		return nil
	}
	return s.modules[i]
}
