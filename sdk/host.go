package sdk

import (
	"context"
	"time"
)

// Host is what the host does for the module. A service whose grant was not approved answers
// Denied. Each has two makers: the connection to the real host, and package sdktest.
type Host struct {
	Directory Directory
	SwitchLog SwitchLog
	Settings  SettingsReader
	Storage   Storage
	Audit     Audit
	Languages Languages
	Notices   Notices
}

// Directory finds accounts. Needs the grant directory.read.
type Directory interface {
	// Search returns a page of accounts of one kind, by name.
	Search(ctx context.Context, search AccountSearch) (AccountPage, error)
	// Account returns one account, NotFound when there is none.
	Account(ctx context.Context, key AccountKey) (Account, error)
	// Roles returns the roles of staff by name.
	Roles(ctx context.Context) ([]Role, error)
}

// Role is a role of staff.
type Role struct {
	ID   int64
	Name string
	// Capabilities are those of this module that it gives.
	Capabilities []string
	// Members is how many active staff members have it.
	Members int
}

// AccountSearch is a search.
type AccountSearch struct {
	Kind AccountKind
	// Term holds words that must each stand in name, address or company; empty for all.
	Term string
	// Limit is 1 to 100; zero for 20.
	Limit int
	// After is the Next of the page before.
	After string
	// ActiveOnly leaves out deactivated accounts and contacts of deactivated customers.
	ActiveOnly bool
	// AsTargetOf, when set, is left out itself, and every result says whether it could become it.
	AsTargetOf AccountKey
}

// AccountPage is a page of results.
type AccountPage struct {
	Results []FoundAccount
	// Next is given when there are more.
	Next string
	// WithoutContact are, beside the first page of contacts found by a term, up to 5 customers that
	// match it and have no active contact, or are inactive.
	WithoutContact []CompanyWithoutContact
}

// CompanyWithoutContact is a customer none of whose contacts can sign in.
type CompanyWithoutContact struct {
	CustomerID int64
	Company    string
	// Active says whether the customer is active; if so, what it lacks is an active contact.
	Active bool
}

// FoundAccount is one result.
type FoundAccount struct {
	Account
	// SwitchRefusalCode is the host's rule that would refuse the switch; empty when none does.
	SwitchRefusalCode string
	// Online is, in a search with AsTargetOf, that the account has used a session of its own in the
	// last five minutes.
	Online bool
	// ActingNames is, in a search with AsTargetOf and with the grant session.switch, who is acting as
	// the account just now.
	ActingNames []string
}

// SwitchLog reads the record of session switches and ends those that run. Needs the grant
// session.switch.
type SwitchLog interface {
	// List returns switches and refused attempts, newest first.
	List(ctx context.Context, filter SwitchFilter) (SwitchPage, error)
	// Switch returns one, NotFound when there is none.
	Switch(ctx context.Context, id int64) (SessionSwitch, error)
	// Events returns what happened during one, oldest first, in words of a language, and the after of
	// the next page, empty when there is none. Limit is 1 to 500; zero for 100. NotFound when there is
	// no such switch.
	Events(ctx context.Context, id int64, language, after string, limit int) (events []SwitchEvent, next string, err error)
	// End ends one that runs, in the name of who asked for the page: pass the request's context. Staff
	// must be an administrator or hold a capability of the module, a contact may end only what is done
	// as a contact of its own customer; Denied for others and under a borrowed name, Conflict when it
	// has ended. Its browser learns of it with its next request.
	End(ctx context.Context, id int64) (SessionSwitch, error)
	// Recheck says that something the module decides by has changed: every switch that runs is decided
	// again with its next request.
	Recheck(ctx context.Context) error
	// Explain holds a pair of accounts against the host's own rules, in the order they are asked.
	Explain(ctx context.Context, actor, target AccountKey) ([]SwitchRule, error)
	// Check looks whether switching works.
	Check(ctx context.Context) ([]SwitchingCheck, error)
}

