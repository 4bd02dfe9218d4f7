package web

import (
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
)

// versionView is a version a module had before, and the button that goes to it.
type versionView struct {
	module.Version
	Button       string
	Signature    string
	Warning      string
	Gains, Loses []reviewGrant
	Why          string // why one can't go to it
}

// versionsView lists the versions a module had before.
type versionsView struct {
	*Page
	Lead     string
	Versions []versionView
	Others   string // where the rest is listed, when only the one asked for is
	Form     *form
}

func (v *visit) moduleVersions() error { return v.showVersions("", nil) }

// showVersions lists what one can go to: all, or the one that was asked for and could not be had.
func (v *visit) showVersions(only string, cause error) error {
	ctx, id := v.r.Context(), v.r.PathValue("module")
	versions, err := v.modules.Versions(ctx, v.who, id)
	if err != nil {
		return err
	}
	m, err := v.app.Module(ctx, id)
	if err != nil {
		return err
	}
	p := v.newPage(v.text("title_versions", "Name", v.modules.Surface().Name(id)))
	f := p.newForm("/admin/modules/"+id+"/rollback", "sensitive", "")
	if password := v.passwordField(); password != nil {
		f.Fields = append(f.Fields, *password)
	}
	if cause != nil {
		f.Status = statusOf(cause)
		for i := range f.Fields {
			f.Fields[i].Error = v.sentence(cause)
		}
	}
	view := versionsView{Page: p, Lead: v.text("versions_lead", "Version", m.Version), Form: f}
	for _, version := range versions {
		if only == "" || version.SHA256 == only {
			view.Versions = append(view.Versions, v.keptVersion(version))
		}
	}
	if len(view.Versions) < len(versions) {
		view.Others = p.Path("/admin/modules/" + id + "/versions")
	}
	return v.render(f.Status, "versions", view)
}

func (v *visit) keptVersion(version module.Version) versionView {
	view := versionView{Version: version, Button: v.goTo(version), Signature: v.signerText(version.Signer)}
	if version.SignerRevoked {
		view.Signature = v.text("signer_revoked", "Name", version.Signer.Name, "KeyID", version.Signer.KeyID)
	}
	if version.Change == "downgrade" {
		view.Warning = v.text("downgrade_warning")
	}
	for _, g := range version.Gains {
		view.Gains = append(view.Gains, v.reviewGrant(g, false))
	}
	for _, g := range version.Loses {
		view.Loses = append(view.Loses, v.reviewGrant(g, false))
	}
	if version.WhyNot != nil {
		view.Why = v.sentence(version.WhyNot)
	}
	return view
}

// goTo is what the button says that goes to a version.
func (v *visit) goTo(version module.Version) string {
	switch version.Change {
	case "downgrade":
		return v.text("go_back", "Version", version.KeptVersion.Version)
	case "reinstall":
		return v.text("go_aside", "Version", version.KeptVersion.Version)
	}
	return v.text("go_forward", "Version", version.KeptVersion.Version)
}

// offer is a module's newest version before, one click away.
type offer struct {
	*Page
	ID, Action, SHA256, Button string
	Text                       string // what happened that it is offered for, empty when the row says so itself
	Blocked                    string // why nobody may, while switched
	Why                        string // why this one can't be had
	Look                       string // where to look first, when it would be given more than the installed one has
}

// offer is made while something is wrong with the installed version, and for a while after it crashed
// soon after it took over.
func (v *visit) offer(row module.Row, p *Page) *offer {
	if row.Before == nil || (row.Problem == nil && !row.CrashedEarly) {
		return nil
	}
	o := &offer{
		Page: p, ID: "why-before-" + row.ID, Action: p.Path("/admin/modules/" + row.ID + "/rollback"), SHA256: row.Before.SHA256,
		Button: v.goTo(*row.Before), Blocked: p.Blocked("sensitive"),
	}
	if row.Before.WhyNot != nil {
		o.Why = v.sentence(row.Before.WhyNot)
	}
	if len(row.Before.Gains) > 0 {
		o.Look = p.Path("/admin/modules/" + row.ID + "/versions")
	}
	if row.CrashedEarly {
		o.Text = v.text("crashed_early", "Version", row.Version, "Before", row.Before.KeptVersion.Version)
	}
	return o
}

// rollBackModule goes to a version the module had before. It asks for the administrator's own password
// first, unless it was given a moment ago, as an installation does.
func (v *visit) rollBackModule() error {
	ctx, id, sha256 := v.r.Context(), v.r.PathValue("module"), v.value("sha256")
	if sha256 == "" {
		return crm.Refuse(crm.NotFound, "module_version_not_kept")
	}
	err := v.modules.ConfirmRollBack(ctx, v.who, id, sha256, v.value("password"))
	var m crm.Module
	if err == nil {
		m, err = v.modules.RollBack(ctx, v.who, id, sha256)
	}
	if aboutPassword(err) {
		return v.showVersions(sha256, err)
	}
	if err != nil {
		return v.moduleChanged(err, "", id)
	}
	return v.done("/admin/modules", "flash_rolled_back", "Name", v.modules.Surface().Name(id), "Version", m.Version)
}
