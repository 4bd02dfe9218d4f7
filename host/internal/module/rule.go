package module

import (
	"errors"
	"fmt"

	"github.com/understudy-crm/understudy/host/internal/crm"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

const (
	maxRuleDepth = 8
	maxRules     = 64 // in one list
)

// rule is a visibility rule, compiled. It asks nobody: what it needs is in the view. A nil rule is
// for its holder to interpret.
type rule func(view) bool

// view is all a rule may know.
type view struct {
	Viewer
	settings map[string]string
}

// Sight is all that rules may know of a viewer: two with the same see the same of a Surface, in words
// of the same language.
type Sight struct {
	area                                     crm.Area
	language                                 string
	kind                                     crm.AccountKind
	active, administrator, primary, switched bool
	capabilities                             string
}

// Sight is the viewer's.
func (v Viewer) Sight() Sight {
	subject := v.Who.Subject
	s := Sight{
		area: v.Area, language: v.Language, kind: subject.Key.Kind, active: subject.Active,
		administrator: subject.Administrator, primary: subject.Primary, switched: v.Who.Switched(),
	}
	if len(subject.Capabilities) > 0 {
		s.capabilities = subject.Capabilities.String()
	}
	return s
}

// scope is what a module's rules may speak of.
type scope struct {
	capabilities map[string]crm.Capability // by key
	settings     map[string]bool
}

// compileRule checks a rule and makes it fit for being asked often. settingsOnly is for notes,
// which nobody in particular reads.
func (s scope) compileRule(r *modulev1.VisibilityRule, depth int, settingsOnly bool) (rule, error) {
	if r == nil {
		return nil, nil
	}
	if depth > maxRuleDepth {
		return nil, fmt.Errorf("the rule is nested deeper than %d", maxRuleDepth)
	}
	switch is := r.GetRule().(type) {
	case *modulev1.VisibilityRule_All:
		return s.compileList(is.All, depth, settingsOnly, true)
	case *modulev1.VisibilityRule_Any:
		return s.compileList(is.Any, depth, settingsOnly, false)
	case *modulev1.VisibilityRule_Not:
		return s.compileNot(is.Not, depth, settingsOnly)
	case *modulev1.VisibilityRule_SettingEquals:
		return s.compileSetting(is.SettingEquals)
	}
	if settingsOnly {
		return nil, errors.New("only settings may be asked here")
	}
	return s.compileViewer(r)
}

// compileViewer takes the rules that ask who looks.
func (s scope) compileViewer(r *modulev1.VisibilityRule) (rule, error) {
	switch is := r.GetRule().(type) {
	case *modulev1.VisibilityRule_Administrator:
		return func(v view) bool { return administrator(v.Who.Subject) == is.Administrator }, nil
	case *modulev1.VisibilityRule_Capability:
		full := s.capabilities[is.Capability]
		if full == "" {
			return nil, fmt.Errorf("there is no declared capability %q", printable(is.Capability))
		}
		return func(v view) bool { return v.Who.Can(full) }, nil
	case *modulev1.VisibilityRule_SessionSwitched:
		return func(v view) bool { return v.Who.Switched() == is.SessionSwitched }, nil
	case *modulev1.VisibilityRule_Area:
		area, ok := areas[is.Area]
		if !ok {
			return nil, errors.New("the rule names no area")
		}
		return func(v view) bool { return v.Area == area }, nil
	}
	return nil, errors.New("the rule is empty or of a kind this CRM does not know")
}

func administrator(a crm.Account) bool {
	return a.Active && a.Key.Kind == crm.Staff && a.Administrator
}

func (s scope) compileList(list *modulev1.VisibilityRules, depth int, settingsOnly, all bool) (rule, error) {
	if len(list.GetRules()) > maxRules {
		return nil, fmt.Errorf("a list of rules has more than %d", maxRules)
	}
	var rules []rule
	for _, r := range list.GetRules() {
		compiled, err := s.compileInner(r, depth, settingsOnly)
		if err != nil {
			return nil, err
		}
		rules = append(rules, compiled)
	}
	return func(v view) bool {
		for _, r := range rules {
			if r(v) != all {
				return !all
			}
		}
		return all
	}, nil
}

func (s scope) compileNot(r *modulev1.VisibilityRule, depth int, settingsOnly bool) (rule, error) {
	inner, err := s.compileInner(r, depth, settingsOnly)
	if err != nil {
		return nil, err
	}
	return func(v view) bool { return !inner(v) }, nil
}

// compileInner is compileRule for a rule within another, which can't be left out.
func (s scope) compileInner(r *modulev1.VisibilityRule, depth int, settingsOnly bool) (rule, error) {
	if r == nil {
		return nil, errors.New("a rule within a rule is empty")
	}
	return s.compileRule(r, depth+1, settingsOnly)
}

func (s scope) compileSetting(equals *modulev1.SettingEquals) (rule, error) {
	key, value := equals.GetKey(), equals.GetValue()
	if !s.settings[key] {
		return nil, fmt.Errorf("there is no declared setting %q", printable(key))
	}
	return func(v view) bool { return v.settings[key] == value }, nil
}
