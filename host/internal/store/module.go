package store

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

const moduleColumns = `SELECT id, version, manifest, sha256, activated, grants, crashes, crashed_at, failure, installed_at, signer, withdrawn FROM modules `

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
	return all(ctx, t, "list modules", scanModule, moduleColumns+`ORDER BY id`)
}

// Module reads one installed module.
func (t Tx) Module(ctx context.Context, id string) (crm.Module, error) {
	return one(ctx, t, "read module", scanModule, moduleColumns+`WHERE id = $1`, id)
}

// PutModule writes a module's row, new or not.
func (t Tx) PutModule(ctx context.Context, m crm.Module) error {
	return t.exec(ctx, "write module", `INSERT INTO modules (id, version, manifest, sha256, activated, grants, crashes, crashed_at, failure, installed_at, signer, withdrawn)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, manifest = excluded.manifest, sha256 = excluded.sha256, activated = excluded.activated, grants = excluded.grants,
		crashes = excluded.crashes, crashed_at = excluded.crashed_at, failure = excluded.failure, installed_at = excluded.installed_at,
		signer = excluded.signer, withdrawn = excluded.withdrawn`,
		m.ID, m.Version, m.Manifest, m.SHA256, m.Activated, strings.Join(m.Grants, " "), m.Crashes, millis(m.CrashedAt), m.Failure, millis(m.InstalledAt),
		signerText(m.Signer), strings.Join(m.Withdrawn, " "))
}

