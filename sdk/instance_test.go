package sdk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func testManifest(extra string) []byte {
	return []byte(`{"id": "test", "name": "Test", "version": "1.0.0", "requires": {"host": ">=3.1.0", "protocol": 1},
		"executables": {"linux/amd64": "bin/test"}` + extra + `}`)
}

func testModule(pages ...Page) Module {
	return Module{
		Manifest:      testManifest(`, "grants": [{"name": "session.switch", "why": "Test."}], "capabilities": ["greet"]`),
		Languages:     fstest.MapFS{"languages/en.json": {Data: []byte(`{"title": "Title", "braces": "{a} and {b}", "refused": "No."}`)}},
		Contributions: Contributions{Pages: pages, Capabilities: []Capability{{Key: "greet", LabelKey: "title"}}},
	}
}

func adminPage(path string, handler http.HandlerFunc) Page {
	return Page{Path: path, TitleKey: "title", Areas: []Area{AdminArea}, Handler: handler}
}

func started(t *testing.T, module Module) *Instance {
	t.Helper()
	instance, err := NewInstance(module)
	if err != nil {
		t.Fatal(err)
	}
	if err := instance.Activate(t.Context(), noHost, Activation{}); err != nil {
		t.Fatal(err)
	}
	return instance
}

// ask returns the head, the body and the number of chunks.
func ask(instance *Instance, request PageRequest) (head *PageHead, body string, chunks int, err error) {
	request.Viewer.Area = AdminArea
	if request.Method == "" {
		request.Method = http.MethodGet
	}
	var all bytes.Buffer
	err = instance.ServePage(context.Background(), request, func(part PagePart) error {
		if part.Head != nil {
			head = part.Head
			return nil
		}
		chunks++
		all.Write(part.Chunk)
		return nil
	})
	return head, all.String(), chunks, err
}

func TestMistakesAreSentencesAtStart(t *testing.T) {
	nothing := func(http.ResponseWriter, *http.Request) {}
	for _, test := range []struct {
		name, says string
		change     func(*Module)
	}{
		{"no manifest", "module.json", func(m *Module) { m.Manifest = nil }},
		{"no languages", "Languages is not set", func(m *Module) { m.Languages = nil }},
		{"no English", "languages/en.json is missing", func(m *Module) { m.Languages = fstest.MapFS{} }},
		{"nested language file", "languages/en.json: a: must be a text in quotes", func(m *Module) {
			m.Languages = fstest.MapFS{"languages/en.json": {Data: []byte(`{"a": {"b": "c"}}`)}}
		}},
		{"missing message", `no message "other"`, func(m *Module) { m.Contributions.Pages[0].TitleKey = "other" }},
		{"capability not in the manifest", "module.json lists [greet], Contributions declares []", func(m *Module) { m.Contributions.Capabilities = nil }},
		{"capability of nobody known", "the Kind must be Staff, Contact or empty", func(m *Module) { m.Contributions.Capabilities[0].Kind = "robot" }},
		{"shortcut in capitals", "the Shortcut must be one letter a to z", func(m *Module) {
			m.Contributions.Navbar = []NavbarItem{{ID: "a", LabelKey: "title", Shortcut: "A", Action: RestoreSession()}}
		}},
		{"shortcut of two letters", "the Shortcut must be one letter a to z", func(m *Module) {
			m.Contributions.Navbar = []NavbarItem{{ID: "a", LabelKey: "title", Shortcut: "ab", Action: RestoreSession()}}
		}},
		{"page without handler", "has no Handler", func(m *Module) { m.Contributions.Pages[0].Handler = nil }},
		{"page without area", "has no Areas", func(m *Module) { m.Contributions.Pages[0].Areas = nil }},
		{"page that climbs", "the path must begin", func(m *Module) { m.Contributions.Pages[0].Path = "/../x" }},
		{"page without slash", "the path must begin", func(m *Module) { m.Contributions.Pages[0].Path = "x" }},
		{"page twice", "declared twice", func(m *Module) {
			m.Contributions.Pages = append(m.Contributions.Pages, m.Contributions.Pages[0])
		}},
		{"rule over no capability", `no declared capability "other"`, func(m *Module) { m.Contributions.Pages[0].Visible = Not(HasCapability("other")) }},
		{"rule over no setting", `no declared setting "other"`, func(m *Module) { m.Contributions.Pages[0].Visible = SettingEquals("other", "x") }},
		{"unset rule within a rule", "holds an unset rule", func(m *Module) { m.Contributions.Pages[0].Visible = All(VisibilityRule{}) }},
		{"navbar item to no page", `no declared page "/x"`, func(m *Module) {
			m.Contributions.Navbar = []NavbarItem{{ID: "a", LabelKey: "title", Action: GoToPage("/x")}}
		}},
		{"settings link without settings", "no settings page", func(m *Module) { m.Contributions.ActionLinks = []ActionLink{{LabelKey: "title"}} }},
		{"wrong default", "neither true nor false", func(m *Module) {
			m.Contributions.SettingsPages = []SettingsPage{{TitleKey: "title", Fields: []SettingField{{Key: "a", Kind: BoolSetting, LabelKey: "title"}}}}
		}},
		{"hook without grant", "needs the grant session.switch", func(m *Module) {
			m.Manifest = testManifest(`, "capabilities": ["greet"]`)
			m.DecideSwitch = func(context.Context, SwitchQuestion) (SwitchDecision, error) { return SwitchDecision{}, nil }
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			module := testModule(adminPage("/a", nothing))
			test.change(&module)
			if _, err := NewInstance(module); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("says %v; wanted %q", err, test.says)
			}
		})
	}
}

