package crm

import (
	"fmt"
	"net/mail"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// AccountKind is one of the two sorts of account.
type AccountKind string

// The two sorts of account.
const (
	Staff   AccountKind = "staff"
	Contact AccountKind = "contact"
)

// Area is where accounts of this kind live.
func (k AccountKind) Area() Area {
	if k == Staff {
		return Admin
	}
	return Portal
}

// Area is one of the two parts of the site.
type Area string

// The two parts of the site.
const (
	Admin  Area = "admin"
	Portal Area = "portal"
)

// Home is the address of the area's dashboard.
func (a Area) Home() string {
	if a == Admin {
		return "/admin"
	}
	return "/"
}

// Login is the address of the area's sign-in.
func (a Area) Login() string {
	if a == Admin {
		return "/admin/login"
	}
	return "/login"
}

// AccountKey names one account. Kind and id always travel together.
type AccountKey struct {
	Kind AccountKind
	ID   int64
}

// String writes the key as "staff:7".
func (k AccountKey) String() string { return fmt.Sprintf("%s:%d", k.Kind, k.ID) }

// ParseAccountKey reads what String wrote; anything else is Invalid.
func ParseAccountKey(s string) (AccountKey, error) {
	kind, id, _ := strings.Cut(s, ":")
	n, err := strconv.ParseInt(id, 10, 64)
	key := AccountKey{AccountKind(kind), n}
	if err != nil || n <= 0 || (key.Kind != Staff && key.Kind != Contact) || key.String() != s {
		return AccountKey{}, Refuse(Invalid, "account_key_invalid")
	}
	return key, nil
}

// Account is anyone who can sign in, as the rest of the program sees them: never with a credential.
type Account struct {
	Key           AccountKey
	Name          string
	Email         string
	Active        bool // for a contact: both the contact and its customer
	Administrator bool
	Role          string // a staff member's, by name
	Capabilities  Capabilities
	CustomerID    int64 // a contact's
	Company       string
	Primary       bool
	Language      string // BCP 47, empty when not chosen
	Theme         string // "light", "dark" or empty for automatic
	LastSignIn    time.Time
}

// AdministratorDetail is what records say of an administrator, in place of a role. No role is called so.
const AdministratorDetail = "Administrator"

// Detail is what tells two people of one name apart: company or role.
func (a Account) Detail() string {
	if a.Key.Kind == Contact {
		return a.Company
	}
	if a.Administrator {
		return AdministratorDetail
	}
	return a.Role
}

// Title is the name with the company behind it, "Jane Doe (Acme Ltd)".
func (a Account) Title() string {
	if a.Company == "" {
		return a.Name
	}
	return a.Name + " (" + a.Company + ")"
}

// Can tells whether the account holds a capability. An administrator holds all those of staff, a
// primary contact all those of contacts; nobody holds one of the other kind.
func (a Account) Can(c Capability) bool {
	if !a.Active || a.Key.Kind != c.Holders() {
		return false
	}
	all := a.Administrator
	if a.Key.Kind == Contact {
		all = a.Primary
	}
	return all || a.Capabilities.Has(c)
}

// CleanEmail trims and lower-cases an address; Invalid when it is none.
func CleanEmail(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > 254 {
		return "", Refuse(Invalid, "email_invalid")
	}
	return s, nil
}

// CleanName trims a name of 1 to 200 characters; Invalid otherwise.
func CleanName(s string) (string, error) {
	s = strings.Join(strings.Fields(s), " ")
	if !strings.ContainsFunc(s, isSeen) || utf8.RuneCountInString(s) > 200 || strings.ContainsFunc(s, isControl) {
		return "", Refuse(Invalid, "name_invalid")
	}
	return s, nil
}

// CleanText trims free text of up to max characters, to nothing when nothing of it can be seen;
// Invalid when it is longer or holds control characters other than line breaks and tabs.
func CleanText(s string, max int) (string, error) {
	s = strings.TrimSpace(s)
	if !strings.ContainsFunc(s, isSeen) && !strings.ContainsFunc(s, isControl) {
		return "", nil
	}
	if utf8.RuneCountInString(s) > max {
		return "", Refuse(Invalid, "text_too_long", "Max", max)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return isControl(r) && !strings.ContainsRune("\n\r\t", r) }) {
		return "", Refuse(Invalid, "text_invalid")
	}
	return s, nil
}

// isControl includes the marks that turn text around, by which one name can pose as another.
func isControl(r rune) bool {
	return r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) ||
		r == 0x200b || r == 0x200e || r == 0x200f || r == 0x061c || r == 0x2060 || r == 0xfeff
}

// isSeen tells what leaves a mark on a screen. Unicode counts a few as letters and symbols that are
// blank: fillers of Hangul, and Braille without a dot.
func isSeen(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !unicode.Is(unicode.Mn, r) && !strings.ContainsRune("\u115f\u1160\u3164\uffa0\u2800", r)
}

// MinPassword and MaxPassword bound a password's length in characters and bytes.
const (
	MinPassword = 10
	MaxPassword = 256
)

// CheckPassword says whether a new password may be taken for this account.
func CheckPassword(password string, a Account) error {
	switch {
	case utf8.RuneCountInString(password) < MinPassword:
		return Refuse(Invalid, "password_short", "Min", MinPassword)
	case len(password) > MaxPassword:
		return Refuse(Invalid, "password_long", "Max", MaxPassword)
	case strings.EqualFold(password, a.Email) || strings.EqualFold(password, a.Name):
		return Refuse(Invalid, "password_is_name")
	}
	return nil
}

// Cut shortens s to at most max characters and drops what isn't text.
func Cut(s string, max int) string {
	r := []rune(strings.Map(func(r rune) rune {
		if isControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "")))
	return string(r[:min(len(r), max)])
}
