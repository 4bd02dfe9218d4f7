package module

import (
	"slices"
	"strings"
	"testing"
)

// A module that speaks the contract by hand, and does its worst in it, is found out at the point it
// goes wrong at; it can neither hold the kit up nor put words into its mouth.
func TestARogueIsFoundOutByTheKit(t *testing.T) {
	needSandbox(t)
	for attack, point := range map[string]string{
		"describe-hang": pointDescribe, "describe-big": pointDescribe, "describe-words": pointDescribe, "wants-more": pointDescribe,
		"label-long": pointContributions, "many-items": pointContributions,
		"health-words": pointHealth, "validate-big": pointSettings, "deactivate-words": pointDeactivate,
	} {
		t.Run(attack, func(t *testing.T) {
			t.Parallel()
			rogue := kit{mode: "rogue " + attack, grants: "[]", program: the(t, hostile)}
			f := examined(t, attack, rogue.zip(t), false)
			if !slices.ContainsFunc(f.Points, func(p Point) bool { return p.Name == point && p.Result == PointFailed }) {
				t.Errorf("it passed: %+v", f.Points)
			}
			for _, p := range f.Points {
				words := p.Reason + strings.Join(p.Warnings, "")
				if Plain(words) != words || len(words) > 10_000 {
					t.Errorf("%s says %.300q", p.Name, words)
				}
			}
			if f.Sandbox != nil && !f.Sandbox.Reaches(RequireFull) {
				t.Errorf("it was run, held to %s only", f.Sandbox)
			}
		})
	}
}
