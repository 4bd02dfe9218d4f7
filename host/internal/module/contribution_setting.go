package module

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

type settingsPage struct {
	title  string
	fields []settingField
	notes  []settingNote
	links  []actionLink
}

type settingField struct {
	key, kind, label, help, standard string
	choices                          []Choice // labels still keys
	min, max                         int64
}

type settingNote struct {
	text string
	when rule
}

var kinds = map[modulev1.SettingKind]string{
	modulev1.SettingKind_SETTING_KIND_BOOL: "bool", modulev1.SettingKind_SETTING_KIND_TEXT: "text",
	modulev1.SettingKind_SETTING_KIND_NUMBER: "number", modulev1.SettingKind_SETTING_KIND_CHOICE: "choice",
}

func (x *compiler) settings(pages []*modulev1.SettingsPage) {
	if len(pages) == 0 || !x.bound("settings pages", len(pages), 1) {
		return
	}
	p := pages[0]
	if !x.bound("settings", len(p.GetFields()), maxFields) || !x.bound("notes", len(p.GetNotes()), maxNotes) {
		return
	}
	x.label("settings page", p.GetTitleKey())
	x.out.settings = &settingsPage{title: p.GetTitleKey()}
	for _, f := range p.GetFields() {
		x.field(f)
	}
	for _, n := range p.GetNotes() {
		x.note(n)
	}
}

func (x *compiler) field(f *modulev1.SettingField) {
	where := "setting " + f.GetKey()
	if !keyPattern.MatchString(f.GetKey()) || x.scope.settings[f.GetKey()] {
		x.fail(where, "the key must be lower-case letters, digits and underscores, and used once")
	}
	x.scope.settings[f.GetKey()] = true
	x.label(where, f.GetLabelKey())
	if f.GetHelpKey() != "" {
		x.sentence(where, f.GetHelpKey())
	}
	field := settingField{
		key: f.GetKey(), kind: kinds[f.GetKind()], label: f.GetLabelKey(), help: f.GetHelpKey(),
		standard: f.GetDefaultValue(), min: f.GetMin(), max: f.GetMax(),
	}
	if x.bound(where+" choices", len(f.GetChoices()), maxChoices) {
		for _, choice := range f.GetChoices() {
			x.label(where, choice.GetLabelKey())
			field.choices = append(field.choices, Choice{choice.GetValue(), choice.GetLabelKey()})
		}
	}
	if field.kind == "" {
		x.fail(where, "it has no type this CRM knows")
	} else if err := field.check(field.standard); err != nil {
		x.fail(where, "its default value: %w", err)
	}
	x.out.settings.fields = append(x.out.settings.fields, field)
}

func (x *compiler) note(n *modulev1.SettingNote) {
	where := "note " + n.GetTextKey()
	x.sentence(where, n.GetTextKey())
	when, err := x.scope.compileRule(n.GetWhen(), 1, true)
	if err != nil {
		x.fail(where, "%w", err)
	}
	x.out.settings.notes = append(x.out.settings.notes, settingNote{n.GetTextKey(), when})
}

// check says whether a value may be saved. Its error is for an author; SaveSettings has its own
// sentence for people.
func (f settingField) check(value string) error {
	if len(value) > maxSettingValue || !utf8.ValidString(value) || strings.ContainsFunc(value, invisible) {
		return errors.New("the text is too long or has characters that can't be shown")
	}
	switch f.kind {
	case "bool":
		if value != "true" && value != "false" {
			return errors.New(`it must be "true" or "false"`)
		}
	case "number":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != value {
			return errors.New("it must be a whole number")
		}
		if n < f.min || (f.max != 0 && n > f.max) {
			return fmt.Errorf("it must be from %d to %d", f.min, f.max)
		}
	case "choice":
		if !slices.ContainsFunc(f.choices, func(c Choice) bool { return c.Value == value }) {
			return errors.New("it must be one of the choices")
		}
	}
	return nil
}
