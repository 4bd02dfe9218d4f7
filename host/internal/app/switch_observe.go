package app

import (
	"context"
	"slices"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// SwitchObserver is told what is recorded of session switches, once each, after it was committed. It
// must be quick.
type SwitchObserver interface {
	SwitchStarted()
	// SwitchEnded tells also how long it lasted, 0 where nobody knows.
	SwitchEnded(cause crm.EndCause, lasted time.Duration)
	// SwitchRefused tells of a refused start, and of what was refused meanwhile; code is one of RefusalCodes.
	SwitchRefused(code string)
}

// SetSwitchObserver says who is told. Call it before the first request.
func (a *App) SetSwitchObserver(o SwitchObserver) { a.observer = o }

// ModuleRefusal is the code for whatever a module refuses by words of its own.
const ModuleRefusal = "module"

// refusalCodes are the host's rules about switches.
var refusalCodes = []string{
	"refused_while_switched", "refused_read_only", "route_unclassified", "area_while_switched",
	"switch_nested", "switch_no_target", "switch_not_staff", "switch_self", "switch_inactive", "switch_not_administrator", "switch_more_rights",
	"switch_module_off", "switch_module_silent", "switch_refused", "switch_no_more_time", "switch_stays_read_only", "request_cancelled", "session_changed", "internal",
	"password_confirmation_needed", "password_wrong", "sign_in_locked",
}

// RefusalCodes is the closed list of rules by which refusals are counted.
func RefusalCodes() []string { return append(slices.Clone(refusalCodes), ModuleRefusal) }

// refusalCode bounds what somebody may count by: a module's keys are the module's to choose.
func refusalCode(rule string) string {
	if slices.Contains(refusalCodes, rule) {
		return rule
	}
	return ModuleRefusal
}

// observe tells the observer of an entry, when its transaction is kept.
func (a *App) observe(tx store.Tx, who crm.Who, action string, detail map[string]string) {
	if a.observer == nil {
		return
	}
	var tell func()
	switch action {
	case "switch_started":
		tell = a.observer.SwitchStarted
	case "switch_ended":
		var lasted time.Duration
		if who.Switch != nil {
			lasted = max(a.Now().Sub(who.Switch.StartedAt), 0) // the clock may have been set back
		}
		tell = func() { a.observer.SwitchEnded(crm.EndCause(detail["cause"]), lasted) }
	case "switch_refused", "switch_extension_refused", "switch_elevation_refused", "refused":
		tell = func() { a.observer.SwitchRefused(refusalCode(detail["rule"])) }
	default:
		return
	}
	tx.Then(func(kept bool) {
		if kept {
			tell()
		}
	})
}

// ActiveSwitches is how many switches run now, on every replica.
func (a *App) ActiveSwitches(ctx context.Context) (int64, error) {
	return a.store.Read().ActiveSwitches(ctx)
}
