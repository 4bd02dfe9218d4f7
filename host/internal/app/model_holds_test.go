package app_test

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// entry is an entry of the Activity Log that there must be, once.
type entry struct {
	action         string
	actor, subject crm.AccountKey
	switchID       int64
	cause          string
}

// note remembers that there must be an entry, of what is done under a switch in both names.
func (w *world) note(action string, actor, subject *person, b *borrowed, cause string) {
	e := entry{action: action, actor: actor.key, subject: subject.key, cause: cause}
	if b != nil {
		e.switchID = b.id
	}
	w.entries = append(w.entries, e)
}

// accounted are the actions whose entries these worlds account for.
var accounted = []string{
	"signed_in", "signed_out", "profile_changed", "company_changed", "password_changed", "sessions_revoked",
	"switch_started", "switch_ended", "switch_extended", "switch_elevated", "switch_forced",
}

func (w *world) person(key crm.AccountKey) *person {
	for _, p := range w.people {
		if p.key == key {
			return p
		}
	}
	w.t.Fatalf("%s is nobody", key)
	return nil
}

// wantWho holds who a request is against who it must be, and what it may against raw rights.
func (w *world) wantWho(s *session, who crm.Who) {
	subject := s.actor
	if s.marker != nil {
		subject = s.marker.subject
	}
	if who.Actor.Key != s.actor.key || who.Subject.Key != subject.key || who.Switched() != (s.marker != nil) {
		w.t.Fatalf("%s as %s (switched: %t), want %s as %s", who.Actor.Name, who.Subject.Name, who.Switched(), s.actor.name, subject.name)
	}
	if b := s.marker; b != nil {
		if who.Switch.ID != b.id || who.Switch.Mode != b.mode || !who.Switch.ExpiresAt.Equal(b.expires) {
			w.t.Fatalf("under %+v, want switch %d, %s until %s", who.Switch, b.id, b.mode, b.expires)
		}
		if !belowCeiling(s.actor, subject) {
			w.t.Fatalf("%s may not become %s, and is", s.actor.name, subject.name)
		}
	}
	for _, c := range pool {
		if who.Can(c) != subject.can(c) {
			w.t.Fatalf("%s as %s may %s: %t", s.actor.name, subject.name, c, who.Can(c))
		}
	}
}

// holds is asked after every event.
func (w *world) holds(*rapid.T) {
	w.holdSessions()
	w.holdRecord()
	w.holdEntries()
	w.holdPeople()
	for _, b := range w.browsers {
		for _, secret := range b.dead[max(0, len(b.dead)-2):] {
			w.wantNobody(secret)
		}
	}
}

func (w *world) wantNobody(secret string) {
	if r, err := w.app.Resolve(w.ctx, secret, hosttest.Client); err != nil || r.Who.SignedIn() {
		w.t.Fatalf("a dead secret is %s's, %v", r.Who.Actor.Name, err)
	}
}

// holdSessions: whose a session is never changes, and its subject is its actor or whom its switch says.
func (w *world) holdSessions() {
	there := map[int64]crm.Session{}
	for _, p := range w.people {
		list, err := w.store.Read().SessionsOf(w.ctx, p.key)
		w.must("list sessions", err)
		for _, s := range list {
			there[s.ID] = s
		}
	}
	alive := 0
	for _, s := range w.sessions {
		if s.gone {
			continue
		}
		alive++
		subject, id := s.actor, int64(0)
		if s.marker != nil {
			subject, id = s.marker.subject, s.marker.id
		}
		is := there[s.id]
		if is.Actor != s.actor.key || is.Subject != subject.key || is.SwitchID != id || !is.ExpiresAt.Equal(s.expires) {
			w.t.Fatalf("session %d is %+v, want %s as %s under %d until %s", s.id, is, s.actor.key, subject.key, id, s.expires)
		}
	}
	if alive != len(there) {
		w.t.Fatalf("%d sessions, want %d", len(there), alive)
	}
}