func TestMostExactPageAnswers(t *testing.T) {
	say := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, text+" "+r.URL.Path) }
	}
	instance := started(t, testModule(adminPage("/", say("root")), adminPage("/log", say("log")), adminPage("/log/", say("below"))))
	for path, want := range map[string]string{
		"/": "root /", "/log": "log /log", "/log/7": "below /log/7", "/other": "root /other",
	} {
		if _, body, _, err := ask(instance, PageRequest{Path: path}); err != nil || body != want {
			t.Errorf("%s: %q, %v", path, body, err)
		}
	}
	for _, path := range []string{"", "log", "/log/../x", "//log", "/./log"} {
		if head, _, _, err := ask(instance, PageRequest{Path: path}); err != nil || head.Status != http.StatusNotFound {
			t.Errorf("%q: %+v, %v", path, head, err)
		}
	}
}

func TestLongPageIsStreamedInChunks(t *testing.T) {
	instance := started(t, testModule(adminPage("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		for range 100 {
			_, _ = io.WriteString(w, strings.Repeat("x", 3000))
		}
	})))
	head, body, chunks, err := ask(instance, PageRequest{Path: "/"})
	if err != nil || head.Status != http.StatusOK || len(body) != 300_000 || chunks != 5 {
		t.Errorf("%+v, %d bytes in %d chunks, %v", head, len(body), chunks, err)
	}
	if head, body, _, err = ask(instance, PageRequest{Path: "/", Method: http.MethodHead}); err != nil || body != "" || head.Header["Content-Type"] != "text/plain" {
		t.Errorf("HEAD: %+v, %d bytes, %v", head, len(body), err)
	}
}

func TestHostThatHangsUpEndsTheHandler(t *testing.T) {
	var written error
	instance := started(t, testModule(adminPage("/", func(w http.ResponseWriter, _ *http.Request) {
		for written == nil {
			_, written = w.Write(make([]byte, maxChunkBytes))
		}
	})))
	gone := errors.New("gone")
	err := instance.ServePage(t.Context(), PageRequest{Method: http.MethodGet, Path: "/", Viewer: Viewer{Area: AdminArea}},
		func(part PagePart) error {
			if part.Chunk != nil {
				return gone
			}
			return nil
		})
	if !errors.Is(err, gone) || !errors.Is(written, gone) {
		t.Errorf("ServePage %v, Write %v", err, written)
	}
}

func TestPanicIsAnErrorPage(t *testing.T) {
	instance := started(t, testModule(
		adminPage("/early", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<p>secret")
			panic("early")
		}),
		adminPage("/late", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, maxChunkBytes))
			panic("late")
		}),
	))
	head, body, _, err := ask(instance, PageRequest{Path: "/early"})
	if err != nil || head.Status != http.StatusInternalServerError || strings.Contains(body, "secret") {
		t.Errorf("early: %+v %q %v", head, body, err)
	}
	if _, _, _, err = ask(instance, PageRequest{Path: "/late"}); err == nil {
		t.Error("late: half a page was taken for a whole")
	}
}

