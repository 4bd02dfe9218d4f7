package app

import (
	"context"
	"encoding/json"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// ModuleSettings reads what was saved of a module's settings; defaults are the module's to know.
func (a *App) ModuleSettings(ctx context.Context, id string) (map[string]string, error) {
	return a.store.Read().Settings(ctx, id)
}

// SaveModuleSettings changes a module's settings; the values have been checked against its fields.
func (a *App) SaveModuleSettings(ctx context.Context, who crm.Who, id string, values map[string]string) error {
	if err := a.allow(who, crm.SensitiveRoute, crm.SettingsEdit); err != nil {
		return err
	}
	if _, err := a.Module(ctx, id); err != nil {
		return err
	}
	return a.saveSettings(ctx, who, id, values)
}

// ModuleValue reads a value of a module's own space, NotFound when there is none.
func (a *App) ModuleValue(ctx context.Context, id, name string) ([]byte, error) {
	v, err := a.store.Read().ModuleValue(ctx, id, name)
	return v, found(err, "value_not_found")
}

// PutModuleValue writes a value of a module's own space; TooLarge beyond its quota. It does so for a
// process of the version whose package has this SHA-256, or, when that is empty, whichever is installed.
// Conflict module_replaced when another one is installed by now and runs on another replica: that one may
// have brought the values to another form. While it runs nowhere the old one goes on.
func (a *App) PutModuleValue(ctx context.Context, id, sha256, name string, value []byte) error {
	if name == "" || len(name) > 256 {
		return crm.Refuse(crm.Invalid, "value_name_invalid")
	}
	return a.store.Write(ctx, func(tx store.Tx) error {
		if err := isInstalled(ctx, tx, id, sha256); err != nil {
			return err
		}
		used, err := tx.ModuleValuesSize(ctx, id, name)
		if err != nil {
			return err
		}
		if len(value) > MaxModuleValue || used+int64(len(name)+len(value)) > MaxModuleValues {
			return crm.Refuse(crm.TooLarge, "module_quota", "Max", MaxModuleValues)
		}
		return tx.PutModuleValue(ctx, id, name, value)
	})
}

// DeleteModuleValue removes a value, for whom PutModuleValue writes one.
func (a *App) DeleteModuleValue(ctx context.Context, id, sha256, name string) error {
	return a.store.Write(ctx, func(tx store.Tx) error {
		if err := isInstalled(ctx, tx, id, sha256); err != nil {
			return err
		}
		return tx.DeleteModuleValue(ctx, id, name)
	})
}

// isInstalled refuses a process on its way out: it must leave nothing behind of a module that is gone,
// nor write what another version no longer understands.
func isInstalled(ctx context.Context, tx store.Tx, id, sha256 string) error {
	now, err := tx.HoldModule(ctx, id)
	switch {
	case err != nil:
		return found(err, "module_not_found")
	case sha256 == "" || sha256 == now:
		return nil
	}
	replaced, err := tx.RunsElsewhere(ctx, id, ModuleActive, now)
	if err == nil && replaced {
		err = crm.Refuse(crm.Conflict, "module_replaced", "Module", id)
	}
	return err
}

// ModuleValuesSize is how much a module's own space holds, in bytes.
func (a *App) ModuleValuesSize(ctx context.Context, id string) (int64, error) {
	return a.store.Read().ModuleValuesSize(ctx, id, "")
}

// ModuleKeys lists names of a module's own space in order.
func (a *App) ModuleKeys(ctx context.Context, id, prefix, after string, limit int) ([]string, error) {
	return a.store.Read().ModuleKeys(ctx, id, prefix, after, limit)
}

// ModuleLanguages lists a module's uploaded language files.
func (a *App) ModuleLanguages(ctx context.Context, id string) ([]crm.ModuleLanguage, error) {
	return a.store.Read().ModuleLanguages(ctx, id)
}

// PutModuleLanguage adds or replaces an uploaded language file: one JSON object.
func (a *App) PutModuleLanguage(ctx context.Context, who crm.Who, id, tag string, file []byte) error {
	if err := a.allow(who, crm.SensitiveRoute, crm.SettingsEdit); err != nil {
		return err
	}
	tag, err := CleanLanguage(tag)
	if err != nil || tag == "" {
		return crm.Refuse(crm.Invalid, "language_invalid")
	}
	if len(file) > MaxLanguageFile {
		return crm.Refuse(crm.TooLarge, "language_file_too_large", "Max", MaxLanguageFile)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(file, &object); err != nil || object == nil {
		return crm.Refuse(crm.Invalid, "language_file_invalid")
	}
	return a.changeRights(ctx, who, "module_language_uploaded", func(tx store.Tx) (string, map[string]string, error) {
		if _, err := tx.Module(ctx, id); err != nil {
			return "", nil, found(err, "module_not_found")
		}
		if err := tx.PutModuleLanguage(ctx, id, crm.ModuleLanguage{Tag: tag, File: file}); err != nil {
			return "", nil, err
		}
		return "module:" + id, map[string]string{"language": tag, "result": "uploaded"}, tx.RaiseRevision(ctx)
	})
}

// DeleteModuleLanguage removes an uploaded language file; what the package brought stays.
func (a *App) DeleteModuleLanguage(ctx context.Context, who crm.Who, id, tag string) error {
	if err := a.allow(who, crm.SensitiveRoute, crm.SettingsEdit); err != nil {
		return err
	}
	return a.changeRights(ctx, who, "module_language_deleted", func(tx store.Tx) (string, map[string]string, error) {
		if err := tx.DeleteModuleLanguage(ctx, id, tag); err != nil {
			return "", nil, err
		}
		return "module:" + id, map[string]string{"language": tag, "result": "deleted"}, tx.RaiseRevision(ctx)
	})
}

// CleanModuleEntry bounds what a module says happened; Invalid audit_entry_invalid when it can't be.
func CleanModuleEntry(action string, detail map[string]string) (crm.ModuleEntry, error) {
	if action == "" || len(action) > 64 || len(detail) > 16 {
		return crm.ModuleEntry{}, crm.Refuse(crm.Invalid, "audit_entry_invalid")
	}
	clean := make(map[string]string, len(detail)+1)
	for k, v := range detail {
		clean[crm.Cut(k, 64)] = crm.Cut(v, 512)
	}
	clean["action"] = crm.Cut(action, 64)
	return crm.ModuleEntry{Action: clean["action"], Detail: clean}, nil
}

// WriteModuleAudit appends what a module says happened; who is zero when no person did it.
func (a *App) WriteModuleAudit(ctx context.Context, who crm.Who, id, action string, detail map[string]string) error {
	entry, err := CleanModuleEntry(action, detail)
	if err != nil {
		return err
	}
	return a.store.Write(ctx, func(tx store.Tx) error { return a.audit(tx, who, "module_entry", "module:"+id, entry.Detail) })
}
