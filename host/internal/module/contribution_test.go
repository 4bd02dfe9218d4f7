package module

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/understudy-crm/understudy/host/internal/crm"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

var (
	adminArea  = []modulev1.Area{modulev1.Area_AREA_ADMIN}
	isAdmin    = &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_Administrator{Administrator: true}}
	isSwitched = &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_SessionSwitched{SessionSwitched: true}}
)

func not(r *modulev1.VisibilityRule) *modulev1.VisibilityRule {
	return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_Not{Not: r}}
}

func allOf(rules ...*modulev1.VisibilityRule) *modulev1.VisibilityRule {
	return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_All{All: &modulev1.VisibilityRules{Rules: rules}}}
}

func anyOf(rules ...*modulev1.VisibilityRule) *modulev1.VisibilityRule {
	return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_Any{Any: &modulev1.VisibilityRules{Rules: rules}}}
}

func can(capability string) *modulev1.VisibilityRule {
	return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_Capability{Capability: capability}}
}

func settingIs(key, value string) *modulev1.VisibilityRule {
	return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_SettingEquals{SettingEquals: &modulev1.SettingEquals{Key: key, Value: value}}}
}

// modest is a good set of contributions, for tests to spoil.
func modest() *modulev1.Contributions {
	return &modulev1.Contributions{
		Capabilities: []*modulev1.Capability{{Key: "do", LabelKey: "label"}},
		Pages: []*modulev1.Page{
			{Path: "/p", TitleKey: "label", Areas: adminArea, UnsafeClass: modulev1.RouteClass_ROUTE_CLASS_WRITE},
			{Path: "/p/deep/", TitleKey: "label", Areas: []modulev1.Area{modulev1.Area_AREA_ADMIN, modulev1.Area_AREA_PORTAL}, Visible: can("do")},
		},
		NavbarItems: []*modulev1.NavbarItem{{Id: "i", LabelKey: "label", Icon: "user", Areas: adminArea, Action: &modulev1.NavbarItem_GoToPage{GoToPage: "/p"}}},
		SettingsPages: []*modulev1.SettingsPage{{TitleKey: "label", Fields: []*modulev1.SettingField{
			{Key: "on", Kind: modulev1.SettingKind_SETTING_KIND_BOOL, LabelKey: "label", DefaultValue: "true"},
		}}},
		ActionLinks:    []*modulev1.ActionLink{{LabelKey: "label", Target: &modulev1.ActionLink_Page{Page: "/p"}}},
		AccountActions: []*modulev1.AccountAction{{LabelKey: "label", Page: "/p", Kinds: []modulev1.AccountKind{modulev1.AccountKind_ACCOUNT_KIND_CONTACT}}},
	}
}

func modestManifest() manifest.Manifest {
	return manifest.Manifest{ID: "m", Name: "M", Capabilities: []string{"do"}}
}

func modestTexts() *texts {
	return mergeLanguages(nil, languageLayer{english: {"label": "Label", "long": strings.Repeat("x", maxLabel+1)}, "de": {"label": "Schild"}})
}

