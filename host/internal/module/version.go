package module

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// earlyCrash is how soon after it took over a version's crash is held against it.
const earlyCrash = 10 * time.Minute

// remembered is how long a crash is spoken of once the module runs again.
const remembered = time.Hour

// Version is a version a module had before, as the list of them shows it.
type Version struct {
	crm.KeptVersion
	Change        string        // what going to it would be: "downgrade", "upgrade" or "reinstall"
	Gains, Loses  []ReviewGrant // against what the module has now
	SignerRevoked bool          // who signed it was trusted then, and isn't any more
	WhyNot        *crm.Error    // why one can't go to it here
}

// Versions lists the versions a module had before, newest first.
func (m *Manager) Versions(ctx context.Context, who crm.Who, id string) ([]Version, error) {
	if err := m.app.CheckModuleView(who); err != nil {
		return nil, err
	}
	row, err := m.app.Module(ctx, id)
	if err != nil {
		return nil, err
	}
	kept, err := m.app.KeptVersions(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := m.app.TrustedKeys(ctx, who)
	if err != nil {
		return nil, err
	}
	var versions []Version
	for _, v := range kept {
		if v.ModuleID == id {
			versions = append(versions, m.version(row, v, keys))
		}
	}
	return versions, nil
}

func (m *Manager) version(row crm.Module, kept crm.KeptVersion, keys []crm.TrustedKey) Version {
	v := Version{KeptVersion: kept, Change: change(row.Version, kept.Version), SignerRevoked: revoked(kept.Signer, keys)}
	now, then := manifestOf(row), manifestOf(crm.Module{ID: kept.ModuleID, Version: kept.Version, Manifest: kept.Manifest})
	has, gets := granted(now, row.Grants), granted(then, app.GrantsAgain(kept, row))
	v.Gains = slices.DeleteFunc(reviewGrants(then, row), func(g ReviewGrant) bool { return !slices.Contains(gets, g.Name) || slices.Contains(has, g.Name) })
	v.Loses = slices.DeleteFunc(reviewGrants(now, row), func(g ReviewGrant) bool { return !slices.Contains(has, g.Name) || slices.Contains(gets, g.Name) })
	signer := kept.Signer
	signer.Trusted = signer.Trusted && !v.SignerRevoked
	if problem, ok := errors.AsType[*crm.Error](m.requireSigner(signer)); ok {
		v.WhyNot = problem
	} else if problems := m.unfit(then); len(problems) > 0 {
		v.WhyNot = &problems[0]
	}
	return v
}

// revoked tells that who signed was trusted then, and isn't any more.
func revoked(s crm.Signer, keys []crm.TrustedKey) bool {
	return s.Trusted && !slices.ContainsFunc(keys, func(k crm.TrustedKey) bool { return k.PublicKey == s.PublicKey })
}

// RollBack puts a version the module had before in the place of the installed one, just as an
// upgrade does: an activated module's is started beside and takes over only once it answers, and when
// it doesn't the other goes on with its data. sha256 is its package's; the newest kept one when it is
// empty. NotFound module_version_not_kept. What was replaced is kept in turn, so that one can go
// forward again. Stored data stays as it is, and no grant comes back that was withdrawn since.
//
// Whoever signed in must have confirmed the own password (App.ConfirmPassword) a moment before:
// Denied password_confirmation_needed. That is used up here.
func (m *Manager) RollBack(ctx context.Context, who crm.Who, id, sha256 string) (crm.Module, error) {
	u, before, err := m.claim(ctx, who, id)
	if err != nil {
		return crm.Module{}, err
	}
	defer m.awaitOthers(ctx, id)
	defer u.unlock()
	if err := m.app.CheckConfirmed(ctx, who); err != nil {
		return crm.Module{}, err
	}
	kept, err := m.app.KeptVersion(ctx, id, sha256)
	if err != nil {
		return crm.Module{}, err
	}
	row, err := m.rollBack(ctx, who, u, before, kept)
	if err != nil {
		m.recordFailure(ctx, who, "rollback", rowBefore(kept), err)
		return crm.Module{}, fmt.Errorf("roll back %s to %s: %w", id, kept.Version, err)
	}
	return row, nil
}

// rowBefore is the row a kept version had.
func rowBefore(v crm.KeptVersion) crm.Module {
	return crm.Module{ID: v.ModuleID, Version: v.Version, Manifest: v.Manifest, SHA256: v.SHA256, Signer: v.Signer, Grants: v.Grants}
}

func (m *Manager) rollBack(ctx context.Context, who crm.Who, u *unit, before crm.Module, kept crm.KeptVersion) (crm.Module, error) {
	next := rowBefore(kept)
	b, err := m.readKept(ctx, next)
	if err != nil {
		return crm.Module{}, err
	}
	next.Activated, next.Withdrawn, next.Grants = before.Activated, before.Withdrawn, app.GrantsAgain(kept, before)
	return m.replace(ctx, u, before, next, b, func(t crm.ModuleTrial) error {
		return m.app.RollBackModule(ctx, who, next.ID, next.SHA256, t)
	})
}

// readKept reads a package that waits or was kept, and checks anew what was checked when it came:
// that it is what its row says, whose it is, and that it may still be installed.
func (m *Manager) readKept(ctx context.Context, row crm.Module) (*bundle, error) {
	zip, err := m.app.ModulePackage(ctx, row.SHA256)
	if err != nil {
		return nil, packageMissing(row, err)
	}
	b, _, err := m.readSigned(ctx, row.ID+".zip", zip)
	if err != nil {
		return nil, err
	}
	if b.sha256 != row.SHA256 || b.manifest.ID != row.ID || b.manifest.Version != row.Version {
		return nil, packageMissing(row, nil)
	}
	return b, b.checkKept(row)
}

// addVersions says on the rows to which version each module can go back.
func (m *Manager) addVersions(ctx context.Context, who crm.Who, rows []Row) error {
	kept, err := m.app.KeptVersions(ctx)
	if err != nil {
		return err
	}
	keys, err := m.app.TrustedKeys(ctx, who)
	if err != nil {
		return err
	}
	for i := range rows {
		r := &rows[i]
		for _, v := range kept {
			if v.ModuleID != r.ID {
				continue
			}
			if r.Kept++; r.Before == nil {
				before := m.version(r.Module, v, keys)
				r.Before = &before
			}
		}
		r.CrashedEarly = r.Before != nil && r.crashedEarly(m.app.Now())
	}
	return nil
}

// crashedEarly tells whether the installed version has crashed soon after it took over, and that is
// still worth saying.
func (r *Row) crashedEarly(now time.Time) bool {
	if r.CrashedAt.IsZero() || r.Crashes == 0 || r.CrashedAt.Sub(r.InstalledAt) > earlyCrash {
		return false
	}
	return r.State != Active || now.Sub(r.CrashedAt) < remembered
}
