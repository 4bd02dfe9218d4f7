package modules

import (
	"fmt"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

func TestAModulesLogIsFollowedLive(t *testing.T) {
	t.Parallel()
	d := e2e.RunDemo(t)
	says := func(text, request string) {
		d.Exec(t, fmt.Sprintf("INSERT INTO module_log (module_id, at, level, text, request_id) VALUES ('impersonation', 1795338000000, 'info', '%s', '%s')", text, request))
	}
	p := e2e.SignedIn(t, d, e2e.Ann)
	p.Visit("/admin/modules/impersonation/log")
	p.See("is active")
	p.Click("switch", "Follow")
	p.See("Following")
	says("a <b>new</b> line", "req1")
	p.See("a <b>new</b> line")
	says("one more", "")
	p.See("one more")
	p.See("lines are kept")

	// With a filter only what it lets through is added, and it goes to the file.
	p.Click("link", "req1")
	p.DontSee("one more")
	p.Click("switch", "Follow")
	says("another request", "req2")
	says("the same request", "req1")
	p.See("the same request")
	p.DontSee("another request")

	// It says so when it can't go on, and doesn't try for ever.
	p.Eval(`window.fetch = () => Promise.reject(new Error("gone"))`, nil)
	p.See("Following has stopped")
	var on bool
	p.Eval(`document.querySelector("[data-follow] input").checked`, &on)
	if on {
		t.Error("the switch is still on")
	}
	p.JavaScript(false)
	p.Visit("/admin/modules/impersonation/log")
	hosttest.Eventually(t, "without script the switch isn't there", func() bool { return !p.HasRole("switch", "Follow") })
	p.See("one more")
}
