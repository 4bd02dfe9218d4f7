package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// packageFor is the module's package with its manifest changed; the program inside stays the same.
func packageFor(t *testing.T, change func(manifest map[string]any)) string {
	t.Helper()
	return hosttest.Package(t, shippedModule, func(dir string) { editManifest(t, filepath.Join(dir, "module.json"), change) })
}

func editManifest(t *testing.T, file string, change func(manifest map[string]any)) {
	t.Helper()
	var manifest map[string]any
	if err := json.Unmarshal(readFile(t, file), &manifest); err != nil {
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

// newerPackage is the module in another version that asks for more grants, program included: its
// manifest is compiled in.
func newerPackage(t *testing.T, version string, more ...map[string]any) string {
	t.Helper()
	root := hosttest.Root(t)
	return hosttest.Package(t, shippedModule, func(dir string) {
		file := filepath.Join(dir, "module.json")
		editManifest(t, file, func(m map[string]any) {
			m["version"] = version
			for _, grant := range more {
				m["grants"] = append(m["grants"].([]any), grant)
			}
		})
		overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, shippedModule, "module.json"): file}})
		if err != nil {
			t.Fatal(err)
		}
		program := filepath.Join(dir, "bin", "impersonation-"+runtime.GOOS+"-"+runtime.GOARCH)
		build := exec.CommandContext(t.Context(), "go", "build", "-overlay", tempFile(t, "overlay.json", overlay), "-o", program, "./"+shippedModule)
		build.Dir = root
		if said, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", version, err, said)
		}
	})
}

// row is the module's line in the list of modules.
func (p *person) moduleRow() *hosttest.Browser { return p.In("row", "Impersonation") }

// offers are the names of every link and button within a part of the page.
func offers(b *hosttest.Browser) []string {
	return append(b.Names("button"), b.Names("link")...)
}

func wantOffers(t *testing.T, b *hosttest.Browser, want ...string) {
	t.Helper()
	got := offers(b)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("offered %q, want exactly %q", got, want)
	}
}

func row01(t *testing.T, d demo, admin *person) {
	said, err := exec.CommandContext(t.Context(), hosttest.Program(t), "version").Output()
	if err != nil || strings.TrimSpace(string(said)) != "understudy 3.1.0" {
		t.Errorf("the first version says %q, %v", said, err)
	}
	tooNew := packageFor(t, func(m map[string]any) { m["requires"].(map[string]any)["host"] = ">=99.0.0" })
	admin.open("/admin/modules")
	admin.SetFile("Choose File", tooNew)
	admin.See("This module requires at least v99.0.0 of the CRM")
	admin.Click("button", "Install")
	admin.moduleRow().See("This module requires at least v99.0.0 of the CRM")
	if got := offers(admin.moduleRow()); slices.Contains(got, "Activate") {
		t.Errorf("the row offers %q", got)
	}
	// A crafted request doesn't get further.
	c := signedInClient(t, d, ann)
	got := c.post("/admin/modules/impersonation/activate")
	if got.Status < 400 {
		t.Errorf("activating it anyway: %d", got.Status)
	}
	if !strings.Contains(c.get("/admin/modules").text(), "at least v99.0.0") {
		t.Error("the row has forgotten why")
	}
	admin.moduleRow().Click("link", "Uninstall")
	admin.Click("button", "Uninstall")
	admin.See("No modules yet.")
	// The shipped one asks for 3.1.0 or higher, which later versions are.
	admin.SetFile("Choose File", hosttest.Package(t, shippedModule))
	admin.See(">=3.1.0")
	admin.DontSee("This module requires at least")
	admin.Click("button", "Cancel")
	admin.WaitURL("/admin/modules")
}

func row02(t *testing.T, _ demo, _ *person) {
	root, out := hosttest.Root(t), t.TempDir()
	inner := hosttest.Package(t, shippedModule)
	bundle := exec.CommandContext(t.Context(), hosttest.Program(t), "module", "bundle", inner,
		"--docs", filepath.Join(root, shippedModule, "docs"), "--license", filepath.Join(root, "LICENSE"), "--out", out)
	if said, err := bundle.CombinedOutput(); err != nil {
		t.Fatalf("bundle: %v\n%s", err, said)
	}
	files := unzip(t, filepath.Join(out, "impersonation-1.0.0.zip"))
	if !bytes.Equal(files["impersonation.zip"], readFile(t, inner)) {
		t.Errorf("impersonation.zip isn't the package; the download holds %q", slices.Sorted(mapKeys(files)))
	}
	if !bytes.Equal(files["LICENSE"], readFile(t, filepath.Join(root, "LICENSE"))) {
		t.Error("the licence is missing or another")
	}
	folder, page := t.TempDir(), ""
	for name, content := range files {
		file := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if path.Base(name) == "index.html" {
			page = file
		}
	}
	if page == "" {
		t.Fatal("the download holds no documentation")
	}
	if found := regexp.MustCompile(`(?i)(src|href)="(https?:)?//[^"]*"`).FindAll(readFile(t, page), -1); len(found) > 0 {
		t.Errorf("not readable offline: %q", found)
	}
	reader := hosttest.NewBrowser(t)
	reader.Open("file://" + filepath.ToSlash(page))
	reader.SeeRole("heading", "Impersonation")
	reader.See("Stop Impersonation")
	// axe reads style sheets by request, which files may not: what the page itself did stands before.
	for _, wrong := range append(reader.ConsoleErrors(), reader.Axe()...) {
		t.Error(wrong)
	}
}

