package module

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

func TestAPageGetsItsRequestButNoCookie(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	answer, text := s.ask(http.MethodPost, "/log/day/2?from=1&to=2", "a=b")
	if answer.Status != 200 || text != `POST /log/day/2?from=1&to=2 a=b cookie=""` {
		t.Errorf("got %d %q", answer.Status, text)
	}
}

func TestPagesNobodyDeclaredCostNoCall(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	before := s.m.Calls()
	for _, path := range []string{"/", "/none", "/log", "/pick/below", "/log/../pick", "/log//x", "//pick", "pick", "", "/log/./x", "/log/\x00", `/log/a\b`} {
		_, _, err := s.tryAsk(http.MethodGet, path, "")
		wantKey(t, err, crm.NotFound, "page_not_found")
	}
	if got := s.m.Calls() - before; got != 0 {
		t.Errorf("%d calls were made", got)
	}
}

func TestBrokenPagesBecomeOneSentence(t *testing.T) {
	s := newStage(t, func(q *timing) { q.page = 300 * time.Millisecond })
	s.active(kit{})
	_, _, err := s.tryAsk(http.MethodGet, "/slow", "")
	wantKey(t, err, crm.Unavailable, "module_call_timeout")
	_, _, err = s.tryAsk(http.MethodGet, "/away", "")
	wantKey(t, err, crm.Internal, "module_call_failed")
	_, _, err = s.tryAsk(http.MethodGet, "/kill", "")
	if crm.KindOf(err) != crm.Unavailable {
		t.Errorf("a module that died on a page: %v", err)
	}
}

func TestALongAnswerIsStreamed(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	if _, text := s.get("/huge"); len(text) != 20<<20 {
		t.Errorf("got %d bytes", len(text))
	}
	answer, err := s.m.servePage(t.Context(), PageRequest{Module: "sample", Method: "GET", Path: "/huge", Viewer: s.viewer()})
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close() // somebody who goes away early holds no place
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.gate.slots); n != 0 {
		t.Errorf("%d calls hold a place", n)
	}
	if len(r.requests) != 0 {
		t.Errorf("requests are remembered: %v", r.requests)
	}
}

func TestTooManyCallsAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	for range maxInFlight {
		if _, err := r.gate.enter(callServePage); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err = s.tryAsk(http.MethodGet, "/pick", "")
	wantKey(t, err, crm.TooMany, "module_busy")
}

func TestAModuleThatOnlyFailsIsLeftAlone(t *testing.T) {
	s := newStage(t, func(q *timing) { q.page = 50 * time.Millisecond })
	s.active(kit{})
	for range 5 {
		_, _, _ = s.tryAsk(http.MethodGet, "/slow", "")
	}
	_, _, err := s.tryAsk(http.MethodGet, "/pick", "")
	wantKey(t, err, crm.Unavailable, "module_resting")
}

func TestWhatAModuleSeesOfItsSurroundings(t *testing.T) {
	t.Setenv("UNDERSTUDY_DATABASE_PASSWORD", "secret")
	s := newStage(t, nil)
	s.active(kit{})
	_, text := s.get("/env")
	allowed := strings.Fields("PATH LANG TZ HOME TMPDIR TMP TEMP UNDERSTUDY_MODULE PLUGIN_MIN_PORT PLUGIN_MAX_PORT PLUGIN_PROTOCOL_VERSIONS PLUGIN_CLIENT_CERT PLUGIN_UNIX_SOCKET_DIR GOMEMLIMIT")
	for _, name := range strings.Fields(text) {
		if !slices.Contains(allowed, name) {
			t.Errorf("it sees %s", name)
		}
	}
}

func TestSettingsAreCheckedSavedAndTold(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	ctx, who := t.Context(), s.ann.Who()
	if got := s.m.SettingsValues(ctx, "sample"); got["closed"] != "false" || got["minutes"] != "60" {
		t.Errorf("defaults: %v", got)
	}
	for _, bad := range []struct {
		key, value, says string
	}{
		{"closed", "maybe", "module_setting_bool"},
		{"minutes", "0", "module_setting_number"},
		{"minutes", "721", "module_setting_number"},
		{"minutes", "007", "module_setting_number"},
		{"mode", "none", "module_setting_choice"},
		{"other", "x", "module_setting_unknown"},
	} {
		wantKey(t, s.m.SaveSettings(ctx, who, "sample", map[string]string{bad.key: bad.value}), crm.Invalid, bad.says)
	}
	err := s.m.SaveSettings(ctx, who, "sample", map[string]string{"minutes": "666"})
	wantKey(t, err, crm.Invalid, "too_long")
	if e := asProblem(err); e.Module != "sample" || e.Args["Key"] != "minutes" {
		t.Errorf("the module's refusal: %+v", e)
	}
	if err := s.m.SaveSettings(ctx, who, "sample", map[string]string{"closed": "true"}); err != nil {
		t.Fatal(err)
	}
	page, ok := s.m.Surface().SettingsPage("sample", "es")
	if !ok || page.Title != "Ajustes de muestra" || page.Fields[0].Value != "true" || len(page.Notes) != 1 || page.Notes[0] != "In effect now: nobody may." {
		t.Errorf("settings page: %+v", page)
	}
	if got := s.m.Surface().SettingsSections("en"); len(got) != 1 || got[0] != (Section{"sample", "Sample Settings"}) {
		t.Errorf("sections: %v", got)
	}
	_, err = s.m.DecideSwitch(ctx, crm.SwitchQuestion{Actor: who.Actor, Target: who.Actor})
	wantKey(t, err, crm.Denied, "refused")
}

