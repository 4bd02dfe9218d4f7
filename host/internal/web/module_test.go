package web

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/module"
)

// upload sends a file as the form does, to script or without one.
func (b *browser) upload(name string, data []byte, headers ...string) answer {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	_ = form.WriteField("form_token", b.token)
	part, _ := form.CreateFormFile("package", name)
	_, _ = part.Write(data)
	_ = form.Close()
	r, err := http.NewRequest(http.MethodPost, b.http.URL+"/admin/modules/upload", &body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{response, string(text)}
}

func zipOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, text := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(text))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWrongUploadsAreSaidInPlace(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	b.get("/admin/modules").wants(t, 200).says(t, "No modules yet.", "Choose File", "at most 64.0 MiB")
	b.upload("manual.zip", zipOf(t, map[string]string{"index.html": "x"})).wants(t, 422).says(t, "No module.json found. The zip contains: index.html", "Choose File")
	b.upload("notes.txt", []byte("just text")).wants(t, 422).says(t, "Only .zip files can be installed")
	b.upload("manual.zip", zipOf(t, map[string]string{"index.html": "x"}), "X-Modal", "1").wants(t, 422).says(t, "No module.json found").silent(t, "<html")
	b.post("/admin/modules/upload").wants(t, 422).says(t, "Choose a .zip file first.")
	s.as(cleo).upload("manual.zip", nil).wants(t, 403)
}

// A zip whose numbers made the host panic once is refused in place like any other.
func TestPanicZipIsRefusedInPlace(t *testing.T) {
	s := newSite(t)
	data, err := os.ReadFile("../module/zipfile/testdata/panic.zip")
	if err != nil {
		t.Fatal(err)
	}
	b := s.as(ann)
	b.get("/admin/modules")
	b.upload("panic.zip", data).wants(t, 422).says(t, "The zip says two different things about assets/y", "Choose File")
}

func TestANameThatMixesScriptsIsWarnedOfAtTheReview(t *testing.T) {
	s := newSite(t)
	head := append([]byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00"), make([]byte, 44)...)
	if runtime.GOARCH == "arm64" {
		head[18] = 0xb7
	}
	files := map[string]string{
		"bin/m": string(head), "languages/en.json": "{}",
		"module.json": `{ "id": "mixed", "name": "S\u0430mple", "version": "1.0.0", "author": "\u0391cme",
			"requires": { "host": ">=3.1.0", "protocol": 1 }, "executables": { "` + runtime.GOOS + "/" + runtime.GOARCH + `": "bin/m" } }`,
	}
	sums := ""
	for name, text := range files {
		sums += fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(text)), name)
	}
	files["SHA256SUMS"] = sums
	b := s.as(ann)
	b.get("/admin/modules")
	review := b.upload("mixed.zip", zipOf(t, files)).wants(t, 303).Header.Get("Location")
	checkPage(t, b.get(review).wants(t, 200)).says(t, "The module&#39;s name, “S\u0430mple”, mixes letters of several scripts (Cyrillic, Latin)",
		"The author&#39;s name, “\u0391cme”, mixes letters of several scripts (Greek, Latin)", ">Install</button>")
}

