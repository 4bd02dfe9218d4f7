package promises

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

func row17(t *testing.T, _ e2e.Demo, _ *e2e.Person) {
	root := hosttest.Root(t)
	for _, folder := range []string{"host", "sdk", "proto"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(name string, entry fs.DirEntry, err error) error {
			inside := filepath.ToSlash(strings.TrimPrefix(name, root+string(filepath.Separator)))
			if err != nil {
				return err
			}
			if entry.IsDir() {
				if entry.Name() == "node_modules" || entry.Name() == "testdata" || inside == "host/internal/hosttest" || inside == "host/internal/e2e" {
					return filepath.SkipDir
				}
				return nil
			}
			if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".md") {
				return nil
			}
			if bytes.Contains(bytes.ToLower(e2e.ReadFile(t, name)), []byte("impersonat")) {
				t.Errorf("%s names the feature", inside)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	// The program that was installed into doesn't know it either, texts and templates included.
	program := bytes.ToLower(e2e.ReadFile(t, hosttest.Program(t)))
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
	if err := json.Unmarshal(e2e.ReadFile(t, filepath.Join(hosttest.Root(t), e2e.ShippedModule, "languages", "en.json")), &texts); err != nil {
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

func row18(t *testing.T, d e2e.Demo, admin *e2e.Person) {
	admin.Visit("/admin")
	admin.Bar().SeeRole("link", "Impersonate") // English without asking
	folder := filepath.Join(d.Data, "modules", "impersonation", "languages")
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "fr.json"), frenchFile(t, "Cesser"), 0o600); err != nil {
		t.Fatal(err)
	}
	hosttest.Eventually(t, "the dropped file is in the list of languages", func() bool {
		admin.Visit("/admin/m/impersonation/languages")
		return slices.ContainsFunc(admin.Names("rowheader"), func(name string) bool { return strings.HasPrefix(name, "Français") })
	})
	french := e2e.Visitor(t, d)
	french.Languages("fr,en") // the browser adds the weights
	french.SignIn(e2e.Ann, app.DemoPassword)
	french.SeeRole("link", "Usurper")
	french.Click("link", "Usurper")
	french.SeeRole("dialog", "Usurper")
	french.In("dialog", "Usurper").SeeRole("combobox", "User Type") // missing in the file: English
	french.Visit("/admin")

	// Uploaded on the module's page, it replaces the dropped one at once.
	admin.Visit("/admin/m/impersonation/languages")
	admin.SetFile("Choose File", e2e.TempFile(t, "fr.json", frenchFile(t, "Arrêter")))
	admin.Click("button", "Upload")
	admin.See("Saved fr.")
	french.Visit("/admin")
	french.Click("link", "Usurper")
	french.In("dialog", "Usurper").Choose("User", "Cleo Park")
	french.In("dialog", "Usurper").Click("button", "Usurper")
	french.SeeRole("button", "Arrêter")
	french.Click("button", "Arrêter")
	french.WaitURL("/admin")
}

func row19(t *testing.T, d e2e.Demo, admin *e2e.Person) {
	admin.OpenModal()
	admin.Dialog().Choose("User Type", "Customer")
	admin.Dialog().Choose("User", "Jane Doe (Acme Ltd)")
	admin.Dialog().Fill("Reason", "=ticket 42")
	admin.Dialog().Click("button", "Impersonate")
	admin.Stop()
	sales := e2e.SignedInClient(t, d, e2e.Cleo)
	for range 26 {
		sales.Want(sales.Post("/session/switch", "target", "contact:3", "reason", "curious"), http.StatusForbidden)
	}
	colleague := e2e.SignedInClient(t, d, e2e.Ben)
	colleague.Want(colleague.Post("/session/switch", "target", "contact:2"), http.StatusSeeOther)

	admin.Visit("/admin/modules")
	admin.ModuleRow().Click("link", "View Log")
	// The style sheet may write them in capitals.
	columns := "Who, As whom, User Type, Start, End, Duration, How it ended, Ended by, Mode, Reason, Ticket, IP, Browser"
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

	c := e2e.SignedInClient(t, d, e2e.Ann)
	file := c.Post("/admin/m/impersonation/log/export", "format", "csv", "outcome", "ended", "target", "jane")
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
	admin.Visit("/admin/activity")
	admin.See("log exported")
	if got := sales.Get("/admin/m/impersonation/log"); got.Status != http.StatusForbidden {
		t.Errorf("Cleo reads the log: %d", got.Status)
	}
	colleague.Want(colleague.Post("/session/restore"), http.StatusSeeOther)
}

func row20(t *testing.T, d e2e.Demo, admin *e2e.Person) {
	admin.SaveSettings(false, false, true)
	admin.Visit("/admin/staff/3")
	admin.In("row", "Impersonation").Check("Impersonate staff", true)
	admin.Click("button", "Save")
	admin.See("was saved.")
	admin.OpenModal()
	admin.Dialog().Choose("User", "Cleo Park")
	admin.Dialog().Fill("Reason", "before the update")
	admin.Dialog().Click("button", "Impersonate")
	admin.Stop()

	admin.Visit("/admin/modules")
	admin.SetFile("Choose File", e2e.NewerPackage(t, "1.0.1"))
	admin.See("Version 1.0.0 will be replaced by 1.0.1. Settings, log and permissions stay.")
	admin.Click("button", "Install")
	admin.ModuleRow().See("Version 1.0.1 | By Understudy")
	admin.ModuleRow().SeeRole("button", "Deactivate") // it was active and asks for nothing new
	hosttest.Eventually(t, "the new version runs", func() bool {
		admin.Visit("/admin")
		return admin.Bar().HasRole("link", "Impersonate")
	})
	admin.Visit("/admin/settings/impersonation")
	if got := admin.Chosen("Enable for Customers"); got != "No" {
		t.Errorf("Enable for Customers was No, is %q", got)
	}
	admin.Visit("/admin/staff/3")
	if got := admin.In("row", "Impersonation").Value("Impersonate staff"); got != "true" {
		t.Errorf("Cleo's permission is %s", got)
	}
	admin.Visit("/admin/m/impersonation/log")
	admin.See("before the update")
	admin.Visit("/admin/m/impersonation/languages")
	admin.See("Français")
	sales := e2e.SignedIn(t, d, e2e.Cleo)
	sales.Bar().SeeRole("link", "Impersonate")
	// The same again, and an older one, are said to be so.
	admin.Visit("/admin/modules")
	admin.SetFile("Choose File", hosttest.Package(t, e2e.ShippedModule))
	admin.See("Version 1.0.1 will be replaced by the older 1.0.0.")
	admin.Click("button", "Cancel")
}
