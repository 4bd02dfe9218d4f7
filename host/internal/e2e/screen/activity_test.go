package screen

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// nextcloud #131, zammad #2585, wekan #3284: the record names the person it was done as, and nobody else.
func TestTheActivityLogTellsWhoActedAsWhom(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	c := e2e.SignedInClient(t, d, e2e.Ann)
	c.Want(c.Post("/session/switch", "target", "contact:1"), http.StatusSeeOther)
	c.Want(c.Post("/profile", "name", "Jane Doe", "phone", "+44 1"), http.StatusSeeOther)
	c.Want(c.Post("/session/restore"), http.StatusSeeOther)

	p := e2e.SignedIn(t, d, e2e.Ann)
	p.Visit("/admin/activity")
	p.In("row", "Changed the own profile").See("Ann Lee as Jane Doe")
	p.In("row", "Changed the own profile").Click("link", "All of this account switch")
	p.See("Began to act as somebody else")
	p.See("Ceased to act as somebody else")
	p.See("Changed the own profile")
	if n := len(p.Names("row")); n != 4 {
		t.Errorf("%d rows: %v", n, p.Names("row"))
	}
	e2e.Pictures(p.Browser, "activity-switch")
	for _, width := range []int64{1280, 360} {
		p.Viewport(width, 800)
		if over := p.Overflow(); over != "" {
			t.Errorf("at %d px: %s", width, over)
		}
		if found := p.Axe(); len(found) > 0 {
			t.Errorf("at %d px: %v", width, found)
		}
	}
	p.Viewport(1280, 800)

	// What is searched for while typing is what goes into the file.
	p.Fill("Search the log", "+44")
	hosttest.Eventually(t, "only one row is left", func() bool { return len(p.Names("row")) == 2 })
	var sent string
	p.Eval(`(() => { const f = document.querySelector('form[action$="/admin/activity/export"]'); return new URLSearchParams(new FormData(f)).toString() })()`, &sent)
	if !strings.Contains(sent, "q=") || !strings.Contains(sent, "switch=") {
		t.Errorf("the export would send %q", sent)
	}
	p.SeeRole("button", "Export these entries (JSON)")

	// By keyboard alone.
	hosttest.Eventually(t, "the list stays as it is, the search having had its delay", func() (settled bool) {
		p.Eval(`(() => { const b = document.querySelector('button[value="csv"]'); b.since ??= performance.now(); b.focus(); return performance.now() - b.since > 600 })()`, &settled)
		return settled
	})
	p.Press("Enter")
	hosttest.Eventually(t, "the export is recorded", func() bool {
		return strings.Contains(c.Get("/admin/activity?action=activity_exported").Text(), "entries: 1")
	})
}

// A program that is told to stop has written down the last page somebody saw.
func TestStoppingKeepsTheLastPageSeen(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	c := e2e.SignedInClient(t, d, e2e.Ann)
	c.Want(c.Post("/session/switch", "target", "contact:1"), http.StatusSeeOther)
	c.Want(c.Get("/company"), http.StatusOK)
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	var seen []string
	d.Query(t, "SELECT path, title, status FROM switch_pages ORDER BY id", func(scan func(...any)) {
		var path, title string
		var status int
		scan(&path, &title, &status)
		seen = append(seen, fmt.Sprint(path, " ", title, " ", status))
	})
	if len(seen) == 0 || seen[len(seen)-1] != "/company Company details 200" {
		t.Errorf("kept: %q", seen)
	}
}
