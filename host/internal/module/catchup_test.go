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
