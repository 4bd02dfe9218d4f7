// Sample is a module for tests: it does a little of everything, and misbehaves as it is told to by
// the mode it was built with.
package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

//go:embed languages/*.json
var languages embed.FS

// mode, id and version come from where the executable stands, <id>/<version>/bin/sample, so that
// one build serves every test.
var mode, id, version = place()

func place() (mode, id, version string) {
	executable, err := os.Executable()
	if err != nil {
		panic(err)
	}
	folder := filepath.Dir(filepath.Dir(executable))
	text, err := os.ReadFile(filepath.Join(folder, "assets", "mode"))
	if err != nil {
		text = []byte("normal")
	}
	version, _, _ = strings.Cut(filepath.Base(folder), "~") // another package of the same version may stand beside
	return strings.TrimSpace(string(text)), filepath.Base(filepath.Dir(folder)), version
}

func manifest() []byte {
	says := version
	if mode == "lies" {
		says = "6.6.6"
	}
	capabilities := `"staff", "customers"`
	if mode == "wants-capability" {
		capabilities += `, "everything"`
	}
	grants := `{ "name": "session.switch", "why": "a" }, { "name": "directory.read", "why": "b" }, { "name": "audit.write", "why": "c" }`
	return fmt.Appendf(nil, `{ "id": %q, "name": "Sample", "version": %q, "requires": { "host": ">=3.1.0", "protocol": 1 },
		"executables": { "linux/amd64": "bin/sample" }, "grants": [%s], "capabilities": [%s] }`, id, says, grants, capabilities)
}

func main() {
	switch mode {
	case "exit":
		fmt.Fprintln(os.Stderr, "cannot find my configuration")
		os.Exit(7)
	case "hang":
		time.Sleep(time.Hour)
	case "leave-child":
		leaveChild()
	case "garbage":
		fmt.Println("hello, I am no module")
		time.Sleep(time.Hour)
	}
	sdk.Serve(sample())
}

func sample() sdk.Module {
	m := sdk.Module{
		Manifest:  manifest(),
		Languages: languages,
		Contributions: sdk.Contributions{
			FeatureLabelKey: "feature",
			Capabilities:    []sdk.Capability{{Key: "staff", LabelKey: "staff"}, {Key: "customers", LabelKey: "customers"}},
			Navbar:          navbar(),
			SettingsPages:   []sdk.SettingsPage{settings()},
			Pages:           pages(),
			ActionLinks:     []sdk.ActionLink{{LabelKey: "settings"}, {LabelKey: "log", Page: "/log/"}},
			AccountActions:  []sdk.AccountAction{{LabelKey: "item", Icon: "user", Page: "/pick", Modal: true, Kinds: []sdk.AccountKind{sdk.Staff}}},
		},
		DecideSwitch:     decide,
		ValidateSettings: validate,
		Activate:         activate,
		Deactivate:       deactivate,
	}
	if mode == "wants-capability" {
		m.Contributions.Capabilities = append(m.Contributions.Capabilities, sdk.Capability{Key: "everything", LabelKey: "item"})
	}
	if mode == "bad-icon" {
		m.Contributions.Navbar[0].Icon = "<script>"
	}
	return m
}

func navbar() []sdk.NavbarItem {
	return []sdk.NavbarItem{
		{
			ID: "open", LabelKey: "item", Icon: "user", Areas: []sdk.Area{sdk.AdminArea}, Action: sdk.OpenModal("/pick"),
			Visible: sdk.All(sdk.Not(sdk.SessionSwitched()), sdk.Any(sdk.Administrator(), sdk.HasCapability("staff"))),
		},
		{
			ID: "stop", LabelKey: "stop", Areas: []sdk.Area{sdk.AdminArea, sdk.PortalArea}, Attention: true,
			Action: sdk.RestoreSession(), Visible: sdk.SessionSwitched(),
		},
	}
}