func TestContributionsAreCheckedWordByWord(t *testing.T) {
	if _, err := compile(modestManifest(), modestTexts(), nil, modest()); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	for name, spoil := range map[string]func(*modulev1.Contributions){
		"capability not in the manifest": func(c *modulev1.Contributions) { c.Capabilities[0].Key = "more" },
		"capability of nobody known":     func(c *modulev1.Contributions) { c.Capabilities[0].Kind = 7 },
		"shortcut of two letters":        func(c *modulev1.Contributions) { c.NavbarItems[0].Shortcut = "ab" },
		"shortcut in capitals":           func(c *modulev1.Contributions) { c.NavbarItems[0].Shortcut = "A" },
		"shortcut that is no letter":     func(c *modulev1.Contributions) { c.NavbarItems[0].Shortcut = "\n" },
		"plain item without icon":        func(c *modulev1.Contributions) { c.NavbarItems[0].Style, c.NavbarItems[0].Icon = 4, "" },
		"capability twice":               func(c *modulev1.Contributions) { c.Capabilities = append(c.Capabilities, c.Capabilities[0]) },
		"no text":                        func(c *modulev1.Contributions) { c.NavbarItems[0].LabelKey = "none" },
		"empty key":                      func(c *modulev1.Contributions) { c.Pages[0].TitleKey = "" },
		"long label":                     func(c *modulev1.Contributions) { c.NavbarItems[0].LabelKey = "long" },
		"feature without text":           func(c *modulev1.Contributions) { c.FeatureLabelKey = "none" },
		"icon":                           func(c *modulev1.Contributions) { c.NavbarItems[0].Icon = "a\"><script>" },
		"no icon":                        func(c *modulev1.Contributions) { c.NavbarItems[0].Icon = "" },
		"id":                             func(c *modulev1.Contributions) { c.NavbarItems[0].Id = "A b" },
		"id twice":                       func(c *modulev1.Contributions) { c.NavbarItems = append(c.NavbarItems, c.NavbarItems[0]) },
		"no action":                      func(c *modulev1.Contributions) { c.NavbarItems[0].Action = nil },
		"no such page": func(c *modulev1.Contributions) {
			c.NavbarItems[0].Action = &modulev1.NavbarItem_OpenModal{OpenModal: "/q"}
		},
		"page of the other area": func(c *modulev1.Contributions) { c.NavbarItems[0].Areas = []modulev1.Area{modulev1.Area_AREA_PORTAL} },
		"area":                   func(c *modulev1.Contributions) { c.Pages[0].Areas = []modulev1.Area{7} },
		"path":                   func(c *modulev1.Contributions) { c.Pages[0].Path = "p" },
		"path upwards":           func(c *modulev1.Contributions) { c.Pages[0].Path = "/../x" },
		"path with a query":      func(c *modulev1.Contributions) { c.Pages[0].Path = "/p?x=1" },
		"path twice":             func(c *modulev1.Contributions) { c.Pages[1].Path = "/p" },
		"setting twice": func(c *modulev1.Contributions) {
			c.SettingsPages[0].Fields = append(c.SettingsPages[0].Fields, c.SettingsPages[0].Fields[0])
		},
		"setting key":        func(c *modulev1.Contributions) { c.SettingsPages[0].Fields[0].Key = "On" },
		"setting kind":       func(c *modulev1.Contributions) { c.SettingsPages[0].Fields[0].Kind = 77 },
		"default":            func(c *modulev1.Contributions) { c.SettingsPages[0].Fields[0].DefaultValue = "yes" },
		"two settings pages": func(c *modulev1.Contributions) { c.SettingsPages = append(c.SettingsPages, c.SettingsPages[0]) },
		"link nowhere":       func(c *modulev1.Contributions) { c.ActionLinks[0].Target = nil },
		"link to no settings": func(c *modulev1.Contributions) {
			c.SettingsPages = nil
			c.ActionLinks[0].Target = &modulev1.ActionLink_Settings{}
		},
		"account kind":       func(c *modulev1.Contributions) { c.AccountActions[0].Kinds = []modulev1.AccountKind{0} },
		"account page":       func(c *modulev1.Contributions) { c.AccountActions[0].Page = "" },
		"rule of a stranger": func(c *modulev1.Contributions) { c.Pages[0].Visible = can("other") },
		"rule of no setting": func(c *modulev1.Contributions) { c.Pages[0].Visible = settingIs("off", "true") },
		"empty rule":         func(c *modulev1.Contributions) { c.Pages[0].Visible = &modulev1.VisibilityRule{} },
		"empty rule inside":  func(c *modulev1.Contributions) { c.Pages[0].Visible = not(nil) },
		"rule too deep":      func(c *modulev1.Contributions) { c.Pages[0].Visible = nested(maxRuleDepth + 1) },
		"note about the viewer": func(c *modulev1.Contributions) {
			c.SettingsPages[0].Notes = []*modulev1.SettingNote{{TextKey: "label", When: not(isAdmin)}}
		},
		"too many items": func(c *modulev1.Contributions) {
			for range maxNavbarItems {
				c.NavbarItems = append(c.NavbarItems, c.NavbarItems[0])
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, ok := proto.Clone(modest()).(*modulev1.Contributions)
			if !ok {
				t.Fatal("clone")
			}
			spoil(c)
			if _, err := compile(modestManifest(), modestTexts(), nil, c); err == nil {
				t.Error("it was taken")
			}
		})
	}
	if _, err := compile(modestManifest(), modestTexts(), func(string) bool { return false }, modest()); err == nil {
		t.Error("an icon the host does not have was taken")
	}
}

