package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"aead.dev/minisign"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// confirmationLife is how long the own password, given again, is good for: once.
const confirmationLife = 15 * time.Minute

// maxPublicKeyText bounds a public key with the comment line above it.
const maxPublicKeyText = 2000

// TrustedKeys lists publishers' keys by name; administrators may read them.
func (a *App) TrustedKeys(ctx context.Context, who crm.Who) ([]crm.TrustedKey, error) {
	if err := a.allowAdministrator(who, crm.ReadRoute); err != nil {
		return nil, err
	}
	return a.store.Read().TrustedKeys(ctx)
}

// TrustedKey reads one publisher's key, NotFound trusted_key_not_found when it isn't trusted. It
// asks nobody's rights.
func (a *App) TrustedKey(ctx context.Context, keyID string) (crm.TrustedKey, error) {
	k, err := a.store.Read().TrustedKey(ctx, keyID)
	return k, found(err, "trusted_key_not_found")
}

// AddTrustedKey trusts a publisher: publicKey is what minisign's key file holds, or its last line
// alone. Invalid trusted_key_invalid when it is no public key, Conflict trusted_key_exists when a
// key of this id is trusted already.
func (a *App) AddTrustedKey(ctx context.Context, who crm.Who, name, publicKey string) (crm.TrustedKey, error) {
	if err := a.CheckModuleRights(who); err != nil {
		return crm.TrustedKey{}, err
	}
	name, err := crm.CleanName(name)
	if err != nil {
		return crm.TrustedKey{}, err
	}
	k, err := parsePublicKey(publicKey)
	if err != nil {
		return crm.TrustedKey{}, err
	}
	k.Name, k.AddedAt, k.AddedBy = name, a.Now(), who.Actor.Name
	return k, a.changeRights(ctx, who, "trusted_key_added", func(tx store.Tx) (string, map[string]string, error) {
		switch before, err := tx.TrustedKey(ctx, k.KeyID); {
		case err == nil:
			return "", nil, crm.Refuse(crm.Conflict, "trusted_key_exists", "KeyID", k.KeyID, "Name", before.Name)
		case crm.KindOf(err) != crm.NotFound:
			return "", nil, err
		}
		if err := tx.InsertTrustedKey(ctx, k); err != nil {
			return "", nil, err
		}
		return "trusted_key:" + k.KeyID, map[string]string{"name": k.Name, "public_key": k.PublicKey}, tx.RaiseRevision(ctx)
	})
}

// parsePublicKey reads a public key's text.
func parsePublicKey(text string) (crm.TrustedKey, error) {
	var key minisign.PublicKey
	text = strings.TrimSpace(text)
	if len(text) > maxPublicKeyText {
		return crm.TrustedKey{}, crm.Refuse(crm.Invalid, "trusted_key_invalid")
	}
	if err := key.UnmarshalText([]byte(text)); err != nil {
		return crm.TrustedKey{}, &crm.Error{Kind: crm.Invalid, Key: "trusted_key_invalid", Err: err}
	}
	return crm.TrustedKey{KeyID: fmt.Sprintf("%016X", key.ID()), PublicKey: key.String()}, nil
}

// RemoveTrustedKey trusts a publisher no longer. What is installed goes on: it was checked when it
// came. The next package the key signed is one by an unknown key.
func (a *App) RemoveTrustedKey(ctx context.Context, who crm.Who, keyID string) error {
	if err := a.CheckModuleRights(who); err != nil {
		return err
	}
	keyID = strings.ToUpper(strings.TrimSpace(keyID))
	return a.changeRights(ctx, who, "trusted_key_removed", func(tx store.Tx) (string, map[string]string, error) {
		k, err := tx.TrustedKey(ctx, keyID)
		if err != nil {
			return "", nil, found(err, "trusted_key_not_found")
		}
		if err := tx.DeleteTrustedKey(ctx, keyID); err != nil {
			return "", nil, err
		}
		return "trusted_key:" + keyID, map[string]string{"name": k.Name, "public_key": k.PublicKey}, tx.RaiseRevision(ctx)
	})
}

