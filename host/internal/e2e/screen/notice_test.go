package screen

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// tell has the shipped module tell somebody who may do what, beside the running program.
func tell(t *testing.T, d e2e.Demo, email, page, name, kind string) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(d.Data, "understudy.db"), "NORMAL")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a := app.New(app.Options{Store: db, Version: "3.1.0"})
	a.UseMail()
	to := crm.Contact
	if e2e.Login(email) == "/admin/login" {
		to = crm.Staff
	}
	found, err := a.SearchAccounts(t.Context(), app.AccountQuery{Kind: to, Term: email})
	if err != nil || len(found.Rows) != 1 {
		t.Fatalf("find %s: %v, %v", email, found.Rows, err)
	}
	n := crm.AccountNotice{To: found.Rows[0].Key, TextKey: "who_may", Args: map[string]string{"name": name, "kind": kind}, Page: page, Mail: true}
	if err := a.SendNotice(t.Context(), crm.Who{}, "impersonation", n, false); err != nil {
		t.Fatal(err)
	}
}

// What an account is told stands on its pages, by keyboard it is dismissed, and nobody else does it.
func TestNoticesOnTheScreen(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	long := "Bartholomew-Constantine Featherstonehaugh-Cholmondeley " + strings.Repeat("x", 60)
	tell(t, d, e2e.Ann, "/admin/m/impersonation/log", "Ben Ortiz", "Staff")
	tell(t, d, e2e.Ann, "", long, "Customer")
	tell(t, d, e2e.Jane, "", "Ben Ortiz", "Customer")
	tell(t, d, e2e.Omar, "", "Ben Ortiz", "Customer")

	admin := e2e.SignedIn(t, d, e2e.Ann)
	admin.Inspect(t, e2e.Place{Name: "notices", Path: "/admin"}, "notices-admin")
	contact := e2e.SignedIn(t, d, e2e.Jane)
	contact.Inspect(t, e2e.Place{Name: "notices", Path: "/company"}, "notices-portal")
	arabic := e2e.SignedIn(t, d, e2e.Omar)
	arabic.Inspect(t, e2e.Place{Name: "notices", Path: "/"}, "notices-arabic")

	contact.Viewport(1280, 800)
	contact.Visit("/company")
	notices := contact.In("region", "Notices for you")
	notices.See("Ben Ortiz may impersonate: Customer")
	if mine := notices.Names("button"); len(mine) != 1 || mine[0] != "Dismiss" {
		t.Errorf("buttons: %q", mine)
	}
	admin.Impersonate("Customer", "Jane Doe (Acme Ltd)")
	admin.Visit("/company")
	admin.DontSee("Notices for you")
	admin.DontSee("may impersonate")
	admin.Stop()
	admin.See("Ben Ortiz may impersonate: Staff")

	contact.Eval(`document.querySelector(".account-notice button").focus()`, nil)
	contact.Press("Enter")
	contact.DontSee("Ben Ortiz may impersonate")
	contact.WaitURL("/company")
	admin.Click("button", "Dismiss all of them")
	admin.DontSee("may impersonate")
	admin.WaitURL("/admin")
}

// kill -9 between the server's having a mail and the host's noting that: it goes out again, and says
// that it is the same. What waits goes out at the next start.
func TestNoMailIsLostOverAKill(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	d.Kill()
	tell(t, d, e2e.Jane, "", "Ben Ortiz", "Customer")
	office := hosttest.OpenPostOffice(t, "none")
	holds := hosttest.Answers{Reached: make(chan struct{}), GoOn: make(chan struct{})}
	office.Answer(holds)
	serve := func() *hosttest.Process {
		return hosttest.StartProgram(t, "serve", "--listen", "127.0.0.1:0", "--data", d.Data, "--modules", filepath.Join(d.Data, "modules"),
			"--mail.host", "127.0.0.1", "--mail.port", strconv.Itoa(office.Port), "--mail.tls", "none", "--mail.from", "CRM <crm@host.example>", "--mail.links", "https://crm.example")
	}
	p := serve()
	select {
	case <-holds.Reached:
	case <-time.After(hosttest.Patience):
		t.Fatal("no mail came")
	}
	p.Kill()
	holds.GoOn <- struct{}{}
	office.Answer(hosttest.Answers{})
	waits := func() (n, attempts int) {
		d.Query(t, "SELECT COUNT(*), COALESCE(MAX(attempts), 0) FROM mail_outbox", func(scan func(...any)) { scan(&n, &attempts) })
		return n, attempts
	}
	if n, attempts := waits(); n != 1 || attempts != 1 {
		t.Fatalf("%d mails wait after %d attempts", n, attempts)
	}
	d.Exec(t, "UPDATE mail_outbox SET due_at = 0") // the lease is over
	p = serve()
	hosttest.Eventually(t, "the mail is noted as sent", func() bool { n, _ := waits(); return n == 0 })
	got := office.Letters()
	if len(got) != 2 || got[0].Header.Get("Message-ID") != got[1].Header.Get("Message-ID") || got[0].Raw != got[1].Raw {
		t.Fatalf("letters: %+v", got)
	}
	if l := got[1]; l.To != e2e.Jane || !strings.Contains(l.Raw, "Ben Ortiz may impersonate: Customer") || l.Header.Get("From") != `"CRM" <crm@host.example>` || l.Header.Get("Subject") != "News from Understudy" {
		t.Errorf("it is\n%s", l.Raw)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("it ended: %v", err)
	}
}
