package main

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
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
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// The documented product, row by row, on the screen of the real program.
func TestTheTwentyPromises(t *testing.T) {
	t.Run("by hand on a bare CRM", promisesByHand)
	t.Run("with the module", promisesWithModule)
}

// promisesByHand are the rows about packages, installing and updating: one after the other, as an
// administrator meets them.
func promisesByHand(t *testing.T) {
	t.Parallel()
	d := runDemo(t, "--bare")
	admin := signedIn(t, d, ann)
	row := func(name string, story func(t *testing.T, d demo, admin *person)) {
		t.Run(name, func(t *testing.T) { story(t, d, admin.part(t)) })
	}
	row("row 01 requires CRM v3.1.0 or higher", row01)
	row("row 02 the download holds impersonation.zip and the documentation", row02)
	row("row 03 upload box above the list, administrators only", row03)
	row("row 04 after install it stands in the list and Activate enables it", row04)
	row("row 05 the active row offers exactly Deactivate, Settings, View Log", row05)
	row("row 18 a copied and translated language file works without a rebuild", row18)
	row("row 20 a newer zip keeps settings, log and permissions", row20)
}

// promisesWithModule are the rows about using it.
func promisesWithModule(t *testing.T) {
	t.Parallel()
	d := runDemo(t)
	reset, admin := signedInClient(t, d, ann), signedIn(t, d, ann)
	row := func(name string, story func(t *testing.T, d demo, admin *person)) {
		t.Run(name, func(t *testing.T) {
			reset.settings(false, true, true)
			admin.open("/admin")
			story(t, d, admin.part(t))
		})
	}
	row("row 06 settings stand under Setup, Settings, Impersonate", row06)
	row("row 07 Disable Impersonation leaves it to administrators", row07)
	row("row 08 without Enable for Customers nobody can impersonate contacts", row08)
	row("row 09 without Enable for Admins nobody can impersonate staff", row09)
	row("row 10 the icon is for those with the permission", row10)
	row("row 11 the icon opens the modal with the user type", row11)
	row("row 12 the second dropdown fills with users of that kind", row12)
	row("row 13 Impersonate signs in as that user on the right dashboard", row13)
	row("row 14 a blinking Stop Impersonation in both areas", row14)
	row("row 15 Stop Impersonation restores the exact session", row15)
	row("row 16 passwords and credentials are never exposed", row16)
	row("row 17 plug and play, no changes to core files", row17)
	row("row 19 View Log", row19)
}

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

// chosen is the option of a Yes/No setting that is on.
func (p *person) chosen(name string) string {
	p.t.Helper()
	var label string
	p.Eval(fmt.Sprintf(`[...document.querySelectorAll('fieldset')].find(f => f.querySelector('legend').innerText.trim() === %q)?.querySelector('input:checked')?.labels[0].innerText.trim() ?? ''`, name), &label)
	return label
}

func row07(t *testing.T, d demo, admin *person) {
	colleague := signedIn(t, d, ben)
	colleague.bar().SeeRole("link", "Impersonate")
	admin.saveSettings(true, true, true)
	admin.See("only administrators may impersonate")
	admin.bar().SeeRole("link", "Impersonate")
	colleague.open("/admin")
	if colleague.bar().HasRole("link", "Impersonate") {
		t.Error("Ben still has the icon")
	}
	admin.impersonate("Customer", "Jane Doe (Acme Ltd)")
	admin.stop()
	admin.saveSettings(false, true, true)
	admin.See("administrators and staff with the permission may impersonate")
	colleague.open("/admin")
	colleague.bar().SeeRole("link", "Impersonate")
}

func row08(t *testing.T, d demo, admin *person) {
	admin.saveSettings(false, false, true)
	admin.See("Nobody may impersonate customers' contacts.")
	admin.openModal()
	if admin.dialog().HasRole("combobox", "User Type") {
		t.Error("there is a user type to choose")
	}
	admin.dialog().SeeOptions("User", "", "Ben Ortiz", "Cleo Park")
	c := signedInClient(t, d, ann)
	c.want(c.post("/session/switch", "target", "contact:1"), http.StatusForbidden, "Impersonating customers' contacts is switched off.")
	c.want(c.get("/admin/m/impersonation/start?kind=contact"), http.StatusForbidden, "switched off")
}

