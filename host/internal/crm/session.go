package crm

import "time"

// SwitchMode is how much a switched session may do.
type SwitchMode string

// The two modes.
const (
	Full     SwitchMode = "full"
	ReadOnly SwitchMode = "read_only"
)

// EndCause is how a switch ended. The list is closed: every start has exactly one end, and its
// cause is one of these.
type EndCause string

// How a switch can end.
const (
	EndStopped         EndCause = "stopped"
	EndExpired         EndCause = "expired"
	EndSignedOut       EndCause = "signed_out"
	EndActorInactive   EndCause = "actor_inactive"
	EndTargetInactive  EndCause = "target_inactive"
	EndNotAllowed      EndCause = "not_allowed"
	EndModuleOff       EndCause = "module_off"
	EndByAdministrator EndCause = "by_administrator"
	EndSessionLost     EndCause = "session_lost"
	EndBySubject       EndCause = "by_subject"
)

// EndCauses is the closed list.
func EndCauses() []EndCause {
	return []EndCause{EndStopped, EndExpired, EndSignedOut, EndActorInactive, EndTargetInactive, EndNotAllowed, EndModuleOff, EndByAdministrator, EndSessionLost, EndBySubject}
}

// Session is one browser's sign-in. It holds ids, never copies of people.
type Session struct {
	ID        int64
	Actor     AccountKey // who signed in; never changes
	Subject   AccountKey // whose rights and eyes it uses; the actor's own unless switched
	SwitchID  int64      // the switch it is under, 0 for none
	Version   int64      // raised by every change of subject; changes go by compare-and-swap on it
	Decided   int64      // the authority revision at which the switch was last allowed
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time
	IP        string
	Browser   string
	Notice    Notice // a sentence for the next page, shown once
	FormKey   []byte // makes form tokens; never leaves the program
}

// Switched tells whether the session is under a switch.
func (s Session) Switched() bool { return s.SwitchID != 0 }

// Notice is the key of a sentence of the host's language files, with what fills it.
type Notice struct {
	Key  string            `json:"key,omitempty"`
	Args map[string]string `json:"args,omitempty"`
}

// Switch is the record of one session switch, or of a refused attempt at one. Names and roles are
// those of the time, so that the record stays readable when people change or go.
type Switch struct {
	ID            int64
	SessionID     int64
	Actor         AccountKey
	ActorName     string
	ActorRole     string
	Subject       AccountKey
	SubjectName   string
	SubjectDetail string
	Mode          SwitchMode
	Reason        string
	IP            string
	Browser       string
	StartedAt     time.Time
	ExpiresAt     time.Time
	EndedAt       time.Time // zero while it runs
	End           EndCause  // empty while it runs and for refused attempts
	EndedBy       string    // who ended it, when somebody else than the actor did
	Refusal       string    // for refused attempts, the code of the rule that refused
	Ticket        string
	ElevatedAt    time.Time // when the actor was allowed to do more than read; zero when not asked for
	Extensions    int       // how often it was given more time
	CustomerID    int64     // of a subject that is a contact
	Notices       []SwitchNotice
}

// SwitchNotice is somebody to be told of a switch, in a module's words: the subject, or every
// administrator but the actor.
type SwitchNotice struct {
	Module           string `json:"module"`
	AtEnd            bool   `json:"at_end,omitempty"` // when it has ended, instead of when it starts
	ToAdministrators bool   `json:"to_administrators,omitempty"`
	TextKey          string `json:"text_key"`
	Page             string `json:"page,omitempty"` // of the module, below its root
	Mail             bool   `json:"mail,omitempty"`
}

// Who is the answer of the resolver, the only place that says who is who: rights are asked of the
// subject, the record names the actor.
type Who struct {
	Session  Session
	Actor    Account
	Subject  Account
	Switch   *Switch // nil unless switched
	Revision int64   // the authority revision the answer is good for
	Client   Client
}

// SignedIn tells whether anybody is.
func (w Who) SignedIn() bool { return w.Actor.Key.Kind != "" }

// Switched tells whether the subject is somebody else than the actor.
func (w Who) Switched() bool { return w.Switch != nil }

// Can tells whether the request may use a capability: the subject's rights count.
func (w Who) Can(c Capability) bool { return w.Subject.Can(c) }

// Area is where the request belongs: the subject's.
func (w Who) Area() Area { return w.Subject.Key.Kind.Area() }

// RouteClass says what a route does, for sessions that may not do everything.
type RouteClass int

// The classes of route. The zero class is none, and is refused.
const (
	_              RouteClass = iota
	Open                      // needs nobody signed in, and works under every switch (sign-in, /session, restore)
	ReadRoute                 // changes nothing
	WriteRoute                // changes ordinary data
	SensitiveRoute            // rights, credentials, settings, modules, sessions: never under a borrowed name
)

// CheckClass says whether who may use a route of this class: everything one may do as oneself, no
// sensitive route while switched, reading only in a read-only switch.
func CheckClass(who Who, class RouteClass) error {
	switch {
	case class < Open || class > SensitiveRoute:
		return Refuse(Denied, "route_unclassified")
	case !who.Switched() || class == Open || class == ReadRoute:
		return nil
	case class == SensitiveRoute:
		return Refuse(Denied, "refused_while_switched", "Subject", who.Subject.Name)
	case who.Switch.Mode == Full:
		return nil
	default:
		return Refuse(Denied, "refused_read_only", "Subject", who.Subject.Name)
	}
}

// Client is the other end of a request, as far as the record wants it.
type Client struct {
	IP        string
	Browser   string
	RequestID string
	Doing     string // what is asked for, as a record of a refusal names it: "POST /profile"; no secret
}

// Operator is who acts on the command line: whoever may run the program on the data may do
// everything, and the record says so.
func Operator() Who {
	operator := Account{Key: AccountKey{Kind: Staff}, Name: "Command line", Active: true, Administrator: true}
	return Who{Actor: operator, Subject: operator}
}
