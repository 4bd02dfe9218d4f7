package sdk

import (
	"fmt"
	"path"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/understudy-crm/understudy/sdk/manifest"
)

var (
	navbarIDPattern   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	shortcutPattern   = regexp.MustCompile(`^[a-z]?$`)
	settingKeyPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
)

// checker keeps the first thing that is wrong with a module's declarations.
type checker struct {
	contributions Contributions
	english       map[string]string
	err           error
}

func check(module Module, m manifest.Manifest, table languageTable) error {
	c := &checker{contributions: module.Contributions, english: table[english]}
	c.capabilities(m)
	c.pages()
	c.settings()
	c.navbar()
	c.links()
	if c.contributions.FeatureLabelKey != "" {
		c.key("FeatureLabelKey", c.contributions.FeatureLabelKey)
	}
	if module.DecideSwitch != nil && !m.Asks(manifest.GrantSessionSwitch) {
		c.fail("DecideSwitch", "needs the grant %s in module.json", manifest.GrantSessionSwitch)
	}
	return c.err
}

func (c *checker) fail(where, format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %w", where, fmt.Errorf(format, args...))
	}
}

func (c *checker) key(where, key string) {
	if c.english[key] == "" {
		c.fail(where, "languages/en.json has no message %q", key)
	}
}

func (c *checker) capabilities(m manifest.Manifest) {
	var declared []string
	for _, capability := range c.contributions.Capabilities {
		where := "capability " + capability.Key
		c.key(where, capability.LabelKey)
		if capability.Kind != "" && capability.Kind != Staff && capability.Kind != Contact {
			c.fail(where, "the Kind must be Staff, Contact or empty")
		}
		declared = append(declared, capability.Key)
	}
	listed := slices.Sorted(slices.Values(m.Capabilities))
	slices.Sort(declared)
	if !slices.Equal(declared, listed) {
		c.fail("capabilities", "module.json lists %v, Contributions declares %v", listed, declared)
	}
}

func (c *checker) pages() {
	seen := map[string]bool{}
	for _, page := range c.contributions.Pages {
		where := "page " + page.Path
		c.key(where, page.TitleKey)
		c.rule(where, page.Visible)
		switch {
		case !strings.HasPrefix(page.Path, "/") || !clean(page.Path):
			c.fail(where, "the path must begin with / and hold no empty, . or .. part")
		case seen[page.Path]:
			c.fail(where, "is declared twice")
		case page.Handler == nil:
			c.fail(where, "has no Handler")
		case len(page.Areas) == 0:
			c.fail(where, "has no Areas, so nobody can open it")
		}
		seen[page.Path] = true
	}
}

func (c *checker) settings() {
	seen := map[string]bool{}
	for _, section := range c.contributions.SettingsPages {
		c.key("settings page", section.TitleKey)
		for _, field := range section.Fields {
			where := "setting " + field.Key
			c.key(where, field.LabelKey)
			if field.HelpKey != "" {
				c.key(where, field.HelpKey)
			}
			for _, choice := range field.Choices {
				c.key(where, choice.LabelKey)
			}
			c.setting(where, field)
			if seen[field.Key] {
				c.fail(where, "is declared twice")
			}
			seen[field.Key] = true
		}
		for _, note := range section.Notes {
			c.key("setting note", note.TextKey)
			c.rule("setting note "+note.TextKey, note.When)
		}
		for _, link := range section.Links {
			c.key("settings link", link.LabelKey)
			c.page("settings link "+link.LabelKey, link.Page)
		}
	}
}

func (c *checker) setting(where string, field SettingField) {
	value := Settings{field.Key: field.Default}
	var err error
	switch field.Kind {
	case BoolSetting:
		_, err = value.Bool(field.Key)
	case NumberSetting:
		_, err = value.Number(field.Key)
	case ChoiceSetting:
		if !slices.ContainsFunc(field.Choices, func(choice SettingChoice) bool { return choice.Value == field.Default }) {
			err = fmt.Errorf("the default %q is none of the choices", field.Default)
		}
	case TextSetting:
	default:
		err = fmt.Errorf("has no Kind")
	}
	if !settingKeyPattern.MatchString(field.Key) {
		err = fmt.Errorf("the key must be lower-case letters, digits and underscores")
	}
	if err != nil {
		c.fail(where, "%w", err)
	}
}

func (c *checker) navbar() {
	seen := map[string]bool{}
	for _, item := range c.contributions.Navbar {
		where := "navbar item " + item.ID
		c.key(where, item.LabelKey)
		c.rule(where, item.Visible)
		if !navbarIDPattern.MatchString(item.ID) || seen[item.ID] {
			c.fail(where, "the ID must be lower-case letters, digits and dashes, and used once")
		}
		seen[item.ID] = true
		if !shortcutPattern.MatchString(item.Shortcut) {
			c.fail(where, "the Shortcut must be one letter a to z")
		}
		if !item.Action.Restore {
			c.page(where, item.Action.Page)
		}
	}
}

func (c *checker) links() {
	for _, link := range c.contributions.ActionLinks {
		where := "action link " + link.LabelKey
		c.key(where, link.LabelKey)
		if link.Page != "" {
			c.page(where, link.Page)
		} else if len(c.contributions.SettingsPages) == 0 {
			c.fail(where, "has no Page, and the module has no settings page")
		}
	}
	for _, action := range c.contributions.AccountActions {
		where := "account action " + action.LabelKey
		c.key(where, action.LabelKey)
		c.rule(where, action.Visible)
		c.page(where, action.Page)
	}
}

func (c *checker) page(where, path string) {
	if !slices.ContainsFunc(c.contributions.Pages, func(page Page) bool { return page.Path == path }) {
		c.fail(where, "there is no declared page %q", path)
	}
}

func (c *checker) rule(where string, rule VisibilityRule) {
	rule.each(func(inner VisibilityRule) {
		switch inner.op {
		case ruleUnset:
			if !rule.IsZero() {
				c.fail(where, "the rule holds an unset rule")
			}
		case ruleCapability:
			if !slices.ContainsFunc(c.contributions.Capabilities, func(known Capability) bool { return known.Key == inner.name }) {
				c.fail(where, "there is no declared capability %q", inner.name)
			}
		case ruleSetting:
			if !c.hasSetting(inner.name) {
				c.fail(where, "there is no declared setting %q", inner.name)
			}
		}
	})
}

func (c *checker) hasSetting(key string) bool {
	for _, section := range c.contributions.SettingsPages {
		if slices.ContainsFunc(section.Fields, func(field SettingField) bool { return field.Key == key }) {
			return true
		}
	}
	return false
}

// clean reports whether a path has no empty, "." or ".." part.
func clean(urlPath string) bool {
	return urlPath == "/" || path.Clean(urlPath) == strings.TrimSuffix(urlPath, "/")
}

func stack() string { return string(debug.Stack()) }
