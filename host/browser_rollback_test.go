package main

import (
	"slices"
	"testing"
)

// One click goes back to the version before, and another forward again; the active row keeps its
// three links meanwhile.
func TestOneClickGoesBack(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	p := signedIn(t, d, ann)
	p.open("/admin/modules")
	p.SetFile("Choose File", newerPackage(t, "1.0.1"))
	p.Click("button", "Install")
	p.moduleRow().See("Version 1.0.1 | By Understudy")
	if got := offers(p.In("group", "Impersonation")); !slices.Equal(got, []string{"Deactivate", "Settings", "View Log"}) {
		t.Errorf("the row offers %v", got)
	}
	p.moduleRow().Click("link", "Other versions: Impersonation")
	p.inspect(t, place{name: "module-versions", path: "/admin/modules/impersonation/versions", says: "Stored data"}, "module-versions")

	// It has crashed a minute after it took over, and runs again.
	d.exec(t, "INSERT INTO module_crashes (module, replica, crashes, crashed_at, failure) SELECT id, 'main', 1, installed_at + 60000, '' FROM modules")
	p.inspect(t, place{name: "modules-crashed", path: "/admin/modules", says: "crashed within minutes"}, "modules-crashed")
	p.moduleRow().Click("button", "Go back to version 1.0.0")
	p.See("Impersonation 1.0.0 is installed again.")
	p.moduleRow().See("Version 1.0.0 | By Understudy")
	p.moduleRow().SeeRole("button", "Deactivate")
	p.moduleRow().Click("link", "Other versions: Impersonation")
	p.Click("button", "Go forward to version 1.0.1")
	p.See("Impersonation 1.0.1 is installed again.")
}