// ConfirmPassword checks the actor's own password, with the lock-out of the sign-in, and notes for
// some minutes that it was given in this session: InstallModule asks for that, and uses it up.
// Invalid password_wrong, or TooMany sign_in_locked. No password is no guess: it is answered as
// CheckConfirmed answers. The command line needs none.
func (a *App) ConfirmPassword(ctx context.Context, who crm.Who, password string) error {
	if err := a.allow(who, crm.SensitiveRoute); err != nil || atCommandLine(who) {
		return err
	}
	if password == "" {
		return a.CheckConfirmed(ctx, who)
	}
	c, sources, err := a.checkOwnPassword(ctx, who, password)
	if err != nil {
		return err
	}
	return a.store.Write(ctx, func(tx store.Tx) error {
		if err := forgive(ctx, tx, sources); err != nil {
			return err
		}
		if err := tx.SweepConfirmations(ctx, a.Now().Add(-confirmationLife)); err != nil {
			return err
		}
		if who.Session.ID == 0 || who.Session.Actor != c.Key {
			return crm.Refuse(crm.SignedOut, "signed_out")
		}
		return tx.ConfirmSession(ctx, who.Session.ID, a.Now())
	})
}

// CheckConfirmed says whether the own password was given in this session a moment ago: Denied
// password_confirmation_needed when it wasn't. It uses nothing up.
func (a *App) CheckConfirmed(ctx context.Context, who crm.Who) error {
	if atCommandLine(who) {
		return nil
	}
	return a.confirmedWithin(ctx, who, confirmationLife)
}

// confirmedWithin is CheckConfirmed for a shorter moment.
func (a *App) confirmedWithin(ctx context.Context, who crm.Who, moment time.Duration) error {
	if a.justSignedIn(who, moment) {
		return nil
	}
	confirmed, err := a.store.Read().SessionConfirmed(ctx, who.Session.ID, a.Now().Add(-moment))
	if err == nil && !confirmed {
		err = crm.Refuse(crm.Denied, "password_confirmation_needed")
	}
	return err
}

func (a *App) useConfirmation(ctx context.Context, tx store.Tx, who crm.Who) error {
	if atCommandLine(who) || a.justSignedIn(who, confirmationLife) {
		return nil
	}
	used, err := tx.UseConfirmation(ctx, who.Session.ID, a.Now().Add(-confirmationLife))
	if err == nil && !used {
		err = crm.Refuse(crm.Denied, "password_confirmation_needed")
	}
	return err
}

// justSignedIn tells whether the own password was given a moment ago to sign in: asking for it again
// at once would teach people to type it without thinking.
func (a *App) justSignedIn(who crm.Who, moment time.Duration) bool {
	return who.Session.ID != 0 && a.Now().Sub(who.Session.CreatedAt) < moment
}

// atCommandLine tells crm.Operator from everybody who signed in.
func atCommandLine(who crm.Who) bool {
	return who.Actor.Key == crm.Operator().Actor.Key && who.Session.ID == 0
}

// moduleDetail is what every entry about a module's life says of it.
func moduleDetail(m crm.Module, result string) map[string]string {
	return map[string]string{
		"version": m.Version, "sha256": m.SHA256, "signer": m.Signer.String(), "grants": strings.Join(m.Grants, " "), "result": result,
	}
}

// RecordModuleFailure notes that a step of a module's life was tried and failed.
func (a *App) RecordModuleFailure(ctx context.Context, who crm.Who, step string, m crm.Module, reason string) error {
	detail := moduleDetail(m, reason)
	detail["step"] = step
	object := "module:" + m.ID
	if m.ID == "" {
		object = "" // it could not be read what it is
	}
	return a.store.Write(ctx, func(tx store.Tx) error {
		return a.audit(tx, who, "module_step_failed", object, detail)
	})
}

// WaitingModules lists the versions that wait for their grants to be accepted. It asks nobody's
// rights.
func (a *App) WaitingModules(ctx context.Context) ([]crm.Module, error) {
	return a.store.Read().WaitingModules(ctx)
}

// WaitingModule reads the version of a module that waits, NotFound module_nothing_waiting when none
// does. It asks nobody's rights.
func (a *App) WaitingModule(ctx context.Context, id string) (crm.Module, error) {
	m, err := a.store.Read().WaitingModule(ctx, id)
	return m, found(err, "module_nothing_waiting")
}

