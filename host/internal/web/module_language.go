package web

import (
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/understudy-crm/understudy/host/internal/module"
)

// spoken are the languages that can be asked for while one snapshot of the modules holds: the
// host's own, and those modules bring beside them. A module may speak one the host does not.
type spoken struct {
	surface *module.Surface
	tags    []language.Tag
	matcher language.Matcher
	choices []languageChoice
}

// spoken is made anew only when the modules have changed.
func (s *server) spoken() *spoken {
	surface := s.modules.Surface()
	if known := s.spokenNow.Load(); known != nil && known.surface == surface {
		return known
	}
	all := &spoken{surface: surface, tags: slices.Clone(s.languages.tags), choices: s.languages.choices()}
	for _, name := range surface.Languages() {
		tag, err := language.Parse(name)
		if err != nil || slices.Contains(all.tags, tag) {
			continue
		}
		all.tags = append(all.tags, tag)
		all.choices = append(all.choices, languageChoice{tag.String(), display.Self.Name(tag)})
	}
	slices.SortFunc(all.choices, func(a, b languageChoice) int { return strings.Compare(a.Tag, b.Tag) })
	all.matcher = language.NewMatcher(all.tags)
	s.spokenNow.Store(all)
	return all
}

// moduleLanguage is what modules' texts on the page are written in: the page's own language, unless
// the wish before it can be met by modules alone.
func (v *visit) moduleLanguage() string {
	all := v.spoken()
	return firstMatch(all.matcher, all.tags, v.who.Subject.Language, v.browserLanguage(), v.site().language, "en")
}

// actorModuleLanguage is what modules say to the person at the screen.
func (v *visit) actorModuleLanguage() string {
	if !v.who.Switched() {
		return v.moduleLanguage()
	}
	all := v.spoken()
	return firstMatch(all.matcher, all.tags, v.who.Actor.Language, v.browserLanguage(), v.site().language, "en")
}