// DeleteModule removes a module's row, and the version that waits beside it.
func (t Tx) DeleteModule(ctx context.Context, id string) error {
	if err := t.DeleteWaitingModule(ctx, id); err != nil {
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

// SweepPackages removes packages no module uses.
func (t Tx) SweepPackages(ctx context.Context) error {
	return t.exec(ctx, "sweep packages", `DELETE FROM module_packages WHERE sha256 NOT IN (SELECT sha256 FROM modules) AND sha256 NOT IN (SELECT sha256 FROM waiting_modules)`)
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

// DeleteStaged drops an uploaded package.
func (t Tx) DeleteStaged(ctx context.Context, id string) error {
	return t.exec(ctx, "delete staged package", `DELETE FROM staged_packages WHERE id = $1`, id)
}

// SweepStaged drops packages uploaded before a time.
func (t Tx) SweepStaged(ctx context.Context, before time.Time) error {
	return t.exec(ctx, "sweep staged packages", `DELETE FROM staged_packages WHERE staged_at < $1`, millis(before))
}

// ModuleValue reads a value of a module's own space.
func (t Tx) ModuleValue(ctx context.Context, module, name string) ([]byte, error) {
	return one(ctx, t, "read module value", func(row scanner) (v []byte, err error) { return v, row.Scan(&v) },
		`SELECT value FROM module_values WHERE module_id = $1 AND name = $2`, module, name)
}

// PutModuleValue writes a value of a module's own space.
func (t Tx) PutModuleValue(ctx context.Context, module, name string, value []byte) error {
	return t.exec(ctx, "write module value", `INSERT INTO module_values (module_id, name, value) VALUES ($1, $2, $3)
		ON CONFLICT (module_id, name) DO UPDATE SET value = excluded.value`, module, name, value)
}

// DeleteModuleValue removes a value of a module's own space.
func (t Tx) DeleteModuleValue(ctx context.Context, module, name string) error {
	return t.exec(ctx, "delete module value", `DELETE FROM module_values WHERE module_id = $1 AND name = $2`, module, name)
}

// ModuleValuesSize is how many bytes names and values of a module's own space take, but for one.
func (t Tx) ModuleValuesSize(ctx context.Context, module, except string) (int64, error) {
	return t.count(ctx, `SELECT COALESCE(SUM(LENGTH(name) + LENGTH(value)), 0) FROM module_values WHERE module_id = $1 AND name <> $2`, module, except)
}

// ModuleKeys lists names of a module's own space in order.
func (t Tx) ModuleKeys(ctx context.Context, module, prefix, after string, limit int) ([]string, error) {
	return all(ctx, t, "list module keys", func(row scanner) (k string, err error) { return k, row.Scan(&k) },
		`SELECT name FROM module_values WHERE module_id = $1 AND name > $2 AND SUBSTR(name, 1, LENGTH(CAST($3 AS TEXT))) = CAST($3 AS TEXT) ORDER BY name LIMIT `+strconv.Itoa(bounded(limit, 100, 1000)),
		module, after, prefix)
}

// ModuleLanguages lists a module's uploaded language files.
func (t Tx) ModuleLanguages(ctx context.Context, module string) ([]crm.ModuleLanguage, error) {
	return all(ctx, t, "list module languages", func(row scanner) (l crm.ModuleLanguage, err error) { return l, row.Scan(&l.Tag, &l.File) },
		`SELECT tag, file FROM module_languages WHERE module_id = $1 ORDER BY tag`, module)
}

// PutModuleLanguage writes an uploaded language file.
func (t Tx) PutModuleLanguage(ctx context.Context, module string, l crm.ModuleLanguage) error {
	return t.exec(ctx, "write module language", `INSERT INTO module_languages (module_id, tag, file) VALUES ($1, $2, $3)
		ON CONFLICT (module_id, tag) DO UPDATE SET file = excluded.file`, module, l.Tag, l.File)
}

// DeleteModuleLanguage removes an uploaded language file.
func (t Tx) DeleteModuleLanguage(ctx context.Context, module, tag string) error {
	return t.exec(ctx, "delete module language", `DELETE FROM module_languages WHERE module_id = $1 AND tag = $2`, module, tag)
}

// AppendModuleLog adds a line.
func (t Tx) AppendModuleLog(ctx context.Context, module string, l crm.ModuleLogLine) error {
	return t.exec(ctx, "append module log", `INSERT INTO module_log (module_id, at, level, text, request_id) VALUES ($1, $2, $3, $4, $5)`, module, millis(l.At), l.Level, l.Text, l.RequestID)
}

// TrimModuleLog keeps a module's newest lines.
func (t Tx) TrimModuleLog(ctx context.Context, module string, keep int) error {
	return t.exec(ctx, "trim module log", `DELETE FROM module_log WHERE module_id = $1 AND id <= (SELECT COALESCE(MAX(id), 0) FROM
		(SELECT id FROM module_log WHERE module_id = $1 ORDER BY id DESC LIMIT 1 OFFSET `+strconv.Itoa(keep)+`) old)`, module)
}

// ModuleLog lists a module's lines, newest first. Filter "level" keeps that level and those above.
func (t Tx) ModuleLog(ctx context.Context, module string, q crm.Query) (crm.Page[crm.ModuleLogLine], error) {
	var w where
	w.and("l.module_id = ?", module)
	switch q.Filter["level"] {
	case "info":
		w.and("l.level <> 'debug'")
	case "warn":
		w.and("l.level IN ('warn', 'error')")
	case "error":
		w.and("l.level = 'error'")
	}
	if q.Term != "" {
		w.and(`LOWER(l.text) LIKE ? ESCAPE '\'`, "%"+likeEscape.Replace(searchText(q.Term))+"%")
	}
	if err := w.beforeID("l.id", q.After); err != nil {
		return crm.Page[crm.ModuleLogLine]{}, err
	}
	limit := bounded(q.Limit, 100, 1000)
	list, err := all(ctx, t, "list module log", func(row scanner) (l crm.ModuleLogLine, err error) {
		var when int64
		err = row.Scan(&l.ID, &when, &l.Level, &l.Text, &l.RequestID)
		l.At = at(when)
		return l, err
	}, `SELECT l.id, l.at, l.level, l.text, l.request_id FROM module_log l `+w.text()+` ORDER BY l.id DESC LIMIT `+strconv.Itoa(limit+1), w.args...)
	return paged(list, limit, func(l crm.ModuleLogLine) string { return strconv.FormatInt(l.ID, 10) }), err
}

// Belongings counts what the database keeps for a module.
type Belongings struct{ Settings, Values, Languages, LogLines, Capabilities int64 }

// ModuleBelongings counts what the database keeps for a module.
func (t Tx) ModuleBelongings(ctx context.Context, module string) (Belongings, error) {
	b, err := one(ctx, t, "count module belongings", func(row scanner) (b Belongings, err error) {
		return b, row.Scan(&b.Settings, &b.Values, &b.Languages, &b.LogLines)
	}, `SELECT (SELECT COUNT(*) FROM settings WHERE section = $1), (SELECT COUNT(*) FROM module_values WHERE module_id = $1),
		(SELECT COUNT(*) FROM module_languages WHERE module_id = $1), (SELECT COUNT(*) FROM module_log WHERE module_id = $1)`, module)
	if err != nil {
		return b, err
	}
	b.Capabilities, err = t.CapabilityHolders(ctx, string(crm.ModuleCapability(module, "")))
	return b, err
}

// DeleteModuleData removes what the database keeps for a module, capabilities included.
func (t Tx) DeleteModuleData(ctx context.Context, module string) error {
	for _, table := range []string{"module_values", "module_languages", "module_log"} {
		if err := t.exec(ctx, "delete module data", `DELETE FROM `+table+` WHERE module_id = $1`, module); err != nil {
			return err
		}
	}
	if err := t.DeleteSettings(ctx, module); err != nil {
		return err
	}
	return t.DropCapabilities(ctx, string(crm.ModuleCapability(module, "")))
}
