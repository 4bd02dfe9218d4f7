package crm

import "time"

// StaffMember is the row behind a staff account.
type StaffMember struct {
	ID            int64
	Email         string
	Name          string
	Administrator bool
	Active        bool
	RoleID        int64 // 0 for none
	Role          string
	Capabilities  Capabilities // given to the person, beside the role's
	Language      string
	Theme         string
	CreatedAt     time.Time
	LastSignIn    time.Time
}

// Key is the member's account key.
func (s StaffMember) Key() AccountKey { return AccountKey{Staff, s.ID} }

// Role is a named set of capabilities.
type Role struct {
	ID           int64
	Name         string
	Capabilities Capabilities
	Members      int

	ActiveMembers int // of Members, those that can sign in
}

// Customer is a company.
type Customer struct {
	ID        int64
	Company   string
	Phone     string
	Website   string
	Address   string
	City      string
	Country   string
	VAT       string
	Language  string
	Active    bool
	CreatedAt time.Time
	Contacts  int
}

// ContactPerson is the row behind a contact's account.
type ContactPerson struct {
	ID         int64
	CustomerID int64
	Company    string
	Email      string
	Name       string
	Phone      string
	Position   string
	Primary    bool
	Active     bool
	Language   string
	Theme      string
	CreatedAt  time.Time
	LastSignIn time.Time

	Capabilities Capabilities // one by one; a primary contact holds all without
}

// Key is the contact's account key.
func (c ContactPerson) Key() AccountKey { return AccountKey{Contact, c.ID} }

// AuditEntry is one line of the Activity Log; it is only ever added.
type AuditEntry struct {
	ID          int64
	At          time.Time
	Actor       AccountKey // zero when the system did it
	ActorName   string
	Subject     AccountKey
	SubjectName string
	SwitchID    int64
	Action      string            // a key of the language files, such as "staff_changed"
	Object      string            // what it was done to, "customer:3", may be empty
	Detail      map[string]string // never a credential
	IP          string
	RequestID   string
}
