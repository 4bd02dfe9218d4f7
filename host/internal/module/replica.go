package module

import (
	"context"
	"slices"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// ReplicaRow is how a module does on one of several replicas.
type ReplicaRow struct {
	Replica string
	Host    string // version of the host there
	Version string // of the module that runs there, or would; empty while the replica has said nothing
	State   State
	Problem *crm.Error
	Since   time.Time
}

// addReplicas says on the rows how each module does on every replica, where there are several.
func (m *Manager) addReplicas(ctx context.Context, rows []Row) error {
	replicas, err := m.app.Replicas(ctx)
	if err != nil || len(replicas) < 2 {
		return err
	}
	reports, err := m.app.ModuleReports(ctx)
	if err != nil {
		return err
	}
	for i := range rows {
		for _, replica := range replicas {
			rows[i].Replicas = append(rows[i].Replicas, replicaRow(replica, rows[i].Module, reports))
		}
	}
	return nil
}

func replicaRow(replica crm.Replica, module crm.Module, reports []crm.ModuleReport) ReplicaRow {
	row := ReplicaRow{Replica: replica.Name, Host: replica.Version, State: State(pick(module.Activated, string(Starting), string(Installed)))}
	for _, r := range reports {
		if r.Module != module.ID || r.Replica != replica.Name {
			continue
		}
		row.Version, row.State, row.Since = r.Version, State(r.State), r.Since
		if r.Problem != "" {
			row.Problem = decodeProblem(r.Problem)
		}
	}
	return row
}

// report is what this replica says of the module.
func (u *unit) report() crm.ModuleReport {
	r := u.current.Load()
	u.m.mu.Lock()
	defer u.m.mu.Unlock()
	said := crm.ModuleReport{Module: u.id, Replica: u.m.app.ReplicaName(), Version: u.row.Version, SHA256: u.row.SHA256, State: string(u.state), Problem: encodeProblem(u.problem)}
	if r != nil {
		said.Version, said.SHA256 = r.row.Version, r.row.SHA256
	}
	return said
}

// teller tells the other replicas how the modules do here. Only the Manager's loop has it.
type teller struct {
	told   map[string]crm.ModuleReport
	joined int64
}

// tell writes what differs from what was told. What can't be written is told the next time.
func (m *Manager) tell(ctx context.Context, t *teller) {
	joined := m.app.ReplicaJoined()
	if joined == 0 {
		return // nobody else is there
	}
	now, same := map[string]crm.ModuleReport{}, t.joined == joined
	for _, u := range m.all() {
		said := u.report()
		before := t.told[u.id]
		said.Since = before.Since
		if said != before {
			said.Since, same = m.app.Now(), false
		}
		now[u.id] = said
	}
	if same && len(now) == len(t.told) {
		return
	}
	list := make([]crm.ModuleReport, 0, len(now))
	for _, said := range now {
		list = append(list, said)
	}
	if err := m.app.ReportModules(ctx, list); err != nil {
		if ctx.Err() == nil {
			m.log.Warn("tell the other replicas how the modules do", "error", err)
		}
		return
	}
	t.told, t.joined = now, joined
}

// tellSoon has the loop do so.
func (m *Manager) tellSoon() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// listen has the loop look as soon as the revision was raised. While it can't be heard, the loop
// looks each second all the same.
func (m *Manager) listen(ctx context.Context) {
	for wait := m.timing.poll; ctx.Err() == nil; wait = min(2*wait, time.Minute) {
		heard := false
		err := m.app.ListenRevision(ctx, func() {
			heard = true
			m.look()
		})
		if ctx.Err() != nil {
			return
		}
		m.log.Debug("the database's news can't be heard; looking for them", "error", err)
		if heard {
			wait = m.timing.poll
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// look has the loop compare the revision now.
func (m *Manager) look() {
	select {
	case m.raised <- struct{}{}:
	default:
	}
}

// awaitLook is how often one looks whether the others have followed.
const awaitLook = 50 * time.Millisecond

// awaitOthers gives the other replicas some time to follow a change of a module that was made here,
// so that the next request, whoever answers it, finds it made. Whoever doesn't follow in time does
// later; its row says how it stands.
func (m *Manager) awaitOthers(ctx context.Context, id string) {
	own := m.app.ReplicaName()
	if own == "" || !m.serving() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, m.timing.others)
	defer cancel()
	for !m.othersFollowed(ctx, own, id) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(awaitLook):
		}
	}
}

// othersFollowed tells whether every other replica that is heard has made of a module what its row
// wants, or has said why not.
func (m *Manager) othersFollowed(ctx context.Context, own, id string) bool {
	row, err := m.app.Module(ctx, id)
	if err != nil {
		row = crm.Module{ID: id} // uninstalled, or nobody knows
	}
	replicas, err := m.app.Replicas(ctx)
	if err != nil {
		return false
	}
	reports, err := m.app.ModuleReports(ctx)
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(replicas, func(r crm.Replica) bool {
		if r.Name == own || r.Silent > 2*app.ReplicaSign { // it hardly hears us
			return false
		}
		i := slices.IndexFunc(reports, func(said crm.ModuleReport) bool { return said.Module == id && said.Replica == r.Name })
		if i < 0 {
			return row.Activated
		}
		return !followed(row, reports[i])
	})
}

func followed(row crm.Module, said crm.ModuleReport) bool {
	switch State(said.State) {
	case Active:
		return row.Activated && (said.SHA256 == row.SHA256 || said.Problem != "")
	case Starting:
		return false
	default:
		return !row.Activated || said.State != string(Installed)
	}
}
