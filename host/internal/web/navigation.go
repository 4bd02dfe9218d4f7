package web

import (
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
)

// menu is the sidebar of the area, with only what the subject may open.
func (v *visit) menu() []menuItem {
	if v.who.Area() == portal {
		return []menuItem{
			v.menuItem("/", "nav_home", "home"),
			v.menuItem("/profile", "nav_my_profile", "user-circle"),
			v.menuItem("/company", "nav_company", "building"),
		}
	}
	items := []menuItem{v.menuItem("/admin", "nav_dashboard", "layout-dashboard")}
	if v.who.Can(crm.CustomersView) {
		items = append(items, v.menuItem("/admin/customers", "nav_customers", "building"))
	}
	if v.who.Can(crm.ActivityView) {
		items = append(items, menuItem{
			Label: v.text("nav_utilities"), Icon: "tools",
			Children: []menuItem{v.menuItem("/admin/activity", "nav_activity", "activity")},
		})
	}
	if setup := v.setupMenu(); len(setup) > 0 {
		items = append(items, menuItem{Label: v.text("nav_setup"), Icon: "adjustments", Children: setup})
	}
	return items
}

func (v *visit) setupMenu() []menuItem {
	var items []menuItem
	if v.who.Can(crm.StaffView) {
		items = append(items, v.menuItem("/admin/staff", "nav_staff", "users"))
	}
	if v.who.Can(crm.RolesView) {
		items = append(items, v.menuItem("/admin/roles", "nav_roles", "shield-lock"))
	}
	if v.who.Subject.Administrator {
		items = append(items, v.menuItem("/admin/modules", "nav_modules", "puzzle"))
	}
	if v.who.Can(crm.SettingsEdit) {
		items = append(items, v.menuItem("/admin/settings", "nav_settings", "settings"))
	}
	return items
}

func (v *visit) menuItem(local, label, icon string) menuItem {
	here := v.r.URL.Path
	current := here == local || (local != "/" && local != "/admin" && strings.HasPrefix(here, local+"/"))
	if (local == "/admin/customers" && strings.HasPrefix(here, "/admin/contacts")) || (local == "/admin/modules" && strings.HasPrefix(here, "/admin/uploads/")) {
		current = true
	}
	return menuItem{Label: v.text(label), Href: v.path(local), Icon: icon, Current: current}
}

// viewer is for whom modules' items are chosen and worded.
func (v *visit) viewer(language string) module.Viewer {
	return module.Viewer{Who: v.who, Area: v.who.Area(), Language: language}
}

func (v *visit) navItem(item module.NavbarItem, language string) navItem {
	if item.Href != "" {
		item.Href = v.path(item.Href)
	}
	if item.Restore {
		item.Href = v.path("/session/restore")
	}
	return navItem{NavbarItem: item, Language: language, Dir: direction(language)}
}

// banner is nil unless the session is switched.
func (v *visit) banner(bar []barPart) *banner {
	if !v.who.Switched() {
		return nil
	}
	language := v.actorLanguage()
	say := func(key string, pairs ...any) string { return v.languages.text(language, key, pairs...) }
	left := v.who.Switch.ExpiresAt.Sub(v.app.Now())
	b := &banner{
		Language: language, Dir: direction(language), Until: v.who.Switch.ExpiresAt.UnixMilli(),
		Text:         say("banner_text", "Actor", v.who.Actor.Name, "Subject", v.who.Subject.Title()),
		Left:         say("banner_left", "Minutes", max(int((left+time.Minute-1)/time.Minute), 1)),
		Ends:         say("banner_until", "Time", v.who.Switch.ExpiresAt.In(v.zone()).Format("15:04")),
		LeftTemplate: say("banner_left", "Minutes", "#"), LastMinute: say("banner_last_minute"),
		Restore: say("restore_button"),
	}
	if v.who.Switch.ExpiresAt.Before(v.who.Switch.StartedAt.Add(app.MaxSwitch)) {
		b.MoreTime = say("banner_more_time")
	}
	if v.who.Switch.Mode == crm.ReadOnly {
		b.MoreRights = say("banner_more_rights")
		b.Text = say("banner_text_read_only", "Actor", v.who.Actor.Name, "Subject", v.who.Subject.Title())
	}
	for _, part := range bar {
		if part.Restore && v.modules.Surface().MaySwitch(part.Module) { // any other may say of it what it likes
			b.Restore = ""
		}
	}
	return b
}

// accountActions are the links modules put on a person's row.
func (v *visit) accountActions(kind crm.AccountKind) []module.AccountAction {
	return v.modules.Surface().AccountActions(kind, v.viewer(v.moduleLanguage()))
}

// actionLink is a module's link for one person.
type actionLink struct {
	Label, Icon, Href string
	Modal             bool
}

// accountLinks are the module's links for one person, with whole addresses.
func (v *visit) accountLinks(actions []module.AccountAction, key crm.AccountKey) []actionLink {
	links := make([]actionLink, 0, len(actions))
	for _, a := range actions {
		links = append(links, actionLink{Label: a.Label, Icon: a.Icon, Href: v.path(a.Href(key)), Modal: a.Modal})
	}
	return links
}
