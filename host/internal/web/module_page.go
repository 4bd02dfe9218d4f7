package web

import (
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
)

// modulePageView is a module's fragment inside the layout.
type modulePageView struct {
	*Page
	Words    string // the language the fragment is in
	WordsDir string
	Fragment template.HTML
}

// declaredPage is what the module declared about the address, NotFound when it declared nothing and
// Denied when it isn't for this person. The module itself is not asked.
func (v *visit) declaredPage() (module.Page, error) {
	page, ok := v.modules.Surface().Page(v.r.PathValue("module"), v.route.area, "/"+v.r.PathValue("path"))
	if !ok {
		return page, crm.Refuse(crm.NotFound, "not_found")
	}
	if !page.Allowed(v.viewer(v.moduleLanguage())) {
		return page, crm.Refuse(crm.Denied, "module_page_denied", "Name", v.modules.Surface().Name(v.r.PathValue("module")))
	}
	return page, nil
}

// modulePage passes the request to the module and draws what the host made of its answer.
func (v *visit) modulePage() error {
	page, err := v.declaredPage()
	if err != nil {
		return err
	}
	id := v.r.PathValue("module")
	if v.who.Switched() && v.route.method != get {
		if err := v.app.RecordModuleForm(v.r.Context(), v.who, id); err != nil {
			return err
		}
	}
	answer, err := v.modules.Answer(v.r.Context(), module.PageRequest{
		Module: id, Method: v.r.Method, Path: "/" + v.r.PathValue("path"), RawQuery: v.r.URL.RawQuery, Header: v.r.Header, Body: v.body,
		Viewer: v.viewer(v.moduleLanguage()), FormToken: v.app.FormToken(v.who, id), BasePath: v.path(strings.TrimSuffix(v.modulePrefix(), "/")),
		SitePath: v.base, TimeZone: v.zone().String(), Modal: v.wantsFragment(),
	})
	switch {
	case err != nil:
		return err
	case answer.Location != "" && !v.mayBeLedOn():
		return crm.Refuse(crm.NotFound, "not_found")
	case answer.Location != "":
		return v.moduleRedirect(answer.Location)
	case answer.Kind == module.Choices:
		return v.moduleChoices(answer)
	case answer.Kind == module.File:
		return v.moduleFile(answer)
	default:
		return v.moduleFragment(page, answer)
	}
}

// modulePrefix is the module's root in this area.
func (v *visit) modulePrefix() string {
	if v.route.area == admin {
		return "/admin/m/" + v.r.PathValue("module")
	}
	return "/m/" + v.r.PathValue("module")
}

// mayBeLedOn tells whether an answer may lead to another address: only where a person goes there, in a
// page or, by our script, from a dialog. An image or a search of a module's that was led on would have
// the browser ask for pages of the host's that nobody opened, and the record would say they were seen.
func (v *visit) mayBeLedOn() bool {
	dest := v.r.Header.Get("Sec-Fetch-Dest")
	return v.wantsFragment() || dest == "" || dest == "document"
}

// moduleRedirect follows a module only to places of this site.
func (v *visit) moduleRedirect(location string) error {
	target, err := url.Parse(location)
	if err != nil {
		return fmt.Errorf("module %s redirects to %q: %w", v.r.PathValue("module"), location, err)
	}
	here := &url.URL{Path: v.path(v.r.URL.Path)}
	whole := here.ResolveReference(target)
	local := strings.TrimPrefix(whole.String(), v.base)
	plain := *whole // a path may end in a slash, as the module's own root does
	if plain.Path, plain.RawPath = strings.TrimSuffix(whole.Path, "/"), ""; plain.Path == "" {
		plain.Path = "/"
	}
	if !crm.IsLocal(strings.TrimPrefix(plain.String(), v.base)) {
		return fmt.Errorf("module %s redirects to %q, which is not of this site", v.r.PathValue("module"), location)
	}
	v.redirect(local)
	return nil
}

func (v *visit) moduleFragment(page module.Page, answer module.Answer) error {
	language := v.moduleLanguage()
	return v.render(answer.Status, "module_page", modulePageView{
		Page: v.newPage(page.Title(language)), Words: language, WordsDir: direction(language),
		Fragment: template.HTML(answer.HTML), //nolint:gosec // Manager.Answer wrote it anew
	})
}

func (v *visit) moduleChoices(answer module.Answer) error {
	v.answered = true
	v.w.Header().Set("Content-Type", "application/json")
	v.w.WriteHeader(answer.Status)
	_, err := v.w.Write(answer.Choices)
	if err != nil {
		v.log.DebugContext(v.r.Context(), "the browser went away", "error", err)
	}
	return nil
}

// moduleFile sends a file that a browser saves. Should one show it all the same, it gets no rights of
// this site: no script, no address, no origin.
func (v *visit) moduleFile(answer module.Answer) error {
	file := answer.File
	defer file.Body.Close()
	h := v.w.Header()
	h.Set("Content-Type", file.Type)
	h.Set("Content-Disposition", file.Disposition)
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	v.answered = true
	v.w.WriteHeader(answer.Status)
	if v.r.Method == http.MethodHead {
		return nil
	}
	v.deadline(http.NewResponseController(v.w).SetWriteDeadline, time.Now().Add(fileTime))
	if _, err := io.Copy(v.w, file.Body); err != nil {
		panic(http.ErrAbortHandler) // half a file must not look like a whole one
	}
	return nil
}
