package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed templates/*.html
var templateFiles embed.FS

// templates holds one set per page: the layout, the parts, and the page's own content. The page of
// /session stands alone, so that it works when the layout doesn't.
type templates struct {
	pages   map[string]*template.Template
	parts   *template.Template // those of the layout, drawn by themselves
	buffers sync.Pool
}

// alone are the templates that bring their own html element.
var alone = map[string]bool{"session": true}

// shared are the templates every page is parsed with.
var shared = []string{"layout", "parts", "forms"}

func loadTemplates(a *assets) (*templates, error) {
	t := &templates{pages: map[string]*template.Template{}, buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }}}
	base := template.New("").Funcs(template.FuncMap{
		"asset": a.url,
		"icon":  a.icon,
	})
	for _, name := range shared {
		if _, err := base.ParseFS(templateFiles, "templates/"+name+".html"); err != nil {
			return nil, err
		}
	}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if err := t.add(base, file); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	t.parts = base
	return t, nil
}

func (t *templates) add(base *template.Template, file string) error {
	name := strings.TrimSuffix(path.Base(file), ".html")
	for _, s := range shared {
		if name == s {
			return nil
		}
	}
	page, err := base.Clone()
	if err != nil {
		return err
	}
	page, err = page.ParseFS(templateFiles, file)
	if err != nil {
		return err
	}
	entry := "layout"
	if alone[name] {
		entry = path.Base(file)
	}
	t.pages[name] = page.Lookup(entry)
	return nil
}

// icon is an icon of the sprite, nothing when there is no such one. It is decoration: the words beside
// it, or the label of what holds it, say what it means.
func (a *assets) icon(name string) template.HTML { return a.icons[name] }

func (a *assets) drawIcon(name string) template.HTML {
	return template.HTML(`<svg class="icon" aria-hidden="true" focusable="false" width="24" height="24"><use href="` + //nolint:gosec // the name is one of the sprite's
		template.HTMLEscapeString(a.url("vendor/icons.svg")) + "#" + name + `"/></svg>`)
}

// view is what a template renders: a struct of its own with a Page inside.
type view interface{ around() *Page }

// render draws a whole page, or only its content when a script asked for a piece. Nothing is sent
// until all of it is drawn.
func (v *visit) render(status int, name string, data view) error {
	page := v.templates.pages[name]
	if page == nil {
		return fmt.Errorf("no template %s", name)
	}
	entry := page.Name()
	if v.wantsFragment() && !alone[name] {
		entry = "fragment"
		v.w.Header().Set("X-Piece", "1") // our script puts nothing else into a page: see assets/page.js
	}
	buf, _ := v.templates.buffers.Get().(*bytes.Buffer)
	defer v.templates.buffers.Put(buf)
	buf.Reset()
	if err := page.ExecuteTemplate(buf, entry, data); err != nil {
		return fmt.Errorf("draw %s: %w", name, err)
	}
	v.answered, v.title = true, data.around().Title
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.Header().Set("Content-Language", data.around().Language)
	v.w.WriteHeader(status)
	_, err := buf.WriteTo(v.w)
	if err != nil {
		v.log.DebugContext(v.r.Context(), "the browser went away", "error", err)
	}
	return nil
}

// show is render with 200.
func (v *visit) show(name string, data view) error { return v.render(http.StatusOK, name, data) }