func TestBodyAboveTheLimitIsRefused(t *testing.T) {
	instance := started(t, testModule(adminPage("/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})))
	if _, body, _, err := ask(instance, PageRequest{Path: "/", Method: http.MethodPost, Body: []byte("hi")}); err != nil || body != "hi" {
		t.Errorf("%q %v", body, err)
	}
	head, _, _, err := ask(instance, PageRequest{Path: "/", Method: http.MethodPost, Body: make([]byte, maxBodyBytes+1)})
	if err != nil || head.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("%+v %v", head, err)
	}
}

func TestNothingAnswersBeforeActivation(t *testing.T) {
	instance, err := NewInstance(testModule(adminPage("/", func(http.ResponseWriter, *http.Request) {})))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := ask(instance, PageRequest{Path: "/"}); KindOf(err) != Unavailable {
		t.Errorf("page: %v", err)
	}
	if err := instance.Activate(t.Context(), noHost, Activation{}); err != nil {
		t.Fatal(err)
	}
	if err := instance.Activate(t.Context(), noHost, Activation{}); KindOf(err) != Conflict {
		t.Errorf("second activation: %v", err)
	}
	if _, err := HostOf(context.Background()).Settings.All(t.Context()); KindOf(err) != Unavailable {
		t.Errorf("host outside a call: %v", err)
	}
}

func TestDecisionFailsClosed(t *testing.T) {
	for name, answer := range map[string]func() (SwitchDecision, error){
		"panic":    func() (SwitchDecision, error) { panic("no") },
		"error":    func() (SwitchDecision, error) { return AllowSwitch(time.Hour, Full), errors.New("no") },
		"no limit": func() (SwitchDecision, error) { return SwitchDecision{Allowed: true}, nil },
	} {
		module := testModule()
		module.DecideSwitch = func(context.Context, SwitchQuestion) (SwitchDecision, error) { return answer() }
		decision, err := started(t, module).DecideSwitch(t.Context(), SwitchQuestion{})
		if err == nil || decision.Allowed {
			t.Errorf("%s: %+v, %v", name, decision, err)
		}
	}
}

func TestWordsFallBackAndFillOnce(t *testing.T) {
	words := Words{language: "es-MX", languages: languageTable{
		"en":    {"a": "en a", "b": "en b", "c": "en c", "braces": "{a} and {b}"},
		"es":    {"a": "es a", "b": "es b", "c": ""},
		"es-mx": {"a": "mx a"},
	}}
	for key, want := range map[string]string{"a": "mx a", "b": "es b", "c": "en c", "d": "d"} {
		if got := words.T(key); got != want {
			t.Errorf("%s: %q, wanted %q", key, got, want)
		}
	}
	if got := words.T("braces", "a", "{b}", "b", 7); got != "{b} and 7" {
		t.Errorf("a value was filled again: %q", got)
	}
	if words.Has("d") || !words.Has("c") {
		t.Error("Has is wrong")
	}
}

func TestAccountKeysAreReadBack(t *testing.T) {
	if key, err := ParseAccountKey("contact:7"); err != nil || key != (AccountKey{Contact, 7}) {
		t.Errorf("%v %v", key, err)
	}
	for _, text := range []string{"", "staff", "staff:", "staff:0", "staff:-1", "staff:+7", "staff:07", "staff: 7", "user:7", "staff:7:8", "staff:9999999999999999999"} {
		if _, err := ParseAccountKey(text); KindOf(err) != Invalid {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRulesHold(t *testing.T) {
	ann := Account{Key: AccountKey{Staff, 1}, Administrator: true}
	ben := Account{Key: AccountKey{Staff, 2}, Capabilities: []string{"greet"}}
	cleo := Account{Key: AccountKey{Staff, 3}}
	on, off := SettingEquals("x", "true"), SettingEquals("x", "false")
	for _, test := range []struct {
		name  string
		rule  VisibilityRule
		facts Facts
		want  bool
	}{
		{"unset", VisibilityRule{}, Facts{Subject: ann}, false},
		{"all of none", All(), Facts{}, true},
		{"any of none", Any(), Facts{Subject: ann}, false},
		{"administrator", Administrator(), Facts{Subject: ann}, true},
		{"not administrator", Not(Administrator()), Facts{Subject: ben}, true},
		{"capability", HasCapability("greet"), Facts{Subject: ben}, true},
		{"capability of an administrator", HasCapability("greet"), Facts{Subject: ann}, true},
		{"no capability", HasCapability("greet"), Facts{Subject: cleo}, false},
		{"setting", All(on, Not(off)), Facts{Settings: Settings{"x": "true"}}, true},
		{"missing setting", Any(on, off), Facts{}, false},
		{"switched", SessionSwitched(), Facts{Switched: true}, true},
		{"area", Any(InArea(AdminArea)), Facts{Area: PortalArea}, false},
	} {
		if got := test.rule.Holds(test.facts); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
