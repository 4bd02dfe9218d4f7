package web

import (
	"errors"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
)

// reviewView is what an administrator reads before installing.
type reviewView struct {
	*Page
	Review    module.Review
	Base      string
	SizeText  string
	ChangeTxt string
	Grants    []reviewGrant
	Problems  []string
	Warnings  []string
	Button    string
	Blocked   string
	Password  *field // the administrator's own, asked for unless it was given a moment ago
	Status    int
}

// reviewGrant is something a module asks for, in words.
type reviewGrant struct {
	Name    string
	Meaning string
	Why     string
	Note    string // "New", or that it was withdrawn
	On      bool   // the module has it now
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
		return v.showReview(review, nil)
	}
	v.redirect("/admin/uploads/" + review.StagedID)
	return nil
}

// uploadFailed says in place what is wrong with the package.
func (v *visit) uploadFailed(err error) error {
	switch crm.KindOf(err) {
	case crm.Invalid, crm.TooLarge, crm.Conflict, crm.Denied, crm.Unavailable:
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
		err := crm.Refuse(crm.TooLarge, "module_too_big", "Size", bytesText(header.Size), "Max", bytesText(v.maxUpload))
		return nil, nil, errors.Join(file.Close(), v.modules.RefuseUpload(v.r.Context(), v.who, header.Filename, nil, err))
	}
	return file, header, nil
}

func (v *visit) reviewModule() error {
	review, err := v.modules.Review(v.r.Context(), v.who, v.r.PathValue("staged"))
	if err != nil {
		return err
	}
	return v.showReview(review, nil)
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

// showReview draws the review; cause is why the last try to install came to nothing.
func (v *visit) showReview(r module.Review, cause error) error {
	p := v.newPage(v.text("title_review", "Name", r.Manifest.Name))
	view := reviewView{
		Page: p, Review: r, Base: v.path("/admin/uploads/" + r.StagedID), SizeText: bytesText(r.Size), Status: http.StatusOK,
		Button: v.text("install"), Blocked: p.Blocked("sensitive"),
	}
	view.Password = v.passwordField()
	if len(r.Inner) > 0 {
		p.Title = v.text("title_review", "Name", r.Filename)
		return v.show("review", view)
	}
	if cause != nil {
		view.Status = statusOf(cause)
		if view.Password != nil && aboutPassword(cause) {
			view.Password.Error = v.sentence(cause)
		}
	}
	view.ChangeTxt = v.text("change_"+r.Change, "New", r.Manifest.Version, "Old", r.InstalledVersion)
	if r.Change == "reinstall" || r.Change == "downgrade" {
		view.Button = v.text(r.Change)
	}
	for _, g := range r.Grants {
		view.Grants = append(view.Grants, v.reviewGrant(g, r.Change != "new"))
	}
	view.Warnings = v.reviewWarnings(r)
	if cause != nil && !aboutPassword(cause) {
		view.Warnings = append([]string{v.sentence(cause)}, view.Warnings...)
	}
	for i := range r.Problems {
		view.Problems = append(view.Problems, v.sentence(&r.Problems[i]))
	}
	return v.render(view.Status, "review", view)
}

// reviewWarnings are what should make an administrator pause.
func (v *visit) reviewWarnings(r module.Review) []string {
	var lines []string
	for i := range r.Warnings {
		lines = append(lines, v.sentence(&r.Warnings[i]))
	}
	if r.SignerChanged {
		lines = append(lines, v.text("signer_changed", "Name", r.InstalledSigner.Name))
	}
	if r.Change == "downgrade" {
		lines = append(lines, v.text("downgrade_warning"))
	}
	fresh := false
	for _, g := range r.Grants {
		fresh = fresh || g.New
	}
	if fresh && r.Change != "new" {
		lines = append(lines, v.text("waits_for_grants"))
	}
	return lines
}

func (v *visit) reviewGrant(g module.ReviewGrant, installed bool) reviewGrant {
	grant := reviewGrant{Name: g.Name, Meaning: v.grantMeaning(g), Why: g.Why, On: !g.New && !g.Withdrawn}
	switch {
	case g.Withdrawn:
		grant.Note = v.text("grant_withdrawn")
	case g.New && installed:
		grant.Note = v.text("grant_new")
	}
	return grant
}

// grantMeaning says what a grant allows, by its name where the host has no words for it.
func (v *visit) grantMeaning(g module.ReviewGrant) string {
	key := "grant_" + strings.ReplaceAll(g.Name, ".", "_")
	if v.languages.has(key) {
		return v.text(key)
	}
	return g.Name
}

// installModule asks for the administrator's own password first, unless it was given a moment ago: a
// module is code that will run here. What was an upgrade on the page that was read is a downgrade when
// somebody else has installed a newer version since: then the review is shown anew.
func (v *visit) installModule() error {
	ctx, staged := v.r.Context(), v.r.PathValue("staged")
	if now, err := v.modules.Review(ctx, v.who, staged); err == nil && now.InstalledVersion != v.value("over") {
		return v.showReview(now, crm.Refuse(crm.Conflict, "module_changed_meanwhile", "Module", now.Manifest.Name))
	}
	err := v.modules.ConfirmInstall(ctx, v.who, staged, v.value("password"))
	var m crm.Module
	if err == nil {
		m, err = v.modules.Install(ctx, v.who, staged)
	}
	if aboutPassword(err) {
		review, missing := v.modules.Review(ctx, v.who, staged)
		if missing != nil {
			return missing
		}
		return v.showReview(review, err)
	}
	if err != nil {
		return v.uploadFailed(err)
	}
	flash := "flash_installed"
	if m.Waiting {
		flash = "flash_module_waiting"
	}
	return v.done("/admin/modules", flash, "Name", v.modules.Surface().Name(m.ID), "Version", m.Version)
}

func (v *visit) dropReview() error {
	if err := v.modules.DropReview(v.r.Context(), v.who, v.r.PathValue("staged")); err != nil {
		return err
	}
	v.redirect("/admin/modules")
	return nil
}
