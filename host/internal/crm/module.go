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
	Crashes     int       // in the window that began at CrashedAt
	CrashedAt   time.Time // zero when it has not crashed
	Failure     string    // why it was given up, empty while it is not
	InstalledAt time.Time
}

// StagedPackage is an uploaded zip that waits for an administrator's word.
type StagedPackage struct {
	ID       string // random, unguessable
	By       AccountKey
	Filename string
	SHA256   string
	Zip      []byte
	At       time.Time
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

// SwitchQuestion is what a hook is asked about a session switch.
type SwitchQuestion struct {
	Recheck bool // false before the switch, true during it
	Actor   Account
	Target  Account
	Reason  string
}

// SwitchDecision allows a switch, for at most Limit from its start.
type SwitchDecision struct {
	Limit time.Duration
	Mode  SwitchMode
}
