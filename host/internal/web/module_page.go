package web

import (
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
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

// modulePage passes the request to the module and its answer to the browser: HTML inside our layout,
// other types as they are, with the few headers a module may set.
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
	answer, err := v.modules.ServePage(v.r.Context(), module.PageRequest{
		Module: id, Method: v.r.Method, Path: "/" + v.r.PathValue("path"), RawQuery: v.r.URL.RawQuery, Header: v.r.Header, Body: v.body,
		Viewer: v.viewer(v.moduleLanguage()), FormToken: v.app.FormToken(v.who, id), BasePath: v.path(strings.TrimSuffix(v.modulePrefix(), "/")),
		SitePath: v.base, TimeZone: v.zone().String(), Modal: v.wantsFragment(),
	})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if location := answer.Header.Get("Location"); location != "" && answer.Status >= 300 && answer.Status < 400 {
		return v.moduleRedirect(location)
	}
	kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if err == nil && kind == "text/html" {
		return v.moduleFragment(page, answer)
	}
	return v.moduleFile(answer)
}

// modulePrefix is the module's root in this area.
func (v *visit) modulePrefix() string {
	if v.route.area == admin {
		return "/admin/m/" + v.r.PathValue("module")
	}
	return "/m/" + v.r.PathValue("module")
}

// moduleRedirect follows a module only to places of this site.
func (v *visit) moduleRedirect(location string) error {
	target, err := url.Parse(location)
	if err != nil {
		return fmt.Errorf("module %s redirects to %q: %w", v.r.PathValue("module"), location, err)
	}
	here := &url.URL{Path: v.path(v.r.URL.Path)}
	local := here.ResolveReference(target).String()
	local = strings.TrimPrefix(local, v.base)
	if !crm.IsLocal(local) {
		return fmt.Errorf("module %s redirects to %q, which is not of this site", v.r.PathValue("module"), location)
	}
	v.redirect(local)
	return nil
}

func (v *visit) moduleFragment(page module.Page, answer module.PageResponse) error {
	fragment, err := io.ReadAll(answer.Body) // which is bounded, in length and in time
	if err != nil {
		return err
	}
	clean, err := fragmentRules{here: &url.URL{Path: v.path(v.r.URL.Path)}, base: v.base, root: v.path(v.modulePrefix())}.clean(string(fragment))
	if err != nil {
		return fmt.Errorf("clean the page of module %s: %w", v.r.PathValue("module"), err)
	}
	p := v.newPage(page.Title(v.moduleLanguage()))
	return v.render(answer.Status, "module_page", modulePageView{Page: p, Words: v.moduleLanguage(), WordsDir: direction(v.moduleLanguage()), Fragment: template.HTML(clean)}) //nolint:gosec // it was cleaned
}

// passedTypes are the files of a module's that a browser may show by itself: none of them runs.
var passedTypes = []string{"text/csv", "application/json", "text/plain", "application/pdf", "image/png", "image/jpeg", "image/gif", "image/webp"}

// fileHeaders are the type and the disposition of a module's file. What isn't known to be harmless
// is only ever saved: as a script of this site it would get past the policy.
func fileHeaders(kind, disposition string) (passedKind, passedDisposition string) {
	how, params, err := mime.ParseMediaType(disposition)
	if err != nil {
		how, params = "", nil
	}
	disposition = mime.FormatMediaType(how, params)
	if plain, _, err := mime.ParseMediaType(kind); err == nil && slices.Contains(passedTypes, plain) {
		return kind, disposition
	}
	if disposition = mime.FormatMediaType("attachment", params); disposition == "" {
		disposition = "attachment"
	}
	return "application/octet-stream", disposition
}

func (v *visit) moduleFile(answer module.PageResponse) error {
	kind, disposition := fileHeaders(answer.Header.Get("Content-Type"), answer.Header.Get("Content-Disposition"))
	v.w.Header().Set("Content-Type", kind)
	if disposition != "" {
		v.w.Header().Set("Content-Disposition", disposition)
	}
	// A document of a module's, opened by itself, gets no rights of this site at all.
	v.w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	v.answered = true
	v.w.WriteHeader(answer.Status)
	if v.r.Method == http.MethodHead {
		return nil
	}
	v.deadline(http.NewResponseController(v.w).SetWriteDeadline, time.Now().Add(fileTime))
	if _, err := io.Copy(v.w, answer.Body); err != nil {
		panic(http.ErrAbortHandler) // half a file must not look like a whole one
	}
	return nil
}
