package sdk

import "time"

// SwitchQuestion asks whether actor may become target. The host has already seen that both are
// active, that the session is not switched and that target may do nothing actor may not.
type SwitchQuestion struct {
	// Recheck is true when the switch runs already and rights, settings or modules changed.
	Recheck  bool
	Actor    Account
	Target   Account
	Reason   string
	Settings Settings
}

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
)

// SwitchEnds returns every end, for those who need a word for each.
func SwitchEnds() []SwitchEnd {
	return []SwitchEnd{
		EndStopped, EndExpired, EndSignedOut, EndActorInactive, EndTargetInactive, EndNotAllowed,
		EndModuleOff, EndByAdministrator, EndSessionLost,
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
