package web

import (
	"errors"
	"mime/multipart"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
)

// modulesView is Setup, Modules: the upload box and the list.
type modulesView struct {
	*Page
	Rows      []moduleRow
	Blocked   string
	MaxUpload int64
	MaxText   string
	Error     string
	Review    *reviewView
}

// moduleRow is one installed module as its row says it.
type moduleRow struct {
	module.Row
	StateText string
	Tone      string
	Failure   string
	Why       string // why it can't be activated
	Links     []actionLink
	Active    bool // activated: it may be deactivated, and not uninstalled
	Base      string
}

func (v *visit) moduleList() error { return v.showModules(nil) }

func (v *visit) showModules(cause error) error {
	rows, err := v.modules.Modules(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	p := v.newPage(v.text("nav_modules"))
	view := modulesView{Page: p, Blocked: p.Blocked("sensitive"), MaxUpload: v.maxUpload, MaxText: bytesText(v.maxUpload)}
	for _, row := range rows {
		view.Rows = append(view.Rows, v.moduleRow(row))
	}
	status := 200
	if cause != nil {
		view.Error, status = v.sentence(cause), statusOf(cause)
	}
	return v.render(status, "modules", view)
}

func (v *visit) moduleRow(row module.Row) moduleRow {
	r := moduleRow{Row: row, StateText: v.text("module_" + string(row.State)), Active: row.Activated, Base: v.path("/admin/modules/" + row.ID)}
	switch string(row.State) {
	case "active":
		r.Tone = "green"
	case "failed":
		r.Tone = "red"
	case "starting", "restarting":
		r.Tone = "yellow"
	default:
		r.Tone = "secondary"
	}
	if row.Problem != nil {
		r.Failure = v.sentence(row.Problem)
	}
	if row.WhyNot != nil {
		r.Why = v.sentence(row.WhyNot)
	}
	for _, link := range v.modules.Surface().ActionLinks(row.ID, v.viewer(v.moduleLanguage())) {
		r.Links = append(r.Links, actionLink{Label: link.Label, Href: v.path(link.Href)})
	}
	return r
}

// reviewView is what an administrator reads before installing.
type reviewView struct {
	*Page
	Review    module.Review
	Base      string
	SizeText  string
	ChangeTxt string
	Grants    []reviewGrant
	Problems  []string
	Button    string
	Blocked   string
}

type reviewGrant struct {
	Meaning string
	Why     string
	New     bool
}

// uploadModule takes the package and shows its review. A script asks for the review alone and puts
// it in place; without one the review is a page of its own.
func (v *visit) uploadModule() error {
	file, header, err := v.uploadedFile()
	if err != nil {
		return v.uploadFailed(err)
	}
	defer file.Close()
	review, err := v.modules.Upload(v.r.Context(), v.who, header.Filename, file)
	if err != nil {
		return v.uploadFailed(err)
	}
	if v.wantsFragment() {
		return v.showReview(review)
	}
	v.redirect("/admin/uploads/" + review.StagedID)
	return nil
}

// uploadFailed says in place what is wrong with the package.
func (v *visit) uploadFailed(err error) error {
	switch crm.KindOf(err) {
	case crm.Invalid, crm.TooLarge, crm.Conflict:
		if !v.wantsFragment() {
			return v.showModules(err)
		}
	}
	return err
}

func (v *visit) uploadedFile() (multipart.File, *multipart.FileHeader, error) {
	file, header, err := v.r.FormFile("package")
	if err != nil {
		return nil, nil, &crm.Error{Kind: crm.Invalid, Key: "module_no_file", Err: err}
	}
	if header.Size > v.maxUpload {
		return nil, nil, errors.Join(file.Close(), crm.Refuse(crm.TooLarge, "module_too_big", "Size", bytesText(header.Size), "Max", bytesText(v.maxUpload)))
	}
	return file, header, nil
}

func (v *visit) reviewModule() error {
	review, err := v.modules.Review(v.r.Context(), v.who, v.r.PathValue("staged"))
	if err != nil {
		return err
	}
	return v.showReview(review)
}

// reviewInnerModule goes on with the package that was found inside the uploaded one.
func (v *visit) reviewInnerModule() error {
	review, err := v.modules.ReviewInner(v.r.Context(), v.who, v.r.PathValue("staged"), v.value("name"))
	if err != nil {
		return v.uploadFailed(err)
	}
	v.redirect("/admin/uploads/" + review.StagedID)
	return nil
}

func (v *visit) showReview(r module.Review) error {
	p := v.newPage(v.text("title_review", "Name", r.Manifest.Name))
	view := reviewView{
		Page: p, Review: r, Base: v.path("/admin/uploads/" + r.StagedID), SizeText: bytesText(r.Size),
		Button: v.text("install"), Blocked: p.Blocked("sensitive"),
	}
	if len(r.Inner) > 0 {
		p.Title = v.text("title_review", "Name", r.Filename)
		return v.show("review", view)
	}
	view.ChangeTxt = v.text("change_"+r.Change, "New", r.Manifest.Version, "Old", r.InstalledVersion)
	if r.Change == "reinstall" {
		view.Button = v.text("reinstall")
	}
	for _, g := range r.Grants {
		grant := reviewGrant{Meaning: v.grantMeaning(g), Why: g.Why, New: g.New && r.Change != "new"}
		view.Grants = append(view.Grants, grant)
	}
	for i := range r.Problems {
		view.Problems = append(view.Problems, v.sentence(&r.Problems[i]))
	}
	return v.show("review", view)
}

// grantMeaning says what a grant allows, by its name where the host has no words for it.
func (v *visit) grantMeaning(g module.ReviewGrant) string {
	key := "grant_" + strings.ReplaceAll(g.Name, ".", "_")
	if v.languages.has(key) {
		return v.text(key)
	}
	return g.Name
}

func (v *visit) installModule() error {
	m, err := v.modules.Install(v.r.Context(), v.who, v.r.PathValue("staged"))
	if err != nil {
		return v.uploadFailed(err)
	}
	return v.done("/admin/modules", "flash_installed", "Name", v.modules.Surface().Name(m.ID), "Version", m.Version)
}

func (v *visit) dropReview() error {
	if err := v.modules.DropReview(v.r.Context(), v.who, v.r.PathValue("staged")); err != nil {
		return err
	}
	v.redirect("/admin/modules")
	return nil
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

// uninstallView asks what becomes of a module's data.
type uninstallView struct {
	*Page
	Name   string
	Action string
	Back   string
	Owns   []string
	Error  string
	Typed  string
	Delete bool
	Block  string
}

func (v *visit) askUninstallModule() error { return v.showUninstall(nil) }

func (v *visit) showUninstall(cause error) error {
	id := v.r.PathValue("module")
	owns, err := v.modules.Belongings(v.r.Context(), v.who, id)
	if err != nil {
		return err
	}
	name := v.modules.Surface().Name(id)
	p := v.newPage(v.text("title_uninstall", "Name", name))
	view := uninstallView{Page: p, Name: name, Action: v.path(v.r.URL.Path), Back: v.path("/admin/modules"), Owns: v.belongings(owns), Block: p.Blocked("sensitive")}
	status := 200
	if cause != nil {
		view.Error, view.Typed, view.Delete, status = v.sentence(cause), v.value("name"), v.value("data") == "delete", statusOf(cause)
	}
	return v.render(status, "uninstall", view)
}

func (v *visit) belongings(b app.Belongings) []string {
	var lines []string
	for _, part := range []struct {
		key   string
		count int64
	}{
		{"owns_settings", b.Settings}, {"owns_values", b.Values}, {"owns_languages", b.Languages}, {"owns_log", b.LogLines}, {"owns_capabilities", b.Capabilities},
	} {
		if part.count > 0 {
			lines = append(lines, v.text(part.key, "Count", part.count))
		}
	}
	return lines
}

func (v *visit) uninstallModule() error {
	id := v.r.PathValue("module")
	name := v.modules.Surface().Name(id)
	err := v.modules.Uninstall(v.r.Context(), v.who, id, v.value("data") == "delete", v.value("name"))
	if kind := crm.KindOf(err); err != nil && (kind == crm.Invalid || kind == crm.Conflict) {
		return v.showUninstall(err)
	}
	if err != nil {
		return err
	}
	return v.done("/admin/modules", "flash_uninstalled", "Name", name)
}

// moduleLogView is what a module wrote, and what the host wrote about it.
type moduleLogView struct {
	*Page
	Name string
	List *list
	Rows []crm.ModuleLogLine
}

func (v *visit) moduleLog() error {
	id := v.r.PathValue("module")
	found, err := v.modules.Log(v.r.Context(), v.who, id, v.query("level"))
	if err != nil {
		return err
	}
	name := v.modules.Surface().Name(id)
	p := v.newPage(v.text("title_module_log", "Name", name))
	level := field{Name: "level", Kind: "select", Label: v.text("filter_level"), Choices: []choice{{"", v.text("filter_all")}}}
	for _, each := range []string{"debug", "info", "warn", "error"} {
		level.Choices = append(level.Choices, choice{each, v.text("level_" + each)})
	}
	l := p.newList(v.text("search_log"), found.Next, len(found.Rows), level).emptyText("empty_module_log")
	return v.show("module_log", moduleLogView{Page: p, Name: name, List: l, Rows: found.Rows})
}