func TestAThousandScreensWithTwentyModulesCostNoCall(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	for i := range 20 {
		s.active(kit{id: fmt.Sprintf("sample-%02d", i)})
	}
	v := s.viewer()
	before := s.m.Calls()
	for range 1000 {
		surface := s.m.Surface()
		if bar := surface.Navbar(v); len(bar) != 20 || bar[0].Module != "sample-00" || bar[19].Module != "sample-19" {
			t.Fatalf("navbar: %d items", len(bar))
		}
		surface.SettingsSections("es")
		surface.SettingsPage("sample-07", "es")
		surface.ActionLinks("sample-07", v)
		surface.AccountActions(crm.Staff, v)
		surface.Features("en")
		surface.Page("sample-07", crm.Admin, "/pick")
		surface.HasSwitchDecider()
	}
	if got := s.m.Calls() - before; got != 0 {
		t.Errorf("%d calls were made", got)
	}
}

func TestDroppedInAndUploadedLanguages(t *testing.T) {
	s := newStage(t, func(q *timing) { q.health = 20 * time.Millisecond })
	s.active(kit{})
	say := func(language, key string) string { return s.m.Surface().Text("sample", language, key, nil) }
	if got := []string{say("es-MX", "item"), say("es", "stop"), say("fr", "item"), say("en", "none"), say("", "item")}; !slices.Equal(got, []string{"Muestra", "Stop Sampling", "Sample", "none", "Sample"}) {
		t.Errorf("package: %q", got)
	}
	version := filepath.Join(s.m.shelf.path, "sample", "1.0.0", "languages", "fr.json")
	if err := os.WriteFile(version, []byte(`{"item": "Modelo"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the French file is taken up", func() bool { return say("fr-CA", "item") == "Modelo" })
	beside := filepath.Join(s.m.shelf.path, "sample", "languages")
	if err := os.MkdirAll(beside, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"fr.json": `{"item": "Échantillon"}`, "de.json": `not JSON`} {
		if err := os.WriteFile(filepath.Join(beside, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the one beside goes over it", func() bool { return say("fr", "item") == "Échantillon" })
	if err := s.site.App.PutModuleLanguage(t.Context(), s.ann.Who(), "sample", "fr", []byte(`{"item": "Modèle"}`)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the upload goes over both", func() bool { return say("fr", "item") == "Modèle" })
	if _, text, err := s.tryAskIn("fr", "/pick"); err != nil || !strings.Contains(text, "Modèle for") {
		t.Errorf("the module says %q, %v", text, err)
	}

	// A restart finds the dropped-in file where it was: the folder is still as its package says.
	if err := s.m.Deactivate(t.Context(), s.ann.Who(), "sample"); err != nil {
		t.Fatal(err)
	}
	if err := s.m.Activate(t.Context(), s.ann.Who(), "sample"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(version); err != nil {
		t.Error(err)
	}
}

func (s *stage) tryAskIn(language, path string) (pageResponse, string, error) {
	v := s.viewer()
	v.Language = language
	answer, err := s.m.servePage(s.t.Context(), PageRequest{Module: "sample", Method: "GET", Path: path, Viewer: v})
	if err != nil {
		return answer, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer, string(text), err
}

func TestAPageIsOpenToWhomItsRuleSays(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	before := s.m.Calls()
	ben := Viewer{Who: s.site.SignIn(t, "ben@example.com").Who(), Area: crm.Admin, Language: "en"}
	_, err := s.m.servePage(t.Context(), PageRequest{Module: "sample", Method: "GET", Path: "/pick", Viewer: ben})
	wantKey(t, err, crm.Denied, "page_not_permitted")
	readOnly := s.viewer()
	readOnly.Who.Switch = &crm.Switch{Mode: crm.ReadOnly}
	_, err = s.m.servePage(t.Context(), PageRequest{Module: "sample", Method: "POST", Path: "/pick", Viewer: readOnly})
	wantKey(t, err, crm.Denied, "refused_read_only")
	if got := s.m.Calls() - before; got != 0 {
		t.Errorf("%d calls were made", got)
	}
}
