package app

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// What a module may keep.
const (
	MaxModuleValue  = 1 << 20
	MaxModuleValues = 16 << 20
	MaxLanguageFile = 256 << 10
	MaxKeptVersions = 3 // of those it had before
)

// Revision reads the authority revision: raised by every change of rights, settings or modules.
func (a *App) Revision(ctx context.Context) (int64, error) { return a.store.Read().Revision(ctx) }

// ListenRevision calls heard whenever the revision was raised, by whatever process, until ctx ends or
// the database can't be heard any more. Who listens looks now and then all the same.
func (a *App) ListenRevision(ctx context.Context, heard func()) error {
	return a.store.Listen(ctx, heard)
}

// Modules lists every installed module. It asks nobody's rights.
func (a *App) Modules(ctx context.Context) ([]crm.Module, error) { return a.store.Read().Modules(ctx) }

// Module reads one installed module. It asks nobody's rights.
func (a *App) Module(ctx context.Context, id string) (crm.Module, error) {
	m, err := a.store.Read().Module(ctx, id)
	return m, found(err, "module_not_found")
}

// ModulePackage reads the package an installed module was unpacked from.
func (a *App) ModulePackage(ctx context.Context, sha256 string) ([]byte, error) {
	return a.store.Read().Package(ctx, sha256)
}

// CheckModuleRights says whether who may install, activate and remove modules: administrators, as
// themselves.
func (a *App) CheckModuleRights(who crm.Who) error {
	return a.allowAdministrator(who, crm.SensitiveRoute)
}

// CheckModuleView says whether who may look at modules: administrators, also under a borrowed name.
func (a *App) CheckModuleView(who crm.Who) error { return a.allowAdministrator(who, crm.ReadRoute) }

// StagePackage keeps an uploaded package until its review is decided, for a day at most.
func (a *App) StagePackage(ctx context.Context, who crm.Who, p crm.StagedPackage) error {
	if err := a.CheckModuleRights(who); err != nil {
		return err
	}
	p.By, p.At = who.Actor.Key, a.Now()
	return a.changeRights(ctx, who, "module_uploaded", func(tx store.Tx) (string, map[string]string, error) {
		return stagedObject(p), stagedDetail(p, "uploaded"), tx.PutStaged(ctx, p)
	})
}

// stagedDetail is what entries say of an uploaded package; a download package around others holds no
// module itself.
func stagedDetail(p crm.StagedPackage, result string) map[string]string {
	detail := map[string]string{"file": p.Filename, "sha256": p.SHA256, "result": result}
	if p.About.ID != "" {
		detail["version"], detail["signer"], detail["asks"] = p.About.Version, p.About.Signer.String(), strings.Join(p.About.Grants, " ")
	}
	return detail
}

func stagedObject(p crm.StagedPackage) string {
	if p.About.ID == "" {
		return ""
	}
	return "module:" + p.About.ID
}

// RecordUploadRefused notes that a file was no package one could install, and why. It changes nobody's
// rights, so nobody is asked again.
func (a *App) RecordUploadRefused(ctx context.Context, who crm.Who, p crm.StagedPackage, reason string) error {
	if err := a.CheckModuleRights(who); err != nil {
		return err
	}
	return a.store.Write(ctx, func(tx store.Tx) error {
		return a.audit(tx, who, "module_upload_refused", "", stagedDetail(p, reason))
	})
}

// StagedPackage reads an uploaded package; only who uploaded it may.
func (a *App) StagedPackage(ctx context.Context, who crm.Who, id string) (crm.StagedPackage, error) {
	if err := a.CheckModuleRights(who); err != nil {
		return crm.StagedPackage{}, err
	}
	if err := a.ownsStaged(ctx, who, id); err != nil {
		return crm.StagedPackage{}, err
	}
	p, err := a.store.Read().Staged(ctx, id)
	return p, found(err, "review_not_found")
}

func (a *App) ownsStaged(ctx context.Context, who crm.Who, id string) error {
	by, err := a.store.Read().StagedBy(ctx, id)
	if err == nil && by != who.Actor.Key {
		err = crm.Refuse(crm.NotFound, "review_not_found")
	}
	return found(err, "review_not_found")
}

