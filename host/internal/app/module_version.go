package app

import (
	"context"
	"slices"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// KeptVersions lists the versions that modules had before, those of a module newest first. It asks
// nobody's rights.
func (a *App) KeptVersions(ctx context.Context) ([]crm.KeptVersion, error) {
	return a.store.Read().KeptVersions(ctx)
}

// KeptVersion reads the version a module had before whose package has this SHA-256, or the newest
// when it is empty; NotFound module_version_not_kept when there is none. It asks nobody's rights.
func (a *App) KeptVersion(ctx context.Context, id, sha256 string) (crm.KeptVersion, error) {
	v, err := a.store.Read().KeptVersion(ctx, id, sha256)
	return v, found(err, "module_version_not_kept")
}

// GrantsAgain are the grants a version gets when a module goes back to it: those it had, or, if it
// had none because it never ran, those the module has now; less what was taken back since.
func GrantsAgain(v crm.KeptVersion, m crm.Module) []string {
	grants := v.Grants
	if len(grants) == 0 {
		grants = m.Grants
	}
	return slices.DeleteFunc(slices.Clone(grants), func(g string) bool { return slices.Contains(m.Withdrawn, g) })
}

// RollBackModule puts a kept version in the place of the installed one, which is kept in its stead,
// with what its process did on trial. Stored data stays as it is. NotFound module_version_not_kept
// when it isn't kept any more. Whoever signed in must have given the own password a moment before:
// Denied password_confirmation_needed.
func (a *App) RollBackModule(ctx context.Context, who crm.Who, id, sha256 string, trial crm.ModuleTrial) error {
	if err := a.CheckModuleRights(who); err != nil {
		return err
	}
	return a.changeRights(ctx, who, "module_rolled_back", func(tx store.Tx) (string, map[string]string, error) {
		if err := a.useConfirmation(ctx, tx, who); err != nil {
			return "", nil, err
		}
		before, err := tx.Module(ctx, id)
		if err != nil {
			return "", nil, found(err, "module_not_found")
		}
		kept, err := tx.KeptVersion(ctx, id, sha256)
		if err != nil {
			return "", nil, found(err, "module_version_not_kept")
		}
		m := before
		m.Version, m.Manifest, m.SHA256, m.Signer, m.Grants = kept.Version, kept.Manifest, kept.SHA256, kept.Signer, GrantsAgain(kept, before)
		m.InstalledAt = a.Now()
		if err := tx.ForgetCrashes(ctx, id); err != nil {
			return "", nil, err
		}
		if err := a.putVersion(ctx, tx, m, before, trial); err != nil {
			return "", nil, err
		}
		if err := tx.SweepPackages(ctx); err != nil {
			return "", nil, err
		}
		detail := moduleDetail(m, "rolled back")
		detail["replaces"] = before.Version
		return "module:" + id, detail, tx.RaiseRevision(ctx)
	})
}

// putVersion writes a module's row, keeps the version that stood there before, if it was another
// one, and what the new one's process did on trial.
func (a *App) putVersion(ctx context.Context, tx store.Tx, m, before crm.Module, trial crm.ModuleTrial) error {
	if err := tx.PutModule(ctx, m); err != nil {
		return err
	}
	if err := a.takesOver(ctx, tx, m); err != nil {
		return err
	}
	if err := tx.DropKeptVersion(ctx, m.ID, m.SHA256); err != nil {
		return err
	}
	if before.SHA256 != "" && before.SHA256 != m.SHA256 {
		kept := crm.KeptVersion{
			ModuleID: m.ID, Version: before.Version, Manifest: before.Manifest, SHA256: before.SHA256,
			Signer: before.Signer, Grants: before.Grants, ReplacedAt: a.Now(),
		}
		if err := tx.KeepVersion(ctx, kept, MaxKeptVersions); err != nil {
			return err
		}
	}
	return a.putTrial(ctx, tx, m.ID, trial)
}

// KeepModuleTrial keeps what a process did on trial whose row stands already: another process of
// ours wrote it.
func (a *App) KeepModuleTrial(ctx context.Context, id string, trial crm.ModuleTrial) error {
	if trial.Empty() {
		return nil
	}
	return a.store.Write(ctx, func(tx store.Tx) error { return a.putTrial(ctx, tx, id, trial) })
}

// putTrial writes what was done on trial; TooLarge module_quota when meanwhile there is no room for
// it.
func (a *App) putTrial(ctx context.Context, tx store.Tx, id string, trial crm.ModuleTrial) error {
	added := false
	for name, value := range trial.Values {
		var err error
		if value == nil {
			err = tx.DeleteModuleValue(ctx, id, name)
		} else {
			added, err = true, tx.PutModuleValue(ctx, id, name, value)
		}
		if err != nil {
			return err
		}
	}
	if added {
		size, err := tx.ModuleValuesSize(ctx, id, "")
		if err == nil && size > MaxModuleValues {
			err = crm.Refuse(crm.TooLarge, "module_quota", "Max", MaxModuleValues)
		}
		if err != nil {
			return err
		}
	}
	for _, e := range trial.Entries {
		if err := a.audit(tx, crm.Who{}, "module_entry", "module:"+id, e.Detail); err != nil {
			return err
		}
	}
	return nil
}
