package promises

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// packageFor is the module's package with its manifest changed; the program inside stays the same.
func packageFor(t *testing.T, change func(manifest map[string]any)) string {
	t.Helper()
	return hosttest.Package(t, e2e.ShippedModule, func(dir string) { e2e.EditManifest(t, filepath.Join(dir, "module.json"), change) })
}

func wantOffers(t *testing.T, b *hosttest.Browser, want ...string) {
	t.Helper()
	got := e2e.Offers(b)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("offered %q, want exactly %q", got, want)
	}
}

func row01(t *testing.T, d e2e.Demo, admin *e2e.Person) {
	said, err := exec.CommandContext(t.Context(), hosttest.Program(t), "version").Output()
	if err != nil || strings.TrimSpace(string(said)) != "understudy 3.1.0" {
		t.Errorf("the first version says %q, %v", said, err)
	}
	tooNew := packageFor(t, func(m map[string]any) { m["requires"].(map[string]any)["host"] = ">=99.0.0" })
	admin.Visit("/admin/modules")
	admin.SetFile("Choose File", tooNew)
	admin.See("This module requires at least v99.0.0 of the CRM")
	admin.Click("button", "Install")
	admin.ModuleRow().See("This module requires at least v99.0.0 of the CRM")
	if got := e2e.Offers(admin.ModuleRow()); slices.Contains(got, "Activate") {
		t.Errorf("the row offers %q", got)
	}
	// A crafted request doesn't get further.
	c := e2e.SignedInClient(t, d, e2e.Ann)
	got := c.Post("/admin/modules/impersonation/activate")
	if got.Status < 400 {
		t.Errorf("activating it anyway: %d", got.Status)
	}
	if !strings.Contains(c.Get("/admin/modules").Text(), "at least v99.0.0") {
		t.Error("the row has forgotten why")
	}
	admin.ModuleRow().Click("link", "Uninstall")
	admin.Click("button", "Uninstall")
	admin.See("No modules yet.")
	// The shipped one asks for 3.1.0 or higher, which later versions are.
	admin.SetFile("Choose File", hosttest.Package(t, e2e.ShippedModule))
	admin.See(">=3.1.0")
	admin.DontSee("This module requires at least")
	admin.Click("button", "Cancel")
	admin.WaitURL("/admin/modules")
}

