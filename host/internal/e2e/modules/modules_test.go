// Package modules tells how modules come, go and show, on their pages and on the host's.
package modules

import (
	"regexp"
	"slices"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// Long work shows its progress and can be given up.
func TestUploadShowsProgressAndCanBeCancelled(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t, "--bare")
	p := e2e.SignedIn(t, d, e2e.Ann)
	p.Visit("/admin/modules")
	p.UploadSpeed(1 << 20)
	p.SetFile("Choose File", hosttest.Package(t, e2e.ShippedModule))
	p.SeeRole("progressbar", "Upload")
	hosttest.Eventually(t, "bytes are counted", func() bool {
		return regexp.MustCompile(`\b[1-9]\d? %`).MatchString(p.Text("[data-progress-text]"))
	})
	e2e.Pictures(p.Browser, "modules-upload")
	p.Click("button", "Cancel")
	p.See("The upload was cancelled.")
	p.DontSeeRole("progressbar", "Upload")
	p.UploadSpeed(0)
	p.SetFile("Choose File", hosttest.Package(t, e2e.ShippedModule))
	p.SeeRole("button", "Install")
}

// What people upload instead, and the sentence each of it gets.
func TestEveryWrongUploadGetsItsSentence(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t, "--bare")
	p := e2e.SignedIn(t, d, e2e.Ann)
	good := e2e.ReadFile(t, hosttest.Package(t, e2e.ShippedModule))
	damaged := slices.Clone(good)
	for i := len(damaged) / 2; i < len(damaged)/2+64; i++ {
		damaged[i] ^= 0xff
	}
	offer := func(name string, content []byte, sentences ...string) {
		t.Helper()
		p.Visit("/admin/modules")
		p.SetFile("Choose File", e2e.TempFile(t, name, content))
		for _, sentence := range sentences {
			p.See(sentence)
		}
		if p.HasRole("button", "Install") {
			t.Errorf("%s can be installed", name)
		}
	}
	offer("impersonation.rar", []byte("Rar!\x1a\x07\x01\x00"), "Only .zip files can be installed.")
	offer("renamed.zip", []byte("Rar!\x1a\x07\x01\x00 and more"), "Only .zip")
	offer("archive.zip", []byte("\x1f\x8b\x08\x00 gzip"), "Only .zip")
	offer("damaged.zip", damaged, "The zip is damaged at", "download it again", "SHA-256")
	offer("half.zip", good[:len(good)/2], "The zip is damaged at", "download it again")
	offer("documents.zip", e2e.Zipped(t, map[string]string{"docs/index.html": "<p>", "notes.txt": "."}), "No module.json found. The zip contains:", "docs/", "notes.txt")
	offer("empty.zip", nil, "Only .zip")

	big := e2e.TempFile(t, "big.zip", nil)
	if err := e2e.Truncate(big, 65<<20); err != nil {
		t.Fatal(err)
	}
	p.Visit("/admin/modules")
	p.SetFile("Choose File", big)
	p.See("The file is 65.0 MiB and at most 64.0 MiB are taken")
	e2e.NamesASetting(t, p.Text("[data-upload-error]"))
	c := e2e.SignedInClient(t, d, e2e.Ann)
	c.UploadTooBig(65 << 20)

	// With rubbish that systems add, in a folder of its own: taken.
	p.Visit("/admin/modules")
	p.SetFile("Choose File", e2e.TempFile(t, "rezipped.zip", e2e.Rezipped(t, good)))
	p.SeeRole("button", "Install")

	// The download package around it: one click further.
	p.Visit("/admin/modules")
	p.SetFile("Choose File", e2e.TempFile(t, "impersonation-1.0.0.zip", e2e.Zipped(t, map[string]string{"impersonation.zip": string(good), "documentation/index.html": "<p>"})))
	p.See("is the download package")
	p.Click("button", "Review impersonation.zip")
	p.SeeRole("heading", "Review Impersonation")
	p.Click("button", "Install")
	p.See("Impersonation 1.0.0 is installed.")
	// Once more: said to be so.
	p.SetFile("Choose File", hosttest.Package(t, e2e.ShippedModule))
	p.See("1.0.0 is already installed")
	p.SeeRole("button", "Reinstall")
	p.Click("button", "Cancel")
	p.WaitURL("/admin/modules")
}

// Everything that was uploaded and installed can be taken away again, with or without its data.
func TestUninstallAsksWhatBecomesOfTheData(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	p := e2e.SignedIn(t, d, e2e.Ann)
	p.SaveSettings(false, false, true)
	p.Visit("/admin/modules")
	p.ModuleRow().Click("button", "Deactivate")
	p.ModuleRow().Click("link", "Uninstall")
	p.See("saved setting")
	p.Click("radio", "Delete data")
	p.Click("button", "Uninstall")
	p.See("type the module's name exactly: Impersonation")
	p.Click("radio", "Keep data, for when it is installed again")
	p.Click("button", "Uninstall")
	p.See("Impersonation was uninstalled.")
	p.See("No modules yet.")
	p.SetFile("Choose File", hosttest.Package(t, e2e.ShippedModule))
	p.Click("button", "Install")
	p.ModuleRow().Click("button", "Activate")
	p.ModuleRow().Click("link", "Settings")
	if got := p.Chosen("Enable for Customers"); got != "No" {
		t.Errorf("kept data: Enable for Customers is %q", got)
	}
}

// A module is a program that will run here: who signed in a while ago is asked who they are, once more.
func TestInstallAsksForThePasswordOfALongSignIn(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t, "--bare")
	p := e2e.SignedIn(t, d, e2e.Ann)
	d.Exec(t, "UPDATE sessions SET created_at = created_at - 16 * 60 * 1000")
	p.Visit("/admin/modules")
	p.SetFile("Choose File", hosttest.Package(t, e2e.ShippedModule))
	p.SeeRole("button", "Install")
	p.Fill("Your Password", "not "+e2e.DemoPassword)
	p.Click("button", "Install")
	p.See("The current password is wrong.")
	if got := p.Value("Your Password"); got != "" {
		t.Errorf("the field still holds %q", got)
	}
	p.Fill("Your Password", e2e.DemoPassword)
	p.Click("button", "Install")
	p.See("Impersonation 1.0.0 is installed.")
}

// An upgrade that asks for more than was granted waits for an administrator's word; the old one goes on.
func TestUpgradeThatAsksForMoreWaits(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	p := e2e.SignedIn(t, d, e2e.Ann)
	p.Visit("/admin/modules")
	p.SetFile("Choose File", e2e.NewerPackage(t, "1.1.0", map[string]any{"name": "network", "why": "To send a mail."}))
	p.See("1.0.0 → 1.1.0")
	p.See("Why: To send a mail.")
	p.Click("button", "Install")
	p.See("Impersonation 1.1.0 asks for more than the installed version.")
	p.ModuleRow().See("Version 1.0.0 | By Understudy")
	p.ModuleRow().See("Open network connections to other machines")
	e2e.Pictures(p.Browser, "modules-waiting")
	for _, violation := range p.Axe() {
		t.Error(violation)
	}
	p.Impersonate("Staff", "Cleo Park") // the old one goes on
	p.Stop()
	p.Visit("/admin/modules")
	p.Click("button", "Accept and Upgrade")
	p.ModuleRow().See("Version 1.1.0 | By Understudy")
	p.Impersonate("Staff", "Cleo Park")
	p.Stop()
}
