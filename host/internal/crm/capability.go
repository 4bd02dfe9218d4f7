package crm

import (
	"maps"
	"slices"
	"strings"
)

// Capability is a right: "customers.view" for the host's own features, "example/do" for a module's,
// which only staff hold, and "example@see" for a module's that only contacts hold.
type Capability string

// The host's own capabilities.
const (
	CustomersView   Capability = "customers.view"
	CustomersCreate Capability = "customers.create"
	CustomersEdit   Capability = "customers.edit"
	CustomersDelete Capability = "customers.delete"
	StaffView       Capability = "staff.view"
	StaffCreate     Capability = "staff.create"
	StaffEdit       Capability = "staff.edit"
	RolesView       Capability = "roles.view"
	RolesEdit       Capability = "roles.edit"
	SettingsEdit    Capability = "settings.edit"
	ActivityView    Capability = "activity.view"
)

// Feature is a row of the table of features and capabilities. Label and the labels of its
// capabilities are keys of the language files of the host, or of Module when that is set.
type Feature struct {
	Label        string
	Module       string
	Capabilities []LabelledCapability
}

// LabelledCapability is a capability and the key of its label.
type LabelledCapability struct {
	Capability Capability
	Label      string
}

// Features is the host's own part of the table.
func Features() []Feature {
	row := func(name string, caps ...Capability) Feature {
		f := Feature{Label: "feature_" + name}
		for _, c := range caps {
			_, action, _ := strings.Cut(string(c), ".")
			f.Capabilities = append(f.Capabilities, LabelledCapability{c, "capability_" + action})
		}
		return f
	}
	return []Feature{
		row("customers", CustomersView, CustomersCreate, CustomersEdit, CustomersDelete),
		row("staff", StaffView, StaffCreate, StaffEdit),
		row("roles", RolesView, RolesEdit),
		row("settings", SettingsEdit),
		row("activity", ActivityView),
	}
}

// ModuleCapability is the full name of a module's capability of staff.
func ModuleCapability(module, key string) Capability { return Capability(module + "/" + key) }

// ContactCapability is the full name of a module's capability of contacts. No name is of both sorts,
// so a right given to the one is never one of the other's.
func ContactCapability(module, key string) Capability { return Capability(module + "@" + key) }

// Holders is the kind of account that can hold the capability.
func (c Capability) Holders() AccountKind {
	if strings.Contains(string(c), "@") {
		return Contact
	}
	return Staff
}

// Capabilities is a set of capabilities. The zero value is the empty set.
type Capabilities map[Capability]bool

// NewCapabilities makes a set.
func NewCapabilities(list ...Capability) Capabilities {
	set := make(Capabilities, len(list))
	for _, c := range list {
		set[c] = true
	}
	return set
}

// ParseCapabilities reads what String wrote.
func ParseCapabilities(s string) Capabilities {
	set := Capabilities{}
	for c := range strings.FieldsSeq(s) {
		set[Capability(c)] = true
	}
	return set
}

// String writes the set sorted and separated by spaces, as it is stored.
func (s Capabilities) String() string {
	names := make([]string, 0, len(s))
	for _, c := range slices.Sorted(maps.Keys(s)) {
		if s[c] {
			names = append(names, string(c))
		}
	}
	return strings.Join(names, " ")
}

// Has tells whether c is in the set.
func (s Capabilities) Has(c Capability) bool { return s[c] }

// Union is a new set with what is in either.
func (s Capabilities) Union(other Capabilities) Capabilities {
	u := maps.Clone(s)
	if u == nil {
		u = Capabilities{}
	}
	maps.Copy(u, other)
	return u
}

// Of is a new set with what accounts of one kind can hold.
func (s Capabilities) Of(kind AccountKind) Capabilities {
	of := Capabilities{}
	for c, held := range s {
		if held && c.Holders() == kind {
			of[c] = true
		}
	}
	return of
}

// Within tells whether everything in s is in other, too.
func (s Capabilities) Within(other Capabilities) bool {
	for c, held := range s {
		if held && !other[c] {
			return false
		}
	}
	return true
}
