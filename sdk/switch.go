package sdk

import "time"

// SwitchQuestion asks whether actor may become target. The host has already seen that both are
// active, that the session is not switched and that target may do nothing actor may not.
type SwitchQuestion struct {
	// Moment says when it is asked; empty for a moment this module is too old to know: refuse.
	Moment SwitchMoment
	Actor  Account
	Target Account
	Reason string
	// Ticket is the number of the ticket the switch is for, may be empty.
	Ticket string
	// Switch is the one that runs, nil at SwitchStart.
	Switch *SessionSwitch
	// RecentTargets is, at SwitchStart, how many accounts the actor became in the hour before, each
	// counted once and the target not counted.
	RecentTargets int
	Settings      Settings
}

// SwitchMoment says when a question about a switch is asked.
type SwitchMoment string

// The moments.
const (
	// SwitchStart is before the switch.
	SwitchStart SwitchMoment = "start"
	// SwitchRecheck is during it, after a change of rights, settings or modules.
	SwitchRecheck SwitchMoment = "recheck"
	// SwitchExtend is during it, when the actor asks for more time.
	SwitchExtend SwitchMoment = "extend"
	// SwitchElevate is during it, when the actor asks to do more than read.
	SwitchElevate SwitchMoment = "elevate"
)

// SwitchMode is how much a switched session may do.
type SwitchMode int

// The modes; the zero value is the stricter.
const (
	// ReadOnly allows reading only.
	ReadOnly SwitchMode = iota
	// Full allows what the subject may do, except what is sensitive.
	Full
)

// SwitchDecision is the answer; its zero value refuses.
type SwitchDecision struct {
	Allowed bool
	// Limit is how long the switch may last from its start; the host caps it.
	Limit time.Duration
	Mode  SwitchMode
	// RefusalKey is the message that says why not.
	RefusalKey string
	// PasswordWithin, when above zero at SwitchStart, is how long ago at most the actor must have
	// given the own password, up to 15 minutes. The host asks for it; no module ever sees it.
	PasswordWithin time.Duration
	// Notices say, at SwitchStart, who shall be told, at most 8.
	Notices []SwitchNotice
}

// SwitchNotice is somebody to be told of a switch: the subject, or every administrator but the
// actor. The host writes it together with the start or the end, so that neither is without it.
type SwitchNotice struct {
	// AtEnd is when it has ended, however it ended, instead of at its start.
	AtEnd            bool
	ToAdministrators bool
	// TextKey is the message; it may use {actor}, {subject}, {reason}, {ticket}, {start}, {end} and
	// {minutes}.
	TextKey string
	// Page is the declared page that tells more, empty for none.
	Page string
	// Mail is also by mail, where the host can send any; its subject is the message of the same key
	// with "_subject" behind it, if there is one.
	Mail bool
}

// AllowSwitch allows a switch.
func AllowSwitch(limit time.Duration, mode SwitchMode) SwitchDecision {
	return SwitchDecision{Allowed: true, Limit: limit, Mode: mode}
}

// RefuseSwitch refuses it with the message of a key.
func RefuseSwitch(key string) SwitchDecision { return SwitchDecision{RefusalKey: key} }

// SwitchEnd is how a switch ended.
type SwitchEnd string

// The ends there are; empty while it runs.
const (
	EndStopped         SwitchEnd = "stopped"
	EndExpired         SwitchEnd = "expired"
	EndSignedOut       SwitchEnd = "signed_out"
	EndActorInactive   SwitchEnd = "actor_inactive"
	EndTargetInactive  SwitchEnd = "target_inactive"
	EndNotAllowed      SwitchEnd = "not_allowed"
	EndModuleOff       SwitchEnd = "module_off"
	EndByAdministrator SwitchEnd = "by_administrator"
	EndSessionLost     SwitchEnd = "session_lost"
	EndBySubject       SwitchEnd = "by_subject"
)

// SwitchEnds returns every end, for those who need a word for each.
func SwitchEnds() []SwitchEnd {
	return []SwitchEnd{
		EndStopped, EndExpired, EndSignedOut, EndActorInactive, EndTargetInactive, EndNotAllowed,
		EndModuleOff, EndByAdministrator, EndSessionLost, EndBySubject,
	}
}

// SwitchOutcome narrows a list of switches.
type SwitchOutcome string

// The outcomes; empty is all.
const (
	OutcomeActive  SwitchOutcome = "active"
	OutcomeEnded   SwitchOutcome = "ended"
	OutcomeRefused SwitchOutcome = "refused"
)

// SessionSwitch is one switch, or one refused attempt, as it was recorded. Names and roles are
// those of the time.
type SessionSwitch struct {
	ID            int64
	Actor         AccountKey
	ActorName     string
	ActorRole     string
	Subject       AccountKey
	SubjectName   string
	SubjectDetail string
	StartedAt     time.Time
	// ExpiresAt and EndedAt are zero where there is none.
	ExpiresAt time.Time
	EndedAt   time.Time
	End       SwitchEnd
	Reason    string
	IP        string
	Browser   string
	Mode      SwitchMode
	// RefusalCode is the code of the rule that refused; empty for a switch that took place.
	RefusalCode string
	// Ticket is the number of the ticket it is for, may be empty.
	Ticket string
	// ElevatedAt is when the actor was allowed to do more than read, zero when that was not asked.
	ElevatedAt time.Time
	// Extensions is how often it was given more time.
	Extensions int
	// EndedBy is who ended it, when somebody else than the actor did.
	EndedBy string
	// CustomerID is the customer of a subject that is a contact.
	CustomerID int64
}

// SwitchEventKind says what sort of thing happened during a switch; empty for what this module is
// too old to know.
type SwitchEventKind string

// The kinds of events.
const (
	EventStarted  SwitchEventKind = "started"
	EventPage     SwitchEventKind = "page"
	EventChange   SwitchEventKind = "change"
	EventRefused  SwitchEventKind = "refused"
	EventExtended SwitchEventKind = "extended"
	EventElevated SwitchEventKind = "elevated"
	EventEnded    SwitchEventKind = "ended"
)

// SwitchEvent is one thing that happened during a switch.
type SwitchEvent struct {
	At   time.Time
	Kind SwitchEventKind
	// Text is in the asked language: a page's title, or what was done.
	Text string
	// Object is what it was done to, or the address of a page.
	Object string
	// Detail is by name, both in the asked language where there are words for them.
	Detail map[string]string
	// RefusalCode is the code of the rule that refused.
	RefusalCode string
}

// SwitchRule is one of the host's own rules, held against a pair of accounts.
type SwitchRule struct {
	// Code is what a refusal by it carries.
	Code  string
	Holds bool
	// Missing is, for switch_more_rights, what the target may do and the actor may not.
	Missing []string
}

// SwitchingCheck is one thing looked at to see whether switching works.
type SwitchingCheck struct {
	// Code is restore, clock, record, hook or pairs.
	Code string
	OK   bool
	// Detail is for an operator; empty when all is well.
	Detail string
}

// Outcome says how the switch stands.
func (s SessionSwitch) Outcome() SwitchOutcome {
	switch {
	case s.RefusalCode != "":
		return OutcomeRefused
	case s.EndedAt.IsZero():
		return OutcomeActive
	}
	return OutcomeEnded
}
