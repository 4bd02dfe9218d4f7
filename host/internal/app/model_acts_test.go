package app_test

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// request is who a request was resolved to be, and how the world stood then.
type request struct {
	browser *browser
	session *session
	marker  *borrowed
	who     crm.Who
	token   string // of its form
	own     string // the actor's rights
	mode    crm.SwitchMode
	hands   int
	rights  int
	late    bool // something may have happened since
}

// signIn opens a session in a new browser.
func (w *world) signIn(t *rapid.T) {
	p := w.drawPerson(t, "who", func(p *person) bool { return p.isActive() })
	w.signInAs(p)
}

func (w *world) signInAs(p *person) {
	account, err := w.app.Account(w.ctx, p.key)
	w.must("read "+p.name, err)
	secret, who, err := app.OpenSession(w.app, w.ctx, account, app.LockSources(p.key.Kind, p.email), hosttest.Client)
	w.must("sign in as "+p.name, err)
	now := w.clock.Now()
	s := &session{id: who.Session.ID, actor: p, created: now}
	w.use(s)
	w.sessions = append(w.sessions, s)
	p.lastSignIn = now
	w.note("signed_in", p, p, nil, "")
	w.browsers = append(w.browsers, &browser{secret: secret, session: s})
}

// page is a request that does nothing but say who it is.
func (w *world) page(t *rapid.T) {
	w.resolve(w.drawBrowser(t, anyBrowser))
}

func anyBrowser(*browser) bool { return true }

// resolve makes a request, and holds its answer against what it must be.
func (w *world) resolve(b *browser) *request {
	s, now, cause := b.session, w.clock.Now(), crm.EndCause("")
	r, err := w.app.Resolve(w.ctx, b.secret, hosttest.Client)
	w.must("resolve", err)
	if s.gone || !now.Before(s.expires) || !s.actor.isActive() {
		if !s.gone && !now.Before(s.expires) {
			w.close(s, crm.EndExpired)
		} else if !s.gone {
			w.close(s, crm.EndActorInactive)
		}
		if r.Who.SignedIn() || r.NewSecret != "" {
			w.t.Fatalf("a session that is over is %s's as %s", r.Who.Actor.Name, r.Who.Subject.Name)
		}
		return nil
	}
	if s.marker != nil {
		if cause = w.whyEnd(s); cause != "" {
			w.back(s, cause)
		}
	}
	w.use(s)
	if (r.NewSecret != "") != (cause != "") {
		w.t.Fatalf("a new secret: %t, for the end %q", r.NewSecret != "", cause)
	}
	if cause != "" {
		w.newSecret(b, r.NewSecret)
		if r.Notice.Key != "switch_ended_"+string(cause) {
			w.t.Fatalf("told %q of the end %q", r.Notice.Key, cause)
		}
	}
	w.wantWho(s, r.Who)
	return &request{
		browser: b, session: s, marker: s.marker, who: r.Who, token: w.app.FormToken(r.Who, ""),
		own: s.actor.own(), mode: modeOf(s.marker), hands: s.hands, rights: w.rights,
	}
}

func modeOf(b *borrowed) crm.SwitchMode {
	if b == nil {
		return ""
	}
	return b.mode
}

func (w *world) newSecret(b *browser, secret string) {
	if secret == "" || secret == b.secret {
		w.t.Fatalf("no new secret")
	}
	b.dead = append(b.dead, b.secret)
	b.secret = secret
}

// now has a request made and do something at once.
func (w *world) now(do func(*rapid.T, *request)) func(*rapid.T) {
	return func(t *rapid.T) {
		if r := w.resolve(w.drawBrowser(t, func(b *browser) bool { return !b.session.gone })); r != nil {
			do(t, r)
		}
	}
}

func isBorrowing(b *browser) bool { return !b.session.gone && b.session.marker != nil }

// borrowing is now for a session that is switched.
func (w *world) borrowing(do func(*rapid.T, *request)) func(*rapid.T) {
	return func(t *rapid.T) {
		if r := w.resolve(w.drawBrowser(t, isBorrowing)); r != nil {
			do(t, r)
		}
	}
}

// slowBegins makes a request that will do something later, as another tab of the browser would.
func (w *world) slowBegins(t *rapid.T) {
	w.now(func(_ *rapid.T, r *request) {
		r.late = true
		w.slow = append(w.slow[max(0, len(w.slow)-3):], r)
	})(t)
}

// slowActs lets a slow request do what it was for.
func (w *world) slowActs(t *rapid.T) {
	w.actLate(t, w.drawSlow(t))
}

func (w *world) actLate(t *rapid.T, r *request, besides ...func(*rapid.T, *request)) {
	acts := append(besides, w.saveProfile, w.saveProfile, w.saveCompany, w.start, w.stop, w.extend, w.elevate, w.endByForce, w.signOut, w.signOutElsewhere, w.changePassword)
	acts[rapid.IntRange(0, len(acts)-1).Draw(t, "act")](t, r)
}

