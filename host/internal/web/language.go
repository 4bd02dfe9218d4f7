package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// languageFiles holds a go-i18n message file per language. English is complete by definition; a
// test holds the others to its keys.
//
//go:embed languages/*.json
var languageFiles embed.FS

// languages finds sentences. Those without arguments are looked up in a plain map, and those with
// plain gaps are cut up once: a page asks for dozens of them.
type languages struct {
	bundle     *i18n.Bundle
	localizers map[string]*i18n.Localizer
	fixed      map[string]map[string]string
	patterns   map[string]map[string]pattern
	tags       []language.Tag
	matcher    language.Matcher
}

// languageChoice is a language a person can pick, by its own name.
type languageChoice struct{ Tag, Name string }

var languageNames = map[string]string{"en": "English", "es": "Español", "ar": "العربية"}

func loadLanguages() (*languages, error) {
	l := &languages{
		bundle:     i18n.NewBundle(language.English),
		localizers: map[string]*i18n.Localizer{},
		fixed:      map[string]map[string]string{},
		patterns:   map[string]map[string]pattern{},
	}
	l.bundle.RegisterUnmarshalFunc("json", json.Unmarshal)
	entries, err := languageFiles.ReadDir("languages")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		data, err := languageFiles.ReadFile(path.Join("languages", entry.Name()))
		if err != nil {
			return nil, err
		}
		file, err := l.bundle.ParseMessageFileBytes(data, entry.Name())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		l.add(file)
	}
	l.tags = l.bundle.LanguageTags() // English first: it is what nothing else matching means
	l.matcher = language.NewMatcher(l.tags)
	return l, nil
}

func (l *languages) add(file *i18n.MessageFile) {
	tag := file.Tag.String()
	l.localizers[tag] = i18n.NewLocalizer(l.bundle, tag)
	l.fixed[tag], l.patterns[tag] = map[string]string{}, map[string]pattern{}
	for _, m := range file.Messages {
		if m.One != "" {
			continue // its form depends on a number
		}
		if !strings.Contains(m.Other, "{{") {
			l.fixed[tag][m.ID] = m.Other
		} else if p, plain := cutPattern(m.Other); plain {
			l.patterns[tag][m.ID] = p
		}
	}
}

// text is the sentence of a key, filled with pairs of name and value. The name Count picks the
// plural form. A key nobody wrote comes back as it is.
func (l *languages) text(tag, key string, pairs ...any) string {
	if len(pairs) == 0 {
		if fixed, ok := l.fixed[tag][key]; ok {
			return fixed
		}
	}
	args := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		args[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return l.withArgs(tag, key, args)
}

func (l *languages) withArgs(tag, key string, args map[string]any) string {
	if p, known := l.patterns[tag][key]; known {
		if text, filled := p.fill(tag, args); filled {
			return text
		}
	}
	localizer := l.localizers[tag]
	if localizer == nil {
		localizer = l.localizers["en"]
	}
	// The error may say no more than "in English, for want of a translation".
	text, _ := localizer.Localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: l.readable(tag, args), PluralCount: args["Count"]})
	if text == "" {
		return key
	}
	return text
}

// readable writes lists as lists, and keeps names from turning a right-to-left sentence around.
func (l *languages) readable(tag string, args map[string]any) map[string]any {
	out := make(map[string]any, len(args))
	for name, value := range args {
		out[name] = readable(tag, value)
	}
	return out
}

func readable(tag string, value any) any {
	switch value := value.(type) {
	case []string:
		return isolate(tag, strings.Join(value, ", "))
	case string:
		return isolate(tag, value)
	default:
		return value
	}
}

func isolate(tag, s string) string {
	if direction(tag) == "ltr" || strings.Trim(s, "0123456789") == "" {
		return s
	}
	return "\u2068" + s + "\u2069"
}

// has tells whether English knows a key.
func (l *languages) has(key string) bool {
	_, err := l.localizers["en"].Localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: map[string]any{}, PluralCount: 2})
	return err == nil
}

// match is the first wish there is a language for, "" when there is none. A wish is a tag or a
// browser's Accept-Language.
func (l *languages) match(wishes ...string) string { return firstMatch(l.matcher, l.tags, wishes...) }

func firstMatch(matcher language.Matcher, known []language.Tag, wishes ...string) string {
	for _, wish := range wishes {
		if wish == "" {
			continue
		}
		tags, _, err := language.ParseAcceptLanguage(wish)
		if err != nil || len(tags) == 0 {
			continue
		}
		if _, i, confidence := matcher.Match(tags...); confidence > language.No {
			return known[i].String()
		}
	}
	return ""
}

func (l *languages) choices() []languageChoice {
	list := make([]languageChoice, 0, len(l.tags))
	for _, tag := range l.tags {
		list = append(list, languageChoice{tag.String(), languageNames[tag.String()]})
	}
	slices.SortFunc(list, func(a, b languageChoice) int { return strings.Compare(a.Tag, b.Tag) })
	return list
}

// direction is how a language is written: "ltr" or "rtl".
func direction(tag string) string {
	base := tag
	if len(tag) != len("en") { // a bare language needs no parsing
		parsed, _ := language.Make(tag).Base()
		base = parsed.String()
	}
	switch base {
	case "ar", "he", "iw", "ji", "fa", "ur", "yi", "ps", "sd", "ug", "dv":
		return "rtl"
	}
	return "ltr"
}

// language is what the page is written in: the account's choice or else its customer's (the
// resolver has seen to that), the browser's, the site's. It is found once per request.
func (v *visit) language() string {
	if v.lang == "" {
		site := v.site()
		v.lang = v.languages.match(v.who.Subject.Language, v.browserLanguage(), site.language, "en")
	}
	return v.lang
}

// actorLanguage is what the banner speaks: it talks to the person at the screen.
func (v *visit) actorLanguage() string {
	if !v.who.Switched() {
		return v.language()
	}
	if v.actorLang == "" {
		v.actorLang = v.languages.match(v.who.Actor.Language, v.browserLanguage(), v.site().language, "en")
	}
	return v.actorLang
}

// browserLanguage is what the browser asks for.
func (v *visit) browserLanguage() string { return clip(v.r.Header.Get("Accept-Language"), 200) }
