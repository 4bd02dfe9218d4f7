package web

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/sdk/markup"
)

var (
	cssComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	cssRule    = regexp.MustCompile(`([^{}]+)\{([^{}]*)\}`)
	cssClass   = regexp.MustCompile(`\.((?:[A-Za-z_-]|\\.)(?:[\w-]|\\.)*)`)
	leaving    = regexp.MustCompile(`position:\s*(fixed|sticky|absolute)|view-transition|anchor-name|inset-area`)
)

// outOfPlace are the classes that take an element out of the flow, each for one reason.
var outOfPlace = map[string]string{
	"visually-hidden": "a pixel wide, clipped, for those who hear the page",
	"avatar":          "its badge stands in its corner",
}

// Every class a module may use is one of the styles we ship, and none of them, alone or with others of
// the list, takes an element out of its place.
func TestNoClassOfAModulesLeavesItsPlace(t *testing.T) {
	styles := assetFilesFor(t, "assets/vendor/tabler.min.css") + assetFilesFor(t, "assets/vendor/tabler-vendors.min.css") + assetFilesFor(t, "assets/app.css")
	known := map[string]bool{}
	for _, rule := range cssRule.FindAllStringSubmatch(cssComment.ReplaceAllString(styles, ""), -1) {
		for selector := range strings.SplitSeq(rule[1], ",") {
			var used []string
			for _, class := range cssClass.FindAllStringSubmatch(selector, -1) {
				known[class[1]] = true
				used = append(used, class[1])
			}
			mayMatch := len(used) > 0 && !slices.ContainsFunc(used, func(c string) bool { return !markup.HasClass(c) })
			drawn := strings.Contains(selector, "::") || strings.Contains(selector, ":before") || strings.Contains(selector, ":after")
			if mayMatch && !drawn && leaving.MatchString(rule[2]) && !slices.ContainsFunc(used, func(c string) bool { return outOfPlace[c] != "" }) {
				t.Errorf("%s {%s}", strings.TrimSpace(selector), rule[2])
			}
		}
	}
	for _, class := range markup.Classes {
		if !known[class] {
			t.Errorf("no style of ours knows the class %s", class)
		}
	}
}

func assetFilesFor(t *testing.T, name string) string {
	t.Helper()
	text, err := assetFiles.ReadFile(name)
	if err != nil {
		hosttest.Missing(t, "assets", "run make assets")
	}
	return string(text)
}
