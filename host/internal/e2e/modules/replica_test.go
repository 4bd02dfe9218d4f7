package modules

import (
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
)

// Which replica runs a module, and why another one doesn't, stands on its row.
func TestTheModulesPageSaysWhatEachReplicaRuns(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	for _, name := range []string{"web-1-k3x9q", "web-2-p0a7z", "web-3-m4n2c"} {
		d.Exec(t, `INSERT INTO replicas (name, home, run, version, knows, started_at, seen_at) VALUES ('`+name+`', '', '', '3.1.0', 12, 1790000000000, 99999999999999)`)
		state, problem := "active", ""
		if name == "web-2-p0a7z" {
			state, problem = "failed", `{"key":"module_crashed_exit","args":{"Code":3}}`
		}
		d.Exec(t, `INSERT INTO module_replicas (module, replica, version, sha256, state, problem, since) SELECT id, '`+name+`', version, sha256, '`+state+`', '`+problem+`', 1790000000000 FROM modules`)
	}
	p := e2e.SignedIn(t, d, e2e.Ann)
	p.Inspect(t, e2e.Place{Name: "modules-replicas", Path: "/admin/modules", Says: "Active on 2 of 3"}, "modules-replicas")
	p.ModuleRow().See("web-2-p0a7z")
	p.ModuleRow().See("exit code 3")
	p.ModuleRow().SeeRole("button", "Retry")
}
