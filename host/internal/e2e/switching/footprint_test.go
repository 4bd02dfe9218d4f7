package switching

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
)

// table is a table as it stands: all its rows, in order.
func tableOf(t *testing.T, d e2e.Demo, name, where string) string {
	t.Helper()
	var columns, rows []string
	d.Query(t, "SELECT name FROM pragma_table_info('"+name+"')", func(scan func(...any)) {
		var column string
		scan(&column)
		columns = append(columns, column)
	})
	d.Query(t, "SELECT * FROM "+name+" "+where+" ORDER BY 1", func(scan func(...any)) {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		scan(into...)
		rows = append(rows, fmt.Sprint(values...))
	})
	return strings.Join(rows, "\n")
}

// ofTargets is every table that could hold a mark of Cleo's or Jane's. What names the actor is left
// out: the record, and the actor's own sessions.
func ofTargets(t *testing.T, d e2e.Demo) map[string]string {
	t.Helper()
	all := map[string]string{"sessions": tableOf(t, d, "sessions", "WHERE actor_kind = 'contact' AND actor_id = 1 OR actor_kind = 'staff' AND actor_id = 3")}
	d.Query(t, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'", func(scan func(...any)) {
		var name string
		scan(&name)
		switch name {
		case "sessions", "session_switches", "switch_pages", "switch_page_counts", "audit_entries", "audit_chains", "module_log":
		default:
			all[name] = tableOf(t, d, name, "")
		}
	})
	return all
}

// A reading tour as each kind of person, with notices waiting for them and sessions of their own: not
// one row of the database but the record of it is another afterwards.
func TestAReadingTourLeavesNoMarkAnywhere(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	admin := e2e.SignedInClient(t, d, e2e.Ann)
	admin.Want(admin.Post("/admin/settings/impersonation", "s_read_only", "true", "s_tell_subject", "no"), http.StatusSeeOther)
	e2e.SignedInClient(t, d, e2e.Cleo).Get("/admin")
	e2e.SignedInClient(t, d, e2e.Jane).Get("/")
	for _, who := range []string{"'contact', 1", "'staff', 3"} {
		d.Exec(t, `INSERT INTO account_notices (account_kind, account_id, module_id, text_key, args, page, at, read_at)
			VALUES (`+who+`, 'impersonation', 'notice_subject', '{}', '', 1700000000000, 0)`)
	}
	tours := map[string][]string{
		"staff:3":   {"/admin", "/admin/profile", "/admin/customers", "/admin/customers/1", "/admin/m/impersonation/start", "/nowhere"},
		"contact:1": {"/", "/profile", "/company", "/m/impersonation/access", "/m/impersonation/access/entry?id=1", "/nowhere"},
	}
	admin.Get("/admin") // says "Settings saved." once
	before := ofTargets(t, d)
	for target, pages := range tours {
		admin.Want(admin.Post("/session/switch", "target", target, "reason", "a look"), http.StatusSeeOther)
		for _, path := range pages {
			page := admin.Get(path)
			if page.Status >= http.StatusInternalServerError || strings.Contains(page.Body, "/dismiss") {
				t.Errorf("%s as %s: %d", path, target, page.Status)
			}
			for _, cookie := range page.Header["Set-Cookie"] {
				t.Errorf("%s as %s leaves %s", path, target, cookie)
			}
		}
		for _, path := range []string{"/preferences", "/notices/dismiss", "/notices/1/dismiss", "/profile", "/admin/profile", "/company"} {
			if got := admin.Post(path, "language", "ar", "theme", "dark", "name", "x"); got.Status < http.StatusBadRequest {
				t.Errorf("POST %s as %s: %d", path, target, got.Status)
			}
		}
		admin.Want(admin.Post("/session/restore"), http.StatusSeeOther)
	}
	after := ofTargets(t, d)
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if before[name] != after[name] {
			t.Errorf("%s was\n%s\nand is\n%s", name, before[name], after[name])
		}
	}
	if len(before) < 15 || before["sessions"] == "" || before["account_notices"] == "" {
		t.Errorf("too little was compared: %d tables", len(before))
	}
}

