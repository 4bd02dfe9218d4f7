package main

import (
	"testing"

	"github.com/understudy-crm/understudy/host/internal/module"
)

// An older version over a newer one needs a word more, as does the same one once more.
func TestTheShellConfirmsADowngrade(t *testing.T) {
	for change, c := range map[string]moduleInstallCommand{"downgrade": {Downgrade: true}, "reinstall": {Reinstall: true}} {
		r := module.Review{Change: change, InstalledVersion: "2.0.0"}
		if (&moduleInstallCommand{}).confirmed(r) == nil {
			t.Errorf("%s goes unasked", change)
		}
		if err := c.confirmed(r); err != nil {
			t.Errorf("%s: %v", change, err)
		}
	}
}
