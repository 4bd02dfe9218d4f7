package web

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
)

// Page is what stands around every page. All of it comes from one answer to "who is this": the
// subject's name, rights, language and theme, and the actor only in the banner.
type Page struct {
	Title    string
	Heading  string // the h1, when it says more than the title
	Area     crm.Area
	Language string
	Dir      string
	Theme    string // "light", "dark", or empty for what the machine prefers
	SiteName string
	Version  string
	Signed   bool
	Switched bool
	Who      crm.Who
	Initials string
	Menu     []menuItem
	Navbar   []barPart
	Banner   *banner
	Notices  []string

	AccountNotices []accountNotice // newest first

	Languages []languageChoice
	Token     string // of this session and subject, for every form
	Address   string // of this page, for forms that come back to it
	Plain     bool   // without menus: sign-in and its like
	visit     *visit
}

// menuItem is a line of the sidebar, or a heading over its children.
type menuItem struct {
	Label    string
	Href     string
	Icon     string
	Current  bool
	Children []menuItem
}

// navItem is what a module put on the navigation bar.
type navItem struct {
	module.NavbarItem
	Language string
	Dir      string
}

// Emphasis is the class of an item that stands out, empty for one that doesn't.
func (n navItem) Emphasis() string {
	switch {
	case n.Attention:
		return "highlighted attention"
	case n.Highlighted:
		return "highlighted"
	default:
		return ""
	}
}

// Keys are what does the same as a click, empty for none.
func (n navItem) Keys() string {
	if n.Shortcut == "" {
		return ""
	}
	return "Alt+Shift+" + strings.ToUpper(n.Shortcut)
}

// banner says, in the actor's language, whose eyes these are.
type banner struct {
	Language     string
	Dir          string
	Text         string
	Left         string
	Ends         string // when, on the clock of the person at the screen
	LeftTemplate string // with "#" where the minutes go, for the countdown
	LastMinute   string
	Until        int64  // milliseconds since 1970
	MoreTime     string // labels of the links to more, empty where there is none to be had
	MoreRights   string
	Restore      string // the label of our own button; empty when a module's stands on the bar
}

// generalSettings is the part of the settings every page needs.
type generalSettings struct {
	revision int64
	name     string
	language string
}

// newPage gathers what stands around a page. It never fails: an error page needs it, too.
func (v *visit) newPage(title string) *Page {
	site := v.site()
	p := &Page{
		Title: title, Language: v.language(), Dir: direction(v.language()), SiteName: site.name, Version: v.version,
		Theme: v.who.Subject.Theme, Who: v.who, Signed: v.who.SignedIn(), Switched: v.who.Switched(),
		Area: areaOf(v.r.URL.Path), Languages: v.spoken().choices, Address: v.r.URL.RequestURI(), visit: v,
	}
	if !crm.IsLocal(p.Address) || v.r.Method != get {
		p.Address = p.Area.Home()
	}
	p.addNotices()
	if !p.Signed {
		p.Plain = true
		return p
	}
	p.Area = v.who.Area()
	p.Initials = initials(v.who.Subject.Name)
	p.Token = v.app.FormToken(v.who, "")
	p.Menu = v.menu()
	p.Navbar = v.navbar()
	p.Banner = v.banner(p.Navbar)
	p.addAccountNotices()
	return p
}

// addNotices takes the session's sentence and the one of the page before; each is shown once.
func (p *Page) addNotices() {
	v := p.visit
	if v.wantsFragment() {
		return
	}
	if v.notice.Key != "" {
		p.Notices = append(p.Notices, v.languages.withArgs(v.actorLanguage(), "notice_"+v.notice.Key, filling(v.notice.Args)))
		if err := v.app.NoticeShown(v.r.Context(), v.who); err != nil {
			v.log.WarnContext(v.r.Context(), "a notice will be shown again", "error", err)
		}
		v.notice = crm.Notice{}
	}
	if f, ok := v.takeFlash(); ok && strings.HasPrefix(f.Key, "flash_") && v.languages.has(f.Key) {
		p.Notices = append(p.Notices, v.languages.withArgs(p.Language, f.Key, filling(f.Args)))
	}
}

// filling is what fills a sentence, as those who fill it take it.
func filling(args map[string]string) map[string]any {
	values := make(map[string]any, len(args))
	for name, value := range args {
		values[name] = value
	}
	return values
}

// site reads the settings of the whole site, again only when the authority revision has moved.
func (v *visit) site() generalSettings {
	known := v.general.Load()
	if known != nil && v.who.Revision != 0 && known.revision == v.who.Revision {
		return *known
	}
	site := generalSettings{revision: v.who.Revision, name: "Understudy", language: "en"}
	values, err := v.app.Settings(context.WithoutCancel(v.r.Context()), "general")
	if err != nil {
		return site // a page with the wrong name is better than none
	}
	if values["site_name"] != "" {
		site.name = values["site_name"]
	}
	if values["language"] != "" {
		site.language = values["language"]
	}
	if site.revision != 0 {
		v.general.Store(&site)
	}
	return site
}

// T is a sentence of the host in the page's language.
func (p *Page) T(key string, pairs ...any) string {
	return p.visit.languages.text(p.Language, key, pairs...)
}

// A is a sentence of the host in the actor's language, for what must be understood by the person at
// the screen whatever the page speaks.
func (p *Page) A(key string, pairs ...any) string {
	return p.visit.languages.text(p.ActorLanguage(), key, pairs...)
}

// ActorLanguage is what A speaks.
func (p *Page) ActorLanguage() string { return p.visit.actorLanguage() }

// ActorDir is how ActorLanguage is written.
func (p *Page) ActorDir() string { return direction(p.ActorLanguage()) }

// Path is an address of the site as the browser asks for it.
func (p *Page) Path(local string) string { return p.visit.path(local) }

// Can tells whether the subject holds a capability.
func (p *Page) Can(c string) bool { return p.Who.Can(crm.Capability(c)) }

// Time writes a moment in the visitor's time zone, nothing for the zero time.
func (p *Page) Time(t time.Time) string { return p.visit.timeText(t) }

// Machine writes a moment for a time element.
func (p *Page) Machine(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Blocked says why a form of this class can't be sent just now, nothing when it can: a control that
// would be refused says so before it is pressed.
func (p *Page) Blocked(class string) string {
	classes := map[string]crm.RouteClass{"open": crm.Open, "write": crm.WriteRoute, "sensitive": crm.SensitiveRoute}
	if err := crm.CheckClass(p.Who, classes[class]); err != nil {
		return p.visit.sentence(err)
	}
	return ""
}

// SubjectKey tells other tabs of this browser who it is now.
func (p *Page) SubjectKey() string {
	if !p.Signed {
		return ""
	}
	return p.Who.Subject.Key.String()
}

// SubjectDetail is what stands below the name: company, role, or that it is an administrator.
func (p *Page) SubjectDetail() string {
	if p.Who.Subject.Administrator {
		return p.T("field_administrator")
	}
	return p.Who.Subject.Detail()
}

// around lets render reach the page inside any view.
func (p *Page) around() *Page { return p }

// initials are the first letters of the first and the last word of a name.
func initials(name string) string {
	words := strings.Fields(name)
	if len(words) == 0 {
		return "?"
	}
	first := []rune(words[0])[0]
	if len(words) == 1 {
		return string(unicode.ToUpper(first))
	}
	last := []rune(words[len(words)-1])[0]
	return string([]rune{unicode.ToUpper(first), unicode.ToUpper(last)})
}