// holdRecord: every start is there, with one end of the closed list or none yet.
func (w *world) holdRecord() {
	page, err := w.app.Switches(w.ctx, app.SwitchQuery{Limit: 500})
	w.must("list switches", err)
	there, refused := map[int64]crm.Switch{}, 0
	for _, is := range page.Rows {
		if is.Refusal != "" {
			refused++
			continue
		}
		there[is.ID] = is
	}
	if len(there) != len(w.switches) || refused != w.refused {
		w.t.Fatalf("%d starts and %d refusals on record, want %d and %d", len(there), refused, len(w.switches), w.refused)
	}
	for _, b := range w.switches {
		is := there[b.id]
		if is.Actor != b.actor.key || is.Subject != b.subject.key || is.ActorName != b.actorName || is.SubjectName != b.subjectName || is.SessionID != b.session.id {
			w.t.Fatalf("the record is %+v, want %s as %s", is, b.actorName, b.subjectName)
		}
		if is.End != b.cause || is.EndedAt.IsZero() != (b.cause == "") || (is.EndedBy != "") != b.forced || (b.cause != "" && !slices.Contains(crm.EndCauses(), is.End)) {
			w.t.Fatalf("switch %d ended %q at %s by %q, want %q", b.id, is.End, is.EndedAt, is.EndedBy, b.cause)
		}
		if is.Mode != b.mode || !is.ExpiresAt.Equal(b.expires) || is.Extensions != b.extensions || is.ElevatedAt.IsZero() == b.elevated || is.ExpiresAt.Sub(is.StartedAt) > app.MaxSwitch {
			w.t.Fatalf("switch %d is %+v, want %s until %s", b.id, is, b.mode, b.expires)
		}
	}
}

// holdEntries: whatever was done is in the Activity Log once, in the right names, and nothing else is.
func (w *world) holdEntries() {
	page, err := w.app.Activity(w.ctx, crm.Operator(), crm.Query{Limit: 50})
	w.must("list entries", err)
	for _, is := range slices.Backward(page.Rows) {
		if is.ID <= w.lastEntry || !slices.Contains(accounted, is.Action) {
			continue
		}
		e := entry{is.Action, is.Actor, is.Subject, is.SwitchID, is.Detail["cause"]}
		i := slices.Index(w.entries, e)
		if i < 0 {
			w.t.Fatalf("an entry too many, or in the wrong names: %+v; want %+v", is, w.entries)
		}
		w.entries = slices.Delete(w.entries, i, i+1)
	}
	if len(page.Rows) > 0 {
		w.lastEntry = page.Rows[0].ID
	}
	if len(w.entries) > 0 {
		w.t.Fatalf("entries missing: %+v", w.entries)
	}
}

// holdPeople: nobody and nothing has changed but as was allowed, and everybody was told exactly once
// of what they are to know.
func (w *world) holdPeople() {
	for _, p := range w.people {
		if p.gone {
			continue
		}
		is, err := w.app.Account(w.ctx, p.key)
		w.must("read "+p.name, err)
		if is.Name != p.name || is.Active != p.isActive() || is.Administrator != p.administrator || !is.LastSignIn.Equal(p.lastSignIn) {
			w.t.Fatalf("%s is %+v", p.name, is)
		}
		notices, err := w.store.Read().UnreadNotices(w.ctx, p.key, 100)
		w.must("read notices", err)
		told := map[string]int{}
		for _, n := range notices {
			told[n.TextKey]++
		}
		if told["started"] != p.told["started"] || told["ended"] != p.told["ended"] {
			w.t.Fatalf("%s was told %v, want %v", p.name, told, p.told)
		}
	}
	for _, c := range w.companies {
		if is, err := w.store.Read().Customer(w.ctx, c.id); err != nil || is.Phone != c.phone {
			w.t.Fatalf("%s is %+v, %v", c.name, is, err)
		}
	}
}

// ends is asked when a story is over: everybody comes back once more, an hour after and a day after.
func (w *world) ends() {
	w.clock.Advance(time.Hour)
	w.sweep(nil)
	w.holds(nil)
	for _, b := range w.browsers {
		w.resolve(b)
		for _, secret := range b.dead {
			w.wantNobody(secret)
		}
	}
	w.clock.Advance(24 * time.Hour)
	w.sweep(nil)
	for _, b := range w.browsers {
		if w.resolve(b) != nil {
			w.t.Fatalf("a session of yesterday is %s's", b.session.actor.name)
		}
	}
	w.holds(nil)
	for _, b := range w.switches {
		if b.cause == "" {
			w.t.Fatalf("%s as %s has no end", b.actorName, b.subjectName)
		}
	}
	if report, err := w.app.CheckAudit(w.ctx, crm.Operator()); err != nil || !report.Intact() {
		w.t.Fatalf("the Activity Log: %+v, %v", report.Faults, err)
	}
}
