package replicas

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// A proxy repeats what it should not, or somebody is quick with the mouse: the same request reaches
// three replicas at once, and is done once.
func TestTheSameRequestOnThreeReplicasIsDoneOnce(t *testing.T) {
	k := &killer{replicas: runReplicas(t, hosttest.PostgresURL(t)), rand: rand.New(rand.NewPCG(1, 0))}
	k.ann = k.signedIn(e2e.Ann)
	k.once("module_installed", k.ann.Upload(hosttest.Package(t, e2e.ShippedModule))+"/install", "over", "", "password", e2e.DemoPassword)
	k.agree(k.List...)
	k.once("module_activated", "/admin/modules/impersonation/activate")
	k.agree(k.List...)
	k.once("module_installed", k.ann.Upload(e2e.NewerPackage(t, "1.1.0"))+"/install", "over", "1.0.0", "password", e2e.DemoPassword)
	k.agree(k.List...)
	if version, active := k.installed(); version != "1.1.0" || !active {
		t.Errorf("%s is installed, activated: %t", version, active)
	}
	k.once("switch_started", "/session/switch", "target", "contact:1")
	k.ann.WantPage("/", "contact:1", "You (Ann Lee) are signed in as Jane Doe (Acme Ltd)")
	k.once("switch_ended", "/session/restore")
	k.ann.WantPage("/admin", "staff:1", "")
	k.once("signed_out", "/logout")
	k.ann.Want(k.ann.Get("/admin"), http.StatusSeeOther)
	k.wantWhole()
}

// once sends a form to every replica at the same time, and checks that one of them did it and left its
// entry; the browser keeps the secret that it was given, if any.
func (k *killer) once(action, path string, pairs ...string) {
	k.t.Helper()
	since := k.latest()
	form := url.Values{"form_token": {k.ann.Token()}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	answers := make([]e2e.Answer, len(k.List))
	var all sync.WaitGroup
	for i, one := range k.List {
		c := atReplica(k.ann, one)
		all.Go(func() {
			answers[i], _ = c.TrySend(http.MethodPost, path, strings.NewReader(form.Encode()), "application/x-www-form-urlencoded", nil)
		})
	}
	all.Wait()
	for _, got := range answers {
		if got.Status == 0 || got.Status >= 500 {
			k.t.Errorf("%s: %d %s", path, got.Status, got.Text())
		}
		for _, cookie := range (&http.Response{Header: got.Header}).Cookies() {
			if cookie.Name == "understudy" && cookie.Value != "" {
				k.ann.Cookie(cookie.Value)
			}
		}
	}
	k.wantEntries(since, 1, action)
}
