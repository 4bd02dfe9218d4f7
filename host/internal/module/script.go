package module

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// mixedNames warns of a name or an author whose letters come from scripts that aren't written
// together: one of them may stand where it looks like a letter of the other, and the whole like
// somebody else's name.
func mixedNames(m manifest.Manifest) []crm.Error {
	var warnings []crm.Error
	for _, n := range []struct{ key, name string }{{"module_name_mixed", m.Name}, {"module_author_mixed", m.Author}} {
		if scripts := mixedScripts(n.name); scripts != nil {
			warnings = append(warnings, *crm.Refuse(crm.Invalid, n.key, "Name", n.name, "Scripts", strings.Join(scripts, ", ")))
		}
	}
	return warnings
}

// writtenTogether are the scripts that one text may mix, as Unicode's report on security (UTS 39) has
// them.
var writtenTogether = [][]string{
	{"Latin", "Han", "Hiragana", "Katakana"},
	{"Latin", "Han", "Bopomofo"},
	{"Latin", "Han", "Hangul"},
}

// apart are scripts of whose letters none looks like a Latin one: words of them may stand beside Latin
// words. Armenian, Cherokee, Cyrillic, Greek and whatever isn't named here may not.
var apart = []string{
	"Arabic", "Bengali", "Devanagari", "Ethiopic", "Georgian", "Gujarati", "Gurmukhi", "Hebrew", "Kannada", "Khmer", "Lao",
	"Malayalam", "Myanmar", "Oriya", "Sinhala", "Tamil", "Telugu", "Thaana", "Thai", "Tibetan",
}

// mixedScripts names the scripts of a text, by Unicode's names and in order, when they aren't written
// together; nil when they are.
func mixedScripts(text string) []string {
	found := map[string]bool{}
	for _, char := range text {
		if script := scriptOf(char); script != "Common" && script != "Inherited" {
			found[script] = true
		}
	}
	scripts := slices.Sorted(maps.Keys(found))
	beside := slices.ContainsFunc(apart, func(s string) bool { return found[s] })
	if len(scripts) < 2 || (len(scripts) == 2 && found["Latin"] && beside) {
		return nil
	}
	for _, together := range writtenTogether {
		if !slices.ContainsFunc(scripts, func(s string) bool { return !slices.Contains(together, s) }) {
			return nil
		}
	}
	return scripts
}

// scriptOf is a character's script, Common for one that has none yet.
func scriptOf(char rune) string {
	for name, table := range unicode.Scripts {
		if unicode.Is(table, char) {
			return name
		}
	}
	return "Common"
}
