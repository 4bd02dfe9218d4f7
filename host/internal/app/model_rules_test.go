package app_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// pool is every right there is in these worlds.
var pool = []crm.Capability{crm.CustomersView, crm.CustomersEdit, crm.StaffView, "sample/act", "sample@see"}

// isActive tells whether a person could sign in.
func (p *person) isActive() bool {
	return !p.gone && p.active && (p.company == nil || p.company.active)
}

// can says what a person may, from raw rights.
func (p *person) can(c crm.Capability) bool {
	ofContacts := c == "sample@see"
	switch {
	case !p.isActive() || ofContacts != (p.company != nil):
		return false
	case p.administrator || p.primary:
		return true
	}
	return p.may[c] || (p.role != nil && p.role.may[c])
}

// own is a person's rights as text.
func (p *person) own() string {
	text := fmt.Sprint(p.administrator, p.primary)
	for _, c := range pool {
		text += fmt.Sprint(p.may[c] || (p.role != nil && p.role.may[c]))
	}
	return text
}

// belowCeiling says whether rights let one person become another: staff only, nobody who may more,
// and only an administrator an administrator. Who becomes a contact must be allowed to see and edit
// customers, for that is what contacts do.
func belowCeiling(actor, target *person) bool {
	switch {
	case actor.company != nil || actor == target || !actor.isActive() || !target.isActive():
		return false
	case actor.administrator:
		return true
	case target.company != nil:
		return actor.can(crm.CustomersView) && actor.can(crm.CustomersEdit)
	case target.administrator:
		return false
	}
	for _, c := range pool {
		if target.can(c) && !actor.can(c) {
			return false
		}
	}
	return true
}

// oracle stands where the module would.
type oracle struct{ w *world }

func (o oracle) DecideSwitch(context.Context, crm.SwitchQuestion) (crm.SwitchDecision, error) {
	a := o.w.answer
	d := crm.SwitchDecision{Limit: a.limit, Mode: a.mode, PasswordWithin: a.password}
	if a.start {
		d.Notices = append(d.Notices, crm.SwitchNotice{Module: "sample", TextKey: "started", ToAdministrators: true})
	}
	if a.end {
		d.Notices = append(d.Notices, crm.SwitchNotice{Module: "sample", TextKey: "ended", AtEnd: true})
	}
	switch a.kind {
	case "allow":
		return d, nil
	case "refuse":
		return d, &crm.Error{Kind: crm.Denied, Key: "not_today", Module: "sample"}
	case "off":
		return d, crm.Refuse(crm.Unavailable, "switch_module_off")
	case "crash":
		return d, &crm.Error{Kind: crm.Unavailable, Key: "module_crashed", Err: errors.New("end of file")}
	default:
		return crm.SwitchDecision{Limit: -time.Second, Mode: "whatever"}, nil
	}
}

// whyEnd is why a switched session's next request is the actor's again, empty when it isn't.
func (w *world) whyEnd(s *session) crm.EndCause {
	now, b := w.clock.Now(), s.marker
	switch {
	case b.cause != "":
		return b.cause
	case !now.Before(b.expires):
		return crm.EndExpired
	case !b.subject.isActive():
		return crm.EndTargetInactive
	case b.decided == w.rights:
		return "" // nothing has changed that anybody could decide by
	case !belowCeiling(b.actor, b.subject), w.answer.kind == "refuse":
		return crm.EndNotAllowed
	case w.answer.kind != "allow":
		return crm.EndModuleOff
	}
	b.decided = w.rights
	if narrower := b.started.Add(w.answer.limit); narrower.Before(b.expires) {
		b.expires = narrower
	}
	if w.answer.mode == crm.ReadOnly {
		b.mode = crm.ReadOnly
	}
	if !now.Before(b.expires) {
		return crm.EndExpired
	}
	return ""
}

// end is what follows when a switch ends: the first cause is the one.
func (w *world) end(b *borrowed, cause crm.EndCause) {
	if b == nil || b.cause != "" {
		return
	}
	b.cause = cause
	w.note("switch_ended", b.actor, b.subject, b, string(cause))
	if b.tellsEnd {
		b.subject.told["ended"]++
	}
}

// close is what follows when a session ends.
func (w *world) close(s *session, cause crm.EndCause) {
	w.end(s.marker, cause)
	s.gone = true
}

// back is what follows when a session's subject is its actor again.
func (w *world) back(s *session, cause crm.EndCause) {
	w.end(s.marker, cause)
	s.marker = nil
	s.hands++
}

// use is what follows for a session's life from its being used.
func (w *world) use(s *session) {
	now := w.clock.Now()
	if now.Sub(s.seen) < time.Minute {
		return
	}
	s.seen, s.expires = now, now.Add(2*time.Hour)
	if end := s.created.Add(12 * time.Hour); end.Before(s.expires) {
		s.expires = end
	}
}

// standing tells whether a request may still act for whom it was resolved: nothing of its session, its
// switch or its rights has changed meanwhile.
func (w *world) standing(r *request) bool {
	now, s := w.clock.Now(), r.session
	if s.gone || s.hands != r.hands || !now.Before(s.expires) || !s.actor.isActive() {
		return false
	}
	if r.marker == nil {
		return s.actor.own() == r.own
	}
	b := r.marker
	return b.cause == "" && now.Before(b.expires) && b.subject.isActive() && b.mode == r.mode && w.rights == r.rights
}

// mayWrite and maySensitive tell what a standing request's class allows.
func (r *request) mayWrite() bool     { return r.marker == nil || r.mode == crm.Full }
func (r *request) maySensitive() bool { return r.marker == nil }

// confirmed tells whether the own password was given lately enough for the module.
func (w *world) confirmed(s *session) bool {
	within := min(w.answer.password, 15*time.Minute)
	now := w.clock.Now()
	return within == 0 || now.Sub(s.created) < within || s.confirmed.After(now.Add(-within))
}

// lasts is until when a switch may go on that is allowed now.
func (w *world) lasts(started time.Time) time.Time {
	return started.Add(min(w.answer.limit, app.MaxSwitch))
}
