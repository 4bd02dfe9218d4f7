package app_test

import (
	"fmt"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// kept lists the versions kept of the sample module, newest first.
func kept(t *testing.T, s *hosttest.Site) []string {
	t.Helper()
	list, err := s.App.KeptVersions(t.Context())
	must(t, err)
	var versions []string
	for _, v := range list {
		versions = append(versions, v.Version)
	}
	return versions
}

func TestVersionsAreKeptAndGoneBackTo(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		ctx, who := t.Context(), crm.Operator()
		signer := crm.Signer{KeyID: "0123456789ABCDEF", Name: "Acme", PublicKey: "RW", Trusted: true}
		install := func(version string) {
			t.Helper()
			m := crm.Module{ID: "sample", Version: version, Manifest: []byte("{}"), SHA256: "sha-" + version, Signer: signer}
			must(t, s.App.InstallModule(ctx, who, m, []byte(version), crm.ModuleTrial{}, ""))
		}
		install("1.0.0")
		must(t, s.App.ActivateModule(ctx, who, "sample", "sha-1.0.0", []string{"a", "b"}, crm.ModuleTrial{}))
		for _, version := range []string{"1.1.0", "1.2.0", "1.2.0", "1.3.0", "1.4.0"} {
			install(version)
		}
		if got := fmt.Sprint(kept(t, s)); got != "[1.3.0 1.2.0 1.1.0]" {
			t.Errorf("kept: %s", got)
		}
		for sha, there := range map[string]bool{"sha-1.0.0": false, "sha-1.1.0": true, "sha-1.4.0": true} {
			if _, err := s.App.ModulePackage(ctx, sha); (err == nil) != there {
				t.Errorf("package %s: %v", sha, err)
			}
		}
		must(t, s.App.SetModuleGrants(ctx, who, "sample", []string{"a"}, []string{"b"}))
		must(t, s.App.PutModuleValue(ctx, "sample", "", "k", []byte("v")))
		trial := crm.ModuleTrial{Values: map[string][]byte{"k": nil, "n": {}}, Entries: []crm.ModuleEntry{{Action: "did", Detail: map[string]string{"action": "did"}}}}
		must(t, s.App.RollBackModule(ctx, who, "sample", "sha-1.1.0", trial))
		m, err := s.App.Module(ctx, "sample")
		must(t, err)
		if m.Version != "1.1.0" || !m.Activated || fmt.Sprint(m.Grants) != "[a]" || m.Signer != signer || fmt.Sprint(kept(t, s)) != "[1.4.0 1.3.0 1.2.0]" {
			t.Errorf("%+v, kept %v", m, kept(t, s))
		}
		if keys, err := s.App.ModuleKeys(ctx, "sample", "", "", 9); err != nil || fmt.Sprint(keys) != "[n]" || len(s.Audit(t, "module_entry")) != 1 {
			t.Errorf("keys %v %v, entries %v", keys, err, s.Audit(t, "module_entry"))
		}
		if err := s.App.RollBackModule(ctx, who, "sample", "sha-1.1.0", trial); crm.KeyOf(err) != "module_version_not_kept" {
			t.Errorf("back to what is installed: %v", err)
		}
		if v, err := s.App.KeptVersion(ctx, "sample", ""); err != nil || v.Version != "1.4.0" || v.ReplacedAt.IsZero() || fmt.Sprint(v.Grants) != "[a]" {
			t.Errorf("newest: %+v %v", v, err)
		}
		if err := s.App.ActivateModule(ctx, who, "sample", "sha-1.4.0", nil, trial); crm.KeyOf(err) != "module_changed_meanwhile" {
			t.Errorf("activated another than there is: %v", err)
		}
		must(t, s.App.DeactivateModule(ctx, who, "sample"))
		must(t, s.App.UninstallModule(ctx, who, "sample", false))
		if _, err := s.App.ModulePackage(ctx, "sha-1.4.0"); len(kept(t, s)) != 0 || crm.KindOf(err) != crm.NotFound {
			t.Errorf("after uninstall: %v, %v", kept(t, s), err)
		}
	})
}

// What doesn't fit any more when it is to be kept takes the whole change with it.
func TestATrialThatDoesNotFitChangesNothing(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		ctx, who := t.Context(), crm.Operator()
		version := func(v string) crm.Module {
			return crm.Module{ID: "sample", Version: v, Manifest: []byte("{}"), SHA256: "sha-" + v}
		}
		must(t, s.App.InstallModule(ctx, who, version("1.0.0"), []byte("one"), crm.ModuleTrial{}, ""))
		trial := crm.ModuleTrial{Values: map[string][]byte{}}
		for i := range app.MaxModuleValues/app.MaxModuleValue + 1 {
			trial.Values[fmt.Sprint(i)] = make([]byte, app.MaxModuleValue)
		}
		for name, do := range map[string]func() error{
			"install":  func() error { return s.App.InstallModule(ctx, who, version("1.1.0"), []byte("two"), trial, "") },
			"activate": func() error { return s.App.ActivateModule(ctx, who, "sample", "sha-1.0.0", nil, trial) },
			"keep":     func() error { return s.App.KeepModuleTrial(ctx, "sample", trial) },
		} {
			if err := do(); crm.KeyOf(err) != "module_quota" {
				t.Errorf("%s: %v", name, err)
			}
		}
		m, err := s.App.Module(ctx, "sample")
		must(t, err)
		keys, err := s.App.ModuleKeys(ctx, "sample", "", "", 9)
		must(t, err)
		if m.Version != "1.0.0" || m.Activated || len(keys) != 0 || len(kept(t, s)) != 0 {
			t.Errorf("%+v, keys %v, kept %v", m, keys, kept(t, s))
		}
	})
}
