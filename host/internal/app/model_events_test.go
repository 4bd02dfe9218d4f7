package app_test

import (
	"time"

	"pgregory.net/rapid"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

func (w *world) changeRole(t *rapid.T) {
	r := w.roles[rapid.IntRange(0, len(w.roles)-1).Draw(t, "role")]
	r.may = drawRights(t)
	_, err := w.app.SaveRole(w.ctx, crm.Operator(), app.RoleForm{ID: r.id, Name: r.name, Capabilities: r.may, Shown: crm.NewCapabilities(pool...)})
	w.must("change a role", err)
	w.rights++
	w.askOne(t)
}

func (w *world) changeStaff(t *rapid.T) {
	w.change(t, w.drawPerson(t, "staff", func(p *person) bool { return p.company == nil }), "administrator", "active", "role", "rights")
}

// changePair changes the rights of somebody who is under a switch, or of whom they are, perhaps with
// a request at once.
func (w *world) changePair(t *rapid.T) {
	b := w.drawBrowser(t, isBorrowing)
	actor, subject := b.session.actor, b.session.marker.subject
	if subject.company != nil || rapid.Bool().Draw(t, "the actor's") {
		subject = actor
	}
	w.change(t, subject, "administrator", "administrator", "role", "rights")
	w.askOne(t)
}

// askOne may have a browser that is under a switch make its next request at once.
func (w *world) askOne(t *rapid.T) {
	for _, b := range w.browsers {
		if isBorrowing(b) && rapid.Bool().Draw(t, "asks at once") {
			w.resolve(b)
		}
	}
}

func (w *world) change(t *rapid.T, p *person, what ...string) {
	after := *p
	switch rapid.SampledFrom(what).Draw(t, "what") {
	case "administrator":
		after.administrator = !p.administrator
	case "active":
		after.active = !p.active
	case "role":
		after.role = nil
		if i := rapid.IntRange(0, len(w.roles)).Draw(t, "role"); i < len(w.roles) {
			after.role = w.roles[i]
		}
	case "rights":
		after.may = drawRights(t)
	}
	f := app.StaffForm{ID: p.key.ID, Name: p.name, Email: p.email, Administrator: after.administrator, Active: after.active, Capabilities: after.may, Shown: crm.NewCapabilities(pool...)}
	if after.role != nil {
		f.RoleID = after.role.id
	}
	_, err := w.app.SaveStaff(w.ctx, crm.Operator(), f)
	if w.isLast(p) && !(after.administrator && after.active) {
		if crm.KeyOf(err) != "last_administrator" {
			w.t.Fatalf("the last administrator is gone: %v", err)
		}
		return
	}
	w.must("change "+p.name, err)
	*p = after
	w.rights++
}

// isLast tells whether a person is the last administrator who can sign in.
func (w *world) isLast(p *person) bool {
	for _, other := range w.people {
		if other != p && other.administrator && other.active {
			return false
		}
	}
	return p.administrator && p.active
}

func isContact(p *person) bool { return p.company != nil && !p.gone }

func (w *world) changeContact(t *rapid.T) {
	p := w.drawPerson(t, "contact", isContact)
	w.rights++
	if rapid.Bool().Draw(t, "active") {
		p.active = !p.active
		w.must("change a contact", w.app.SetContactActive(w.ctx, crm.Operator(), p.key.ID, p.active))
		return
	}
	if p.may["sample@see"] {
		p.may = crm.Capabilities{}
	} else {
		p.may = crm.NewCapabilities("sample@see")
	}
	f := app.ContactForm{ContactPerson: crm.ContactPerson{ID: p.key.ID, Name: p.name, Email: p.email, Primary: p.primary, Active: p.active, Capabilities: p.may}, Shown: crm.NewCapabilities(pool...)}
	_, err := w.app.SaveContact(w.ctx, crm.Operator(), f)
	w.must("change a contact", err)
}

func (w *world) deleteContact(t *rapid.T) {
	p := w.drawPerson(t, "contact", isContact)
	w.must("delete a contact", w.app.DeleteContact(w.ctx, crm.Operator(), p.key.ID))
	for _, s := range w.sessions {
		if s.actor == p && !s.gone {
			w.close(s, crm.EndSignedOut)
		}
	}
	p.gone = true
	w.rights++
}

func (w *world) changeCustomer(t *rapid.T) {
	c := w.companies[rapid.IntRange(0, len(w.companies)-1).Draw(t, "company")]
	c.active = !c.active
	w.must("change a customer", w.app.SetCustomerActive(w.ctx, crm.Operator(), c.id, c.active))
	w.rights++
}

var someModes = rapid.SampledFrom([]crm.SwitchMode{crm.Full, crm.ReadOnly})

// changeAnswer has the module answer otherwise, with the host knowing of it, as when it is deactivated
// or its settings change, or without, as when it crashes.
func (w *world) changeAnswer(t *rapid.T) {
	w.answer = answer{
		kind:     rapid.SampledFrom([]string{"allow", "allow", "allow", "allow", "allow", "refuse", "off", "crash", "garbage"}).Draw(t, "kind"),
		limit:    rapid.SampledFrom([]time.Duration{time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 1000 * time.Hour}).Draw(t, "limit"),
		mode:     someModes.Draw(t, "mode"),
		password: rapid.SampledFrom([]time.Duration{0, 0, 0, 5 * time.Minute, time.Hour}).Draw(t, "password"),
		start:    rapid.Bool().Draw(t, "tells of the start"),
		end:      rapid.Bool().Draw(t, "tells of the end"),
	}
	if rapid.Bool().Draw(t, "known") {
		w.recheck(t)
	}
}

func (w *world) recheck(*rapid.T) {
	w.must("recheck", w.app.RecheckSwitches(w.ctx))
	w.rights++
}

// loseSession takes a session's row away behind everybody's back.
func (w *world) loseSession(t *rapid.T) {
	s := w.drawBrowser(t, func(b *browser) bool {
		return isBorrowing(b) || (!b.session.gone && rapid.Bool().Draw(t, "as oneself"))
	}).session
	w.must("lose a session", w.store.Write(w.ctx, func(tx store.Tx) error { return tx.DeleteSession(w.ctx, s.id) }))
	s.gone = true
}
