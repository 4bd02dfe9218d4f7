package web

import (
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
)

// uninstallView asks what becomes of a module's data, and offers it as a file.
type uninstallView struct {
	*Page
	Name  string
	Base  string
	Back  string
	Owns  []string
	Block string // why nothing can be deleted or exported
	Fixed string // why nothing can be deleted

	Error      string // about uninstalling
	Typed      string
	Delete     bool
	ResetError string
	ResetTyped string
}

func (v *visit) askUninstallModule() error { return v.showUninstall(nil, false) }

// showUninstall draws the page; cause is why the last try to uninstall, or to reset, came to nothing.
func (v *visit) showUninstall(cause error, reset bool) error {
	id := v.r.PathValue("module")
	owns, err := v.modules.Belongings(v.r.Context(), v.who, id)
	if err != nil {
		return err
	}
	name := v.modules.Surface().Name(id)
	p := v.newPage(v.text("title_uninstall", "Name", name))
	view := uninstallView{
		Page: p, Name: name, Base: v.path("/admin/modules/" + id), Back: v.path("/admin/modules"), Owns: v.belongings(owns), Block: p.Blocked("sensitive"),
	}
	if owns.Activated {
		view.Fixed = v.sentence(crm.Refuse(crm.Conflict, "module_still_active", "Module", name))
	}
	status := 200
	switch {
	case cause == nil:
	case reset:
		view.ResetError, view.ResetTyped, status = v.sentence(cause), v.value("name"), statusOf(cause)
	default:
		view.Error, view.Typed, view.Delete, status = v.sentence(cause), v.value("name"), v.value("data") == "delete", statusOf(cause)
	}
	return v.render(status, "uninstall", view)
}

func (v *visit) belongings(b module.Belongings) []string {
	var lines []string
	for _, part := range []struct {
		key   string
		count int64
	}{
		{"owns_settings", b.Settings},
		{"owns_values", b.Values},
		{"owns_languages", b.Languages},
		{"owns_dropped", int64(b.Dropped)},
		{"owns_log", b.LogLines},
		{"owns_roles", b.Roles},
		{"owns_staff", b.Staff},
		{"owns_contacts", b.Contacts},
		{"owns_waiting", b.Waiting},
		{"owns_versions", b.Versions},
	} {
		if part.count > 0 {
			lines = append(lines, v.text(part.key, "Count", part.count, "Size", bytesText(b.ValueBytes)))
		}
	}
	return lines
}

func (v *visit) uninstallModule() error {
	id := v.r.PathValue("module")
	name := v.modules.Surface().Name(id)
	err := v.modules.Uninstall(v.r.Context(), v.who, id, v.value("data") == "delete", v.value("name"))
	if kind := crm.KindOf(err); err != nil && (kind == crm.Invalid || kind == crm.Conflict) {
		return v.showUninstall(err, false)
	}
	if err != nil {
		return err
	}
	return v.done("/admin/modules", "flash_uninstalled", "Name", name)
}

// resetModule deletes what a module keeps; the module stays.
func (v *visit) resetModule() error {
	id := v.r.PathValue("module")
	err := v.modules.ResetData(v.r.Context(), v.who, id, v.value("name"))
	if kind := crm.KindOf(err); err != nil && (kind == crm.Invalid || kind == crm.Conflict) {
		return v.showUninstall(err, true)
	}
	if err != nil {
		return err
	}
	return v.done("/admin/modules", "flash_module_reset", "Name", v.modules.Surface().Name(id))
}

// exportModule sends what a module keeps as a file. It is a POST: that it was asked for is recorded.
func (v *visit) exportModule() error {
	id := v.r.PathValue("module")
	file := &attachment{visit: v, name: id + "-data-" + v.app.Now().Format(time.DateOnly) + ".json", kind: "application/json"}
	return file.end(v.modules.Export(v.r.Context(), v.who, id, file))
}
