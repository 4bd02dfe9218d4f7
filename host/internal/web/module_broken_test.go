package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/module"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// nextcloud #10920, #10373, #12014; vault #3602: a bad app breaks the page it could be switched off
// on, and can be switched off in the database alone.
func TestTheModulesPageStandsWithEveryModuleBroken(t *testing.T) {
	s := newSite(t)
	pkg, err := os.ReadFile(hosttest.Package(t, "plugins/impersonation"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(pkg)
	genuine := hex.EncodeToString(sum[:])
	manifest := func(id, host string) []byte {
		return []byte(`{"id":"` + id + `","name":"The ` + id + `","version":"1.0.0","description":"","author":"x","requires":{"host":"` + host + `","protocol":1},"executables":{"linux/amd64":"bin/x"}}`)
	}
	broken := []crm.Module{
		{ID: "no-manifest", Manifest: []byte{}},
		{ID: "not-json", Manifest: []byte("\xff{{{")},
		{ID: "no-package", Manifest: manifest("no-package", ">=3.1.0"), SHA256: "00"},
		{ID: "other-package", Manifest: manifest("other-package", ">=3.1.0"), SHA256: genuine},
		{ID: "too-new", Manifest: manifest("too-new", ">=99.0.0"), SHA256: genuine},
		{ID: "given-up", Manifest: manifest("given-up", ">=3.1.0"), SHA256: "00", Failure: "no JSON either", Crashes: 9, CrashedAt: time.Now()},
		{ID: "odd-signer", Manifest: manifest("odd-signer", ">=3.1.0"), SHA256: "00", Signer: crm.Signer{KeyID: "?", Trusted: true}},
	}
	err = s.rows.Write(t.Context(), func(tx store.Tx) error {
		if err := tx.PutPackage(t.Context(), genuine, pkg); err != nil {
			return err
		}
		for _, m := range broken {
			m.Version, m.Activated, m.Grants = "1.0.0", true, []string{"session.switch", "made.up"}
			if err := tx.PutModule(t.Context(), m); err != nil {
				return err
			}
			if err := tx.PutCrashes(t.Context(), m.ID, m.Crashes, m.CrashedAt, m.Failure); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.server.modules.Start(t.Context()); err != nil {
		t.Fatalf("the host doesn't come up: %v", err)
	}
	t.Cleanup(func() {
		if err := s.server.modules.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	b := s.as(ann)
	page := checkPage(t, b.get("/admin/modules").wants(t, 200))
	for _, m := range broken {
		page.says(t, `id="module-`+m.ID+`"`, "/admin/modules/"+m.ID+"/deactivate")
	}
	for _, m := range broken {
		for _, sub := range []string{"/log", "/grants", "/versions", "/uninstall"} {
			if got := b.get("/admin/modules/" + m.ID + sub).StatusCode; got >= 500 {
				t.Errorf("%s of %s: %d", sub, m.ID, got)
			}
		}
		b.get("/admin/modules")
		b.post("/admin/modules/"+m.ID+"/deactivate").wants(t, 303)
	}
	if b.get("/admin").wants(t, 200); s.server.modules.Surface().Name("too-new") != "The too-new" {
		t.Error("a module that can't run has lost its name")
	}
	for _, m := range broken {
		b.get("/admin/modules")
		b.post("/admin/modules/"+m.ID+"/uninstall", "data", "keep").wants(t, 303)
	}
	b.get("/admin/modules").says(t, "No modules yet.")
}

func TestSafeModeIsSaidAndLeft(t *testing.T) {
	s := newSite(t)
	safe := module.New(module.Options{App: s.app, Dir: t.TempDir(), RunDir: runDir(t), HostVersion: "3.1.0", SafeMode: true})
	s.server.modules = safe
	if err := safe.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = safe.Stop(context.Background()) })
	s.as(ben).post("/admin/modules/start").wants(t, 403)
	b := s.as(ann)
	checkPage(t, b.get("/admin/modules").wants(t, 200)).says(t, "Safe mode: no module is started.", "--safe-mode", "Start modules")
	b.post("/admin/modules/start").wants(t, 303).leadsTo(t, "/admin/modules")
	b.get("/admin/modules").says(t, "The modules are being started.").silent(t, "Safe mode:")
	b.post("/admin/modules/start").wants(t, 303)
}
