package web

import (
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
)

// modulesView is Setup, Modules: the upload box and the list.
type modulesView struct {
	*Page
	Rows      []moduleRow
	Blocked   string
	NoUpload  string // why nobody may upload here, empty where one may
	MaxUpload int64
	MaxText   string
	Error     string
	Safe      string // why no module is started, empty in ordinary times
}

// moduleRow is one installed module as its row says it.
type moduleRow struct {
	module.Row
	StateText string
	HeldTo    string // what its process is held to, empty while none runs
	Tone      string
	Failure   string
	Why       string // why it can't be activated
	Links     []actionLink
	Active    bool // activated: it may be deactivated, and not uninstalled
	Base      string
	Signature string        // who signed it
	Waiting   *waitingView  // an upgrade that asks for more, nil when there is none
	Offer     *offer        // a version before to go back to, nil when all is well
	On        []replicaView // how it does on each replica, where there are several
	Uneven    bool          // not on all of them as on this one
	FailedOn  bool          // given up on one of them at least
}

func (v *visit) moduleList() error { return v.showModules(nil) }

func (v *visit) showModules(cause error) error {
	rows, err := v.modules.Modules(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	p := v.newPage(v.text("nav_modules"))
	view := modulesView{Page: p, Blocked: p.Blocked("sensitive"), MaxUpload: v.maxUpload, MaxText: bytesText(v.maxUpload)}
	if err := v.modules.MayUpload(); err != nil {
		view.NoUpload = v.sentence(err)
	}
	if s := v.modules.SafeMode(); s != nil {
		view.Safe = v.safeMode(*s)
	}
	for _, row := range rows {
		view.Rows = append(view.Rows, v.moduleRow(row, p))
	}
	if names := withheldOn(rows); view.Safe == "" && len(names) > 0 {
		view.Safe = v.text("safe_mode_elsewhere", "Names", strings.Join(names, ", "))
	}
	status := 200
	if cause != nil {
		view.Error, status = v.sentence(cause), statusOf(cause)
	}
	return v.render(status, "modules", view)
}

func (v *visit) moduleRow(row module.Row, p *Page) moduleRow {
	r := moduleRow{Row: row, StateText: v.text("module_" + string(row.State)), Active: row.Activated, Base: v.path("/admin/modules/" + row.ID)}
	if row.Sandbox != nil {
		r.HeldTo = v.text("module_held_to", "What", v.protections(*row.Sandbox))
	}
	r.Tone = tone(row.State)
	if row.Problem != nil {
		r.Failure = v.sentence(row.Problem)
	}
	if row.WhyNot != nil {
		r.Why = v.sentence(row.WhyNot)
	}
	v.addReplicas(&r)
	r.Signature, r.Waiting, r.Offer = v.signature(row), v.waiting(row.Waiting), v.offer(row, p)
	for _, link := range v.modules.Surface().ActionLinks(row.ID, v.viewer(v.moduleLanguage())) {
		r.Links = append(r.Links, actionLink{Label: link.Label, Href: v.path(link.Href)})
	}
	return r
}

// safeMode says in words why no module is started, and what to do about it.
func (v *visit) safeMode(s module.SafeMode) string {
	switch {
	case s.Asked:
		return v.text("safe_mode_asked")
	case s.Caught:
		return v.text("safe_mode_caught", "Count", s.Starts, "Name", s.Suspect)
	}
	return v.text("safe_mode_guess", "Count", s.Starts, "Name", s.Suspect)
}

func (v *visit) leaveSafeMode() error {
	if err := v.modules.LeaveSafeMode(v.r.Context(), v.who); err != nil && crm.KindOf(err) != crm.Conflict {
		return err
	}
	return v.done("/admin/modules", "flash_safe_mode_left")
}

func (v *visit) activateModule() error {
	id := v.r.PathValue("module")
	return v.moduleChanged(v.modules.Activate(v.r.Context(), v.who, id), "flash_module_activated", id)
}

func (v *visit) deactivateModule() error {
	id := v.r.PathValue("module")
	return v.moduleChanged(v.modules.Deactivate(v.r.Context(), v.who, id), "flash_module_deactivated", id)
}

func (v *visit) retryModule() error {
	id := v.r.PathValue("module")
	return v.moduleChanged(v.modules.Retry(v.r.Context(), v.who, id), "flash_module_retried", id)
}

// moduleChanged goes back to the list; what failed is said there, above the row that has the rest.
func (v *visit) moduleChanged(err error, flash, id string) error {
	switch crm.KindOf(err) {
	case crm.Invalid, crm.Conflict, crm.Unavailable:
		if err != nil {
			return v.showModules(err)
		}
	}
	if err != nil {
		return err
	}
	return v.done("/admin/modules", flash, "Name", v.modules.Surface().Name(id))
}

// protections lists in words what a module's process is held to.
func (v *visit) protections(level module.Level) string {
	names := level.Names()
	if len(names) == 0 {
		return v.text("sandbox_none")
	}
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = v.text("sandbox_" + name)
	}
	return strings.Join(words, ", ")
}
