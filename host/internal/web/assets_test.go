package web

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

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

// Authors find the icons in the kit's documentation, every one and no other.
func TestTheIconsAreTheDocumentedOnes(t *testing.T) {
	source, err := os.ReadFile("../../../sdk/contribution.go")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(source), "Icon is a name of the host's set:")
	list, _, _ := strings.Cut(after, "Icon string")
	documented := regexp.MustCompile(`[a-z0-9-]+`).FindAllString(strings.ReplaceAll(list, "//", ""), -1)
	a, err := loadAssets("")
	if err != nil {
		t.Fatal(err)
	}
	if len(a.icons) == 0 {
		t.Skip("built without `make assets`: there are no icons")
	}
	for _, name := range documented {
		if a.icons[name] == "" {
			t.Errorf("there is no icon %s", name)
		}
	}
	if len(documented) != len(a.icons) {
		t.Errorf("%d are documented, and there are %d", len(documented), len(a.icons))
	}
}