func row09(t *testing.T, d demo, admin *person) {
	admin.saveSettings(false, true, false)
	admin.See("Nobody may impersonate other staff members.")
	admin.openModal()
	if admin.dialog().HasRole("combobox", "User Type") {
		t.Error("there is a user type to choose")
	}
	admin.dialog().SeeOptions("User", "", "Jane Doe (Acme Ltd)", "Omar Haddad (Acme Ltd)", "Rosa Diaz (Globex)")
	c := signedInClient(t, d, ann)
	c.want(c.post("/session/switch", "target", "staff:3"), http.StatusForbidden, "Impersonating staff members is switched off.")
}

func row10(t *testing.T, d demo, admin *person) {
	for email, want := range map[string]bool{ann: true, ben: true, cleo: false, jane: false} {
		p := signedIn(t, d, email)
		p.SeeRole("main", "")
		if got := p.bar().HasRole("link", "Impersonate"); got != want {
			t.Errorf("%s has the icon: %t", email, got)
		}
	}
	sales := signedIn(t, d, cleo)
	grant := func(where, capability string, ticked bool) {
		t.Helper()
		admin.open(where)
		admin.In("row", "Impersonation").Check(capability, ticked)
		admin.Click("button", "Save")
		admin.See("was saved.")
	}
	admin.open("/admin/roles")
	admin.Click("link", "Sales")
	role := strings.TrimPrefix(admin.URL(), d.Address)
	for _, capability := range []string{"Impersonate staff", "Impersonate customers", "View log"} {
		admin.In("row", "Impersonation").SeeRole("checkbox", capability)
	}
	for _, where := range []string{role, "/admin/staff/3"} {
		grant(where, "Impersonate customers", true)
		sales.open("/admin")
		sales.bar().SeeRole("link", "Impersonate")
		sales.impersonate("", "Rosa Diaz (Globex)")
		sales.stop()
		grant(where, "Impersonate customers", false)
		sales.open("/admin")
		if sales.bar().HasRole("link", "Impersonate") {
			t.Errorf("with the permission of %s taken away, Cleo still has the icon", where)
		}
	}
}

func row11(t *testing.T, d demo, admin *person) {
	var title string
	admin.Eval(`document.querySelector('a[data-modal]').title`, &title)
	if title != "Impersonate" {
		t.Errorf("the icon's tooltip is %q", title)
	}
	admin.openModal()
	admin.dialog().SeeRole("heading", "Impersonate")
	admin.dialog().SeeOptions("User Type", "", "Staff", "Customer")
	admin.dialog().SeeRole("combobox", "User")
	admin.dialog().SeeRole("textbox", "Reason")
	admin.dialog().SeeRole("button", "Impersonate")
	admin.dialog().See("60 minutes")
	pictures(admin.Browser, "modal")
	admin.saveSettings(false, true, false)
	admin.openModal()
	admin.dialog().SeeRole("combobox", "User")
	if admin.dialog().HasRole("combobox", "User Type") {
		t.Error("one kind is allowed, and the user type is still offered")
	}
	admin.dialog().Choose("User", "Jane Doe (Acme Ltd)")
	admin.dialog().Click("button", "Impersonate")
	admin.SeeRole("heading", "Welcome, Jane Doe")
	admin.stop()
	admin.saveSettings(false, true, true)
	admin.openModal()
	admin.dialog().SeeRole("combobox", "User Type")
}