func settings() sdk.SettingsPage {
	return sdk.SettingsPage{
		TitleKey: "title",
		Fields: []sdk.SettingField{
			{Key: "closed", Kind: sdk.BoolSetting, LabelKey: "closed", HelpKey: "closed_help", Default: "false"},
			{Key: "minutes", Kind: sdk.NumberSetting, LabelKey: "minutes", Default: "60", Min: 1, Max: 720},
			{Key: "mode", Kind: sdk.ChoiceSetting, LabelKey: "mode", Default: "full", Choices: []sdk.SettingChoice{{Value: "full", LabelKey: "full"}, {Value: "read", LabelKey: "read"}}},
		},
		Notes: []sdk.SettingNote{{TextKey: "note_closed", When: sdk.SettingEquals("closed", "true")}},
	}
}

func pages() []sdk.Page {
	return []sdk.Page{
		page("/pick", http.HandlerFunc(pick)), page("/log/", http.HandlerFunc(echo)), page("/kill", http.HandlerFunc(die)),
		file("/huge", http.HandlerFunc(huge)), page("/slow", http.HandlerFunc(slow)), page("/find", http.HandlerFunc(find)),
		page("/audit", http.HandlerFunc(audit)), page("/language", http.HandlerFunc(language)), page("/env", http.HandlerFunc(env)),
		page("/print", http.HandlerFunc(prints)), page("/store", http.HandlerFunc(store)), page("/away", http.HandlerFunc(away)),
		page("/eat", http.HandlerFunc(eat)),
		{Path: "/vault", TitleKey: "item", Areas: []sdk.Area{sdk.AdminArea, sdk.PortalArea}, Handler: http.HandlerFunc(vault), UnsafeClass: sdk.Sensitive, Visible: sdk.All()},
	}
}

func activate(ctx context.Context, _ sdk.Activation) error {
	if mode == "exit-in-activate" {
		fmt.Fprintln(os.Stderr, "activation went wrong")
		os.Exit(9)
	}
	if mode == "refuse-activate" {
		return errors.New("no")
	}
	if strings.HasPrefix(mode, "migrate") {
		return migrate(ctx)
	}
	return nil
}

func deactivate(ctx context.Context) error {
	if strings.HasPrefix(mode, "migrate") {
		return sdk.HostOf(ctx).Storage.Put(ctx, "last", []byte(version))
	}
	// The host's services still answer now.
	_, err := sdk.HostOf(ctx).Settings.All(ctx)
	return err
}

// migrate brings the module's own data to this version's form, as modules do when they are activated,
// and sees that it reads what it wrote.
func migrate(ctx context.Context) error {
	host := sdk.HostOf(ctx)
	keys, err := host.Storage.Keys(ctx, "only-", "", 0)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := host.Storage.Delete(ctx, key); err != nil {
			return err
		}
	}
	for key, value := range map[string]string{"only-" + version: "x", "version": version} {
		if err := host.Storage.Put(ctx, key, []byte(value)); err != nil {
			return err
		}
	}
	if err := host.Audit.Write(ctx, "migrated", map[string]string{"to": version}); err != nil {
		return err
	}
	keys, err = host.Storage.Keys(ctx, "", "", 0)
	value, missing := host.Storage.Value(ctx, "version")
	switch {
	case err != nil || missing != nil:
		return errors.Join(err, missing)
	case string(value) != version || !slices.Contains(keys, "only-"+version):
		return fmt.Errorf("reads %s and %v", value, keys)
	case mode == "migrate-refuse":
		return errors.New("no")
	case mode == "migrate-exit":
		os.Exit(9)
	}
	return nil
}

// leaveChild starts a process that outlives this one unless the whole group is ended.
func leaveChild() {
	if err := exec.Command("sleep", "3600").Start(); err != nil {
		panic(err)
	}
}

