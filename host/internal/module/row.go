package module

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// Row is an installed module as the list of modules shows it.
type Row struct {
	crm.Module
	Name, Description, Author, Homepage string
	State                               State
	Problem                             *crm.Error // what went wrong last, nil when nothing did
	LastLines                           []string   // of its log, when something went wrong
	Sandbox                             *Level     // what its process is held to, nil while none runs
	Debugged                            bool       // it has no deadlines and isn't started anew
	Links                               []Link     // the module's own, while it is active
	CanActivate                         bool
	WhyNot                              *crm.Error // why it can't be activated here
	Waiting                             *WaitingVersion
	SignerRevoked                       bool         // who signed it was trusted then, and isn't any more
	Kept                                int          // of the versions before
	Before                              *Version     // the newest of them, nil when there is none
	Replicas                            []ReplicaRow // how it does on each, where there are several
	CrashedEarly                        bool         // the installed version crashed soon after it took the place of Before
}

// WaitingVersion is an upgrade that waits until somebody accepts what it newly asks for.
type WaitingVersion struct {
	Version, SHA256 string
	Signer          crm.Signer
	Since           time.Time
	Grants          []ReviewGrant // the new ones
}

// Modules lists the installed modules by id. A broken one never hides the others: its row says
// what is wrong with it. In a process that doesn't serve, an activated module counts as active.
func (m *Manager) Modules(ctx context.Context, who crm.Who) ([]Row, error) {
	if err := m.app.CheckModuleView(who); err != nil {
		return nil, err
	}
	modules, err := m.app.Modules(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]Row, len(modules))
	for i, module := range modules {
		rows[i] = m.row(ctx, module, who)
	}
	if err := m.addTrust(ctx, who, rows); err != nil {
		return nil, err
	}
	if err := m.addReplicas(ctx, rows); err != nil {
		return nil, err
	}
	return rows, m.addVersions(ctx, who, rows)
}

func (m *Manager) row(ctx context.Context, module crm.Module, who crm.Who) Row {
	u, serving := m.unit(module), m.serving()
	m.mu.Lock()
	row := Row{Module: module, State: u.state, Problem: u.problem}
	m.mu.Unlock()
	row.Sandbox, row.Debugged = u.sandbox(), slices.Contains(m.debug, module.ID)
	if !serving {
		row.State = State(pick(module.Activated, string(Active), string(Installed)))
	}
	if module.Failure != "" && (row.State == Installed || row.State == Failed || !serving) {
		row.State, row.Problem = Failed, decodeProblem(module.Failure)
	}
	if row.Problem != nil {
		row.LastLines = m.lastLines(ctx, u, who)
	}
	row.describe(module, m)
	row.Links = m.Surface().ActionLinks(module.ID, Viewer{Who: who, Area: crm.Admin, Language: cmp.Or(who.Subject.Language, english)})
	return row
}

// lastLines are those in memory or, after the host was started anew, those that were written.
func (m *Manager) lastLines(ctx context.Context, u *unit, who crm.Who) []string {
	if lines := u.log.lines(); len(lines) > 0 {
		return lines
	}
	page, err := m.app.ModuleLog(ctx, who, u.id, crm.Query{Limit: lastLines})
	if err != nil {
		m.log.Error("read a module's last lines", "module", u.id, "error", err)
	}
	lines := make([]string, 0, len(page.Rows))
	for _, line := range slices.Backward(page.Rows) {
		lines = append(lines, line.Text)
	}
	return lines
}

// describe fills in what the manifest says, and whether the module may run here.
func (r *Row) describe(module crm.Module, m *Manager) {
	r.Name = module.ID
	mf, err := manifest.Parse(module.Manifest)
	if err != nil {
		r.WhyNot = crm.Refuse(crm.Unavailable, "module_manifest_invalid", "Detail", err.Error())
		return
	}
	r.Name, r.Description, r.Author, r.Homepage = mf.Name, mf.Description, mf.Author, mf.Homepage
	if problems := m.unfit(mf); len(problems) > 0 {
		r.WhyNot = &problems[0]
		return
	}
	if m.mayStart() != nil {
		r.WhyNot = crm.Refuse(crm.Conflict, "safe_mode")
		return
	}
	r.CanActivate = !module.Activated
}
