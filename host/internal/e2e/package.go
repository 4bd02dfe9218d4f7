package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// NewerPackage is the module in another version that asks for more grants, program included: its
// manifest is compiled in.
func NewerPackage(t *testing.T, version string, more ...map[string]any) string {
	t.Helper()
	root := hosttest.Root(t)
	return hosttest.Package(t, ShippedModule, func(dir string) {
		file := filepath.Join(dir, "module.json")
		EditManifest(t, file, func(m map[string]any) {
			m["version"] = version
			for _, grant := range more {
				m["grants"] = append(m["grants"].([]any), grant)
			}
		})
		overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, ShippedModule, "module.json"): file}})
		if err != nil {
			t.Fatal(err)
		}
		program := filepath.Join(dir, "bin", "impersonation-"+runtime.GOOS+"-"+runtime.GOARCH)
		build := exec.CommandContext(t.Context(), "go", "build", "-overlay", TempFile(t, "overlay.json", overlay), "-o", program, "./"+ShippedModule)
		build.Dir = root
		if said, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", version, err, said)
		}
	})
}

// UploadTooBig sends that many bytes as a package, past the check in the browser.
func (c *Client) UploadTooBig(size int64) {
	c.T.Helper()
	head := "--x\r\nContent-Disposition: form-data; name=\"form_token\"\r\n\r\n" + c.Token() +
		"\r\n--x\r\nContent-Disposition: form-data; name=\"package\"; filename=\"big.zip\"\r\nContent-Type: application/zip\r\n\r\n"
	const foot = "\r\n--x--\r\n"
	body := sizedBody{io.MultiReader(strings.NewReader(head), io.LimitReader(zeros{}, size), strings.NewReader(foot)), int64(len(head)+len(foot)) + size}
	got := c.SendBody(http.MethodPost, "/admin/modules/upload", body, "multipart/form-data; boundary=x", http.Header{"X-Form-Token": {c.Token()}})
	c.Want(got, http.StatusRequestEntityTooLarge, "64.0 MiB", "65.0 MiB")
	NamesASetting(c.T, got.Text())
}

// NamesASetting checks that the setting a sentence speaks of is one that --help lists.
func NamesASetting(t *testing.T, sentence string) {
	t.Helper()
	help, err := exec.CommandContext(t.Context(), hosttest.Program(t), "serve", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`setting ([^\s,)]+)`).FindStringSubmatch(sentence)
	if named == nil || !strings.Contains(string(help), named[1]) {
		t.Errorf("no setting that --help knows is named: %s", sentence)
	}
}

// sizedBody is a body of a length that is known before.
type sizedBody struct {
	io.Reader
	size int64
}

// Size is the length.
func (b sizedBody) Size() int64 { return b.size }

type zeros struct{}

// Read gives zeros.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Upload sends a package and returns the address of its review.
func (c *Client) Upload(file string) string {
	c.T.Helper()
	body, kind := c.PackageForm(file)
	got := c.SendBody(http.MethodPost, "/admin/modules/upload", body, kind, http.Header{"X-Form-Token": {c.Token()}})
	if got.Status != http.StatusSeeOther {
		c.T.Fatalf("upload %s: %d %s", file, got.Status, got.Text())
	}
	return got.Header.Get("Location")
}

// PackageForm is the form that sends a package, and its media type.
func (c *Client) PackageForm(file string) (*bytes.Reader, string) {
	c.T.Helper()
	zip, err := os.ReadFile(file)
	if err != nil {
		c.T.Fatal(err)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("package", filepath.Base(file))
	if err == nil {
		_, err = part.Write(zip)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		c.T.Fatal(err)
	}
	return bytes.NewReader(body.Bytes()), form.FormDataContentType()
}

// Install uploads, confirms and installs a package.
func (c *Client) Install(file string) {
	c.T.Helper()
	review := c.Upload(file)
	over := overField.FindStringSubmatch(c.Get(review).Body)
	if over == nil {
		c.T.Fatalf("%s is no review", review)
	}
	c.Want(c.Post(review+"/install", "over", over[1], "password", DemoPassword), http.StatusSeeOther)
}

var overField = regexp.MustCompile(`name="over" value="([^"]*)"`)

// Activate activates an installed module.
func (c *Client) Activate(id string) {
	c.T.Helper()
	c.Want(c.Post("/admin/modules/"+id+"/activate"), http.StatusSeeOther)
}

// EditManifest changes a module.json, read as what JSON holds.
func EditManifest(t *testing.T, file string, change func(manifest map[string]any)) {
	t.Helper()
	var manifest map[string]any
	if err := json.Unmarshal(ReadFile(t, file), &manifest); err != nil {
		t.Fatal(err)
	}
	change(manifest)
	text, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
