package modules

import (
	"slices"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
)

// One click goes back to the version before, and another forward again; the active row keeps its
// three links meanwhile.
func TestOneClickGoesBack(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	p := e2e.SignedIn(t, d, e2e.Ann)
	p.Visit("/admin/modules")
	p.SetFile("Choose File", e2e.NewerPackage(t, "1.0.1"))
	p.Click("button", "Install")
	p.ModuleRow().See("Version 1.0.1 | By Understudy")
	if got := e2e.Offers(p.In("group", "Impersonation")); !slices.Equal(got, []string{"Deactivate", "Settings", "View Log"}) {
		t.Errorf("the row offers %v", got)
	}
	p.ModuleRow().Click("link", "Other versions: Impersonation")
	p.Inspect(t, e2e.Place{Name: "module-versions", Path: "/admin/modules/impersonation/versions", Says: "Stored data"}, "module-versions")

	// It has crashed a minute after it took over, and runs again.
	d.Exec(t, "INSERT INTO module_crashes (module, replica, crashes, crashed_at, failure) SELECT id, 'main', 1, installed_at + 60000, '' FROM modules")
	p.Inspect(t, e2e.Place{Name: "modules-crashed", Path: "/admin/modules", Says: "crashed within minutes"}, "modules-crashed")
	p.ModuleRow().Click("button", "Go back to version 1.0.0")
	p.See("Impersonation 1.0.0 is installed again.")
	p.ModuleRow().See("Version 1.0.0 | By Understudy")
	p.ModuleRow().SeeRole("button", "Deactivate")
	p.ModuleRow().Click("link", "Other versions: Impersonation")
	p.Click("button", "Go forward to version 1.0.1")
	p.See("Impersonation 1.0.1 is installed again.")
}
