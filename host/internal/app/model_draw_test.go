package app_test

import (
	"fmt"

	"pgregory.net/rapid"
)

// drawPerson picks somebody, by number: the story it tells when it fails is short then.
func (w *world) drawPerson(t *rapid.T, what string, is func(*person) bool) *person {
	var list []*person
	for _, p := range w.people {
		if is(p) {
			list = append(list, p)
		}
	}
	return draw(t, what, list)
}

func (w *world) drawBrowser(t *rapid.T, is func(*browser) bool) *browser {
	var list []*browser
	for _, b := range w.browsers {
		if is(b) {
			list = append(list, b)
		}
	}
	return draw(t, "browser", list)
}

func (w *world) drawSlow(t *rapid.T) *request { return draw(t, "slow request", w.slow) }

// draw picks one of them, or passes this event over when there is none.
func draw[T fmt.Stringer](t *rapid.T, what string, list []T) T {
	if len(list) == 0 {
		t.Skip("there is none")
	}
	one := list[rapid.IntRange(0, len(list)-1).Draw(t, what)]
	t.Logf("%s: %s", what, one)
	return one
}

// String names a person and what they may.
func (p *person) String() string {
	return fmt.Sprintf("%s (%s, active: %t, administrator: %t)", p.name, p.key, p.isActive(), p.administrator)
}

// String names who sits there.
func (b *browser) String() string {
	if m := b.session.marker; m != nil {
		return fmt.Sprintf("%s as %s, switch %d", b.session.actor.name, m.subject.name, m.id)
	}
	return b.session.actor.name
}

// String names who it was made by.
func (r *request) String() string { return r.who.Actor.Name + " as " + r.who.Subject.Name }
