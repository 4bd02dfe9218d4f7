package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

const trustedKeyColumns = `SELECT key_id, public_key, name, added_at, added_by FROM trusted_keys `

func scanTrustedKey(row scanner) (k crm.TrustedKey, err error) {
	var added int64
	err = row.Scan(&k.KeyID, &k.PublicKey, &k.Name, &added, &k.AddedBy)
	k.AddedAt = at(added)
	return k, err
}

// TrustedKeys lists publishers' keys by name.
func (t Tx) TrustedKeys(ctx context.Context) ([]crm.TrustedKey, error) {
	return all(ctx, t, "list trusted keys", scanTrustedKey, trustedKeyColumns+`ORDER BY name, key_id`)
}

// TrustedKey reads one publisher's key.
func (t Tx) TrustedKey(ctx context.Context, keyID string) (crm.TrustedKey, error) {
	return one(ctx, t, "read trusted key", scanTrustedKey, trustedKeyColumns+`WHERE key_id = $1`, keyID)
}

// InsertTrustedKey adds a publisher's key; Conflict when there is one of this id.
func (t Tx) InsertTrustedKey(ctx context.Context, k crm.TrustedKey) error {
	return t.exec(ctx, "write trusted key", `INSERT INTO trusted_keys (key_id, public_key, name, added_at, added_by) VALUES ($1, $2, $3, $4, $5)`,
		k.KeyID, k.PublicKey, k.Name, millis(k.AddedAt), k.AddedBy)
}

// DeleteTrustedKey removes a publisher's key.
func (t Tx) DeleteTrustedKey(ctx context.Context, keyID string) error {
	return t.exec(ctx, "delete trusted key", `DELETE FROM trusted_keys WHERE key_id = $1`, keyID)
}

// signerText and signerOf write a signer for a row and read it.
func signerText(s crm.Signer) string {
	if !s.Signed() {
		return ""
	}
	text, _ := json.Marshal(s) // strings and a bool: it can't fail
	return string(text)
}

func signerOf(text string) (s crm.Signer, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &s)
	}
	return s, err
}

const waitingColumns = `SELECT module_id, version, manifest, sha256, signer, waiting_at FROM waiting_modules `

func scanWaiting(row scanner) (crm.Module, error) {
	m := crm.Module{Waiting: true}
	var (
		signer string
		since  int64
	)
	if err := row.Scan(&m.ID, &m.Version, &m.Manifest, &m.SHA256, &signer, &since); err != nil {
		return m, err
	}
	m.InstalledAt = at(since)
	var err error
	m.Signer, err = signerOf(signer)
	return m, err
}

// WaitingModules lists the versions that wait for their grants to be accepted, by id.
func (t Tx) WaitingModules(ctx context.Context) ([]crm.Module, error) {
	return all(ctx, t, "list waiting modules", scanWaiting, waitingColumns+`ORDER BY module_id`)
}

// WaitingModule reads the version of a module that waits for its grants to be accepted.
func (t Tx) WaitingModule(ctx context.Context, id string) (crm.Module, error) {
	return one(ctx, t, "read waiting module", scanWaiting, waitingColumns+`WHERE module_id = $1`, id)
}

// PutWaitingModule has a version wait, in the place of one that did.
func (t Tx) PutWaitingModule(ctx context.Context, m crm.Module) error {
	return t.exec(ctx, "write waiting module", `INSERT INTO waiting_modules (module_id, version, manifest, sha256, signer, waiting_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (module_id) DO UPDATE SET version = excluded.version, manifest = excluded.manifest, sha256 = excluded.sha256, signer = excluded.signer, waiting_at = excluded.waiting_at`,
		m.ID, m.Version, m.Manifest, m.SHA256, signerText(m.Signer), millis(m.InstalledAt))
}

// DeleteWaitingModule forgets the version that waits, if there is one.
func (t Tx) DeleteWaitingModule(ctx context.Context, id string) error {
	return t.exec(ctx, "delete waiting module", `DELETE FROM waiting_modules WHERE module_id = $1`, id)
}

// ConfirmSession notes that a session's holder gave the own password again.
func (t Tx) ConfirmSession(ctx context.Context, session int64, when time.Time) error {
	return t.exec(ctx, "write confirmation", `INSERT INTO session_confirmations (session_id, confirmed_at) VALUES ($1, $2)
		ON CONFLICT (session_id) DO UPDATE SET confirmed_at = excluded.confirmed_at`, session, millis(when))
}

// SessionConfirmed tells whether a session was confirmed after a time.
func (t Tx) SessionConfirmed(ctx context.Context, session int64, after time.Time) (bool, error) {
	n, err := t.count(ctx, `SELECT COUNT(*) FROM session_confirmations WHERE session_id = $1 AND confirmed_at > $2`, session, millis(after))
	return n > 0, err
}

// UseConfirmation takes a session's confirmation away, and tells whether there was one after a time.
func (t Tx) UseConfirmation(ctx context.Context, session int64, after time.Time) (bool, error) {
	return t.changed(ctx, "use confirmation", `DELETE FROM session_confirmations WHERE session_id = $1 AND confirmed_at > $2`, session, millis(after))
}

// SweepConfirmations forgets confirmations up to a time.
func (t Tx) SweepConfirmations(ctx context.Context, until time.Time) error {
	return t.exec(ctx, "sweep confirmations", `DELETE FROM session_confirmations WHERE confirmed_at <= $1`, millis(until))
}