// CancelStagedPackage forgets an uploaded package because its review ended without an installation.
func (a *App) CancelStagedPackage(ctx context.Context, who crm.Who, p crm.StagedPackage) error {
	if err := a.CheckModuleRights(who); err != nil {
		return err
	}
	if err := a.ownsStaged(ctx, who, p.ID); err != nil {
		return err
	}
	return a.change(ctx, who, "module_review_cancelled", func(tx store.Tx) (string, map[string]string, error) {
		return stagedObject(p), stagedDetail(p, "cancelled"), tx.DeleteStaged(ctx, p.ID)
	})
}

// DropStagedPackage forgets an uploaded package of which nothing is left to tell.
func (a *App) DropStagedPackage(ctx context.Context, who crm.Who, id string) error {
	if err := a.CheckModuleRights(who); err != nil {
		return err
	}
	if err := a.ownsStaged(ctx, who, id); err != nil {
		return err
	}
	return a.store.Write(ctx, func(tx store.Tx) error { return tx.DeleteStaged(ctx, id) })
}

// InstallModule writes a module's row and keeps its package, and with them what its process did on
// trial. Over an older or newer version of itself, which is kept as one before, it keeps whether the
// module is activated; settings, log and capabilities stay. staged is the upload it came by, empty for
// none: it is used up, and Conflict module_changed_meanwhile when it was. Whoever signed in must have
// given the own password a moment before: Denied password_confirmation_needed.
func (a *App) InstallModule(ctx context.Context, who crm.Who, m crm.Module, pkg []byte, trial crm.ModuleTrial, staged string) error {
	if err := a.CheckModuleRights(who); err != nil {
		return err
	}
	return a.changeRights(ctx, who, "module_installed", func(tx store.Tx) (string, map[string]string, error) {
		if err := a.useConfirmation(ctx, tx, who); err != nil {
			return "", nil, err
		}
		if err := useStaged(ctx, tx, staged, m.ID); err != nil {
			return "", nil, err
		}
		before, err := tx.Module(ctx, m.ID)
		if err != nil && crm.KindOf(err) != crm.NotFound {
			return "", nil, err
		}
		m.Activated, m.Grants, m.Withdrawn = before.Activated, before.Grants, before.Withdrawn
		detail := moduleDetail(m, "installed")
		if before.Version != "" {
			detail["replaces"] = before.Version
		}
		m.InstalledAt = a.Now()
		if err := tx.ForgetCrashes(ctx, m.ID); err != nil {
			return "", nil, err
		}
		if err := tx.PutPackage(ctx, m.SHA256, pkg); err != nil {
			return "", nil, err
		}
		if err := a.putVersion(ctx, tx, m, before, trial); err != nil {
			return "", nil, err
		}
		return "module:" + m.ID, detail, a.forgetWaiting(ctx, tx, m.ID)
	})
}

// useStaged uses up an upload: the same request may have come to another replica, too.
func useStaged(ctx context.Context, tx store.Tx, staged, id string) error {
	if staged == "" {
		return nil
	}
	there, err := tx.TakeStaged(ctx, staged)
	if err == nil && !there {
		err = crm.Refuse(crm.Conflict, "module_changed_meanwhile", "Module", id)
	}
	return err
}

// errDoneAlready ends a transaction in which nothing is left to be done.
var errDoneAlready = errors.New("it has been done already")

// ActivateModule allows a module to run, with these grants, and keeps what its process did on trial;
// it forgets earlier crashes. One that was activated meanwhile only gets what was done. Conflict module_changed_meanwhile when its package isn't the one with
// this SHA-256 any more.
func (a *App) ActivateModule(ctx context.Context, who crm.Who, id, sha256 string, grants []string, trial crm.ModuleTrial) error {
	if err := a.CheckModuleRights(who); err != nil {
		return err
	}
	err := a.changeRights(ctx, who, "module_activated", func(tx store.Tx) (string, map[string]string, error) {
		m, err := tx.Module(ctx, id)
		if err != nil {
			return "", nil, found(err, "module_not_found")
		}
		if m.SHA256 != sha256 {
			return "", nil, crm.Refuse(crm.Conflict, "module_changed_meanwhile", "Module", id)
		}
		if m.Activated {
			return "", nil, errDoneAlready
		}
		m.Activated, m.Grants = true, grants
		if err := tx.ForgetCrashes(ctx, id); err != nil {
			return "", nil, err
		}
		if err := a.putVersion(ctx, tx, m, m, trial); err != nil {
			return "", nil, err
		}
		return "module:" + id, moduleDetail(m, "activated"), tx.RaiseRevision(ctx)
	})
	if errors.Is(err, errDoneAlready) {
		return a.KeepModuleTrial(ctx, id, trial)
	}
	return err
}

