package switching

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// signalModule sends a signal to the one module's process.
func signalModule(t *testing.T, d e2e.Demo, signal syscall.Signal) int {
	t.Helper()
	modules := hosttest.Children(t, d.PID())
	if len(modules) != 1 {
		t.Fatalf("%d module processes", len(modules))
	}
	if err := syscall.Kill(modules[0], signal); err != nil {
		t.Fatal(err)
	}
	return modules[0]
}

// A module that is killed takes its items with it, at the next page, and brings them back when it
// has been started anew.
func TestKilledModulesItemsGoAndComeBack(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	p := e2e.SignedIn(t, d, e2e.Ann)
	p.Bar().SeeRole("link", "Impersonate")
	was := signalModule(t, d, syscall.SIGKILL)
	hosttest.Eventually(t, "the process is gone", func() bool { return !hosttest.Alive(was) })
	p.Visit("/admin")
	p.Is("Ann Lee")
	if p.Bar().HasRole("link", "Impersonate") && slices.Contains(hosttest.Children(t, d.PID()), was) {
		t.Error("the item of a killed module stands on the next page")
	}
	if errs := p.ConsoleErrors(); len(errs) > 0 {
		t.Errorf("the page is hurt: %q", errs)
	}
	hosttest.Eventually(t, "the item is back", func() bool {
		p.Visit("/admin")
		return p.Bar().HasRole("link", "Impersonate")
	})
	p.Impersonate("Customer", "Jane Doe (Acme Ltd)")
	p.Stop()
	p.Visit("/admin/modules/impersonation/log")
	p.In("row", "Error").See("ended")
	p.DontSee("map[")
}

// pretender #50, symfony #61773: there is no way out when what led in is broken.
func TestStopWorksWhenTheModuleWasKilled(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"the button on the screen", "the next page", "the plain page"} {
		t.Run(way, func(t *testing.T) {
			d := e2e.RunDemo(t)
			p := e2e.SignedIn(t, d, e2e.Ann)
			p.Impersonate("Customer", "Jane Doe (Acme Ltd)")
			if way == "the plain page" {
				p.Visit("/session")
			}
			signalModule(t, d, syscall.SIGKILL)
			switch way {
			case "the button on the screen":
				p.Click("button", "Stop Impersonation")
			case "the plain page":
				p.Click("button", "Return to your account")
			default:
				p.Click("link", "My profile")
				goBack(p)
			}
			p.WaitURL("/admin")
			p.Self("Ann Lee")
		})
	}
}

// back returns to the own account by whichever button the page offers, when it isn't there already.
func goBack(p *e2e.Person) {
	p.T.Helper()
	for _, name := range []string{"Stop Impersonation", "Return to your account"} {
		if slices.Contains(p.Names("button"), name) {
			p.Click("button", name)
			return
		}
	}
}

// pageCalls are the lines of /metrics that count how often the module was asked for a page or a decision.
func pageCalls(t *testing.T, d e2e.Demo) string {
	t.Helper()
	metrics := e2e.NewClient(t, d).Get("/metrics")
	if metrics.Status != http.StatusOK {
		t.Fatalf("/metrics: %d %s", metrics.Status, metrics.Text())
	}
	lines := regexp.MustCompile(`understudy_module_calls_total\{call="(serve_page|decide_switch)".*`).FindAllString(metrics.Body, -1)
	if len(lines) == 0 {
		t.Fatal("/metrics doesn't count the module's calls")
	}
	return strings.Join(lines, "\n")
}

// A module that hangs: pages don't wait for it, and neither does the way back.
func TestStopWorksWhenTheModuleHangs(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	for kind, user := range map[string]string{"Customer": "Jane Doe (Acme Ltd)", "Staff": "Cleo Park"} {
		p := e2e.SignedIn(t, d, e2e.Ann)
		p.Impersonate(kind, user)
		signalModule(t, d, syscall.SIGSTOP)
		calls := pageCalls(t, d)
		p.Reload()
		p.SeeRole("button", "Stop Impersonation")
		p.Stop()
		p.Self("Ann Lee")
		if now := pageCalls(t, d); now != calls {
			t.Errorf("for a page and the way back the module was asked: %s, before that %s", now, calls)
		}
		// To begin is refused, soon, with a sentence, and logged; the site goes on.
		c := e2e.SignedInClient(t, d, e2e.Ann)
		got := c.Post("/session/switch", "target", "contact:1")
		if got.Status != http.StatusServiceUnavailable || !strings.Contains(got.Text(), "didn't answer") {
			t.Errorf("to begin: %d %s", got.Status, got.Text())
		}
		c.Want(c.Get("/admin/customers"), http.StatusOK, "Acme Ltd")
		c.Want(c.Get("/session"), http.StatusOK, "You are signed in as Ann Lee")
		signalModule(t, d, syscall.SIGCONT)
		hosttest.Eventually(t, "the module answers again", func() bool {
			return c.Get("/admin/m/impersonation/start").Status == http.StatusOK
		})
	}
}
