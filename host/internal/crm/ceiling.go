package crm

import (
	"maps"
	"slices"
)

// SwitchRule is one of the host's own rules for a pair of accounts, and whether it allows the switch.
type SwitchRule struct {
	Code    string // the key a refusal by it carries
	Holds   bool
	Missing []Capability // for switch_more_rights, what the target may do and the actor may not
}

// ceiling is every rule about rights, in the order they are asked.
var ceiling = []struct {
	code  string
	holds func(actor, target Account) bool
}{
	{"switch_not_staff", func(actor, _ Account) bool { return actor.Key.Kind == Staff && actor.Active }},
	{"switch_self", func(actor, target Account) bool { return actor.Key != target.Key }},
	{"switch_inactive", func(_, target Account) bool { return target.Active }},
	{"switch_not_administrator", func(actor, target Account) bool { return isAdministrator(actor) || !isAdministrator(target) }},
	{"switch_more_rights", func(actor, target Account) bool { return len(missing(actor, target)) == 0 }},
}

// CheckCeiling says whether actor may become target as far as rights go: everything the target may
// do, the actor may do too, and only an administrator becomes one. Denied by the first rule that
// doesn't hold: switch_not_staff, switch_self, switch_inactive, switch_not_administrator or
// switch_more_rights.
func CheckCeiling(actor, target Account) error {
	for _, rule := range ceiling {
		if !rule.holds(actor, target) {
			return Refuse(Denied, rule.code, "Name", target.Name)
		}
	}
	return nil
}

// ExplainCeiling holds the pair against every rule that CheckCeiling asks, in the same order.
func ExplainCeiling(actor, target Account) []SwitchRule {
	rules := make([]SwitchRule, 0, len(ceiling))
	for _, rule := range ceiling {
		r := SwitchRule{Code: rule.code, Holds: rule.holds(actor, target)}
		if rule.code == "switch_more_rights" {
			r.Missing = missing(actor, target)
		}
		rules = append(rules, r)
	}
	return rules
}

// contactRights is what a contact can do, said in staff capabilities: a contact reads and edits its
// company and itself, so who becomes one must be allowed as much. What a module lets contacts do
// besides (capabilities of contacts) isn't held against the actor: no member of staff can ever hold
// those, so every such right would hide its contact from all but administrators, the more so since a
// primary contact holds them all. They open pages of the module's in the portal; a module for which
// that is too much under a borrowed name classifies the page sensitive or refuses in its hook.
var contactRights = NewCapabilities(CustomersView, CustomersEdit)

// missing is what the target may do and the actor may not, sorted; an administrator may all.
func missing(actor, target Account) []Capability {
	if isAdministrator(actor) {
		return nil
	}
	rights := target.Capabilities
	if target.Key.Kind == Contact {
		rights = contactRights
	}
	var list []Capability
	for _, c := range slices.Sorted(maps.Keys(rights)) {
		if rights[c] && !actor.Capabilities.Has(c) {
			list = append(list, c)
		}
	}
	return list
}

func isAdministrator(a Account) bool { return a.Key.Kind == Staff && a.Administrator }