// Notices tells accounts something on their next page. Needs the grant notice.send.
type Notices interface {
	// Send writes a notice. The host adds, within a page request, who sent it: pass the request's
	// context. TooLarge above 100 a minute.
	Send(ctx context.Context, notice Notice) error
}

// Notice is something an account is told.
type Notice struct {
	// To is the account; with ToAdministrators it goes to every active administrator but To.
	To               AccountKey
	ToAdministrators bool
	// TextKey is the message, Args what fills it: at most 16 of 512 bytes.
	TextKey string
	Args    map[string]string
	// Page is the declared page that tells more, empty for none.
	Page string
	// Mail is also by mail, where the host can send any; its subject is the message of the same key
	// with "_subject" behind it, if there is one.
	Mail bool
}

// SwitchFilter narrows a list; zero fields don't.
type SwitchFilter struct {
	// From is inclusive, Until is not; both are of the start.
	From, Until time.Time
	// ActorTerm and SubjectTerm hold words that must each stand in the name.
	ActorTerm, SubjectTerm string
	SubjectKind            AccountKind
	Outcome                SwitchOutcome
	// Actor and Subject keep those of one account, CustomerID those as contacts of one customer.
	Actor, Subject AccountKey
	CustomerID     int64
	// Limit is 1 to 500; zero for 25.
	Limit int
	// After is the Next of the page before.
	After string
}

// SwitchPage is a page of the record.
type SwitchPage struct {
	Switches []SessionSwitch
	// Next is given when there are more.
	Next string
}

// SettingsReader reads the module's own settings.
type SettingsReader interface {
	// All returns every declared setting.
	All(ctx context.Context) (Settings, error)
}

// Storage is the module's own key-value space, 16 MiB in all. What Activate writes is seen by this
// process alone until it has returned; then all of it is kept, or, when the module doesn't become
// active, none: so Activate may bring the values to another form. At most 10,000 of them are changed
// there. A process that another one has replaced, as after an upgrade, still reads but writes no more.
type Storage interface {
	// Value returns a value, NotFound when there is none.
	Value(ctx context.Context, key string) ([]byte, error)
	// Put writes a value of at most 1 MiB under a key of 1 to 256 bytes, TooLarge above the quota.
	Put(ctx context.Context, key string, value []byte) error
	// Delete removes a value; removing none is no error.
	Delete(ctx context.Context, key string) error
	// Keys returns up to limit keys in order, those that start with prefix and come after after.
	Keys(ctx context.Context, prefix, after string, limit int) ([]string, error)
}

// Audit writes to the Activity Log. Needs the grant audit.write.
type Audit interface {
	// Write appends an entry. The host adds the time, the module and, within a page request, who
	// asked for the page: pass the request's context. Action has at most 64 bytes; detail at most
	// 16 values of 512 bytes.
	Write(ctx context.Context, action string, detail map[string]string) error
}

// Languages keeps the module's language files.
type Languages interface {
	// List returns every language, package and uploads merged, and the revision they are of.
	List(ctx context.Context) ([]Language, uint64, error)
	// Put adds or replaces an uploaded file. Only within a page request of somebody who may change
	// settings and is not switched: pass the request's context.
	Put(ctx context.Context, tag string, file []byte) (LanguageUpload, error)
	// Delete removes an uploaded file, under the same conditions; what the package brought stays.
	Delete(ctx context.Context, tag string) error
}

// Language is one language of the module.
type Language struct {
	// Tag is its BCP 47 tag.
	Tag      string
	Messages map[string]string
	// Uploaded is true when a part of it was uploaded.
	Uploaded bool
	// Complete is how many of the English keys have a message here.
	Complete int
}

// LanguageUpload says what was taken of an uploaded file.
type LanguageUpload struct {
	// UnknownKeys were left out, because the English file has none such.
	UnknownKeys []string
	// MissingKeys fall back to English.
	MissingKeys []string
}
