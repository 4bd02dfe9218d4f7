package store

import (
	"context"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// moduleColumns reads modules with what they did on one replica, the first argument.
const moduleColumns = `SELECT m.id, m.version, m.manifest, m.sha256, m.activated, m.grants, COALESCE(c.crashes, 0), COALESCE(c.crashed_at, 0), COALESCE(c.failure, ''),
	m.installed_at, m.signer, m.withdrawn FROM modules m LEFT JOIN module_crashes c ON c.module = m.id AND c.replica = $1 `

func scanModule(row scanner) (crm.Module, error) {
	var (
		m                         crm.Module
		grants, signer, withdrawn string
		crashed, installed        int64
	)
	err := row.Scan(&m.ID, &m.Version, &m.Manifest, &m.SHA256, &m.Activated, &grants, &m.Crashes, &crashed, &m.Failure, &installed, &signer, &withdrawn)
	if err != nil {
		return m, err
	}
	m.Grants, m.Withdrawn, m.CrashedAt, m.InstalledAt = strings.Fields(grants), strings.Fields(withdrawn), at(crashed), at(installed)
	m.Signer, err = signerOf(signer)
	return m, err
}

// Modules lists every installed module by id.
func (t Tx) Modules(ctx context.Context) ([]crm.Module, error) {
	return all(ctx, t, "list modules", scanModule, moduleColumns+`ORDER BY m.id`, t.chain)
}

// Module reads one installed module.
func (t Tx) Module(ctx context.Context, id string) (crm.Module, error) {
	return one(ctx, t, "read module", scanModule, moduleColumns+`WHERE m.id = $2`, t.chain, id)
}

// HoldModule reads the SHA-256 of a module's package, which stays so until the transaction ends.
func (t Tx) HoldModule(ctx context.Context, id string) (string, error) {
	query := `SELECT sha256 FROM modules WHERE id = $1`
	if t.engine == PostgreSQL {
		query += ` FOR SHARE`
	}
	return one(ctx, t, "hold module", func(row scanner) (sum string, err error) { return sum, row.Scan(&sum) }, query, id)
}

// PutModule writes a module's row, new or not; how often it crashed stays as it is. A row whose
// manifest is empty, by whatever accident, can be written too: it must be possible to deactivate it.
func (t Tx) PutModule(ctx context.Context, m crm.Module) error {
	return t.exec(ctx, "write module", `INSERT INTO modules (id, version, manifest, sha256, activated, grants, installed_at, signer, withdrawn)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, manifest = excluded.manifest, sha256 = excluded.sha256, activated = excluded.activated, grants = excluded.grants,
		installed_at = excluded.installed_at, signer = excluded.signer, withdrawn = excluded.withdrawn`,
		m.ID, m.Version, append([]byte{}, m.Manifest...), m.SHA256, m.Activated, strings.Join(m.Grants, " "), millis(m.InstalledAt),
		signerText(m.Signer), strings.Join(m.Withdrawn, " "))
}

// DeleteModule removes a module's row, the version that waits beside it and those it had before.
func (t Tx) DeleteModule(ctx context.Context, id string) error {
	if err := t.DeleteWaitingModule(ctx, id); err != nil {
		return err
	}
	if err := t.DropKeptVersions(ctx, id); err != nil {
		return err
	}
	if err := t.ForgetCrashes(ctx, id); err != nil {
		return err
	}
	return t.exec(ctx, "delete module", `DELETE FROM modules WHERE id = $1`, id)
}

// PutPackage keeps a package under its SHA-256.
func (t Tx) PutPackage(ctx context.Context, sha256 string, pkg []byte) error {
	return t.exec(ctx, "write package", `INSERT INTO module_packages (sha256, package) VALUES ($1, $2) ON CONFLICT (sha256) DO NOTHING`, sha256, pkg)
}

// Package reads the package with this SHA-256.
func (t Tx) Package(ctx context.Context, sha256 string) ([]byte, error) {
	return one(ctx, t, "read package", func(row scanner) (pkg []byte, err error) { return pkg, row.Scan(&pkg) },
		`SELECT package FROM module_packages WHERE sha256 = $1`, sha256)
}

// SweepPackages removes packages no module uses, used before or waits to use.
func (t Tx) SweepPackages(ctx context.Context) error {
	return t.exec(ctx, "sweep packages", `DELETE FROM module_packages WHERE sha256 NOT IN (SELECT sha256 FROM modules)
		AND sha256 NOT IN (SELECT sha256 FROM waiting_modules) AND sha256 NOT IN (SELECT sha256 FROM module_versions)`)
}

// PutStaged keeps an uploaded package for review.
func (t Tx) PutStaged(ctx context.Context, p crm.StagedPackage) error {
	return t.exec(ctx, "write staged package", `INSERT INTO staged_packages (id, by_kind, by_id, filename, sha256, package, staged_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		p.ID, p.By.Kind, p.By.ID, p.Filename, p.SHA256, p.Zip, millis(p.At))
}

// Staged reads an uploaded package.
func (t Tx) Staged(ctx context.Context, id string) (crm.StagedPackage, error) {
	return one(ctx, t, "read staged package", func(row scanner) (p crm.StagedPackage, err error) {
		var when int64
		err = row.Scan(&p.ID, &p.By.Kind, &p.By.ID, &p.Filename, &p.SHA256, &p.Zip, &when)
		p.At = at(when)
		return p, err
	}, `SELECT id, by_kind, by_id, filename, sha256, package, staged_at FROM staged_packages WHERE id = $1`, id)
}

// StagedBy tells who uploaded a package.
func (t Tx) StagedBy(ctx context.Context, id string) (crm.AccountKey, error) {
	return one(ctx, t, "read who uploaded a package", func(row scanner) (by crm.AccountKey, err error) {
		return by, row.Scan(&by.Kind, &by.ID)
	}, `SELECT by_kind, by_id FROM staged_packages WHERE id = $1`, id)
}

// TakeStaged deletes a staged package; false when it is gone already.
func (t Tx) TakeStaged(ctx context.Context, id string) (bool, error) {
	return t.changed(ctx, "take staged package", `DELETE FROM staged_packages WHERE id = $1`, id)
}

// DeleteStaged drops an uploaded package.
func (t Tx) DeleteStaged(ctx context.Context, id string) error {
	return t.exec(ctx, "delete staged package", `DELETE FROM staged_packages WHERE id = $1`, id)
}

// SweepStaged drops packages uploaded before a time.
func (t Tx) SweepStaged(ctx context.Context, before time.Time) error {
	return t.exec(ctx, "sweep staged packages", `DELETE FROM staged_packages WHERE staged_at < $1`, millis(before))
}