func row12(t *testing.T, d demo, admin *person) {
	admin.openModal()
	admin.dialog().SeeOptions("User", "", "Ben Ortiz", "Cleo Park")
	admin.dialog().Choose("User Type", "Customer")
	admin.dialog().SeeOptions("User", "", "Jane Doe (Acme Ltd)", "Omar Haddad (Acme Ltd)", "Rosa Diaz (Globex)")
	for typed, want := range map[string]string{"glob": "Rosa Diaz (Globex)", "omar@acme": "Omar Haddad (Acme Ltd)", "JANE": "Jane Doe (Acme Ltd)"} {
		admin.dialog().SeeOptions("User", typed, want)
	}
	admin.dialog().SeeOptions("User", "nobody like this")
	var asked int
	admin.Eval(`performance.getEntriesByType('resource').filter(e => e.name.includes('/admin/m/impersonation/search?')).length`, &asked)
	if asked < 3 {
		t.Errorf("the server was asked %d times", asked)
	}
	// Ben doesn't find himself, nor the administrator, whose rights are more than his.
	colleague := signedIn(t, d, ben)
	colleague.openModal()
	colleague.dialog().SeeRole("combobox", "User")
	c := signedInClient(t, d, ben)
	var found struct {
		Results []struct {
			Text     string
			Disabled bool
		}
	}
	if err := json.Unmarshal([]byte(c.get("/admin/m/impersonation/search?kind=staff&q=").Body), &found); err != nil {
		t.Fatal(err)
	}
	var open []string
	for _, r := range found.Results {
		if !r.Disabled {
			open = append(open, r.Text)
		}
	}
	if !slices.Equal(open, []string{"Cleo Park"}) {
		t.Errorf("Ben may choose %q", open)
	}
}

func row13(t *testing.T, d demo, admin *person) {
	admin.impersonate("Customer", "Jane Doe (Acme Ltd)")
	admin.WaitURL(d.Address + "/")
	admin.SeeRole("heading", "Welcome, Jane Doe")
	admin.is("Jane Doe")
	admin.In("navigation", "Main menu").SeeRole("link", "Company details")
	admin.stop()
	admin.self("Ann Lee")
	admin.impersonate("Staff", "Cleo Park")
	admin.WaitURL("/admin")
	admin.See("You (Ann Lee) are signed in as Cleo Park")
	admin.is("Cleo Park")
	if got := admin.In("navigation", "Main menu").Names("link"); !slices.Equal(got, []string{"Dashboard", "Customers"}) {
		t.Errorf("as Cleo the menu offers %q", got)
	}
	admin.stop()
	colleague := signedIn(t, d, ben)
	colleague.impersonate("Customer", "Rosa Diaz (Globex)")
	colleague.WaitURL(d.Address + "/")
	colleague.stop()
	colleague.self("Ben Ortiz")
	// Also from the rows of people.
	admin.open("/admin/staff")
	admin.In("row", "Cleo Park").Click("link", "Impersonate")
	admin.dialog().Click("button", "Impersonate")
	admin.See("You (Ann Lee) are signed in as Cleo Park")
	admin.stop()
	admin.open("/admin/contacts")
	admin.In("row", "Omar Haddad").Click("link", "Impersonate")
	admin.dialog().Click("button", "Impersonate")
	admin.See("You (Ann Lee) are signed in as Omar Haddad")
	admin.stop()
}

func row14(t *testing.T, d demo, admin *person) {
	defer admin.ReducedMotion(false)
	for kind, user := range map[string]string{"Customer": "Jane Doe (Acme Ltd)", "Staff": "Cleo Park"} {
		admin.ReducedMotion(false)
		admin.impersonate(kind, user)
		var blinks struct {
			Runs          int
			EndsAfter     float64
			Before, After string
		}
		admin.Eval(`(async () => {
			const stop = [...document.querySelectorAll('header button, .navbar button')].find(b => b.innerText.trim() === 'Stop Impersonation')
			const own = stop.getAnimations()
			const endsAfter = Math.max(0, ...own.map(a => a.effect.getComputedTiming().endTime))
			own.forEach(a => a.finish())
			await Promise.all(own.map(a => a.finished))
			return {runs: own.length, endsAfter, after: getComputedStyle(stop).backgroundColor}
		})()`, &blinks)
		if blinks.Runs == 0 || blinks.EndsAfter <= 0 || blinks.EndsAfter >= 5000 {
			t.Errorf("as %s: %d animations, over after %v ms", user, blinks.Runs, blinks.EndsAfter)
		}
		if blinks.After == "" || blinks.After == "rgba(0, 0, 0, 0)" {
			t.Errorf("as %s: no highlight stays: %q", user, blinks.After)
		}
		admin.ReducedMotion(true)
		admin.Reload()
		admin.SeeRole("button", "Stop Impersonation")
		var moving int
		admin.Eval(`document.getAnimations().length`, &moving)
		if moving != 0 {
			t.Errorf("as %s: %d animations for somebody who asked for less movement", user, moving)
		}
		admin.stop()
	}
}

