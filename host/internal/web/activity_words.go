package web

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// activityWords puts what the Activity Log keeps as codes into words, for its own page and for
// modules that show what happened during a switch.
type activityWords struct{ *server }

// actionText says an action in words: the host's own by its language files, a module's by the
// module's, under "module/key".
func (v *visit) actionText(action string) string {
	return v.actionIn(v.language(), v.moduleLanguage(), action)
}

func (s *server) actionIn(language, moduleLanguage, action string) string {
	if id, key, ok := strings.Cut(action, "/"); ok {
		return s.modules.Surface().Name(id) + ": " + s.modules.Surface().Text(id, moduleLanguage, key, nil)
	}
	if key := "action_" + action; s.languages.has(key) {
		return s.languages.text(language, key)
	}
	return action
}

// detailIn says a detail's name and value in words. What nobody wrote words for stays as it is.
func (s *server) detailIn(language, name, value string) (string, string) {
	words := func(keys ...string) (string, bool) {
		for _, key := range keys {
			if s.languages.has(key) {
				return s.languages.text(language, key), true
			}
		}
		return "", false
	}
	switch said, known := words("value_" + name + "_" + value); {
	case known:
		value = said
	case value == "true":
		value = s.languages.text(language, "yes")
	case value == "false":
		value = s.languages.text(language, "no")
	default:
		if moment, err := time.Parse(time.RFC3339, value); err == nil {
			value = moment.UTC().Format("2006-01-02 15:04") + " UTC" // nobody's zone: a module may be asking
		}
	}
	if said, known := words("detail_"+name, "field_"+name); known {
		name = said
	}
	return name, value
}

// detailLines are an entry's details in words.
func (v *visit) detailLines(e crm.AuditEntry) []string {
	return linesOf(e, func(name, value string) (string, string) { return v.detailIn(v.language(), name, value) })
}

// detailCodes are an entry's details as they are kept: for programs.
func detailCodes(e crm.AuditEntry) []string {
	return linesOf(e, func(name, value string) (string, string) { return name, value })
}

// linesOf writes an entry's details in the order of their names.
func linesOf(e crm.AuditEntry, say func(name, value string) (string, string)) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(e.Detail)) {
		if e.Detail[name] != "" {
			label, value := say(name, e.Detail[name])
			lines = append(lines, label+": "+value)
		}
	}
	return lines
}

// Action says an action in a language as near to the asked one as there is.
func (w activityWords) Action(language, action string) string {
	return w.actionIn(w.languages.match(language, "en"), language, action)
}

// Detail says a detail's name and value likewise.
func (w activityWords) Detail(language, name, value string) (string, string) {
	return w.detailIn(w.languages.match(language, "en"), name, value)
}