func row02(t *testing.T, _ e2e.Demo, _ *e2e.Person) {
	root, out := hosttest.Root(t), t.TempDir()
	inner := hosttest.Package(t, e2e.ShippedModule)
	bundle := exec.CommandContext(t.Context(), hosttest.Program(t), "module", "bundle", inner,
		"--docs", filepath.Join(root, e2e.ShippedModule, "docs"), "--license", filepath.Join(root, "LICENSE"), "--out", out)
	if said, err := bundle.CombinedOutput(); err != nil {
		t.Fatalf("bundle: %v\n%s", err, said)
	}
	files := unzip(t, filepath.Join(out, "impersonation-1.0.0.zip"))
	if !bytes.Equal(files["impersonation.zip"], e2e.ReadFile(t, inner)) {
		t.Errorf("impersonation.zip isn't the package; the download holds %q", slices.Sorted(mapKeys(files)))
	}
	if !bytes.Equal(files["LICENSE"], e2e.ReadFile(t, filepath.Join(root, "LICENSE"))) {
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
	if found := regexp.MustCompile(`(?i)(src|href)="(https?:)?//[^"]*"`).FindAll(e2e.ReadFile(t, page), -1); len(found) > 0 {
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

func row03(t *testing.T, d e2e.Demo, admin *e2e.Person) {
	for _, email := range []string{e2e.Ben, e2e.Cleo, e2e.Jane} {
		c := e2e.SignedInClient(t, d, email)
		if got := c.Get("/admin/modules"); got.Status != http.StatusForbidden && got.Status != http.StatusNotFound {
			t.Errorf("%s opens the list of modules: %d", email, got.Status)
		}
		if strings.Contains(c.Get(e2e.Home(email)).Body, `href="/admin/modules"`) {
			t.Errorf("%s is shown the way to the modules", email)
		}
		if got := c.Post("/admin/modules/upload"); got.Status < 400 {
			t.Errorf("%s uploads: %d", email, got.Status)
		}
	}
	admin.Visit("/admin")
	admin.In("navigation", "Main menu").See("Setup")
	admin.Click("link", "Modules")
	admin.SeeRole("heading", "Modules")
	var above bool
	admin.Eval(`document.querySelector('input[type=file]').getBoundingClientRect().bottom < document.querySelector('.empty, table').getBoundingClientRect().top`, &above)
	if !above {
		t.Error("the upload box isn't above the list")
	}
	admin.See("No modules yet.")
	admin.SetFile("Choose File", hosttest.Package(t, e2e.ShippedModule))
	admin.SeeRole("button", "Install")
	for _, fact := range []string{"Impersonation", "1.0.0", "Understudy", "Not signed", "SHA-256", ">=3.1.0", "To decide who may impersonate whom"} {
		admin.See(fact)
	}
	admin.WaitURL("/admin/modules")
	e2e.Pictures(admin.Browser, "modules-review")
	admin.Click("button", "Install")
	admin.See("Impersonation 1.0.0 is installed.")
}

func row04(t *testing.T, _ e2e.Demo, admin *e2e.Person) {
	admin.Visit("/admin/modules")
	admin.ModuleRow().See("Version 1.0.0 | By Understudy")
	admin.ModuleRow().See("Become another staff member or a customer's contact")
	for _, want := range []string{"Activate", "Uninstall"} {
		if got := e2e.Offers(admin.ModuleRow()); !slices.Contains(got, want) {
			t.Errorf("the inactive row offers %q, not %s", got, want)
		}
	}
	if admin.Bar().HasRole("link", "Impersonate") {
		t.Error("inactive, it is on the navigation bar already")
	}
	admin.ModuleRow().Click("button", "Activate")
	admin.ModuleRow().SeeRole("button", "Deactivate")
	admin.Bar().SeeRole("link", "Impersonate")
}

func row05(t *testing.T, _ e2e.Demo, admin *e2e.Person) {
	admin.Visit("/admin/modules")
	wantOffers(t, admin.ModuleRow(), "Deactivate", "Settings", "View Log")
	admin.ModuleRow().Click("link", "Settings")
	admin.WaitURL("/admin/settings/impersonation")
	admin.SeeRole("heading", "Impersonate")
	admin.Visit("/admin/modules")
	admin.ModuleRow().Click("link", "View Log")
	admin.SeeRole("heading", "View Log")
	admin.Visit("/admin/modules")
	admin.ModuleRow().Click("button", "Deactivate")
	admin.ModuleRow().SeeRole("button", "Activate")
	admin.ModuleRow().SeeRole("link", "Uninstall")
	for _, gone := range []string{"Settings", "View Log", "Deactivate"} {
		if slices.Contains(e2e.Offers(admin.ModuleRow()), gone) {
			t.Errorf("the inactive row still offers %s", gone)
		}
	}
	admin.Bar().DontSeeRole("link", "Impersonate")
	admin.ModuleRow().Click("button", "Activate")
	admin.ModuleRow().SeeRole("button", "Deactivate")
}

func row06(t *testing.T, d e2e.Demo, admin *e2e.Person) {
	admin.In("navigation", "Main menu").Click("link", "Settings")
	admin.In("navigation", "Sections of the settings").Click("link", "Impersonate")
	admin.WaitURL("/admin/settings/impersonation")
	for name, value := range map[string]string{"Disable Impersonation": "No", "Enable for Customers": "Yes", "Enable for Admins": "Yes"} {
		admin.In("group", name).SeeRole("radio", value)
		if got := admin.Chosen(name); got != value {
			t.Errorf("%s is %q at first", name, got)
		}
	}
	admin.In("group", "Enable for Admins").See("other staff members")
	admin.In("group", "Enable for Customers").Click("radio", "No")
	admin.Click("button", "Save Settings")
	admin.See("Settings saved.")
	// The host draws and stores them: with the module inactive they are neither offered nor lost.
	admin.Visit("/admin/modules")
	admin.ModuleRow().Click("button", "Deactivate")
	admin.ModuleRow().SeeRole("button", "Activate")
	admin.Visit("/admin/settings/general")
	if admin.In("navigation", "Sections of the settings").HasRole("link", "Impersonate") {
		t.Error("the settings of an inactive module are offered")
	}
	admin.Visit("/admin/modules")
	admin.ModuleRow().Click("button", "Activate")
	admin.ModuleRow().Click("link", "Settings")
	if got := admin.Chosen("Enable for Customers"); got != "No" {
		t.Errorf("saved No, now %q", got)
	}
	c := e2e.SignedInClient(t, d, e2e.Cleo)
	if got := c.Get("/admin/settings/impersonation"); got.Status != http.StatusForbidden {
		t.Errorf("Cleo opens the settings: %d", got.Status)
	}
}
