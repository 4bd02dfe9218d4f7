package web

import "testing"

// A module that asks for an icon there isn't is told so, and not shown without one.
func TestModulesChooseFromTheIconsThereAre(t *testing.T) {
	has := Icons()
	if has == nil {
		t.Skip("built without `make assets`: there are no icons")
	}
	for name, want := range map[string]bool{"masks-theater": true, "user": true, "no-such-icon": false, "": false, `x"/><script`: false} {
		if has(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
