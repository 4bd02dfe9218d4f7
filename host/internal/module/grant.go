package module

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// newGrants are what a manifest asks for and an administrator has neither given to the installed
// module nor taken back from it.
func newGrants(mf manifest.Manifest, installed crm.Module) []string {
	var fresh []string
	for _, g := range mf.Grants {
		if !slices.Contains(installed.Grants, g.Name) && !slices.Contains(installed.Withdrawn, g.Name) {
			fresh = append(fresh, g.Name)
		}
	}
	return fresh
}

// granted are the approved grants the manifest still asks for.
func granted(m manifest.Manifest, approved []string) []string {
	var grants []string
	for _, g := range m.Grants {
		if slices.Contains(approved, g.Name) {
			grants = append(grants, g.Name)
		}
	}
	return grants
}

// reviewGrants are what a manifest asks for, beside what the installed module has.
func reviewGrants(mf manifest.Manifest, installed crm.Module) []ReviewGrant {
	var grants []ReviewGrant
	for _, g := range mf.Grants {
		withdrawn := slices.Contains(installed.Withdrawn, g.Name)
		grants = append(grants, ReviewGrant{
			Name: g.Name, Meaning: "grant_" + strings.NewReplacer(".", "_", "-", "_").Replace(g.Name), Why: g.Why,
			New: !withdrawn && !slices.Contains(installed.Grants, g.Name), Withdrawn: withdrawn,
		})
	}
	return grants
}

// hold keeps an upgrade that asks for more than was granted until somebody accepts that. Neither
// its code has run nor is anything of it on disk until then.
func (m *Manager) hold(ctx context.Context, who crm.Who, row crm.Module, asks []string, zip []byte) (crm.Module, error) {
	if err := m.app.HoldModule(ctx, who, row, asks, zip); err != nil {
		return crm.Module{}, err
	}
	return m.app.WaitingModule(ctx, row.ID)
}

// AcceptGrants accepts what the waiting version of a module newly asks for, and puts it in the
// place of the installed one as Install would have. NotFound module_nothing_waiting when none
// waits. When it would not start the old one goes on and the new one waits on.
// It asks for the own password as Install does.
func (m *Manager) AcceptGrants(ctx context.Context, who crm.Who, id string) (crm.Module, error) {
	u, before, err := m.claim(ctx, who, id)
	if err != nil {
		return crm.Module{}, err
	}
	defer m.awaitOthers(ctx, id)
	defer u.unlock()
	if err := m.app.CheckConfirmed(ctx, who); err != nil {
		return crm.Module{}, err
	}
	next, err := m.app.WaitingModule(ctx, id)
	if err != nil {
		return crm.Module{}, err
	}
	row, err := m.accept(ctx, who, u, before, next)
	if err != nil {
		m.recordFailure(ctx, who, "accept", next, err)
		return crm.Module{}, fmt.Errorf("accept %s %s: %w", id, next.Version, err)
	}
	return row, nil
}

func (m *Manager) accept(ctx context.Context, who crm.Who, u *unit, before, next crm.Module) (crm.Module, error) {
	b, err := m.readKept(ctx, next)
	if err != nil {
		return crm.Module{}, err
	}
	next.Activated, next.Withdrawn, next.Waiting = before.Activated, before.Withdrawn, false
	next.Grants = append(slices.Clone(before.Grants), newGrants(b.manifest, before)...)
	return m.replace(ctx, u, before, next, b, func(t crm.ModuleTrial) error {
		return m.app.AcceptModule(ctx, who, next.ID, next.SHA256, next.Grants, t)
	})
}

// addTrust says on the rows which versions wait, and whose keys are trusted no longer.
func (m *Manager) addTrust(ctx context.Context, who crm.Who, rows []Row) error {
	waiting, err := m.app.WaitingModules(ctx)
	if err != nil {
		return err
	}
	keys, err := m.app.TrustedKeys(ctx, who)
	if err != nil {
		return err
	}
	for i := range rows {
		r := &rows[i]
		r.SignerRevoked = revoked(r.Signer, keys)
		for _, w := range waiting {
			if w.ID == r.ID {
				asks := slices.DeleteFunc(reviewGrants(manifestOf(w), r.Module), func(g ReviewGrant) bool { return !g.New })
				r.Waiting = &WaitingVersion{Version: w.Version, SHA256: w.SHA256, Signer: w.Signer, Since: w.InstalledAt, Grants: asks}
			}
		}
	}
	return nil
}

// DropWaiting forgets the version of a module that waits; the installed one goes on.
func (m *Manager) DropWaiting(ctx context.Context, who crm.Who, id string) error {
	return m.app.DropWaitingModule(ctx, who, id)
}

// Grants are what an installed module asks for: New is what it has not been given, Withdrawn what
// was taken back.
func (m *Manager) Grants(ctx context.Context, who crm.Who, id string) ([]ReviewGrant, error) {
	if err := m.app.CheckModuleView(who); err != nil {
		return nil, err
	}
	row, err := m.app.Module(ctx, id)
	if err != nil {
		return nil, err
	}
	return reviewGrants(manifestOf(row), row), nil
}

// SetGrants changes what a module may ask of the host: of what it asks for, grants and nothing
// else, also after its next upgrade. Invalid module_grant_unknown when it doesn't ask for one of
// them. A running module loses what is withdrawn at once, and is started anew to be told; switches
// it decided are decided again. When it won't start with less, its row says so.
func (m *Manager) SetGrants(ctx context.Context, who crm.Who, id string, grants []string) error {
	u, row, err := m.claim(ctx, who, id)
	if err != nil {
		return err
	}
	defer m.awaitOthers(ctx, id)
	defer u.unlock()
	mf := manifestOf(row)
	for _, name := range grants {
		if !mf.Asks(name) {
			return crm.Refuse(crm.Invalid, "module_grant_unknown", "Grant", printable(name))
		}
	}
	withdrawn := newGrants(mf, crm.Module{Grants: grants})
	for _, name := range row.Withdrawn {
		if !mf.Asks(name) {
			withdrawn = append(withdrawn, name) // another version asks for it: it doesn't come back with that one
		}
	}
	if err := m.app.SetModuleGrants(ctx, who, id, granted(mf, grants), withdrawn); err != nil {
		return err
	}
	if m.serving() {
		u.settle(m.running) // what follows is done even when whoever asked has gone
	} else {
		m.kick()
	}
	return nil
}

// regrant starts a running module anew because it was given or lost a grant. Nothing of the old
// process stays: it may hold what it may no longer ask for. Its caller holds busy.
func (u *unit) regrant(ctx context.Context, row crm.Module) {
	u.log.say(slog.LevelInfo, "its grants have changed to %q; starting it anew", strings.Join(row.Grants, " "))
	if r := u.current.Load(); r != nil {
		r.narrow(granted(r.manifest, row.Grants))
	}
	u.halt(Starting)
	u.bringUp(ctx, row)
}

// narrow takes from a process what isn't in grants, while it goes on: stopping it takes its time,
// in which it may still ask.
func (r *running) narrow(grants []string) {
	left := granted(r.manifest, slices.DeleteFunc(slices.Clone(r.grants), func(g string) bool { return !slices.Contains(grants, g) }))
	r.narrowed.Store(&left)
}

// holds are the grants a process may use now.
func (r *running) holds() []string {
	if left := r.narrowed.Load(); left != nil {
		return *left
	}
	return r.grants
}

// sameGrants tells whether a process holds just what its row gives it.
func (r *running) sameGrants(row crm.Module) bool {
	return slices.Equal(r.grants, granted(r.manifest, row.Grants))
}