// session is a row of the sessions' table, without what changes at every change of subject.
type session struct{ id, actor, subject, created, expires int64 }

func (d demo) sessionOf(t *testing.T, staff int64) session {
	t.Helper()
	var all []session
	d.query(t, "SELECT id, actor_id, subject_id, created_at, expires_at FROM sessions ORDER BY id", func(scan func(...any)) {
		var s session
		scan(&s.id, &s.actor, &s.subject, &s.created, &s.expires)
		if s.actor == staff {
			all = append(all, s)
		}
	})
	if len(all) == 0 {
		t.Fatal("no session")
	}
	return all[len(all)-1]
}

func row15(t *testing.T, d demo, _ *person) {
	admin := signedIn(t, d, ann)
	admin.Click("button", admin.accountMenu())
	admin.Click("button", "Dark")
	admin.SeeRole("main", "")
	theme := func() (theme string) {
		admin.Eval(`document.documentElement.dataset.bsTheme`, &theme)
		return theme
	}
	if theme() != "dark" {
		t.Fatalf("the theme is %q", theme())
	}
	before := d.sessionOf(t, 1)
	admin.impersonate("Customer", "Jane Doe (Acme Ltd)")
	if theme() != "light" {
		t.Errorf("as Jane the theme is %q", theme())
	}
	admin.Click("button", "Stop Impersonation")
	admin.WaitURL(d.Address + "/admin")
	admin.self("Ann Lee")
	admin.See("You were signed in as Jane Doe")
	if theme() != "dark" {
		t.Errorf("back, the theme is %q", theme())
	}
	if after := d.sessionOf(t, 1); after != before {
		t.Errorf("another session: %+v, was %+v", after, before)
	}
	admin.Click("button", admin.accountMenu())
	admin.Click("button", "Automatic")
}

