package sdk

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// AccountKind says which of the two sorts of account a key names.
type AccountKind string

// The kinds of account.
const (
	// Staff work in the admin area.
	Staff AccountKind = "staff"
	// Contact is a person at a customer, who uses the portal.
	Contact AccountKind = "contact"
)

// Area is one of the two parts of the site.
type Area string

// The areas.
const (
	// AdminArea is the staff's, below /admin.
	AdminArea Area = "admin"
	// PortalArea is the customers'.
	PortalArea Area = "portal"
)

// AccountKey names one account; kind and id always go together.
type AccountKey struct {
	Kind AccountKind
	ID   int64
}

// String writes the key as "staff:7".
func (k AccountKey) String() string { return fmt.Sprintf("%s:%d", k.Kind, k.ID) }

// ParseAccountKey reads a key written by String; Invalid for anything else.
func ParseAccountKey(text string) (AccountKey, error) {
	kind, digits, _ := strings.Cut(text, ":")
	id, err := strconv.ParseInt(digits, 10, 64)
	key := AccountKey{Kind: AccountKind(kind), ID: id}
	if err != nil || id <= 0 || (key.Kind != Staff && key.Kind != Contact) || key.String() != text {
		return AccountKey{}, Errorf(Invalid, "%q does not name an account", text)
	}
	return key, nil
}

// Account is an account as a module may see it. It never carries a credential.
type Account struct {
	Key   AccountKey
	Name  string
	Email string
	// Active is false when the account, or a contact's customer, is deactivated.
	Active bool
	// Administrator is true for staff with every right.
	Administrator bool
	// Role is the name of a staff member's role; empty for contacts and staff without one.
	Role string
	// Company and CustomerID are a contact's.
	Company    string
	CustomerID int64
	// Language is the tag the account chose, empty when it chose none.
	Language string
	// Capabilities are those of this module that the account holds.
	Capabilities []string
	// Primary is true for a customer's primary contact.
	Primary bool
}

// Can reports whether the account holds a capability of this module; administrators hold all of
// staff's, primary contacts all of contacts'.
func (a Account) Can(capability string) bool {
	return a.Administrator || slices.Contains(a.Capabilities, capability)
}
