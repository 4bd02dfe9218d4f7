package web

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// replacedModule is a site on which version 9.9.9 of the shipped module was installed over the one
// we ship, and is no package at all.
func replacedModule(t *testing.T) (*site, []byte, crm.Module) {
	t.Helper()
	s := newSite(t)
	pkg, err := os.ReadFile(hosttest.Package(t, "plugins/impersonation"))
	if err != nil {
		t.Fatal(err)
	}
	b := s.as(ann)
	b.get("/admin/modules")
	review := b.upload("impersonation.zip", pkg).wants(t, http.StatusSeeOther).Header.Get("Location")
	b.get(review)
	b.post(review+"/install").wants(t, http.StatusSeeOther)
	shipped, err := s.app.Module(t.Context(), "impersonation")
	if err != nil {
		t.Fatal(err)
	}
	b.get("/admin/modules").silent(t, "Other versions")
	next := crm.Module{ID: shipped.ID, Version: "9.9.9", SHA256: "99", Manifest: []byte(`{"id":"impersonation","name":"Impersonation","version":"9.9.9","author":"x","requires":{"host":">=3.1.0","protocol":1},"executables":{"linux/amd64":"bin/x"}}`)}
	if err := s.app.InstallModule(t.Context(), crm.Operator(), next, []byte("zip"), crm.ModuleTrial{}, ""); err != nil {
		t.Fatal(err)
	}
	return s, pkg, shipped
}

func TestAModuleGoesBackAndForward(t *testing.T) {
	s, _, shipped := replacedModule(t)
	b := s.as(ann)
	checkPage(t, b.get("/admin/modules").wants(t, 200)).says(t, "Other versions", "/admin/modules/impersonation/versions").silent(t, "Go back")
	failed := app.ModuleState{Report: crm.ModuleReport{Module: "impersonation", State: "failed"}, Failure: `{"key":"module_crashed_exit","args":{"Code":3}}`, Crashes: 5, CrashedAt: time.Now()}
	if err := s.app.RecordModuleState(t.Context(), failed); err != nil {
		t.Fatal(err)
	}
	checkPage(t, b.get("/admin/modules").wants(t, 200)).says(t, "Retry", "Go back to version "+shipped.Version, "Version 9.9.9 crashed within minutes after it took over.")
	versions := checkPage(t, b.get("/admin/modules/impersonation/versions").wants(t, 200))
	versions.says(t, "Version "+shipped.Version, "Replaced on", "Not signed", "Stored data, settings and log stay as they are now.", "An older version may not understand", shipped.SHA256).silent(t, "Your Password")

	s.ahead.Store(int64(16 * time.Minute)) // the sign-in is no longer fresh
	const rollback = "/admin/modules/impersonation/rollback"
	checkPage(t, b.get("/admin/modules/impersonation/versions").wants(t, 200)).says(t, "Your Password")
	checkPage(t, b.post(rollback, "sha256", shipped.SHA256).wants(t, 403)).says(t, "Give your own password", "Go back to version "+shipped.Version)
	checkPage(t, b.post(rollback, "sha256", shipped.SHA256, "password", "wrong").wants(t, 422)).says(t, "The current password is wrong")
	b.post(rollback, "sha256", "unknown", "password", demoPassword).wants(t, 404)
	b.post(rollback).wants(t, 404)
	s.as(ben).post(rollback, "sha256", shipped.SHA256).wants(t, 403)
	s.as(ben).get("/admin/modules/impersonation/versions").wants(t, 403)

	b.post(rollback, "sha256", shipped.SHA256, "password", demoPassword).wants(t, 303).leadsTo(t, "/admin/modules")
	b.get("/admin/modules").says(t, "Impersonation "+shipped.Version+" is installed again.").silent(t, "Go back", "crashed within")
	checkPage(t, b.get("/admin/modules/impersonation/versions").wants(t, 200)).says(t, "Go forward to version 9.9.9").silent(t, "An older version")
	b.get("/admin/activity").says(t, "Went back to another version of a module")
}

// A downgrade says what it is, on a button of its own.
func TestADowngradeIsConfirmed(t *testing.T) {
	s, pkg, shipped := replacedModule(t)
	b := s.as(ann)
	b.get("/admin/modules")
	review := b.upload("impersonation.zip", pkg).wants(t, 303).Header.Get("Location")
	checkPage(t, b.get(review).wants(t, 200)).says(t, "9.9.9", "An older version may not understand what the newer one stored.", ">Downgrade</button>").silent(t, ">Install</button>")
	// Nor does one become a downgrade unseen, because somebody installed 9.9.9 after the review was read.
	checkPage(t, b.post(review+"/install", "over", "0.9.0").wants(t, 409)).says(t, "Somebody else changed Impersonation meanwhile", ">Downgrade</button>", `name="over" value="9.9.9"`)
	if m, err := s.app.Module(t.Context(), "impersonation"); err != nil || m.Version != "9.9.9" {
		t.Errorf("without a word it is %s, %v", m.Version, err)
	}
	b.post(review+"/install", "over", "9.9.9").wants(t, 303)
	if m, err := s.app.Module(t.Context(), "impersonation"); err != nil || m.Version != shipped.Version {
		t.Errorf("it is %s, %v", m.Version, err)
	}
}

// Accepting an upgrade is installing it: it asks for the own password, too.
func TestAcceptingAnUpgradeAsksForTheOwnPassword(t *testing.T) {
	s, _, _ := replacedModule(t)
	next := crm.Module{ID: "impersonation", Version: "9.9.10", SHA256: "aa", Manifest: []byte(`{"id":"impersonation","name":"Impersonation","version":"9.9.10","author":"x","requires":{"host":">=3.1.0","protocol":1},"executables":{"linux/amd64":"bin/x"},"grants":[{"name":"network","why":"To tell others."}]}`)}
	if err := s.app.HoldModule(t.Context(), crm.Operator(), next, []string{"network"}, []byte("zip")); err != nil {
		t.Fatal(err)
	}
	b := s.as(ann)
	s.ahead.Store(int64(16 * time.Minute)) // the sign-in is no longer fresh
	const accept = "/admin/modules/impersonation/accept"
	b.get("/admin/modules").says(t, "9.9.10", "To tell others.")
	checkPage(t, b.post(accept).wants(t, 403)).says(t, "Accept the upgrade of Impersonation?", "Your Password", "Give your own password")
	checkPage(t, b.post(accept, "password", "wrong").wants(t, 422)).says(t, "The current password is wrong")
	if m, err := s.app.Module(t.Context(), "impersonation"); err != nil || m.Version != "9.9.9" {
		t.Errorf("it is %s, %v", m.Version, err)
	}
	b.post(accept, "password", demoPassword).silent(t, "Your Password") // this one is no package, and so it goes no further
	s.as(ben).post(accept, "password", demoPassword).wants(t, 403)
}