func row16(t *testing.T, d demo, _ *person) {
	var seen bytes.Buffer
	word := "pass-" + unguessable()
	admin := signedInClient(t, d, ann)
	admin.seen = &seen
	// A password of Jane's own, by the link an administrator hands over.
	page := admin.post("/admin/contacts/1/password-link")
	link := regexp.MustCompile(`https?://[^"]*/password/[^"]+`).FindString(page.Body)
	if link == "" {
		t.Fatalf("no set-password link: %d %s", page.Status, page.text())
	}
	seen.Reset() // the link is shown this once, on purpose
	contact := newClient(t, d)
	contact.seen = &seen
	got := contact.send(http.MethodPost, strings.TrimPrefix(link, d.Address), map[string][]string{"password": {word}, "repeat": {word}}, nil)
	if got.Status != http.StatusSeeOther {
		t.Fatalf("set a password: %d %s", got.Status, got.text())
	}
	contact.signIn(jane, word)
	if got := contact.send(http.MethodPost, "/login", map[string][]string{"email": {jane}, "password": {"wrong " + word}}, nil); got.Status < 400 {
		t.Errorf("a second sign-in with the wrong password: %d", got.Status)
	}
	contact.crawl("/")
	admin.crawl("/admin")
	admin.want(admin.post("/session/switch", "target", "contact:1", "reason", "ticket 7"), http.StatusSeeOther)
	admin.crawl("/")
	admin.want(admin.post("/profile/password", "old_password", word, "password", word+"2", "repeat", word+"2"), http.StatusForbidden)
	admin.want(admin.post("/session/restore"), http.StatusSeeOther)
	admin.crawl("/admin/activity")
	admin.get("/admin/m/impersonation/log.csv")
	admin.get("/admin/modules/impersonation/log")

	secrets := map[string]string{"Jane's password": word}
	for _, table := range []string{"staff", "contacts"} {
		d.query(t, "SELECT name, password FROM "+table, func(scan func(...any)) {
			var name, hash string
			scan(&name, &hash)
			secrets["the hash of "+name] = hash
		})
	}
	log := d.Output()
	for what, secret := range secrets {
		if len(secret) < 8 {
			t.Errorf("%s is %q", what, secret)
		}
		if strings.Contains(seen.String(), secret) || strings.Contains(seen.String(), strings.TrimPrefix(secret, "$")) {
			t.Errorf("%s stands in an answer", what)
		}
		if strings.Contains(log, secret) {
			t.Errorf("%s stands in the log", what)
		}
	}
	if n := strings.Count(log, app.DemoPassword); n != 1 {
		t.Errorf("the demo's password stands %d times in what the demo printed, once is the welcome", n)
	}
	if strings.Contains(seen.String(), app.DemoPassword) {
		t.Error("the demo's password stands in an answer")
	}
	for _, file := range []string{"understudy.db", "understudy.db-wal"} {
		if content, err := os.ReadFile(filepath.Join(d.data, file)); err == nil && bytes.Contains(content, []byte(word)) {
			t.Errorf("Jane's password stands in %s", file)
		}
	}
	if seen.Len() < 100_000 {
		t.Errorf("only %d bytes were looked at", seen.Len())
	}
}

// crawl opens every page that links lead to from an address.
func (c *client) crawl(from string) {
	c.t.Helper()
	href := regexp.MustCompile(`(?:href|data-search-url)="(/[^"#]*)"`)
	known, todo := map[string]bool{from: true}, []string{from}
	for len(todo) > 0 {
		page := c.get(todo[0])
		todo = todo[1:]
		if page.Status >= 500 {
			c.t.Errorf("%d: %s", page.Status, page.text())
		}
		if location := page.Header.Get("Location"); strings.HasPrefix(location, "/") && !known[location] {
			known[location] = true
			todo = append(todo, location)
		}
		for _, found := range href.FindAllStringSubmatch(page.Body, -1) {
			address := strings.ReplaceAll(found[1], "&amp;", "&")
			if !known[address] && !strings.HasPrefix(address, "/assets/") && !strings.Contains(address, "after=") {
				known[address] = true
				todo = append(todo, address)
			}
		}
	}
}

