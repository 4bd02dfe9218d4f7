package module

import (
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// Another replica saves that nobody may switch: the next request here knows, although this one's loop
// has not looked yet. A decision by what was before would be remembered, and the switch go on.
func TestWhatAnotherReplicaSavedCountsAtOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(tm *timing) { tm.poll = time.Hour })
	s.active(kit{grants: `[{ "name": "session.switch", "why": "a" }]`})
	ben, dan := s.site.SignIn(t, "ben@example.com"), s.site.SignIn(t, "ben@example.com")
	ben.Become("cleo@example.com")
	before := s.m.caught.Load()
	if err := s.site.App.SaveModuleSettings(t.Context(), s.ann.Who(), "sample", map[string]string{"closed": "true"}); err != nil {
		t.Fatal(err)
	}
	if who := ben.Who(); who.Switched() {
		t.Error("the switch goes on")
	}
	wantKey(t, dan.TryBecome("cleo@example.com"), crm.Denied, "refused")
	if s.m.caught.Load() <= before {
		t.Error("nothing was caught up with")
	}
	if err := s.m.CatchUp(t.Context(), s.ann.Who().Revision); err != nil || s.m.Surface().module("sample").settings["closed"] != "true" {
		t.Errorf("the surface: %v %v", s.m.Surface().module("sample").settings, err)
	}
}

// Another replica took a translation, or dropped it: the next page here has it, or hasn't.
func TestALanguageUploadedElsewhereIsOnTheNextPage(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(tm *timing) { tm.poll = time.Hour })
	s.active(kit{})
	if err := s.m.known("sample").lock(t.Context()); err != nil { // the loop can't follow
		t.Fatal(err)
	}
	defer s.m.known("sample").unlock()
	caught := func(want string) {
		t.Helper()
		if err := s.m.CatchUp(t.Context(), s.ann.Who().Revision); err != nil {
			t.Fatal(err)
		}
		if said := s.m.Surface().Text("sample", "de", "item", nil); said != want {
			t.Errorf("it says %q, want %q", said, want)
		}
	}
	english := s.m.Surface().Text("sample", "en", "item", nil)
	if err := s.site.App.PutModuleLanguage(t.Context(), s.ann.Who(), "sample", "de", []byte(`{"item": "Muster"}`)); err != nil {
		t.Fatal(err)
	}
	caught("Muster")
	if err := s.site.App.DeleteModuleLanguage(t.Context(), s.ann.Who(), "sample", "de"); err != nil {
		t.Fatal(err)
	}
	caught(english)
}
