package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// keeps installs a module and has it keep one of everything.
func keeps(t *testing.T, s *hosttest.Site, id string) {
	t.Helper()
	ctx, who := t.Context(), crm.Operator()
	must(t, s.App.InstallModule(ctx, who, crm.Module{ID: id, Version: "1.0.0", Manifest: []byte(`{"id":"x"}`), SHA256: id}, []byte(id), crm.ModuleTrial{}, ""))
	must(t, s.App.SaveModuleSettings(ctx, who, id, map[string]string{"on": "<true>"}))
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"} { // more than are read at once
		must(t, s.App.PutModuleValue(ctx, id, "", name, []byte{0, 0xff, name[0]}))
	}
	must(t, s.App.PutModuleLanguage(ctx, who, id, "pt-br", []byte(`{"a": "b"}`)))
	must(t, s.App.AppendModuleLog(ctx, id, lines(s, 0, 2)))
}

type exported struct {
	Format   string
	Module   struct{ ID, Version, SHA256, Signer string }
	Settings map[string]string
	Values   []struct {
		Name  string
		Value []byte
	}
	Languages []struct {
		Tag   string
		Texts map[string]string
	}
	Holders []struct {
		Kind, Name   string
		Capabilities []string
	} `json:"capability_holders"`
	Log []struct {
		Text      string
		RequestID string `json:"request_id"`
	}
}

func TestWhatAModuleKeepsIsExported(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		keeps(t, s, "sample")
		keeps(t, s, "sample-2")
		before, err := s.App.Revision(t.Context())
		must(t, err)
		var out bytes.Buffer
		must(t, s.App.ExportModule(t.Context(), crm.Operator(), "sample", &out))
		var got exported
		must(t, json.Unmarshal(out.Bytes(), &got))
		if got.Format != app.ExportFormat || got.Module.ID != "sample" || got.Module.SHA256 != "sample" || !reflect.DeepEqual(got.Settings, map[string]string{"on": "<true>"}) {
			t.Errorf("%+v", got)
		}
		if len(got.Values) != 9 || got.Values[8].Name != "i" || !bytes.Equal(got.Values[8].Value, []byte{0, 0xff, 'i'}) {
			t.Errorf("values: %+v", got.Values)
		}
		if len(got.Languages) != 1 || got.Languages[0].Texts["a"] != "b" || len(got.Log) != 2 || got.Log[1].Text != "line 1" || got.Log[1].RequestID != "r1" {
			t.Errorf("languages, log: %+v", got)
		}
		if len(got.Holders) != 1 || got.Holders[0].Kind != "role" || got.Holders[0].Name != "Support" || len(got.Holders[0].Capabilities) != 2 {
			t.Errorf("holders: %+v", got.Holders)
		}
		if after, err := s.App.Revision(t.Context()); err != nil || after != before {
			t.Errorf("reading moved the revision from %d to %d, %v", before, after, err)
		}
		entries := s.Audit(t, "module_exported")
		if len(entries) != 1 || entries[0].Object != "module:sample" || entries[0].Detail["values"] != "9" || entries[0].Detail["sha256"] != "sample" || entries[0].Detail["result"] != "exported" {
			t.Errorf("audit: %+v", entries)
		}
	})
}

// broken takes some bytes and then no more.
type broken struct{ left int }

var errFull = errors.New("the disk is full")

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestAnExportIsForAdministratorsAndNeverHalfOne(t *testing.T) {
	s := hosttest.NewSite(t)
	keeps(t, s, "sample")
	for range 100 {
		must(t, s.App.AppendModuleLog(t.Context(), "sample", lines(s, 0, 5)))
	}
	if err := s.App.ExportModule(t.Context(), crm.Operator(), "sample", &broken{left: 5000}); !errors.Is(err, errFull) {
		t.Errorf("onto a full disk: %v", err)
	}
	var out bytes.Buffer
	ben := s.SignIn(t, "ben@example.com")
	if err := s.App.ExportModule(t.Context(), ben.Who(), "sample", &out); crm.KindOf(err) != crm.Denied || out.Len() > 0 {
		t.Errorf("Ben: %v, %d bytes", err, out.Len())
	}
	ann := s.SignIn(t, "admin@example.com")
	ann.Become("jane@acme.example")
	if err := s.App.ExportModule(t.Context(), ann.Who(), "sample", &out); err == nil || out.Len() > 0 {
		t.Errorf("Ann as Jane: %v, %d bytes", err, out.Len())
	}
	if err := s.App.ExportModule(t.Context(), crm.Operator(), "none", &out); crm.KeyOf(err) != "module_not_found" || out.Len() > 0 {
		t.Errorf("no such module: %v, %d bytes", err, out.Len())
	}
	if n := len(s.Audit(t, "module_exported")); n != 1 {
		t.Errorf("%d entries", n)
	}
}

func TestAModulesDataIsDeletedWithoutTheModule(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		ctx, who := t.Context(), crm.Operator()
		keeps(t, s, "sample")
		keeps(t, s, "sample-2")
		must(t, s.App.ActivateModule(ctx, who, "sample", "sample", nil, crm.ModuleTrial{}))
		if err := s.App.DeleteModuleData(ctx, who, "sample"); crm.KeyOf(err) != "module_still_active" {
			t.Errorf("while active: %v", err)
		}
		must(t, s.App.DeactivateModule(ctx, who, "sample"))
		if err := s.App.DeleteModuleData(ctx, s.SignIn(t, "ben@example.com").Who(), "sample"); crm.KindOf(err) != crm.Denied {
			t.Errorf("Ben: %v", err)
		}
		before, err := s.App.Revision(ctx)
		must(t, err)
		must(t, s.App.DeleteModuleData(ctx, who, "sample"))
		if after, err := s.App.Revision(ctx); err != nil || after <= before {
			t.Errorf("who held its capabilities was not asked again: %d, %d, %v", before, after, err)
		}
		if b, err := s.App.ModuleBelongings(ctx, "sample"); err != nil || b != (app.Belongings{}) {
			t.Errorf("left: %+v %v", b, err)
		}
		if b, err := s.App.ModuleBelongings(ctx, "sample-2"); err != nil || b.Values != 9 || b.LogLines != 2 || b.Settings != 1 {
			t.Errorf("another module's: %+v %v", b, err)
		}
		if _, err := s.App.Module(ctx, "sample"); err != nil {
			t.Errorf("the module itself: %v", err)
		}
		entries := s.Audit(t, "module_data_deleted")
		if len(entries) != 1 || entries[0].Detail["result"] != "data deleted" || entries[0].Detail["roles"] != "1" || entries[0].Detail["log_lines"] != "2" {
			t.Errorf("audit: %+v", entries)
		}
	})
}

// A process on its way out, maybe another replica's, must not leave anything of a module that is gone.
func TestNothingIsKeptForAModuleThatIsNotInstalled(t *testing.T) {
	s := hosttest.NewSite(t)
	ctx := t.Context()
	keeps(t, s, "sample")
	must(t, s.App.UninstallModule(ctx, crm.Operator(), "sample", true))
	must(t, s.App.AppendModuleLog(ctx, "sample", lines(s, 0, 1)))
	if err := s.App.PutModuleValue(ctx, "sample", "", "late", []byte("v")); crm.KeyOf(err) != "module_not_found" {
		t.Errorf("a late value: %v", err)
	}
	if b, err := s.App.ModuleBelongings(ctx, "sample"); err != nil || b != (app.Belongings{}) {
		t.Errorf("left: %+v %v", b, err)
	}
}
