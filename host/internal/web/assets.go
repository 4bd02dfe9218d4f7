package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// assetFiles is what pages link to. vendor/ holds copies from npm packages, made by `make assets`;
// without them the pages work and look plain.
//
//go:embed assets/*.js assets/*.css assets/*.svg assets/vendor
var assetFiles embed.FS

// assets serves the embedded files under addresses that change with their content, so that a
// browser may keep them for ever.
type assets struct {
	root  string // "/assets/<version>/", with the base before it
	files map[string]asset
	icons map[string]template.HTML // drawn
}

type asset struct {
	kind   string
	plain  []byte
	zipped []byte // nil where compressing doesn't help
}

var symbolID = regexp.MustCompile(`<symbol id="([a-z0-9-]+)"`)

func loadAssets(base string) (*assets, error) {
	a := &assets{files: map[string]asset{}}
	all := sha256.New()
	err := fs.WalkDir(assetFiles, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, ".md") {
			return err
		}
		data, err := assetFiles.ReadFile(name)
		if err != nil {
			return err
		}
		all.Write([]byte(name))
		all.Write(data)
		a.files[strings.TrimPrefix(name, "assets/")] = newAsset(name, data)
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.root = base + "/assets/" + hex.EncodeToString(all.Sum(nil))[:12] + "/"
	a.icons = map[string]template.HTML{}
	for name := range iconsOf(a.files["vendor/icons.svg"].plain) {
		a.icons[name] = a.drawIcon(name)
	}
	return a, nil
}

// iconsOf lists the icons of the sprite.
func iconsOf(sprite []byte) map[string]bool {
	icons := map[string]bool{}
	for _, match := range symbolID.FindAllSubmatch(sprite, -1) {
		icons[string(match[1])] = true
	}
	return icons
}

// Icons tells which icons there are, for modules to choose from. It is nil in a program built
// without `make assets`, which has none.
func Icons() func(name string) bool {
	sprite, err := assetFiles.ReadFile("assets/vendor/icons.svg")
	if err != nil {
		return nil
	}
	icons := iconsOf(sprite)
	return func(name string) bool { return icons[name] }
}

func newAsset(name string, data []byte) asset {
	kind := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) {
	case ".js":
		kind = "text/javascript; charset=utf-8"
	case ".css":
		kind = "text/css; charset=utf-8"
	case ".svg":
		kind = "image/svg+xml"
	case ".txt":
		kind = "text/plain; charset=utf-8"
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(data); err != nil || z.Close() != nil || zipped.Len() >= len(data) {
		return asset{kind: kind, plain: data}
	}
	return asset{kind: kind, plain: data, zipped: zipped.Bytes()}
}

// url is the address of a file.
func (a *assets) url(name string) string { return a.root + name }

// asset serves a file. An address of another version of the program gets what there is now, but
// may not keep it.
func (v *visit) asset() error {
	file, ok := v.assets.files[v.r.PathValue("file")]
	if !ok {
		return crm.Refuse(crm.NotFound, "not_found")
	}
	h := v.w.Header()
	h.Set("Content-Type", file.kind)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(v.assets.root, v.base+"/assets/"+v.r.PathValue("version")+"/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	data := file.plain
	if file.zipped != nil && strings.Contains(v.r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		data = file.zipped
	}
	v.answered = true
	http.ServeContent(v.w, v.r, "", time.Time{}, bytes.NewReader(data))
	return nil
}

// favicon answers browsers that ask without reading the page.
func (v *visit) favicon() error {
	v.answered = true
	http.Redirect(v.w, v.r, v.assets.url("favicon.svg"), http.StatusSeeOther)
	return nil
}

// healthy says that the process answers.
func (v *visit) healthy() error { return v.plain(http.StatusOK, "ok\n") }

// ready says that the database answers, too.
func (v *visit) ready() error {
	if v.draining() {
		return v.plain(http.StatusServiceUnavailable, "stopping\n")
	}
	if _, err := v.app.Revision(v.r.Context()); err != nil {
		return v.plain(http.StatusServiceUnavailable, "database unavailable\n")
	}
	return v.plain(http.StatusOK, "ready\n")
}

func (v *visit) plain(status int, text string) error {
	v.answered = true
	v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	v.w.WriteHeader(status)
	_, err := v.w.Write([]byte(text))
	return err
}