func unzip(t *testing.T, file string) map[string][]byte {
	t.Helper()
	r, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	files := map[string][]byte{}
	for _, f := range r.File {
		content, err := fs.ReadFile(r, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = content
	}
	return files
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

func row03(t *testing.T, d demo, admin *person) {
	for _, email := range []string{ben, cleo, jane} {
		c := signedInClient(t, d, email)
		if got := c.get("/admin/modules"); got.Status != http.StatusForbidden && got.Status != http.StatusNotFound {
			t.Errorf("%s opens the list of modules: %d", email, got.Status)
		}
		if strings.Contains(c.get(home(email)).Body, `href="/admin/modules"`) {
			t.Errorf("%s is shown the way to the modules", email)
		}
		if got := c.post("/admin/modules/upload"); got.Status < 400 {
			t.Errorf("%s uploads: %d", email, got.Status)
		}
	}
	admin.open("/admin")
	admin.In("navigation", "Main menu").See("Setup")
	admin.Click("link", "Modules")
	admin.SeeRole("heading", "Modules")
	var above bool
	admin.Eval(`document.querySelector('input[type=file]').getBoundingClientRect().bottom < document.querySelector('.empty, table').getBoundingClientRect().top`, &above)
	if !above {
		t.Error("the upload box isn't above the list")
	}
	admin.See("No modules yet.")
	admin.SetFile("Choose File", hosttest.Package(t, shippedModule))
	admin.SeeRole("button", "Install")
	for _, fact := range []string{"Impersonation", "1.0.0", "Understudy", "Not signed", "SHA-256", ">=3.1.0", "To decide who may impersonate whom"} {
		admin.See(fact)
	}
	admin.WaitURL("/admin/modules")
	pictures(admin.Browser, "modules-review")
	admin.Click("button", "Install")
	admin.See("Impersonation 1.0.0 is installed.")
}

func row04(t *testing.T, _ demo, admin *person) {
	admin.open("/admin/modules")
	admin.moduleRow().See("Version 1.0.0 | By Understudy")
	admin.moduleRow().See("Become another staff member or a customer's contact")
	for _, want := range []string{"Activate", "Uninstall"} {
		if got := offers(admin.moduleRow()); !slices.Contains(got, want) {
			t.Errorf("the inactive row offers %q, not %s", got, want)
		}
	}
	if admin.bar().HasRole("link", "Impersonate") {
		t.Error("inactive, it is on the navigation bar already")
	}
	admin.moduleRow().Click("button", "Activate")
	admin.moduleRow().SeeRole("button", "Deactivate")
	admin.bar().SeeRole("link", "Impersonate")
}

func row05(t *testing.T, _ demo, admin *person) {
	admin.open("/admin/modules")
	wantOffers(t, admin.moduleRow(), "Deactivate", "Settings", "View Log")
	admin.moduleRow().Click("link", "Settings")
	admin.WaitURL("/admin/settings/impersonation")
	admin.SeeRole("heading", "Impersonate")
	admin.open("/admin/modules")
	admin.moduleRow().Click("link", "View Log")
	admin.SeeRole("heading", "View Log")
	admin.open("/admin/modules")
	admin.moduleRow().Click("button", "Deactivate")
	admin.moduleRow().SeeRole("button", "Activate")
	admin.moduleRow().SeeRole("link", "Uninstall")
	for _, gone := range []string{"Settings", "View Log", "Deactivate"} {
		if slices.Contains(offers(admin.moduleRow()), gone) {
			t.Errorf("the inactive row still offers %s", gone)
		}
	}
	admin.bar().DontSeeRole("link", "Impersonate")
	admin.moduleRow().Click("button", "Activate")
	admin.moduleRow().SeeRole("button", "Deactivate")
}

func row06(t *testing.T, d demo, admin *person) {
	admin.In("navigation", "Main menu").Click("link", "Settings")
	admin.In("navigation", "Sections of the settings").Click("link", "Impersonate")
	admin.WaitURL("/admin/settings/impersonation")
	for name, value := range map[string]string{"Disable Impersonation": "No", "Enable for Customers": "Yes", "Enable for Admins": "Yes"} {
		admin.In("group", name).SeeRole("radio", value)
		if got := admin.chosen(name); got != value {
			t.Errorf("%s is %q at first", name, got)
		}
	}
	admin.In("group", "Enable for Admins").See("other staff members")
	admin.In("group", "Enable for Customers").Click("radio", "No")
	admin.Click("button", "Save Settings")
	admin.See("Settings saved.")
	// The host draws and stores them: with the module inactive they are neither offered nor lost.
	admin.open("/admin/modules")
	admin.moduleRow().Click("button", "Deactivate")
	admin.moduleRow().SeeRole("button", "Activate")
	admin.open("/admin/settings/general")
	if admin.In("navigation", "Sections of the settings").HasRole("link", "Impersonate") {
		t.Error("the settings of an inactive module are offered")
	}
	admin.open("/admin/modules")
	admin.moduleRow().Click("button", "Activate")
	admin.moduleRow().Click("link", "Settings")
	if got := admin.chosen("Enable for Customers"); got != "No" {
		t.Errorf("saved No, now %q", got)
	}
	c := signedInClient(t, d, cleo)
	if got := c.get("/admin/settings/impersonation"); got.Status != http.StatusForbidden {
		t.Errorf("Cleo opens the settings: %d", got.Status)
	}
}
