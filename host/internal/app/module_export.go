package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// Belongings counts what the database keeps for a module.
type Belongings = store.Belongings

// ModuleBelongings counts what the database keeps for a module.
func (a *App) ModuleBelongings(ctx context.Context, id string) (Belongings, error) {
	return a.store.Read().ModuleBelongings(ctx, id)
}

// belongingsDetail is how entries tell what was exported or deleted.
func belongingsDetail(detail map[string]string, b Belongings) map[string]string {
	for name, count := range map[string]int64{
		"settings": b.Settings, "values": b.Values, "languages": b.Languages, "log_lines": b.LogLines, "roles": b.Roles, "staff": b.Staff, "contacts": b.Contacts,
	} {
		if count > 0 {
			detail[name] = strconv.FormatInt(count, 10)
		}
	}
	return detail
}

// DeleteModuleData removes everything that is kept for a module that isn't activated, Conflict when
// it is: it will be as just installed. Whoever held its capabilities holds them no longer.
func (a *App) DeleteModuleData(ctx context.Context, who crm.Who, id string) error {
	if err := a.CheckModuleRights(who); err != nil {
		return err
	}
	return a.changeRights(ctx, who, "module_data_deleted", func(tx store.Tx) (string, map[string]string, error) {
		m, err := tx.Module(ctx, id)
		if err != nil {
			return "", nil, found(err, "module_not_found")
		}
		if m.Activated {
			return "", nil, crm.Refuse(crm.Conflict, "module_still_active", "Module", id)
		}
		b, err := tx.ModuleBelongings(ctx, id)
		if err != nil {
			return "", nil, err
		}
		if err := tx.DeleteModuleData(ctx, id); err != nil {
			return "", nil, err
		}
		return "module:" + id, belongingsDetail(moduleDetail(m, "data deleted"), b), tx.RaiseRevision(ctx)
	})
}

// ExportFormat is the first line of what ExportModule writes.
const ExportFormat = "understudy.module.export/1"

// ExportModule writes everything that is kept for a module as one JSON object:
//
//	{"format": "understudy.module.export/1", "exported_at": "2026-11-22T09:00:00Z",
//	 "module": {"id", "version", "sha256", "signer", "grants", "installed_at", "manifest"},
//	 "settings": {"name": "value"}, "capability_holders": [{"kind": "role", "staff" or "contact", "id", "name", "capabilities"}],
//	 "languages": [{"tag", "texts"}], "values": [{"name", "value" in base64}], "log": [{"at", "level", "text", "request_id"}]}
//
// That somebody asked for it is in the audit before the first byte is written. It holds no more than
// a few values in memory. A module that runs meanwhile may write while it is read.
func (a *App) ExportModule(ctx context.Context, who crm.Who, id string, w io.Writer) error {
	if err := a.CheckModuleRights(who); err != nil {
		return err
	}
	var m crm.Module
	err := a.change(ctx, who, "module_exported", func(tx store.Tx) (_ string, _ map[string]string, err error) {
		if m, err = tx.Module(ctx, id); err != nil {
			return "", nil, found(err, "module_not_found")
		}
		b, err := tx.ModuleBelongings(ctx, id)
		return "module:" + id, belongingsDetail(moduleDetail(m, "exported"), b), err
	})
	if err != nil {
		return err
	}
	e := &exporter{w: bufio.NewWriter(w)}
	e.field("format", ExportFormat)
	e.field("exported_at", a.Now())
	e.field("module", map[string]any{
		"id": m.ID, "version": m.Version, "sha256": m.SHA256, "signer": m.Signer.String(), "grants": m.Grants,
		"installed_at": m.InstalledAt, "manifest": json.RawMessage(m.Manifest),
	})
	return e.close(errors.Join(a.exportSettings(ctx, e, id), a.exportValues(ctx, e, id), a.exportLog(ctx, e, who, id)))
}

// exportSettings writes what an administrator decided: settings, holders, translations.
func (a *App) exportSettings(ctx context.Context, e *exporter, id string) error {
	read := a.store.Read()
	settings, err := read.Settings(ctx, id)
	if err != nil {
		return err
	}
	e.field("settings", settings)
	holders, err := read.CapabilityHolders(ctx, id)
	if err != nil {
		return err
	}
	e.list("capability_holders")
	for _, h := range holders {
		e.item(map[string]any{"kind": h.Kind, "id": h.ID, "name": h.Name, "capabilities": h.Capabilities})
	}
	e.end()
	languages, err := read.ModuleLanguages(ctx, id)
	if err != nil {
		return err
	}
	e.list("languages")
	for _, l := range languages {
		e.item(map[string]any{"tag": l.Tag, "texts": json.RawMessage(l.File)})
	}
	e.end()
	return e.err
}

func (a *App) exportValues(ctx context.Context, e *exporter, id string) error {
	const atOnce = 8 // each may be as large as MaxModuleValue
	e.list("values")
	for after := ""; e.err == nil; {
		values, err := a.store.Read().ModuleValues(ctx, id, after, atOnce)
		if err != nil {
			return err
		}
		for _, v := range values {
			e.item(map[string]any{"name": v.Name, "value": v.Value})
			after = v.Name
		}
		if len(values) < atOnce {
			break
		}
	}
	e.end()
	return e.err
}

func (a *App) exportLog(ctx context.Context, e *exporter, who crm.Who, id string) error {
	e.list("log")
	err := a.ReadModuleLog(ctx, who, id, crm.Query{}, func(l crm.ModuleLogLine) error {
		e.item(map[string]any{"at": l.At.Format(time.RFC3339Nano), "level": l.Level, "text": l.Text, "request_id": l.RequestID})
		return e.err
	})
	e.end()
	return errors.Join(err, e.err)
}

// exporter writes a JSON object piece by piece. It keeps the first error and writes nothing after.
type exporter struct {
	w     *bufio.Writer
	err   error
	any   bool // the object has a field already
	items int  // of the list being written
}

func (e *exporter) text(s string) {
	if e.err == nil {
		_, e.err = e.w.WriteString(s)
	}
}

func (e *exporter) json(value any) {
	text, err := json.Marshal(value)
	if err != nil {
		e.err = errors.Join(e.err, err)
	}
	e.text(string(text))
}

func (e *exporter) key(name string) {
	if e.any {
		e.text(",\n ")
	} else {
		e.text("{")
	}
	e.any = true
	e.json(name)
	e.text(": ")
}

func (e *exporter) field(name string, value any) {
	e.key(name)
	e.json(value)
}

func (e *exporter) list(name string) {
	e.key(name)
	e.text("[")
	e.items = 0
}

func (e *exporter) item(value any) {
	if e.items++; e.items > 1 {
		e.text(",")
	}
	e.text("\n  ")
	e.json(value)
}

func (e *exporter) end() { e.text("]") }

// close ends the object, unless something went wrong: what is cut off must not read like a whole one.
func (e *exporter) close(err error) error {
	if e.err = errors.Join(e.err, err); e.err == nil {
		e.text("}\n")
	}
	if e.err == nil {
		e.err = e.w.Flush()
	}
	return e.err
}