func TestAModuleIsReviewedInstalledAndUninstalled(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	pkg, err := os.ReadFile(hosttest.Package(t, "plugins/impersonation"))
	if err != nil {
		t.Fatal(err)
	}
	b.get("/admin/modules")
	b.upload("impersonation.zip", pkg, "X-Modal", "1").wants(t, 200).says(t, "Install", "SHA-256").silent(t, "<html")
	review := b.upload("impersonation.zip", pkg).wants(t, 303).Header.Get("Location")
	b.get(review).wants(t, 200).says(t, "Not signed.", "Install", "It stays inactive until you activate it.").silent(t, "Your Password")
	s.ahead.Store(int64(16 * time.Minute)) // the sign-in is no longer fresh
	b.get(review).wants(t, 200).says(t, "Your Password")
	s.as(ben).get(review).wants(t, 403)
	b.post(review+"/install").wants(t, 403).says(t, "Give your own password before a module is installed", "Your Password")
	b.post(review+"/install", "password", "wrong").wants(t, 422).says(t, "The current password is wrong", "Your Password")
	b.post(review+"/install", "password", demoPassword).wants(t, 303).leadsTo(t, "/admin/modules")
	checkPage(t, b.get("/admin/modules").wants(t, 200)).says(t, "is installed.", "Activate", "Uninstall").silent(t, ">Deactivate<")
	checkPage(t, b.get("/admin/modules/impersonation/uninstall").wants(t, 200))
	checkPage(t, b.get("/admin/modules/impersonation/log").wants(t, 200))
	checkPage(t, b.get("/admin/modules/impersonation/grants").wants(t, 200)).says(t, "given when the module is activated")
	b.get("/admin/modules/impersonation/uninstall")
	b.post("/admin/modules/impersonation/uninstall", "data", "delete", "name", "wrong").wants(t, 422).says(t, "type the module&#39;s name exactly", `value="wrong"`)
	b.post("/admin/modules/impersonation/uninstall", "data", "keep").wants(t, 303)
	b.get("/admin/modules").says(t, "No modules yet.", "was uninstalled")
	b.get("/admin/m/impersonation/anything").wants(t, 404)
	b.get("/admin/settings/impersonation").wants(t, 404)
}

// Where uploading is off the page says so before anybody has sent 60 MB.
func TestUploadingThatIsOffIsSaidBeforehand(t *testing.T) {
	s := newSite(t)
	s.server.modules = module.New(module.Options{App: s.app, HostVersion: "3.1.0"})
	b := s.as(ann)
	a := checkPage(t, b.get("/admin/modules").wants(t, 200)).says(t, "setting modules.allow_upload", `no-upload" disabled`, `id="no-upload"`)
	if n := strings.Count(a.body, " disabled"); n != 2 {
		t.Errorf("%d controls are disabled", n)
	}
	b.upload("sample.zip", []byte("PK")).wants(t, 403).says(t, "setting modules.allow_upload")
}

func TestAnAbandonedReviewIsGone(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	b.get("/admin/modules")
	outer := zipOf(t, map[string]string{"documentation/index.html": "x", "sample.zip": string(zipOf(t, map[string]string{"module.json": "{}"}))})
	review := b.upload("download.zip", outer).wants(t, 303).Header.Get("Location")
	b.get(review).wants(t, 200).says(t, "download.zip is the download package", "Review sample.zip")
	b.post(review+"/inner", "name", "sample.zip").wants(t, 422).says(t, "module.json isn&#39;t right")
	b.get(review)
	b.post(review+"/cancel").wants(t, 303)
	b.get(review).wants(t, 404)
	if !strings.HasPrefix(review, "/admin/uploads/") {
		t.Error(review)
	}
}

func TestAPublishersKeyIsTrustedAndRemoved(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	checkPage(t, b.get("/admin/modules/keys").wants(t, 200)).says(t, "No key is trusted yet.")
	b.post("/admin/modules/keys", "name", "Acme", "public_key", "nonsense").wants(t, 422).says(t, "That is not a public key as minisign writes it", ">nonsense</textarea>")
	key := "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
	b.post("/admin/modules/keys", "name", "Acme", "public_key", key).wants(t, 303)
	a := checkPage(t, b.get("/admin/modules/keys").wants(t, 200)).says(t, "Acme", key, "is trusted now")
	_, after, _ := strings.Cut(a.body, `/admin/modules/keys/`)
	remove, _, _ := strings.Cut(after, `"`)
	checkPage(t, b.get("/admin/modules/keys/"+remove).wants(t, 200)).says(t, "Remove the key of Acme?")
	b.post("/admin/modules/keys/"+remove).wants(t, 303)
	b.get("/admin/modules/keys").says(t, "No key is trusted yet.")
	b.post("/admin/modules/keys/"+remove).wants(t, 404)
	s.as(ben).get("/admin/modules/keys").wants(t, 403)
}