// DeactivateModule forbids a module to run.
func (a *App) DeactivateModule(ctx context.Context, who crm.Who, id string) error {
	return a.changeModule(ctx, who, "module_deactivated", id, func(tx store.Tx, m *crm.Module) (map[string]string, error) {
		m.Activated = false
		return moduleDetail(*m, "deactivated"), tx.ForgiveFailure(ctx, id)
	})
}

func (a *App) changeModule(ctx context.Context, who crm.Who, action, id string, set func(store.Tx, *crm.Module) (map[string]string, error)) error {
	if err := a.CheckModuleRights(who); err != nil {
		return err
	}
	return a.changeRights(ctx, who, action, func(tx store.Tx) (string, map[string]string, error) {
		m, err := tx.Module(ctx, id)
		if err != nil {
			return "", nil, found(err, "module_not_found")
		}
		detail, err := set(tx, &m)
		if err != nil {
			return "", nil, err
		}
		if err := tx.PutModule(ctx, m); err != nil {
			return "", nil, err
		}
		return "module:" + id, detail, tx.RaiseRevision(ctx)
	})
}

// RetryModule forgets a module's crashes, so that it is started anew wherever it was given up.
func (a *App) RetryModule(ctx context.Context, who crm.Who, id string) error {
	return a.changeModule(ctx, who, "module_retried", id, func(tx store.Tx, m *crm.Module) (map[string]string, error) {
		return moduleDetail(*m, "retried"), tx.ForgetCrashes(ctx, id)
	})
}

// UninstallModule removes a module that isn't activated, Conflict when it is. Its settings, values,
// language files, log and capabilities go only with deleteData.
func (a *App) UninstallModule(ctx context.Context, who crm.Who, id string, deleteData bool) error {
	if err := a.CheckModuleRights(who); err != nil {
		return err
	}
	return a.changeRights(ctx, who, "module_uninstalled", func(tx store.Tx) (string, map[string]string, error) {
		m, err := tx.Module(ctx, id)
		if err != nil {
			return "", nil, found(err, "module_not_found")
		}
		if m.Activated {
			return "", nil, crm.Refuse(crm.Conflict, "module_still_active", "Module", id)
		}
		if err := tx.DeleteModule(ctx, id); err != nil {
			return "", nil, err
		}
		if err := tx.SweepPackages(ctx); err != nil {
			return "", nil, err
		}
		detail := moduleDetail(m, "uninstalled")
		detail["data_deleted"] = strconv.FormatBool(deleteData)
		if deleteData {
			b, err := tx.ModuleBelongings(ctx, id)
			if err != nil {
				return "", nil, err
			}
			detail = belongingsDetail(detail, b)
			if err := tx.DeleteModuleData(ctx, id); err != nil {
				return "", nil, err
			}
		}
		return "module:" + id, detail, tx.RaiseRevision(ctx)
	})
}

// RecordSafeMode notes that no module is started, and why; everybody who depends on a module asks
// again.
func (a *App) RecordSafeMode(ctx context.Context, detail map[string]string) error {
	return a.store.Write(ctx, func(tx store.Tx) error {
		if err := a.audit(tx, crm.Who{}, "safe_mode_entered", "", detail); err != nil {
			return err
		}
		return tx.RaiseRevision(ctx)
	})
}

// Where the database keeps when safe mode was left last, for all replicas.
const (
	hostSection  = "host"
	safeModeLeft = "safe_mode_left"
)

// SafeModeLeft is another text whenever an administrator has ended safe mode. A host in safe mode that
// sees it change leaves it, too.
func (a *App) SafeModeLeft(ctx context.Context) (string, error) {
	values, err := a.store.Read().Settings(ctx, hostSection)
	return values[safeModeLeft], err
}

// LeaveSafeMode notes that an administrator has the modules started again, on every replica.
func (a *App) LeaveSafeMode(ctx context.Context, who crm.Who) error {
	if err := a.CheckModuleRights(who); err != nil {
		return err
	}
	return a.changeRights(ctx, who, "safe_mode_left", func(tx store.Tx) (string, map[string]string, error) {
		if err := tx.SetSetting(ctx, hostSection, safeModeLeft, rand.Text()); err != nil {
			return "", nil, err
		}
		return "", nil, tx.RaiseRevision(ctx)
	})
}
