package web

import (
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

func TestCodesOfTheActivityLogAreSaidInWords(t *testing.T) {
	s := newSite(t)
	for _, language := range []string{"en", "es", "ar"} {
		for _, cause := range crm.EndCauses() {
			if label, value := (activityWords{s.server}).Detail(language, "cause", string(cause)); label == "cause" || (value == string(cause) && language != "en") {
				t.Errorf("%s: %s is %s: %s", language, cause, label, value)
			}
		}
		for _, mode := range []crm.SwitchMode{crm.Full, crm.ReadOnly} {
			if label, value := (activityWords{s.server}).Detail(language, "mode", string(mode)); label == "mode" || (value == string(mode) && language != "en") {
				t.Errorf("%s: %s is %s: %s", language, mode, label, value)
			}
		}
	}
	words := activityWords{s.server}
	for _, c := range [][5]string{
		{"es-MX", "city", "Leeds", "Ciudad", "Leeds"},
		{"en", "active", "false", "Active", "No"},
		{"en", "mode", "read_only", "Mode", "read-only"},
		{"en", "something_new", "x", "something_new", "x"},
		{"en", "until", "2026-11-23T06:30:33+01:00", "Until", "2026-11-23 05:30 UTC"},
		{"tlh", "cause", "stopped", "How it ended", "stopped"},
	} {
		if label, value := words.Detail(c[0], c[1], c[2]); label != c[3] || value != c[4] {
			t.Errorf("%s %s is %s: %s", c[1], c[2], label, value)
		}
	}
	if got := words.Action("es", "switch_started"); got == "switch_started" || got == words.Action("en", "switch_started") {
		t.Errorf("in Spanish it is %q", got)
	}
	b := s.as(ann)
	b.become(jane)
	b.post("/session/restore").wants(t, 303)
	b.get("/admin/activity?action=switch_started").says(t, "Mode: full").silent(t, "mode: full")
}
