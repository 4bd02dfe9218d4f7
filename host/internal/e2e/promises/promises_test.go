// Package promises tells the twenty promises of the product, each in a browser.
package promises

import (
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
)

// The documented product, row by row, on the screen of the real program.
func TestTheTwentyPromises(t *testing.T) {
	t.Run("by hand on a bare CRM", promisesByHand)
	t.Run("with the module", promisesWithModule)
}

// promisesByHand are the rows about packages, installing and updating: one after the other, as an
// administrator meets them.
func promisesByHand(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t, "--bare")
	admin := e2e.SignedIn(t, d, e2e.Ann)
	row := func(name string, story func(t *testing.T, d e2e.Demo, admin *e2e.Person)) {
		t.Run(name, func(t *testing.T) { story(t, d, admin.Part(t)) })
	}
	row("row 01 requires CRM v3.1.0 or higher", row01)
	row("row 02 the download holds impersonation.zip and the documentation", row02)
	row("row 03 upload box above the list, administrators only", row03)
	row("row 04 after install it stands in the list and Activate enables it", row04)
	row("row 05 the active row offers exactly Deactivate, Settings, View Log", row05)
	row("row 18 a copied and translated language file works without a rebuild", row18)
	row("row 20 a newer zip keeps settings, log and permissions", row20)
}

// promisesWithModule are the rows about using it.
func promisesWithModule(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	reset, admin := e2e.SignedInClient(t, d, e2e.Ann), e2e.SignedIn(t, d, e2e.Ann)
	row := func(name string, story func(t *testing.T, d e2e.Demo, admin *e2e.Person)) {
		t.Run(name, func(t *testing.T) {
			reset.Settings(false, true, true)
			admin.Visit("/admin")
			story(t, d, admin.Part(t))
		})
	}
	row("row 06 settings stand under Setup, Settings, Impersonate", row06)
	row("row 07 Disable Impersonation leaves it to administrators", row07)
	row("row 08 without Enable for Customers nobody can impersonate contacts", row08)
	row("row 09 without Enable for Admins nobody can impersonate staff", row09)
	row("row 10 the icon is for those with the permission", row10)
	row("row 11 the icon opens the modal with the user type", row11)
	row("row 12 the second dropdown fills with users of that kind", row12)
	row("row 13 Impersonate signs in as that user on the right dashboard", row13)
	row("row 14 a blinking Stop Impersonation in both areas", row14)
	row("row 15 Stop Impersonation restores the exact session", row15)
	row("row 16 passwords and credentials are never exposed", row16)
	row("row 17 plug and play, no changes to core files", row17)
	row("row 19 View Log", row19)
}
