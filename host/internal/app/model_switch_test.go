package app_test

import (
	"time"

	"pgregory.net/rapid"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// likelyStart has somebody of the staff become whom they may as far as rights go.
func (w *world) likelyStart(t *rapid.T) {
	b := w.drawBrowser(t, func(b *browser) bool {
		return !b.session.gone && b.session.marker == nil && b.session.actor.company == nil
	})
	target := w.drawPerson(t, "target", func(p *person) bool { return belowCeiling(b.session.actor, p) })
	if r := w.resolve(b); r != nil {
		w.become(r, target)
	}
}

// start asks to become somebody.
func (w *world) start(t *rapid.T, r *request) {
	w.become(r, w.drawPerson(t, "target", func(*person) bool { return true }))
}

func (w *world) become(r *request, target *person) {
	actor, now := r.session.actor, w.clock.Now()
	may := w.standing(r) && r.marker == nil && belowCeiling(actor, target) && w.answer.kind == "allow" && w.confirmed(r.session)
	secret, got, err := w.app.SwitchSession(w.ctx, r.who, app.SwitchWish{Target: target.key, Reason: "why not"})
	if !w.outcome("becoming "+target.name, r, may, err) {
		if crm.KeyOf(err) != "password_confirmation_needed" && crm.KeyOf(err) != "session_changed" {
			w.refused++
		}
		return
	}
	s := r.session
	b := &borrowed{
		id: got.ID, session: s, actor: actor, subject: target, actorName: r.who.Actor.Name, subjectName: target.name,
		started: now, expires: w.lasts(now), mode: w.answer.mode, decided: r.rights, tellsEnd: w.answer.end,
	}
	w.switches = append(w.switches, b)
	w.note("switch_started", actor, target, b, "")
	if w.answer.start {
		for _, p := range w.people {
			if p.administrator && p.isActive() && p != actor {
				p.told["started"]++
			}
		}
	}
	s.marker = b
	s.hands++
	w.newSecret(r.browser, secret)
}

// stop asks to be oneself again; nothing but having gone already keeps anybody from it.
func (w *world) stop(_ *rapid.T, r *request) {
	s := r.session
	secret, _, err := w.app.RestoreSession(w.ctx, r.who)
	if w.outcome("a stop", r, r.marker != nil && !s.gone && s.hands == r.hands, err) {
		w.back(s, crm.EndStopped)
		w.newSecret(r.browser, secret)
	}
}

// allows tells whether a running switch may be given more.
func (w *world) allows(r *request) bool {
	return w.standing(r) && r.marker != nil && belowCeiling(r.session.actor, r.marker.subject) && w.answer.kind == "allow"
}

func (w *world) extend(_ *rapid.T, r *request) {
	may := w.allows(r) && w.lasts(r.marker.started).After(r.who.Switch.ExpiresAt)
	_, err := w.app.ExtendSwitch(w.ctx, r.who, "not done yet")
	if w.outcome("an extension", r, may, err) {
		b := r.marker
		b.expires = w.lasts(b.started)
		b.extensions++
		if w.answer.mode == crm.ReadOnly {
			b.mode = crm.ReadOnly
		}
		w.note("switch_extended", b.actor, b.subject, b, "")
	}
}

// likelyExtend and likelyElevate ask once the module has changed its mind.
func (w *world) likelyExtend(t *rapid.T, r *request) {
	w.answer.kind, w.answer.limit = "allow", rapid.SampledFrom([]time.Duration{2 * w.answer.limit, 2 * w.answer.limit, 1000 * time.Hour}).Draw(t, "limit")
	w.extend(t, r)
}

func (w *world) likelyElevate(t *rapid.T, r *request) {
	w.answer.kind, w.answer.mode = "allow", rapid.SampledFrom([]crm.SwitchMode{crm.Full, crm.Full, crm.ReadOnly}).Draw(t, "mode")
	w.elevate(t, r)
}

func (w *world) elevate(t *rapid.T, r *request) {
	password, right := r.session.actor.password, true
	if w.wrong < 3 && rapid.IntRange(0, 4).Draw(t, "guess") == 0 {
		password, right = "guessing", false
		w.wrong++
	}
	may := w.allows(r) && r.mode == crm.ReadOnly && w.answer.mode == crm.Full && right
	_, err := w.app.ElevateSwitch(w.ctx, r.who, "to mend it", password)
	if w.outcome("an elevation", r, may, err) {
		b := r.marker
		b.mode, b.elevated = crm.Full, true
		w.note("switch_elevated", b.actor, b.subject, b, "")
	}
}

// endByForce ends a switch from elsewhere: an administrator any, everybody their own, a contact one
// that is done as somebody of its company.
func (w *world) endByForce(t *rapid.T, r *request) {
	if len(w.switches) == 0 {
		t.Skip("there is none")
	}
	w.force(r, w.switches[max(0, len(w.switches)-1-rapid.IntRange(0, 3).Draw(t, "switches ago"))])
}

// aContactEnds has a customer's contact end what is done as one, of its own company or another.
func (w *world) aContactEnds(t *rapid.T) {
	b := w.drawBrowser(t, func(b *browser) bool { return isBorrowing(b) && b.session.marker.subject.company != nil })
	by := w.drawPerson(t, "contact", func(p *person) bool { return isContact(p) && p.isActive() })
	w.signInAs(by)
	if r := w.resolve(w.browsers[len(w.browsers)-1]); r != nil {
		w.force(r, b.session.marker)
	}
}

func (w *world) force(r *request, b *borrowed) {
	by, cause := r.session.actor, crm.EndByAdministrator
	mayAtAll := by.administrator || by == b.actor
	if by.company != nil {
		mayAtAll, cause = by.company == b.subject.company, crm.EndBySubject
	}
	_, err := w.app.EndSwitchByForce(w.ctx, r.who, b.id)
	if w.outcome("an end by force", r, w.standing(r) && r.maySensitive() && mayAtAll && b.cause == "", err) {
		b.forced = true
		w.note("switch_forced", by, by, b, "")
		w.end(b, cause)
	}
}

// sweep closes what is over and nobody came back for.
func (w *world) sweep(*rapid.T) {
	w.must("sweep", w.app.Sweep(w.ctx))
	now := w.clock.Now()
	for _, s := range w.sessions {
		if !s.gone && !now.Before(s.expires) {
			w.close(s, crm.EndExpired)
		}
	}
	for _, b := range w.switches {
		switch {
		case b.cause != "":
		case b.session.gone:
			w.end(b, crm.EndSessionLost)
		case !now.Before(b.expires):
			w.end(b, crm.EndExpired)
		}
	}
}

var moments = rapid.SampledFrom([]time.Duration{time.Second, time.Second, 59 * time.Second, time.Minute, 20 * time.Minute, 20 * time.Minute, time.Hour - time.Second, time.Hour, 3 * time.Hour, 13 * time.Hour})

// pass lets time pass.
func (w *world) pass(t *rapid.T) {
	w.clock.Advance(moments.Draw(t, "time"))
}

// passToTheLimit lets so much time pass that a switch is over, or nearly, with a page on the way, and
// has its browser ask.
func (w *world) passToTheLimit(t *rapid.T) {
	b := w.drawBrowser(t, isBorrowing)
	m := b.session.marker
	w.clock.Advance(max(0, m.expires.Sub(w.clock.Now())/2))
	w.resolve(b)
	w.clock.Advance(max(0, m.expires.Sub(w.clock.Now())-rapid.SampledFrom([]time.Duration{0, 0, time.Second}).Draw(t, "before it")))
	w.resolve(b)
}
