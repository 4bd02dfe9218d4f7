package store

import (
	"context"
	"strconv"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

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

// ModuleValue names a value of a module's own space.
type ModuleValue struct {
	Name  string
	Value []byte
}

// ModuleValues lists values of a module's own space by name, from the one after a name on.
func (t Tx) ModuleValues(ctx context.Context, module, after string, limit int) ([]ModuleValue, error) {
	return all(ctx, t, "list module values", func(row scanner) (v ModuleValue, err error) { return v, row.Scan(&v.Name, &v.Value) },
		`SELECT name, value FROM module_values WHERE module_id = $1 AND name > $2 ORDER BY name LIMIT `+strconv.Itoa(limit), module, after)
}

// Belongings counts what the database keeps for a module.
type Belongings struct{ Settings, Values, ValueBytes, Languages, LogLines, Roles, Staff, Contacts, Waiting, Versions int64 }

// ModuleBelongings counts what the database keeps for a module.
func (t Tx) ModuleBelongings(ctx context.Context, module string) (Belongings, error) {
	b, err := one(ctx, t, "count module belongings", func(row scanner) (b Belongings, err error) {
		return b, row.Scan(&b.Settings, &b.Values, &b.ValueBytes, &b.Languages, &b.LogLines, &b.Waiting, &b.Versions)
	}, `SELECT (SELECT COUNT(*) FROM settings WHERE section = $1), (SELECT COUNT(*) FROM module_values WHERE module_id = $1),
		(SELECT COALESCE(SUM(LENGTH(value)), 0) FROM module_values WHERE module_id = $1),
		(SELECT COUNT(*) FROM module_languages WHERE module_id = $1), (SELECT COUNT(*) FROM module_log WHERE module_id = $1),
		(SELECT COUNT(*) FROM waiting_modules WHERE module_id = $1), (SELECT COUNT(*) FROM module_versions WHERE module_id = $1)`, module)
	if err != nil {
		return b, err
	}
	holders, err := t.CapabilityHolders(ctx, module)
	for _, h := range holders {
		switch h.Kind {
		case "role":
			b.Roles++
		case "staff":
			b.Staff++
		default:
			b.Contacts++
		}
	}
	return b, err
}

// ModuleInstalled tells whether a module is installed.
func (t Tx) ModuleInstalled(ctx context.Context, module string) (bool, error) {
	n, err := t.count(ctx, `SELECT COUNT(*) FROM modules WHERE id = $1`, module)
	return n > 0, err
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
	return t.DropCapabilities(ctx, module)
}