// vault does what nobody may under a borrowed name.
func vault(w http.ResponseWriter, r *http.Request) {
	if err := sdk.HostOf(r.Context()).Storage.Put(r.Context(), "vault", []byte(r.Method)); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func page(path string, h http.Handler) sdk.Page {
	return sdk.Page{Path: path, TitleKey: "item", Areas: []sdk.Area{sdk.AdminArea}, Handler: h, UnsafeClass: sdk.Write}
}

func file(path string, h http.Handler) sdk.Page {
	p := page(path, h)
	p.Answers = sdk.AnswersFile
	return p
}

func decide(ctx context.Context, q sdk.SwitchQuestion) (sdk.SwitchDecision, error) {
	switch {
	case mode == "hang-decide":
		time.Sleep(time.Hour)
	case q.Settings["closed"] == "true":
		return sdk.SwitchDecision{RefusalKey: "refused"}, nil
	}
	minutes, err := q.Settings.Number("minutes")
	if err != nil {
		return sdk.SwitchDecision{}, err
	}
	d := sdk.SwitchDecision{Allowed: true, Limit: time.Duration(minutes) * time.Minute, Mode: sdk.Full}
	if q.Settings["mode"] == "read" {
		d.Mode = sdk.ReadOnly
	}
	return d, nil
}

func validate(_ context.Context, s sdk.Settings) (map[string]string, error) {
	if s["minutes"] == "666" {
		return map[string]string{"minutes": "too_long"}, nil
	}
	return nil, nil
}

func pick(w http.ResponseWriter, r *http.Request) {
	v := sdk.ViewerFrom(r)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Set-Cookie", "stolen=1")
	fmt.Fprintf(w, "<p>%s for %s as %s in %s</p>", sdk.T(r, "item"), v.Actor.Name, v.Subject.Name, v.Language)
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if status, err := strconv.Atoi(r.URL.Query().Get("status")); err == nil {
		w.WriteHeader(status)
	}
	fmt.Fprintf(w, "%s %s?%s %s cookie=%q", r.Method, r.URL.Path, r.URL.RawQuery, body, r.Header.Get("Cookie"))
}

func die(http.ResponseWriter, *http.Request) { os.Exit(3) }

func huge(w http.ResponseWriter, _ *http.Request) {
	part := strings.Repeat("x", 1<<20)
	for range 20 {
		if _, err := io.WriteString(w, part); err != nil {
			return
		}
	}
}

// eat takes 4 GiB, and uses it.
func eat(w http.ResponseWriter, _ *http.Request) {
	var held [][]byte
	for range 4 << 10 {
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		held = append(held, block)
	}
	fmt.Fprintln(w, len(held), held[0][0])
}

func slow(_ http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(time.Hour):
	case <-r.Context().Done():
	}
}

func find(w http.ResponseWriter, r *http.Request) {
	found, err := sdk.HostOf(r.Context()).Directory.Search(r.Context(), sdk.AccountSearch{Kind: sdk.Staff, Term: r.URL.Query().Get("q")})
	if err != nil {
		http.Error(w, err.Error(), sdk.StatusOf(err))
		return
	}
	for _, f := range found.Results {
		fmt.Fprintln(w, f.Name, f.Capabilities)
	}
}

func audit(w http.ResponseWriter, r *http.Request) {
	if err := sdk.HostOf(r.Context()).Audit.Write(r.Context(), "looked", map[string]string{"at": "log"}); err != nil {
		http.Error(w, err.Error(), sdk.StatusOf(err))
	}
}

func language(w http.ResponseWriter, r *http.Request) {
	file, _ := io.ReadAll(r.Body)
	taken, err := sdk.HostOf(r.Context()).Languages.Put(r.Context(), r.URL.Query().Get("tag"), file)
	if err != nil {
		http.Error(w, err.Error(), sdk.StatusOf(err))
		return
	}
	fmt.Fprintf(w, "%d unknown", len(taken.UnknownKeys))
}

func env(w http.ResponseWriter, _ *http.Request) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		fmt.Fprintln(w, name)
	}
}

func prints(_ http.ResponseWriter, r *http.Request) {
	fmt.Println("a plain print")
	slog.InfoContext(r.Context(), "looked up", "n", 3)
	fmt.Fprintln(os.Stderr, "a complaint")
}

func store(w http.ResponseWriter, r *http.Request) {
	storage := sdk.HostOf(r.Context()).Storage
	if err := storage.Put(r.Context(), "k", []byte("v")); err != nil {
		http.Error(w, err.Error(), sdk.StatusOf(err))
		return
	}
	value, err := storage.Value(r.Context(), "k")
	fmt.Fprintf(w, "%s %v", value, err)
}

func away(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Location", "https://elsewhere.example/")
	w.WriteHeader(http.StatusSeeOther)
}