// What is typed as the own password, right or wrong, before a start and for more rights, is nowhere
// afterwards: not in an answer, not in what is stored, not in any log.
func TestTheOwnPasswordGoesNowhere(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	admin := e2e.SignedInClient(t, d, e2e.Ann)
	email, password := admin.Hire(t, "Zoe Quinn", "zoe@example.com", "en")
	admin.Want(admin.Post("/admin/settings/impersonation", "s_own_password", "true", "s_read_only", "true"), http.StatusSeeOther)
	var seen bytes.Buffer
	zoe := e2e.NewClient(t, d)
	zoe.SignIn(email, password)
	zoe.Seen = &seen
	d.Exec(t, "UPDATE sessions SET created_at = created_at - 3600000") // signing in counts for 15 minutes
	wrong, wish := "wrong-"+e2e.Unguessable(), []string{"target", "contact:1", "reason", "a look"}
	zoe.Want(zoe.Post("/session/switch", wish...), http.StatusOK, "Password of Zoe Quinn")
	zoe.Want(zoe.Post("/session/switch", append(wish, "password", wrong)...), http.StatusUnprocessableEntity, "wrong")
	// A page of the module is given what is sent to it; the host never sends a password on its way there.
	zoe.Want(zoe.Post("/session/switch", append(wish, "password", password)...), http.StatusSeeOther)
	zoe.Want(zoe.Post("/session/elevate", "reason", "more", "password", wrong), http.StatusUnprocessableEntity, "wrong")
	zoe.Want(zoe.Post("/session/elevate", "reason", "more", "password", password), http.StatusSeeOther)
	zoe.Want(zoe.Post("/session/restore"), http.StatusSeeOther)
	admin.Seen = &seen
	admin.Want(admin.Get("/admin/m/impersonation/log/entry?id=1"), http.StatusOK, "Elevated to full")
	admin.Get("/admin/activity")
	admin.Get("/admin/modules/impersonation/log")

	_ = filepath.WalkDir(d.Data, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			content, _ := os.ReadFile(path) // what goes away meanwhile is no leak
			seen.Write(content)
		}
		return nil
	})
	seen.WriteString(d.Output())
	for what, secret := range map[string]string{"right": password, "wrong": wrong} {
		if bytes.Contains(seen.Bytes(), []byte(secret)) {
			t.Errorf("the %s password stands somewhere", what)
		}
	}
}

// However a page of the module is asked, by whoever has no business there, nothing is stored, ended
// or begun; and a start wants a reason that can be seen and a target that is one.
func TestOddRequestsToTheModuleChangeNothing(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	admin, agent, running := e2e.SignedInClient(t, d, e2e.Ann), e2e.SignedInClient(t, d, e2e.Ben), e2e.SignedInClient(t, d, e2e.Ben)
	without, another := e2e.SignedInClient(t, d, e2e.Omar), e2e.SignedInClient(t, d, e2e.Rosa)
	admin.Want(admin.Post("/admin/settings/impersonation", "s_reason", "required", "s_four_eyes", "true"), http.StatusSeeOther)
	running.Want(running.Post("/session/switch", "target", "contact:1", "reason", "a look"), http.StatusSeeOther)
	state := func() string {
		return tableOf(t, d, "module_values", "") + tableOf(t, d, "session_switches", "WHERE refusal = ''") + tableOf(t, d, "settings", "")
	}
	before := state()
	const page, portalPage = "/admin/m/impersonation", "/m/impersonation"
	for _, c := range []*e2e.Client{agent, without, another} {
		token := c.Token()
		for _, path := range []string{page + "/active/end", page + "/approvals/answer", page + "/languages/delete", portalPage + "/access/end", portalPage + "/access/choice"} {
			if c == another && strings.HasPrefix(path, portalPage) {
				continue // has the right, for a customer of its own
			}
			if got := c.Post(path, "id", "1", "choice", "never", "answer", "yes", "actor", "staff:1", "target", "staff:3"); got.Status < http.StatusBadRequest {
				t.Errorf("POST %s: %d", path, got.Status)
			}
		}
		for _, path := range []string{page + "/pin", page + "/active/end", portalPage + "/access/end", portalPage + "/access/choice"} {
			query := path + "?id=1&choice=never&target=contact:1&form_token=" + token
			for _, method := range []string{http.MethodHead, http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPatch} {
				if got := c.Send(method, query, nil, nil); got.Status < http.StatusMultipleChoices { // who is in the wrong area is sent home
					t.Errorf("%s %s: %d", method, path, got.Status)
				}
			}
			body := `{"id": "1", "choice": "never", "target": "contact:1", "form_token": "` + token + `"}`
			if got := c.SendBody(http.MethodPost, path, strings.NewReader(body), "application/json", nil); got.Status < http.StatusBadRequest {
				t.Errorf("POST %s as JSON: %d", path, got.Status)
			}
		}
	}
	if got := another.Post(portalPage+"/access/end", "id", "1"); got.Status != http.StatusNotFound {
		t.Errorf("another customer ends it: %d", got.Status)
	}
	for _, reason := range []string{"", "  \t", "\u00a0", "\u3164", "\u00ad", "\u200b", "\u2800", strings.Repeat("x", 501)} {
		if got := agent.Post("/session/switch", "target", "contact:2", "reason", reason); got.Status < http.StatusBadRequest {
			t.Errorf("the reason %q: %d", reason, got.Status)
		}
	}
	for _, target := range []string{"", "contact:0", "contact:-1", "contact:99999999999999999999", "customer:1", "all:1", "staff:2", "staff:1", "contact:4", "contact: 2"} {
		if got := agent.Post("/session/switch", "target", target, "reason", "a look"); got.Status < http.StatusBadRequest {
			t.Errorf("the target %q: %d", target, got.Status)
		}
	}
	if after := state(); after != before {
		t.Errorf("it was\n%s\nand is\n%s", before, after)
	}
}