func row17(t *testing.T, _ demo, _ *person) {
	root := hosttest.Root(t)
	for _, folder := range []string{"host", "sdk", "proto"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(name string, entry fs.DirEntry, err error) error {
			inside := filepath.ToSlash(strings.TrimPrefix(name, root+string(filepath.Separator)))
			if err != nil {
				return err
			}
			if entry.IsDir() {
				if entry.Name() == "node_modules" || entry.Name() == "testdata" || inside == "host/internal/hosttest" {
					return filepath.SkipDir
				}
				return nil
			}
			if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".md") {
				return nil
			}
			if bytes.Contains(bytes.ToLower(readFile(t, name)), []byte("impersonat")) {
				t.Errorf("%s names the feature", inside)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	// The program that was installed into doesn't know it either, texts and templates included.
	program := bytes.ToLower(readFile(t, hosttest.Program(t)))
	for _, words := range []string{"stop impersonation", "impersonate", "/m/impersonation"} {
		if at := bytes.Index(program, []byte(words)); at >= 0 {
			t.Errorf("the host's program holds %q: …%q…", words, program[max(0, at-60):at+60])
		}
	}
}

// frenchFile is a copy of the English file with some texts translated and one left out.
func frenchFile(t *testing.T, stop string) []byte {
	t.Helper()
	var texts map[string]string
	if err := json.Unmarshal(readFile(t, filepath.Join(hosttest.Root(t), shippedModule, "languages", "en.json")), &texts); err != nil {
		t.Fatal(err)
	}
	texts["language_name"], texts["impersonate"], texts["stop_impersonation"] = "Français", "Usurper", stop
	delete(texts, "user_type")
	file, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func row18(t *testing.T, d demo, admin *person) {
	admin.open("/admin")
	admin.bar().SeeRole("link", "Impersonate") // English without asking
	folder := filepath.Join(d.data, "modules", "impersonation", "languages")
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "fr.json"), frenchFile(t, "Cesser"), 0o600); err != nil {
		t.Fatal(err)
	}
	hosttest.Eventually(t, 10*time.Second, "the dropped file is in the list of languages", func() bool {
		admin.open("/admin/m/impersonation/languages")
		return slices.ContainsFunc(admin.Names("rowheader"), func(name string) bool { return strings.HasPrefix(name, "Français") })
	})
	french := visitor(t, d)
	french.Languages("fr,en") // the browser adds the weights
	french.signIn(ann, app.DemoPassword)
	french.SeeRole("link", "Usurper")
	french.Click("link", "Usurper")
	french.SeeRole("dialog", "Usurper")
	french.In("dialog", "Usurper").SeeRole("combobox", "User Type") // missing in the file: English
	french.open("/admin")

	// Uploaded on the module's page, it replaces the dropped one at once.
	admin.open("/admin/m/impersonation/languages")
	admin.SetFile("Choose File", tempFile(t, "fr.json", frenchFile(t, "Arrêter")))
	admin.Click("button", "Upload")
	admin.See("Saved fr.")
	french.open("/admin")
	french.Click("link", "Usurper")
	french.In("dialog", "Usurper").Choose("User", "Cleo Park")
	french.In("dialog", "Usurper").Click("button", "Usurper")
	french.SeeRole("button", "Arrêter")
	french.Click("button", "Arrêter")
	french.WaitURL("/admin")
}

func row19(t *testing.T, d demo, admin *person) {
	admin.openModal()
	admin.dialog().Choose("User Type", "Customer")
	admin.dialog().Choose("User", "Jane Doe (Acme Ltd)")
	admin.dialog().Fill("Reason", "=ticket 42")
	admin.dialog().Click("button", "Impersonate")
	admin.stop()
	sales := signedInClient(t, d, cleo)
	for range 26 {
		sales.want(sales.post("/session/switch", "target", "contact:3", "reason", "curious"), http.StatusForbidden)
	}
	colleague := signedInClient(t, d, ben)
	colleague.want(colleague.post("/session/switch", "target", "contact:2"), http.StatusSeeOther)

	admin.open("/admin/modules")
	admin.moduleRow().Click("link", "View Log")
	// The style sheet may write them in capitals.
	columns := "Who, As whom, User Type, Start, End, Duration, How it ended, Reason, IP, Browser"
	if got := strings.Join(admin.Names("columnheader"), ", "); !strings.EqualFold(got, columns) {
		t.Errorf("columns %s", got)
	}
	admin.In("row", "Omar Haddad").See("Active now")
	filter := admin.In("search", "Filter")
	filter.Choose("Outcome", "Ended")
	filter.Fill("As whom", "jane")
	filter.Click("button", "Filter")
	admin.In("row", "=ticket 42").See("Ann Lee")
	for _, fact := range []string{"Jane Doe", "Acme Ltd", "Customer", time.Now().Format("2006-01-02"), "Stopped", "127.0.0.1", "Chrome"} {
		admin.In("row", "=ticket 42").See(fact)
	}
	if !strings.Contains(admin.URL(), "outcome=ended") || !strings.Contains(admin.URL(), "target=jane") {
		t.Errorf("the filters aren't in the address: %s", admin.URL())
	}
	filter.Click("link", "Clear filters")
	filter.Choose("Outcome", "Refused")
	filter.Choose("User Type", "Customer")
	filter.Fill("Who", "cleo")
	filter.Click("button", "Filter")
	admin.See("Refused: You don't have the permission")
	if rows := len(admin.Names("row")) - 1; rows != 25 {
		t.Errorf("%d rows on the first page", rows)
	}
	admin.Click("link", "Older")
	admin.SeeRole("link", "Newest")
	if rows := len(admin.Names("row")) - 1; rows != 1 {
		t.Errorf("%d rows on the second page", rows)
	}
	admin.In("search", "Filter").Fill("Until", "2001-01-01")
	admin.In("search", "Filter").Click("button", "Filter")
	admin.See("No entry matches these filters")

	c := signedInClient(t, d, ann)
	file := c.get("/admin/m/impersonation/log.csv?outcome=ended&target=jane")
	if file.Status != http.StatusOK || !strings.HasPrefix(file.Header.Get("Content-Disposition"), "attachment") {
		t.Fatalf("export: %d %v", file.Status, file.Header)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file.Body, "\xef\xbb\xbf"))).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("the file has %d rows: %v", len(rows), err)
	}
	reason := slices.Index(rows[0], "Reason")
	if reason < 0 || !slices.ContainsFunc(rows[1:], func(row []string) bool { return row[reason] == "'=ticket 42" }) {
		t.Errorf("a formula, or no reason: %q", rows)
	}
	for _, row := range rows[1:] {
		if !slices.Contains(row, "Jane Doe") || slices.Contains(row, "Refused") {
			t.Errorf("the filter doesn't hold in the file: %q", row)
		}
	}
	admin.open("/admin/activity")
	admin.See("log exported")
	if got := sales.get("/admin/m/impersonation/log"); got.Status != http.StatusForbidden {
		t.Errorf("Cleo reads the log: %d", got.Status)
	}
	colleague.want(colleague.post("/session/restore"), http.StatusSeeOther)
}

