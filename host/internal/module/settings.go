package module

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"github.com/understudy-crm/understudy/host/internal/crm"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// SettingsValues are a running module's settings, every declared one, defaults filled in; of a
// module that doesn't run, those that were saved.
func (m *Manager) SettingsValues(ctx context.Context, module string) map[string]string {
	if s := m.Surface().module(module); s != nil {
		return maps.Clone(s.settings)
	}
	saved, err := m.app.ModuleSettings(ctx, module)
	if err != nil {
		m.log.Error("read a module's settings", "module", module, "error", err)
		return map[string]string{}
	}
	return saved
}

// SaveSettings changes settings of a running module: those in values; the others stay. Each must
// be declared and of its kind (Invalid module_setting_invalid with Key, Label and Rule), and the
// module may refuse (Invalid, a sentence of the module's, with Key and Label). The module is told
// after they are saved; that it doesn't answer then changes nothing.
func (m *Manager) SaveSettings(ctx context.Context, who crm.Who, module string, values map[string]string) error {
	if err := checkSettingRights(who); err != nil {
		return err
	}
	r, err := m.active(module)
	if err != nil {
		return err
	}
	all := maps.Clone(*r.values.Load())
	if err := m.checkSettings(r, values); err != nil {
		return err
	}
	maps.Copy(all, values)
	if err := r.validate(ctx, all); err != nil {
		return err
	}
	if err := m.app.SaveModuleSettings(ctx, who, module, values); err != nil {
		return err
	}
	changed, err := m.refreshSettings(ctx, r)
	if err != nil {
		r.log.host.Error("read the module's settings", "error", err) // they are saved; the loop reads them again
	}
	if changed {
		m.recompile()
	}
	return nil
}

// checkSettingRights keeps a module from being asked for somebody whom the app would refuse anyway.
func checkSettingRights(who crm.Who) error {
	if err := crm.CheckClass(who, crm.SensitiveRoute); err != nil {
		return err
	}
	if !who.Can(crm.SettingsEdit) {
		return crm.Refuse(crm.Denied, "not_permitted", "Capability", string(crm.SettingsEdit))
	}
	return nil
}

func (m *Manager) checkSettings(r *running, values map[string]string) error {
	added, t := r.added.Load(), r.texts.Load()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		f, ok := added.field(key)
		if !ok {
			return crm.Refuse(crm.Invalid, "module_setting_unknown", "Key", printable(key))
		}
		if err := f.check(values[key]); err != nil {
			e := crm.Refuse(crm.Invalid, "module_setting_"+f.kind, "Key", key, "Label", t.text(english, f.label, nil), "Min", f.min, "Max", f.max)
			e.Err = err
			return e
		}
	}
	return nil
}

func (c *contributions) field(key string) (settingField, bool) {
	if c.settings == nil {
		return settingField{}, false
	}
	i := slices.IndexFunc(c.settings.fields, func(f settingField) bool { return f.key == key })
	if i < 0 {
		return settingField{}, false
	}
	return c.settings.fields[i], true
}

// validate asks the module whether the settings may be saved so.
func (r *running) validate(ctx context.Context, values map[string]string) error {
	if !r.validates {
		return nil
	}
	var refusals map[string]string
	err := r.gate.call(ctx, callValidateSettings, r.timing.hook, func(ctx context.Context) error {
		answer, err := r.settings.Validate(ctx, &modulev1.ValidateRequest{Settings: values})
		refusals = answer.GetRefusals()
		return err
	})
	if err != nil || len(refusals) == 0 {
		return err
	}
	key := slices.Sorted(maps.Keys(refusals))[0]
	e := &crm.Error{Kind: crm.Invalid, Key: refusals[key], Module: r.manifest.ID, Args: map[string]any{"Key": printable(key)}}
	if !r.texts.Load().has(e.Key) {
		e.Key, e.Module, e.Args["Module"] = "module_setting_refused", "", r.manifest.Name
	}
	return e
}

// refreshSettings takes over what is saved, whoever saved it, and tells the module. It reports
// whether anything changed.
func (m *Manager) refreshSettings(ctx context.Context, r *running) (bool, error) {
	for {
		old := r.values.Load() // before they are read: who reads later must not be overtaken by who read before
		saved, err := m.app.ModuleSettings(ctx, r.manifest.ID)
		if err != nil {
			return false, err
		}
		filled := r.added.Load().fill(saved)
		if maps.Equal(*old, filled) {
			return false, nil
		}
		if r.values.CompareAndSwap(old, &filled) {
			m.work.Go(func() { r.tellSettings(filled) })
			return true, nil
		}
	}
}

// tellSettings gives the fact to the module. One that doesn't take it is logged, not ended.
func (r *running) tellSettings(values map[string]string) {
	err := r.gate.call(r.manager.background(), callSettingsChanged, r.timing.lifecycle, func(ctx context.Context) error {
		_, err := r.settings.Changed(ctx, &modulev1.ChangedRequest{Settings: values})
		return err
	})
	if err != nil {
		r.log.say(slog.LevelWarn, "it was not told of its changed settings: %v", err)
	}
}

// background is the context for what nobody waits for.
func (m *Manager) background() context.Context {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running == nil {
		return context.Background()
	}
	return m.running
}