func nested(depth int) *modulev1.VisibilityRule {
	r := isAdmin
	for range depth {
		r = not(r)
	}
	return r
}

func viewers() map[string]Viewer {
	staff := func(administrator bool, capabilities ...crm.Capability) crm.Account {
		return crm.Account{Key: crm.AccountKey{Kind: crm.Staff, ID: 1}, Active: true, Administrator: administrator, Capabilities: crm.NewCapabilities(capabilities...)}
	}
	plain, admin, capable := staff(false), staff(true), staff(false, "m/do")
	contact := crm.Account{Key: crm.AccountKey{Kind: crm.Contact, ID: 1}, Active: true, Administrator: true, Capabilities: crm.NewCapabilities("m/do")}
	seer := crm.Account{Key: crm.AccountKey{Kind: crm.Contact, ID: 2}, Active: true, Capabilities: crm.NewCapabilities("m@see")}
	primary := crm.Account{Key: crm.AccountKey{Kind: crm.Contact, ID: 3}, Active: true, Primary: true}
	posing := staff(false, "m@see")
	as := func(actor, subject crm.Account) Viewer {
		v := Viewer{Who: crm.Who{Actor: actor, Subject: subject}, Area: subject.Key.Kind.Area(), Language: "en"}
		if actor.Administrator != subject.Administrator || actor.Key != subject.Key {
			v.Who.Switch = &crm.Switch{}
		}
		return v
	}
	return map[string]Viewer{
		"nobody": {Area: crm.Admin}, "plain": as(plain, plain), "admin": as(admin, admin), "capable": as(capable, capable),
		"contact": as(contact, contact), "seer": as(seer, seer), "primary": as(primary, primary), "posing": as(posing, posing), "admin as plain": as(admin, plain), "admin as contact": as(admin, contact),
	}
}

func TestRulesAskTheSubject(t *testing.T) {
	s := scope{map[string]crm.Capability{"do": crm.ModuleCapability("m", "do"), "see": crm.ContactCapability("m", "see")}, map[string]bool{"on": true}}
	for name, c := range map[string]struct {
		rule *modulev1.VisibilityRule
		sees string
	}{
		"administrator": {isAdmin, "admin"},
		"not administrator": {
			&modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_Administrator{}},
			"admin as contact, admin as plain, capable, contact, nobody, plain, posing, primary, seer",
		},
		"capability":           {can("do"), "admin, capable"},
		"contacts' capability": {can("see"), "primary, seer"},
		"switched":             {isSwitched, "admin as contact, admin as plain"},
		"area":                 {&modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_Area{Area: modulev1.Area_AREA_PORTAL}}, "admin as contact, contact, primary, seer"},
		"setting":              {settingIs("on", "no"), ""},
		"empty all":            {allOf(), "admin, admin as contact, admin as plain, capable, contact, nobody, plain, posing, primary, seer"},
		"empty any":            {anyOf(), ""},
		"together":             {allOf(not(isSwitched), anyOf(isAdmin, can("do")), settingIs("on", "yes")), "admin, capable"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := s.compileRule(c.rule, 1, false)
			if err != nil {
				t.Fatal(err)
			}
			var seeing []string
			for name, v := range viewers() {
				if r(view{v, map[string]string{"on": "yes"}}) {
					seeing = append(seeing, name)
				}
			}
			slices.Sort(seeing)
			if got := strings.Join(seeing, ", "); got != c.sees {
				t.Errorf("seen by %q, want %q", got, c.sees)
			}
		})
	}
}