// HoldModule keeps a version, and its package, until somebody accepts what it newly asks for. The
// installed one goes on; of waiting versions there is one, the newest.
func (a *App) HoldModule(ctx context.Context, who crm.Who, m crm.Module, asks []string, pkg []byte) error {
	if err := a.CheckModuleRights(who); err != nil {
		return err
	}
	return a.changeRights(ctx, who, "module_held", func(tx store.Tx) (string, map[string]string, error) {
		if err := a.useConfirmation(ctx, tx, who); err != nil {
			return "", nil, err
		}
		if _, err := tx.Module(ctx, m.ID); err != nil {
			return "", nil, found(err, "module_not_found")
		}
		m.InstalledAt = a.Now()
		if err := tx.PutPackage(ctx, m.SHA256, pkg); err != nil {
			return "", nil, err
		}
		if err := tx.PutWaitingModule(ctx, m); err != nil {
			return "", nil, err
		}
		detail := moduleDetail(m, "waiting")
		detail["asks"] = strings.Join(asks, " ")
		return "module:" + m.ID, detail, tx.SweepPackages(ctx)
	})
}

// AcceptModule puts the version that waits in the place of the installed one, with these grants and
// with what its process did on trial; the installed one is kept as one before.
// Conflict module_changed_meanwhile when another one waits by now than the one with this SHA-256.
func (a *App) AcceptModule(ctx context.Context, who crm.Who, id, sha256 string, grants []string, trial crm.ModuleTrial) error {
	if err := a.CheckModuleRights(who); err != nil {
		return err
	}
	return a.changeRights(ctx, who, "module_grants_accepted", func(tx store.Tx) (string, map[string]string, error) {
		if err := a.useConfirmation(ctx, tx, who); err != nil {
			return "", nil, err
		}
		before, err := tx.Module(ctx, id)
		if err != nil {
			return "", nil, found(err, "module_not_found")
		}
		m, err := tx.WaitingModule(ctx, id)
		if err != nil {
			return "", nil, found(err, "module_nothing_waiting")
		}
		if m.SHA256 != sha256 {
			return "", nil, crm.Refuse(crm.Conflict, "module_changed_meanwhile", "Module", id)
		}
		m.Activated, m.Grants, m.Withdrawn, m.Waiting, m.InstalledAt = before.Activated, grants, before.Withdrawn, false, a.Now()
		if err := a.putVersion(ctx, tx, m, before, trial); err != nil {
			return "", nil, err
		}
		detail := moduleDetail(m, "installed")
		detail["replaces"] = before.Version
		return "module:" + id, detail, a.forgetWaiting(ctx, tx, id)
	})
}

// DropWaitingModule forgets the version that waits; the installed one goes on.
func (a *App) DropWaitingModule(ctx context.Context, who crm.Who, id string) error {
	if err := a.CheckModuleRights(who); err != nil {
		return err
	}
	return a.changeRights(ctx, who, "module_grants_refused", func(tx store.Tx) (string, map[string]string, error) {
		m, err := tx.WaitingModule(ctx, id)
		if err != nil {
			return "", nil, found(err, "module_nothing_waiting")
		}
		return "module:" + id, moduleDetail(m, "dropped"), a.forgetWaiting(ctx, tx, id)
	})
}

func (a *App) forgetWaiting(ctx context.Context, tx store.Tx, id string) error {
	if err := tx.DeleteWaitingModule(ctx, id); err != nil {
		return err
	}
	if err := tx.SweepPackages(ctx); err != nil {
		return err
	}
	return tx.RaiseRevision(ctx)
}

// SetModuleGrants changes what a module may ask of the host; withdrawn are those it asks for and is
// not to have, also after the next upgrade. Everybody who depends on the module asks again.
func (a *App) SetModuleGrants(ctx context.Context, who crm.Who, id string, grants, withdrawn []string) error {
	return a.changeModule(ctx, who, "module_grants_changed", id, func(_ store.Tx, m *crm.Module) (map[string]string, error) {
		before := m.Grants
		m.Grants, m.Withdrawn = slices.Sorted(slices.Values(grants)), slices.Sorted(slices.Values(withdrawn))
		detail := moduleDetail(*m, "changed")
		detail["before"] = strings.Join(before, " ")
		return detail, nil
	})
}