// overtaken is a slow request of a switched session, with something in between that may end that.
func (w *world) overtaken(t *rapid.T) {
	w.borrowing(func(t *rapid.T, r *request) {
		r.late = true
		again := func(do func(*rapid.T, *request)) func(*rapid.T) {
			return func(t *rapid.T) {
				if r := w.resolve(r.browser); r != nil {
					do(t, r)
				}
			}
		}
		between := []func(*rapid.T){again(w.stop), again(w.stop), again(w.stop), again(w.stop), again(w.likelyExtend), again(w.likelyElevate), w.now(w.endByForce), w.changeAnswer, w.changePair, w.changeContact, w.changeCustomer, w.pass, w.sweep}
		between[rapid.IntRange(0, len(between)-1).Draw(t, "between")](t)
		w.sendForm(r, r.browser)
		w.actLate(t, r, w.stop, w.stop, w.saveProfile)
	})(t)
}

// oldForm sends a form that was opened earlier, by who the browser is now.
func (w *world) oldForm(t *rapid.T) {
	old := w.drawSlow(t)
	w.sendForm(old, w.drawBrowser(t, func(b *browser) bool { return b == old.browser || rapid.Bool().Draw(t, "another browser") }))
}

func (w *world) sendForm(old *request, b *browser) {
	r := w.resolve(b)
	if r == nil {
		return
	}
	_, err := w.app.CheckFormToken(r.who, old.token)
	if same := r.session == old.session && r.hands == old.hands; (err == nil) != same {
		w.t.Fatalf("a form of %s as %s, sent as %s: %v", old.who.Actor.Name, old.who.Subject.Name, r.who.Subject.Name, err)
	}
}

// outcome holds whether something succeeded against whether it may. What is done at once must.
func (w *world) outcome(what string, r *request, may bool, err error) bool {
	if crm.KeyOf(err) == "database_unavailable" || (err != nil && crm.KeyOf(err) == "") {
		w.t.Fatalf("%s: %v", what, err)
	}
	if err == nil && !may {
		w.t.Fatalf("%s by %s as %s (late: %t) went through", what, r.who.Actor.Name, r.who.Subject.Name, r.late)
	}
	if err != nil && may && !r.late {
		w.t.Fatalf("%s by %s as %s: %v", what, r.who.Actor.Name, r.who.Subject.Name, err)
	}
	return err == nil
}

func (w *world) saveProfile(t *rapid.T, r *request) {
	subject := w.person(r.who.Subject.Key)
	w.saved++
	name := fmt.Sprintf("%s's name %d", subject.email, w.saved)
	err := w.app.SaveOwnProfile(w.ctx, r.who, app.ProfileForm{Name: name})
	if w.outcome("a profile", r, w.standing(r) && r.mayWrite(), err) {
		subject.name = name
		w.note("profile_changed", r.session.actor, subject, r.marker, "")
	}
}

func (w *world) saveCompany(t *rapid.T, r *request) {
	subject := w.person(r.who.Subject.Key)
	if subject.company == nil {
		return
	}
	w.saved++
	phone := fmt.Sprint(w.saved)
	err := w.app.SaveOwnCompany(w.ctx, r.who, crm.Customer{Company: subject.company.name, Phone: phone})
	if w.outcome("a company", r, w.standing(r) && r.mayWrite(), err) {
		subject.company.phone = phone
		w.note("company_changed", r.session.actor, subject, r.marker, "")
	}
}

func (w *world) confirmPassword(t *rapid.T) {
	w.now(func(_ *rapid.T, r *request) {
		err := w.app.ConfirmPassword(w.ctx, r.who, r.session.actor.password)
		if w.outcome("a confirmation", r, r.maySensitive(), err) {
			r.session.confirmed = w.clock.Now()
		}
	})(t)
}

func (w *world) changePassword(t *rapid.T, r *request) {
	actor := r.session.actor
	next := map[string]string{onePassword: anotherPassword, anotherPassword: onePassword}[actor.password]
	if actor.gone || rapid.IntRange(0, 2).Draw(t, "really") != 0 {
		t.Skip("not just now")
	}
	err := w.app.ChangeOwnPassword(w.ctx, r.who, actor.password, next)
	if w.outcome("a password", r, w.standing(r) && r.maySensitive(), err) {
		actor.password = next
		w.note("password_changed", actor, actor, nil, "")
		w.closeOthers(r.session)
	}
}

func (w *world) signOutElsewhere(_ *rapid.T, r *request) {
	err := w.app.RevokeOtherSessions(w.ctx, r.who)
	if w.outcome("a sign-out everywhere", r, w.standing(r) && r.maySensitive(), err) {
		w.note("sessions_revoked", r.session.actor, r.session.actor, nil, "")
		w.closeOthers(r.session)
	}
}

func (w *world) closeOthers(keep *session) {
	for _, s := range w.sessions {
		if s.actor == keep.actor && s != keep && !s.gone {
			w.close(s, crm.EndSignedOut)
		}
	}
}

// signOut always works, however late: it takes nothing but away.
func (w *world) signOut(_ *rapid.T, r *request) {
	w.must("sign out", w.app.SignOut(w.ctx, r.who))
	if s := r.session; !s.gone {
		subject := s.actor
		if s.marker != nil && s.marker.cause == "" {
			subject = s.marker.subject
		}
		w.note("signed_out", s.actor, subject, s.marker, "")
		w.close(s, crm.EndSignedOut)
	}
}