func surfaceOf(t testing.TB) *Surface {
	t.Helper()
	added, err := compile(modestManifest(), modestTexts(), nil, modest())
	if err != nil {
		t.Fatal(err)
	}
	return &Surface{modules: []*surfaceModule{{id: "m", name: "M", added: added, texts: modestTexts(), settings: added.fill(nil)}}}
}

func TestThePageThatFitsLongestAnswers(t *testing.T) {
	s, v := surfaceOf(t), viewers()
	if p, ok := s.Page("m", crm.Admin, "/p"); !ok || p.Class != crm.WriteRoute || !p.Allowed(v["admin"]) || p.Allowed(v["capable"]) || p.Title("de-AT") != "Schild" {
		t.Errorf("/p: %+v %v", p, ok)
	}
	if p, ok := s.Page("m", crm.Portal, "/p/deep/er"); !ok || p.Class != crm.SensitiveRoute || !p.Allowed(v["capable"]) || p.Allowed(v["plain"]) {
		t.Errorf("/p/deep/er: %+v %v", p, ok)
	}
	for _, path := range []string{"/p/", "/p/dee", "/p/deep", "/p/deep/../x", "/"} {
		if _, ok := s.Page("m", crm.Admin, path); ok {
			t.Errorf("%s is answered", path)
		}
	}
	if _, ok := s.Page("m", crm.Portal, "/p"); ok {
		t.Error("a page of the admin area stands in the portal")
	}
}

func TestAccountActionsNameTheAccount(t *testing.T) {
	s, v := surfaceOf(t), viewers()
	actions := s.AccountActions(crm.Contact, v["admin"])
	if len(actions) != 1 || actions[0].Href(crm.AccountKey{Kind: crm.Contact, ID: 9}) != "/admin/m/m/p?kind=contact&id=9" {
		t.Errorf("%+v", actions)
	}
	if len(s.AccountActions(crm.Staff, v["admin"])) != 0 || len(s.AccountActions(crm.Contact, v["plain"])) != 0 {
		t.Error("shown where it should not be")
	}
}

func TestFeaturesAreInWords(t *testing.T) {
	got := surfaceOf(t).Features("de")
	if len(got) != 1 || got[0].Label != "M" || got[0].Module != "m" || got[0].Capabilities[0] != (FeatureCapability{"m/do", "Schild"}) {
		t.Errorf("%+v", got)
	}
}

func TestRightsStandWhereTheirHoldersAre(t *testing.T) {
	c, m := modest(), modestManifest()
	m.Capabilities = append(m.Capabilities, "see")
	c.Capabilities = append(c.Capabilities, &modulev1.Capability{Key: "see", LabelKey: "label", Kind: modulev1.AccountKind_ACCOUNT_KIND_CONTACT})
	added, err := compile(m, modestTexts(), nil, c)
	if err != nil {
		t.Fatal(err)
	}
	s := &Surface{modules: []*surfaceModule{{id: "m", name: "M", added: added, texts: modestTexts()}}}
	staff, contacts := s.Features("en"), s.ContactRights("en")
	if len(staff) != 1 || len(staff[0].Capabilities) != 1 || staff[0].Capabilities[0].Capability != "m/do" {
		t.Errorf("of staff: %+v", staff)
	}
	if len(contacts) != 1 || len(contacts[0].Capabilities) != 1 || contacts[0].Capabilities[0].Capability != "m@see" || contacts[0].Label != "M" {
		t.Errorf("of contacts: %+v", contacts)
	}
	if len(surfaceOf(t).ContactRights("en")) != 0 {
		t.Error("a module without any has a row")
	}
	r := &running{manifest: m}
	r.added.Store(added)
	for name, want := range map[string]string{"admin": "do", "capable": "do", "seer": "see", "primary": "see", "plain": "", "posing": "", "contact": ""} {
		if got := strings.Join(r.account(viewers()[name].Who.Subject).GetCapabilities(), " "); got != want {
			t.Errorf("%s holds %q for the module, want %q", name, got, want)
		}
	}
}

