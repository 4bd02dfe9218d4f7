package web

import (
	"maps"
	"slices"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
)

// coreSections are the host's own sections of the settings, in order. A module's section has the
// module's id.
var coreSections = []string{"general", "security"}

// settingsView is one section of the settings, beside the list of all.
type settingsView struct {
	*Page
	Sections []menuItem
	Form     *form
	Notes    []string
	Links    []module.Link
}

func (v *visit) settings() error {
	v.redirect("/admin/settings/general")
	return nil
}

func (v *visit) settingsSection() error { return v.showSettings(nil) }

func (v *visit) showSettings(cause error) error {
	section := v.r.PathValue("section")
	if slices.Contains(coreSections, section) {
		return v.showCoreSettings(section, cause)
	}
	return v.showModuleSettings(section, cause)
}

func (v *visit) showCoreSettings(section string, cause error) error {
	values, err := v.app.Settings(v.r.Context(), section)
	if err != nil {
		return err
	}
	p := v.newPage(v.text("settings_" + section))
	var fields []field
	switch section {
	case "general":
		language := p.languageField(values["language"], "")
		language.Label, language.Help = v.text("setting_language"), v.text("help_setting_language")
		fields = []field{
			{Name: "site_name", Kind: "text", Label: v.text("setting_site_name"), Value: values["site_name"], Required: true},
			language,
		}
	case "security":
		fields = []field{
			{Name: "session_hours", Kind: "number", Label: v.text("setting_session_hours"), Help: v.text("help_session_hours"), Value: values["session_hours"], Min: 1, Max: 720},
			{Name: "idle_minutes", Kind: "number", Label: v.text("setting_idle_minutes"), Help: v.text("help_idle_minutes"), Value: values["idle_minutes"], Min: 5, Max: 43200},
			{Name: "audit_days", Kind: "number", Label: v.text("setting_audit_days"), Help: v.text("help_audit_days"), Value: values["audit_days"], Min: 0, Max: 36500},
		}
	}
	return v.renderSettings(settingsView{Page: p}, section, fields, cause)
}

// showModuleSettings draws the fields a module declared. The host alone draws, checks and stores.
func (v *visit) showModuleSettings(section string, cause error) error {
	page, ok := v.modules.Surface().SettingsPage(section, v.moduleLanguage())
	if !ok {
		return crm.Refuse(crm.NotFound, "settings_section_unknown")
	}
	values := v.modules.SettingsValues(v.r.Context(), section)
	var fields []field
	for _, s := range page.Fields {
		f := field{Name: "s_" + s.Key, Kind: s.Kind, Label: s.Label, Help: s.Help, Value: s.Value, Min: s.Min, Max: s.Max}
		if value, ok := values[s.Key]; ok {
			f.Value = value
		}
		switch s.Kind {
		case "bool":
			f.Kind = "yesno"
		case "choice":
			f.Kind = "select"
			for _, c := range s.Choices {
				f.Choices = append(f.Choices, choice{c.Value, c.Label})
			}
		}
		fields = append(fields, f)
	}
	p := v.newPage(page.Title)
	links := v.modules.Surface().SettingsLinks(section, v.viewer(v.moduleLanguage()))
	if v.who.Subject.Administrator {
		links = append(links, module.Link{Label: v.text("module_grants"), Href: "/admin/modules/" + section + "/grants"})
		links = append(links, module.Link{Label: v.text("module_log"), Href: "/admin/modules/" + section + "/log"})
	}
	return v.renderSettings(settingsView{Page: p, Notes: page.Notes, Links: links}, section, fields, cause)
}

func (v *visit) renderSettings(view settingsView, section string, fields []field, cause error) error {
	f := view.newForm("/admin/settings/"+section, "sensitive", v.text("save_settings"), fields...)
	if cause != nil {
		if err := f.keep(v).refuse(cause); err != nil {
			return err
		}
	}
	view.Sections, view.Form = v.settingsMenu(section), f
	return v.render(f.Status, "settings", view)
}

func (v *visit) settingsMenu(current string) []menuItem {
	var items []menuItem
	for _, name := range coreSections {
		items = append(items, menuItem{Label: v.text("settings_" + name), Href: v.path("/admin/settings/" + name), Current: name == current})
	}
	for _, s := range v.modules.Surface().SettingsSections(v.moduleLanguage()) {
		items = append(items, menuItem{Label: s.Title, Href: v.path("/admin/settings/" + s.Module), Current: s.Module == current})
	}
	return items
}

func (v *visit) saveSettings() error {
	section := v.r.PathValue("section")
	var err error
	if slices.Contains(coreSections, section) {
		err = v.saveCoreSettings(section)
	} else {
		err = v.saveModuleSettings(section)
	}
	if err != nil {
		return v.showSettings(err)
	}
	return v.done("/admin/settings/"+section, "flash_settings_saved")
}

func (v *visit) saveCoreSettings(section string) error {
	values, err := v.app.Settings(v.r.Context(), section)
	if err != nil {
		return err
	}
	posted := maps.Clone(values)
	for name := range values {
		if v.r.PostForm.Has(name) {
			posted[name] = v.value(name)
		}
	}
	return v.app.SaveSettings(v.r.Context(), v.who, section, posted)
}

func (v *visit) saveModuleSettings(section string) error {
	page, ok := v.modules.Surface().SettingsPage(section, v.moduleLanguage())
	if !ok {
		return crm.Refuse(crm.NotFound, "settings_section_unknown")
	}
	values := map[string]string{}
	for _, s := range page.Fields {
		if name := "s_" + s.Key; v.r.PostForm.Has(name) {
			values[s.Key] = v.value(name)
		}
	}
	return v.modules.SaveSettings(v.r.Context(), v.who, section, values)
}
