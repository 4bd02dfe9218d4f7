package store

import (
	"context"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// PutReports writes all this replica says of its modules, instead of what it said before.
func (t Tx) PutReports(ctx context.Context, list []crm.ModuleReport) error {
	if err := t.exec(ctx, "forget reports", `DELETE FROM module_replicas WHERE replica = $1`, t.chain); err != nil {
		return err
	}
	for _, r := range list {
		if err := t.PutReport(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// PutReport writes what this replica says of one module.
func (t Tx) PutReport(ctx context.Context, r crm.ModuleReport) error {
	return t.exec(ctx, "write report", `INSERT INTO module_replicas (module, replica, version, sha256, state, problem, since) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (module, replica) DO UPDATE SET version = excluded.version, sha256 = excluded.sha256, state = excluded.state, problem = excluded.problem, since = excluded.since`,
		r.Module, t.chain, r.Version, r.SHA256, r.State, r.Problem, millis(r.Since))
}

// Reports lists what the replicas that aren't gone say of their modules, by module and replica.
func (t Tx) Reports(ctx context.Context) ([]crm.ModuleReport, error) {
	return all(ctx, t, "list reports", func(row scanner) (r crm.ModuleReport, err error) {
		var since int64
		err = row.Scan(&r.Module, &r.Replica, &r.Version, &r.SHA256, &r.State, &r.Problem, &since)
		r.Since = at(since)
		return r, err
	}, `SELECT s.module, s.replica, s.version, s.sha256, s.state, s.problem, s.since FROM module_replicas s JOIN replicas r ON r.name = s.replica
		WHERE r.seen_at >= `+t.gone()+` ORDER BY s.module, s.replica`)
}

// RunsElsewhere tells whether another replica that isn't gone says a module is in this state, of the
// version whose package has this SHA-256, or of any when that is empty.
func (t Tx) RunsElsewhere(ctx context.Context, module, state, sha256 string) (bool, error) {
	n, err := t.count(ctx, `SELECT COUNT(*) FROM module_replicas s JOIN replicas r ON r.name = s.replica
		WHERE s.module = $1 AND s.replica <> $2 AND s.state = $3 AND (s.sha256 = $4 OR $4 = '') AND r.seen_at >= `+t.gone(), module, t.chain, state, sha256)
	return n > 0, err
}

// PutCrashes notes how often a module crashed on this replica since a time, and why it was given up
// there, empty while it isn't.
func (t Tx) PutCrashes(ctx context.Context, id string, crashes int, since time.Time, failure string) error {
	return t.exec(ctx, "write crashes", `INSERT INTO module_crashes (module, replica, crashes, crashed_at, failure) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (module, replica) DO UPDATE SET crashes = excluded.crashes, crashed_at = excluded.crashed_at, failure = excluded.failure`,
		id, t.chain, crashes, millis(since), failure)
}

// ForgetCrashes forgets a module's crashes, on every replica.
func (t Tx) ForgetCrashes(ctx context.Context, id string) error {
	return t.exec(ctx, "forget crashes", `DELETE FROM module_crashes WHERE module = $1`, id)
}

// ForgiveFailure has a module be given up on no replica any more; its crashes stay counted.
func (t Tx) ForgiveFailure(ctx context.Context, id string) error {
	return t.exec(ctx, "forgive failure", `UPDATE module_crashes SET failure = '' WHERE module = $1`, id)
}