func TestTheFirstItemHasTheShortcut(t *testing.T) {
	c := modest()
	for i, id := range []string{"first", "second", "none"} {
		item, ok := proto.Clone(c.NavbarItems[0]).(*modulev1.NavbarItem)
		if !ok {
			t.Fatal("clone")
		}
		item.Id, item.Style, item.Icon, item.Shortcut = id, modulev1.NavbarStyle_NAVBAR_STYLE_HIGHLIGHTED, "", []string{"x", "x", ""}[i]
		c.NavbarItems = append(c.NavbarItems, item)
	}
	c.NavbarItems[0].Shortcut, c.NavbarItems[0].Visible = "x", isSwitched // who doesn't see it doesn't lose its letter to it
	added, err := compile(modestManifest(), modestTexts(), nil, c)
	if err != nil {
		t.Fatal(err)
	}
	module := func(id string) *surfaceModule {
		return &surfaceModule{id: id, name: id, added: added, texts: modestTexts()}
	}
	s := &Surface{modules: []*surfaceModule{module("m"), module("n")}}
	var has []string
	for _, item := range s.Navbar(viewers()["admin"]) {
		if item.Shortcut != "" {
			has = append(has, item.Module+" "+item.ID+" "+item.Shortcut)
		}
		if !item.Highlighted || item.Attention {
			t.Errorf("%+v", item)
		}
	}
	if len(has) != 1 || has[0] != "m first x" {
		t.Errorf("%q", has)
	}
}

func TestPublishKeepsWhatIsWrongOut(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	services := &hostServices{running: r, app: s.site.App}
	_, err = services.Publish(t.Context(), &modulev1.PublishRequest{Contributions: &modulev1.Contributions{}})
	if status.Code(err) != codes.InvalidArgument || len(s.m.Surface().Navbar(s.viewer())) != 1 {
		t.Errorf("without its capabilities: %v", err)
	}
	fewer, ok := proto.Clone(r.described.GetContributions()).(*modulev1.Contributions)
	if !ok {
		t.Fatal("clone")
	}
	fewer.NavbarItems = nil
	if _, err := services.Publish(t.Context(), &modulev1.PublishRequest{Contributions: fewer}); err != nil || len(s.m.Surface().Navbar(s.viewer())) != 0 {
		t.Errorf("fewer items: %v", err)
	}
}

func FuzzContributions(f *testing.F) {
	good, err := proto.Marshal(modest())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		var c modulev1.Contributions
		if proto.Unmarshal(data, &c) != nil {
			return
		}
		added, err := compile(modestManifest(), modestTexts(), nil, &c)
		if err != nil {
			return
		}
		s := &Surface{modules: []*surfaceModule{{id: "m", name: "M", added: added, texts: modestTexts(), settings: added.fill(nil)}}}
		for _, v := range viewers() {
			for _, item := range s.Navbar(v) {
				if !strings.HasPrefix(item.Href, "/admin/m/m/") && !strings.HasPrefix(item.Href, "/m/m/") && item.Href != "/session/restore" {
					t.Fatalf("an item leads to %q", item.Href)
				}
			}
			s.ActionLinks("m", v)
			s.AccountActions(crm.Staff, v)
		}
		s.SettingsPage("m", "de")
	})
}
