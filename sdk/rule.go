package sdk

// VisibilityRule is a condition the host evaluates by itself, on every page and without asking
// the module. The zero rule is unset, which means what the field that holds it says.
type VisibilityRule struct {
	op    ruleOp
	rules []VisibilityRule
	name  string
	value string
}

type ruleOp int

const (
	ruleUnset ruleOp = iota
	ruleAll
	ruleAny
	ruleNot
	ruleAdministrator
	ruleCapability
	ruleSetting
	ruleSwitched
	ruleArea
)

// All holds when every one of the rules does.
func All(rules ...VisibilityRule) VisibilityRule { return VisibilityRule{op: ruleAll, rules: rules} }

// Any holds when at least one of the rules does; with none it holds for nobody.
func Any(rules ...VisibilityRule) VisibilityRule { return VisibilityRule{op: ruleAny, rules: rules} }

// Not holds when the rule does not.
func Not(rule VisibilityRule) VisibilityRule {
	return VisibilityRule{op: ruleNot, rules: []VisibilityRule{rule}}
}

// Administrator holds for administrators.
func Administrator() VisibilityRule { return VisibilityRule{op: ruleAdministrator} }

// HasCapability holds for who holds this capability of the module: administrators hold all of staff's,
// primary contacts all of contacts', and nobody one of the other kind.
func HasCapability(key string) VisibilityRule {
	return VisibilityRule{op: ruleCapability, name: key}
}

// SettingEquals holds while a setting of the module has the value.
func SettingEquals(key, value string) VisibilityRule {
	return VisibilityRule{op: ruleSetting, name: key, value: value}
}

// SessionSwitched holds while the session is switched.
func SessionSwitched() VisibilityRule { return VisibilityRule{op: ruleSwitched} }

// InArea holds in one area.
func InArea(area Area) VisibilityRule { return VisibilityRule{op: ruleArea, name: string(area)} }

// IsZero reports whether the rule is unset.
func (rule VisibilityRule) IsZero() bool { return rule.op == ruleUnset }

// Facts is what a rule may ask.
type Facts struct {
	// Subject is the account whose rights count.
	Subject  Account
	Settings Settings
	Switched bool
	Area     Area
}

// Holds evaluates the rule as the host does; an unset rule holds for nobody.
func (rule VisibilityRule) Holds(facts Facts) bool {
	switch rule.op {
	case ruleAll:
		for _, each := range rule.rules {
			if !each.Holds(facts) {
				return false
			}
		}
		return true
	case ruleAny:
		for _, each := range rule.rules {
			if each.Holds(facts) {
				return true
			}
		}
		return false
	case ruleNot:
		return !rule.rules[0].Holds(facts)
	case ruleAdministrator:
		return facts.Subject.Administrator
	case ruleCapability:
		return facts.Subject.Can(rule.name)
	case ruleSetting:
		return facts.Settings[rule.name] == rule.value
	case ruleSwitched:
		return facts.Switched
	case ruleArea:
		return string(facts.Area) == rule.name
	}
	return false
}

// each calls visit for the rule and every rule within it.
func (rule VisibilityRule) each(visit func(VisibilityRule)) {
	visit(rule)
	for _, inner := range rule.rules {
		inner.each(visit)
	}
}
