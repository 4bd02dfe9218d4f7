package app

import (
	"context"
	"maps"
	"strconv"

	"golang.org/x/text/language"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// coreSettings are the host's own sections, with the value each setting has until it is saved.
func coreSettings() map[string]map[string]string {
	return map[string]map[string]string{
		"general":  {"site_name": "Understudy", "language": "en"},
		"security": {"session_hours": "12", "idle_minutes": "120", "audit_days": "0"},
	}
}

// IsCoreSection tells whether a section of settings is the host's own; no module may have such an
// id.
func IsCoreSection(section string) bool {
	_, core := coreSettings()[section]
	return core
}

// Settings reads a section of the host's own settings. It asks nobody's rights.
func (a *App) Settings(ctx context.Context, section string) (map[string]string, error) {
	values, core := coreSettings()[section]
	if !core {
		return nil, crm.Refuse(crm.NotFound, "section_not_found")
	}
	saved, err := a.store.Read().Settings(ctx, section)
	maps.Copy(values, saved)
	return values, err
}

// SaveSettings changes settings of one of the host's own sections.
func (a *App) SaveSettings(ctx context.Context, who crm.Who, section string, values map[string]string) error {
	if err := a.allow(who, crm.SensitiveRoute, crm.SettingsEdit); err != nil {
		return err
	}
	known, core := coreSettings()[section]
	if !core {
		return crm.Refuse(crm.NotFound, "section_not_found")
	}
	for name, value := range values {
		if _, ok := known[name]; !ok {
			return crm.Refuse(crm.Invalid, "setting_unknown", "Name", name)
		}
		if err := checkSetting(name, value); err != nil {
			return err
		}
	}
	return a.saveSettings(ctx, who, section, values)
}

func (a *App) saveSettings(ctx context.Context, who crm.Who, section string, values map[string]string) error {
	return a.changeRights(ctx, who, "settings_changed", func(tx store.Tx) (string, map[string]string, error) {
		before, err := tx.Settings(ctx, section)
		if err != nil {
			return "", nil, err
		}
		detail := map[string]string{}
		for name, value := range values {
			if was, saved := before[name]; saved && was == value {
				continue
			}
			detail[name] = value
			if err := tx.SetSetting(ctx, section, name, value); err != nil {
				return "", nil, err
			}
		}
		return "settings:" + section, detail, tx.RaiseRevision(ctx)
	})
}

func checkSetting(name, value string) error {
	switch name {
	case "site_name":
		if clean, err := crm.CleanName(value); err != nil || clean != value {
			return crm.Refuse(crm.Invalid, "name_invalid")
		}
	case "language":
		if clean, err := CleanLanguage(value); err != nil || clean == "" {
			return crm.Refuse(crm.Invalid, "language_invalid")
		}
	case "session_hours":
		return checkNumber(value, 1, 24*30)
	case "audit_days":
		return checkNumber(value, 0, 36500)
	case "idle_minutes":
		return checkNumber(value, 5, 60*24*30)
	}
	return nil
}

func checkNumber(value string, least, most int) error {
	if n, err := strconv.Atoi(value); err != nil || n < least || n > most {
		return crm.Refuse(crm.Invalid, "number_out_of_range", "Min", least, "Max", most)
	}
	return nil
}

// CleanLanguage checks a BCP 47 tag and writes it the usual way; empty stays empty.
func CleanLanguage(tag string) (string, error) {
	if tag == "" {
		return "", nil
	}
	t, err := language.Parse(tag)
	if err != nil || len(tag) > 35 {
		return "", crm.Refuse(crm.Invalid, "language_invalid")
	}
	return t.String(), nil
}