func row20(t *testing.T, d demo, admin *person) {
	admin.saveSettings(false, false, true)
	admin.open("/admin/staff/3")
	admin.In("row", "Impersonation").Check("Impersonate staff", true)
	admin.Click("button", "Save")
	admin.See("was saved.")
	admin.openModal()
	admin.dialog().Choose("User", "Cleo Park")
	admin.dialog().Fill("Reason", "before the update")
	admin.dialog().Click("button", "Impersonate")
	admin.stop()

	admin.open("/admin/modules")
	admin.SetFile("Choose File", newerPackage(t, "1.0.1"))
	admin.See("Version 1.0.0 will be replaced by 1.0.1. Settings, log and permissions stay.")
	admin.Click("button", "Install")
	admin.moduleRow().See("Version 1.0.1 | By Understudy")
	admin.moduleRow().SeeRole("button", "Deactivate") // it was active and asks for nothing new
	hosttest.Eventually(t, 10*time.Second, "the new version runs", func() bool {
		admin.open("/admin")
		return admin.bar().HasRole("link", "Impersonate")
	})
	admin.open("/admin/settings/impersonation")
	if got := admin.chosen("Enable for Customers"); got != "No" {
		t.Errorf("Enable for Customers was No, is %q", got)
	}
	admin.open("/admin/staff/3")
	if got := admin.In("row", "Impersonation").Value("Impersonate staff"); got != "true" {
		t.Errorf("Cleo's permission is %s", got)
	}
	admin.open("/admin/m/impersonation/log")
	admin.See("before the update")
	admin.open("/admin/m/impersonation/languages")
	admin.See("Français")
	sales := signedIn(t, d, cleo)
	sales.bar().SeeRole("link", "Impersonate")
	// The same again, and an older one, are said to be so.
	admin.open("/admin/modules")
	admin.SetFile("Choose File", hosttest.Package(t, shippedModule))
	admin.See("Version 1.0.1 will be replaced by the older 1.0.0.")
	admin.Click("button", "Cancel")
}
