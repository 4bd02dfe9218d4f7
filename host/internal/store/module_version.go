package store

import (
	"context"
	"strconv"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

const keptColumns = `SELECT module_id, version, manifest, sha256, signer, grants, replaced_at FROM module_versions `

func scanKept(row scanner) (v crm.KeptVersion, err error) {
	var (
		signer, grants string
		replaced       int64
	)
	if err := row.Scan(&v.ModuleID, &v.Version, &v.Manifest, &v.SHA256, &signer, &grants, &replaced); err != nil {
		return v, err
	}
	v.Grants, v.ReplacedAt = strings.Fields(grants), at(replaced)
	v.Signer, err = signerOf(signer)
	return v, err
}

// KeptVersions lists the versions that modules had before, those of a module newest first.
func (t Tx) KeptVersions(ctx context.Context) ([]crm.KeptVersion, error) {
	return all(ctx, t, "list kept versions", scanKept, keptColumns+`ORDER BY module_id, id DESC`)
}

// KeptVersion reads the version a module had before whose package has this SHA-256, or the newest of
// them when it is empty.
func (t Tx) KeptVersion(ctx context.Context, module, sha256 string) (crm.KeptVersion, error) {
	return one(ctx, t, "read kept version", scanKept,
		keptColumns+`WHERE module_id = $1 AND (sha256 = $2 OR CAST($2 AS TEXT) = '') ORDER BY id DESC LIMIT 1`, module, sha256)
}

// KeepVersion keeps a version as a module's newest one before, and of the older ones so many that
// there are most.
func (t Tx) KeepVersion(ctx context.Context, v crm.KeptVersion, most int) error {
	if err := t.DropKeptVersion(ctx, v.ModuleID, v.SHA256); err != nil {
		return err
	}
	err := t.exec(ctx, "write kept version", `INSERT INTO module_versions (module_id, version, manifest, sha256, signer, grants, replaced_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		v.ModuleID, v.Version, v.Manifest, v.SHA256, signerText(v.Signer), strings.Join(v.Grants, " "), millis(v.ReplacedAt))
	if err != nil {
		return err
	}
	return t.exec(ctx, "trim kept versions", `DELETE FROM module_versions WHERE module_id = $1 AND id <= (SELECT COALESCE(MAX(id), 0) FROM
		(SELECT id FROM module_versions WHERE module_id = $1 ORDER BY id DESC LIMIT 1 OFFSET `+strconv.Itoa(most)+`) old)`, v.ModuleID)
}

// DropKeptVersion forgets a version a module had before: it is the installed one again.
func (t Tx) DropKeptVersion(ctx context.Context, module, sha256 string) error {
	return t.exec(ctx, "delete kept version", `DELETE FROM module_versions WHERE module_id = $1 AND sha256 = $2`, module, sha256)
}

// DropKeptVersions forgets every version a module had before.
func (t Tx) DropKeptVersions(ctx context.Context, module string) error {
	return t.exec(ctx, "delete kept versions", `DELETE FROM module_versions WHERE module_id = $1`, module)
}
