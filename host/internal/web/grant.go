package web

import (
	"slices"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
)

// waitingView is an upgrade that waits until somebody accepts what it newly asks for.
type waitingView struct {
	Text   string
	Signer string
	Grants []reviewGrant
}

func (v *visit) waiting(w *module.WaitingVersion) *waitingView {
	if w == nil {
		return nil
	}
	view := &waitingView{Text: v.text("version_waits", "Version", w.Version), Signer: v.signerText(w.Signer)}
	for _, g := range w.Grants {
		view.Grants = append(view.Grants, v.reviewGrant(g, true))
	}
	return view
}

func (v *visit) acceptGrants() error {
	id := v.r.PathValue("module")
	err := v.modules.ConfirmAccept(v.r.Context(), v.who, id, v.value("password"))
	var m crm.Module
	if err == nil {
		m, err = v.modules.AcceptGrants(v.r.Context(), v.who, id)
	}
	if aboutPassword(err) {
		return v.askToAccept(id, err)
	}
	if err != nil {
		return v.moduleChanged(err, "", id)
	}
	return v.done("/admin/modules", "flash_installed", "Name", v.modules.Surface().Name(id), "Version", m.Version)
}

// askToAccept says once more what is accepted, and asks for the own password.
func (v *visit) askToAccept(id string, cause error) error {
	rows, err := v.modules.Modules(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(rows, func(r module.Row) bool { return r.ID == id })
	if i < 0 || rows[i].Waiting == nil {
		return crm.Refuse(crm.NotFound, "module_nothing_waiting")
	}
	w := v.waiting(rows[i].Waiting)
	lines := []string{w.Text, w.Signer}
	for _, g := range w.Grants {
		lines = append(lines, g.Meaning)
	}
	return v.confirmByPassword(cause, v.text("title_accept", "Name", rows[i].Name), v.text("accept_upgrade"), "/admin/modules", lines...)
}

func (v *visit) dropWaiting() error {
	id := v.r.PathValue("module")
	return v.moduleChanged(v.modules.DropWaiting(v.r.Context(), v.who, id), "flash_waiting_dropped", id)
}

// grantsView is what a module may ask of the host, each to be given or taken back.
type grantsView struct {
	*Page
	Lead   string
	Grants []reviewGrant
	Form   *form
}

func (v *visit) moduleGrants() error { return v.showGrants(nil) }

func (v *visit) showGrants(cause error) error {
	id := v.r.PathValue("module")
	grants, err := v.modules.Grants(v.r.Context(), v.who, id)
	if err != nil {
		return err
	}
	m, err := v.app.Module(v.r.Context(), id)
	if err != nil {
		return err
	}
	p := v.newPage(v.text("title_grants", "Name", v.modules.Surface().Name(id)))
	f := p.newForm("/admin/modules/"+id+"/grants", "sensitive", v.text("save"))
	f.Back = v.path("/admin/modules/keys")
	view := grantsView{Page: p, Lead: v.text("grants_lead"), Form: f}
	if !m.Activated {
		f.Blocked = v.text("grants_given_on_activation")
	}
	for _, g := range grants {
		view.Grants = append(view.Grants, v.reviewGrant(g, m.Activated))
	}
	if cause != nil {
		if err := f.refuse(cause); err != nil {
			return err
		}
		chosen := v.r.PostForm["grant"]
		for i := range view.Grants {
			view.Grants[i].On = slices.Contains(chosen, view.Grants[i].Name)
		}
	}
	return v.render(f.Status, "grants", view)
}

func (v *visit) saveGrants() error {
	id := v.r.PathValue("module")
	err := v.modules.SetGrants(v.r.Context(), v.who, id, v.r.PostForm["grant"])
	switch crm.KindOf(err) {
	case crm.Invalid, crm.Conflict:
		if err != nil {
			return v.showGrants(err)
		}
	}
	if err != nil {
		return v.moduleChanged(err, "", id)
	}
	return v.done("/admin/modules/"+id+"/grants", "flash_grants_saved", "Name", v.modules.Surface().Name(id))
}
