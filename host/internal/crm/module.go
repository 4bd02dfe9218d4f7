package crm

import "time"

// Module is an installed module as the database knows it. Whether its process runs is the
// manager's to say.
type Module struct {
	ID          string
	Version     string
	Manifest    []byte // module.json as it was in the package
	SHA256      string // of the package, in hex
	Signer      Signer // of the package, as it was checked when it came
	Activated   bool   // an administrator allowed it to run
	Grants      []string
	Withdrawn   []string  // grants an administrator took back; they aren't given again by themselves
	Waiting     bool      // a version whose new grants nobody has accepted yet; the installed one goes on
	Crashes     int       // on this replica, in the window that began at CrashedAt
	CrashedAt   time.Time // zero when it has not crashed
	Failure     string    // why it was given up on this replica, empty while it is not
	InstalledAt time.Time
}

// KeptVersion is a version a module had before, kept so that one can go back to it.
type KeptVersion struct {
	ModuleID, Version, SHA256 string
	Manifest                  []byte
	Signer                    Signer   // as it was checked when it came
	Grants                    []string // as it had them last
	ReplacedAt                time.Time
}

// ModuleTrial is what a module's process did to the module's own data before it was adopted. It is
// kept when the process is, in the same transaction, or forgotten.
type ModuleTrial struct {
	Values  map[string][]byte // nil for one that was deleted
	Entries []ModuleEntry     // for the audit, in order
}

// Empty tells that nothing was done.
func (t ModuleTrial) Empty() bool { return len(t.Values) == 0 && len(t.Entries) == 0 }

// ModuleEntry is what a module says happened.
type ModuleEntry struct {
	Action string
	Detail map[string]string
}

// StagedPackage is an uploaded zip that waits for an administrator's word.
type StagedPackage struct {
	ID       string // random, unguessable
	By       AccountKey
	Filename string
	SHA256   string
	Zip      []byte
	At       time.Time
	About    Module // what the zip holds, with what it asks for as Grants; told to the audit, not kept
}

// ModuleLogLine is one line a module wrote, or one the host wrote about it.
type ModuleLogLine struct {
	ID        int64
	At        time.Time
	Level     string // debug, info, warn, error
	Text      string
	RequestID string
}

// ModuleLanguage is an uploaded language file of a module.
type ModuleLanguage struct {
	Tag  string
	File []byte
}

// SwitchMoment is when a hook is asked about a session switch.
type SwitchMoment string

// The moments.
const (
	SwitchStart   SwitchMoment = "start"   // before it
	SwitchRecheck SwitchMoment = "recheck" // during it, after a change of rights, settings or modules
	SwitchExtend  SwitchMoment = "extend"  // during it, for more time
	SwitchElevate SwitchMoment = "elevate" // during it, to do more than read
)

// SwitchQuestion is what a hook is asked about a session switch.
type SwitchQuestion struct {
	Moment        SwitchMoment
	Actor         Account
	Target        Account
	Reason        string
	Ticket        string
	Switch        *Switch // the one that runs, nil at the start
	RecentTargets int     // at the start: how many others the actor became in the hour before
	Revision      int64   // the authority revision the decision is remembered for: what was changed up to it counts
}

// SwitchDecision allows a switch, for at most Limit from its start.
type SwitchDecision struct {
	Limit time.Duration
	Mode  SwitchMode
	// PasswordWithin, above zero, is how long ago at most the actor must have given the own password.
	PasswordWithin time.Duration
	Notices        []SwitchNotice
}
