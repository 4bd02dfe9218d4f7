package crm

import "time"

// SeenPage is a page somebody was shown while switched.
type SeenPage struct {
	At     time.Time
	Method string
	Path   string // without a query, which may hold a secret
	Title  string // empty where none was drawn
	Status int
}

// SwitchEventKind says what sort of thing happened during a switch.
type SwitchEventKind string

// What can happen during a switch.
const (
	SwitchStarted  SwitchEventKind = "started"
	SwitchPage     SwitchEventKind = "page"
	SwitchChange   SwitchEventKind = "change"
	SwitchRefusal  SwitchEventKind = "refused"
	SwitchExtended SwitchEventKind = "extended"
	SwitchElevated SwitchEventKind = "elevated"
	SwitchEnded    SwitchEventKind = "ended"
)

// eventKinds are the actions of the Activity Log that are not just changes.
var eventKinds = map[string]SwitchEventKind{
	"switch_started": SwitchStarted, "switch_ended": SwitchEnded, "switch_forced": SwitchEnded, "switch_extended": SwitchExtended, "switch_elevated": SwitchElevated,
	"refused": SwitchRefusal, "switch_refused": SwitchRefusal, "switch_extension_refused": SwitchRefusal, "switch_elevation_refused": SwitchRefusal,
}

// SwitchEvent is one thing that happened during a switch: a page that was seen, or an entry of the
// Activity Log.
type SwitchEvent struct {
	ID    int64 // of the entry or the page
	At    time.Time
	Kind  SwitchEventKind
	Page  SeenPage   // of a page
	Entry AuditEntry // of everything else
	Code  string     // of a refusal: the rule that refused
	More  int64      // of a page without a path: how many pages were seen that were too many to be kept
}

// EventOf is an entry of the Activity Log as an event of its switch.
func EventOf(e AuditEntry) SwitchEvent {
	event := SwitchEvent{ID: e.ID, At: e.At, Kind: eventKinds[e.Action], Entry: e}
	switch event.Kind {
	case "":
		event.Kind = SwitchChange
	case SwitchRefusal:
		event.Code = e.Detail["rule"]
	}
	return event
}

// Check is one thing that was looked at to see whether all is well.
type Check struct {
	Name   string
	OK     bool
	Detail string // what was found, for an operator; empty when all is well
}
