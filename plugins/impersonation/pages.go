package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

//go:embed templates/*.html
var templateFiles embed.FS

var templates = template.Must(template.ParseFS(templateFiles, "templates/*.html"))

const (
	maxTerm    = 200
	maxReason  = 500
	pickerRows = 20
)

// pages answers the module's addresses.
type pages struct{ now func() time.Time }

// view is what every template has: its words, by the method T, and addresses.
type view struct {
	sdk.Words
	Base      string
	FormField template.HTML
}

func viewOf(r *http.Request) view {
	return view{Words: sdk.WordsFrom(r), Base: sdk.ViewerFrom(r).BasePath, FormField: sdk.FormField(r)}
}

// sentence is an error that is meant for the screen.
type sentence struct {
	status int
	key    string
}

func (s sentence) Error() string { return s.key }

// get serves a page that only reads.
func get(page func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, sdk.T(r, "error_method"), http.StatusMethodNotAllowed)
			return
		}
		answer(w, r, page(w, r))
	}
}

// answer turns what a page returned into what the person reads.
func answer(w http.ResponseWriter, r *http.Request, err error) {
	if err == nil {
		return
	}
	said := sentence{status: sdk.StatusOf(err), key: "error_failed"}
	if !errors.As(err, &said) {
		slog.ErrorContext(r.Context(), "page failed", "path", r.URL.Path, "request", sdk.ViewerFrom(r).RequestID, "error", err)
		switch sdk.KindOf(err) {
		case sdk.Denied:
			said.key = "error_denied"
		case sdk.Unavailable:
			said.key = "error_unavailable"
		}
	}
	text := sdk.T(r, said.key, "request", sdk.ViewerFrom(r).RequestID)
	if r.URL.Path == "/search" {
		err = writeJSON(w, said.status, map[string]any{"results": []found{}, "error": text})
	} else {
		err = render(w, said.status, "sentence.html", sentenceView{view: viewOf(r), Text: text})
	}
	if err != nil {
		slog.ErrorContext(r.Context(), "error page failed", "error", err)
	}
}

type sentenceView struct {
	view
	Text string
}

func render(w http.ResponseWriter, status int, name string, data any) error {
	var page bytes.Buffer
	if err := templates.ExecuteTemplate(&page, name, data); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	// A failed write means the host hung up: there is nobody left to tell.
	_, _ = page.WriteTo(w)
	return nil
}

func writeJSON(w http.ResponseWriter, status int, data any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(data)
}

// startView is the form that starts an impersonation.
type startView struct {
	view
	Action    string
	Kinds     []choice
	Kind      string
	OneKind   bool
	Users     []choice
	Refused   string
	MaxReason int
	Minutes   int
}

// choice is one entry of a select.
type choice struct {
	Value, Text        string
	Selected, Disabled bool
}

// start shows the form. The host itself answers it: what stands here decides nothing.
func (p *pages) start(w http.ResponseWriter, r *http.Request) error {
	kinds, err := startable(r)
	if err != nil {
		return err
	}
	words := sdk.WordsFrom(r)
	kind, err := wantedKind(r, kinds)
	if err != nil {
		return err
	}
	v := startView{
		view: viewOf(r), Action: sdk.ViewerFrom(r).SitePath + "/session/switch",
		Kind: string(kind), OneKind: len(kinds) == 1,
		MaxReason: maxReason, Minutes: int(timeLimit.Minutes()),
	}
	for _, each := range kinds {
		v.Kinds = append(v.Kinds, choice{Value: string(each), Text: kindWord(words, each), Selected: each == kind})
	}
	preset, err := presetTarget(r, kind)
	if err != nil {
		return err
	}
	results, err := searchTargets(r, kind, term(r.FormValue("q")), true)
	if err != nil {
		return err
	}
	if preset != nil {
		if v.Refused = preset.Reason; v.Refused == "" {
			v.Users = append(v.Users, choice{Value: preset.Value, Text: preset.Text, Selected: true})
		}
	}
	for _, result := range results {
		if preset == nil || preset.Disabled || result.Value != preset.Value {
			v.Users = append(v.Users, result.choice())
		}
	}
	return render(w, http.StatusOK, "start.html", v)
}

// search answers the picker's question while somebody types.
func (p *pages) search(w http.ResponseWriter, r *http.Request) error {
	kinds, err := startable(r)
	if err != nil {
		return err
	}
	kind, err := wantedKind(r, kinds)
	if err != nil {
		return err
	}
	results, err := searchTargets(r, kind, term(r.FormValue("q")), true)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"results": results})
}

// startable returns the kinds the viewer may become, or the sentence that says why there are none.
func startable(r *http.Request) ([]sdk.AccountKind, error) {
	viewer := sdk.ViewerFrom(r)
	if viewer.Switched() {
		return nil, sentence{http.StatusConflict, "refused_switched"}
	}
	settings, err := sdk.HostOf(r.Context()).Settings.All(r.Context())
	if err != nil {
		return nil, err
	}
	kinds := allowedKinds(settings, viewer.Actor)
	if len(kinds) == 0 {
		return nil, sentence{http.StatusForbidden, whyNone(settings, viewer.Actor)}
	}
	if asked := sdk.AccountKind(r.FormValue("kind")); asked == sdk.Staff || asked == sdk.Contact {
		if why := refusal(settings, viewer.Actor, asked); why != "" {
			return nil, sentence{http.StatusForbidden, why}
		}
	}
	return kinds, nil
}

// wantedKind returns the kind the address names, the first allowed one when it names none.
func wantedKind(r *http.Request, allowed []sdk.AccountKind) (sdk.AccountKind, error) {
	switch asked := sdk.AccountKind(r.FormValue("kind")); asked {
	case "":
		return allowed[0], nil
	case sdk.Staff, sdk.Contact:
		return asked, nil
	}
	return "", sentence{http.StatusNotFound, "error_kind"}
}

// found is one account of the picker.
type found struct {
	Value    string `json:"value"`
	Text     string `json:"text"`
	Detail   string `json:"detail"`
	Disabled bool   `json:"disabled"`
	Reason   string `json:"reason"`
}

// choice says the reason in the text: a select without script shows nothing else.
func (f found) choice() choice {
	text := f.Text
	if f.Reason != "" {
		text += " – " + f.Reason
	}
	return choice{Value: f.Value, Text: text, Disabled: f.Disabled}
}

func searchTargets(r *http.Request, kind sdk.AccountKind, term string, activeOnly bool) ([]found, error) {
	page, err := sdk.HostOf(r.Context()).Directory.Search(r.Context(), sdk.AccountSearch{
		Kind: kind, Term: term, Limit: pickerRows, ActiveOnly: activeOnly, AsTargetOf: sdk.ViewerFrom(r).Actor.Key,
	})
	if err != nil {
		return nil, err
	}
	results := make([]found, 0, len(page.Results))
	for _, account := range page.Results {
		results = append(results, foundFrom(sdk.WordsFrom(r), account))
	}
	return results, nil
}

func foundFrom(words sdk.Words, account sdk.FoundAccount) found {
	f := found{Value: account.Key.String(), Text: account.Name, Detail: account.Email}
	if f.Text == "" {
		f.Text = account.Email
	}
	if account.Key.Kind == sdk.Contact && account.Company != "" {
		f.Text += " (" + account.Company + ")"
	}
	if account.Role != "" {
		f.Detail += " · " + account.Role
	}
	if account.SwitchRefusalCode != "" {
		f.Disabled, f.Reason = true, refusalWord(words, account.SwitchRefusalCode)
	}
	return f
}

// presetTarget returns the account that ?id= names, nil when it names none. Only a search says
// whether the host would refuse it, so it is found by its address.
func presetTarget(r *http.Request, kind sdk.AccountKind) (*found, error) {
	digits := r.FormValue("id")
	if digits == "" {
		return nil, nil
	}
	key, err := sdk.ParseAccountKey(string(kind) + ":" + digits)
	if err != nil {
		return nil, sentence{http.StatusNotFound, "error_account"}
	}
	account, err := sdk.HostOf(r.Context()).Directory.Account(r.Context(), key)
	switch {
	case sdk.KindOf(err) == sdk.NotFound:
		return nil, sentence{http.StatusNotFound, "error_account"}
	case err != nil:
		return nil, err
	case key == sdk.ViewerFrom(r).Actor.Key:
		f := foundFrom(sdk.WordsFrom(r), sdk.FoundAccount{Account: account, SwitchRefusalCode: "self"})
		return &f, nil
	}
	results, err := searchTargets(r, kind, account.Email, false)
	if err != nil {
		return nil, err
	}
	for _, result := range results {
		if result.Value == key.String() {
			return &result, nil
		}
	}
	f := foundFrom(sdk.WordsFrom(r), sdk.FoundAccount{Account: account})
	return &f, nil
}

func kindWord(words sdk.Words, kind sdk.AccountKind) string {
	if kind == sdk.Contact {
		return words.T("kind_contact")
	}
	return words.T("kind_staff")
}

// refusalWord says a refusal code in words: this module's own refusals by the key it refused with,
// the host's rules by their codes. Nothing else of the language file can be asked for this way.
func refusalWord(words sdk.Words, code string) string {
	code = code[strings.LastIndexAny(code, ":/.")+1:]
	key := "code_" + strings.TrimPrefix(code, "switch_")
	switch {
	case strings.HasPrefix(code, "refused_"):
		key = code
	case strings.HasPrefix(code, "module_"):
		key = "code_module_off"
	}
	if !words.Has(key) {
		key = "code_other"
	}
	return words.T(key)
}

// term cuts what somebody typed to a sensible length.
func term(text string) string {
	runes := []rune(strings.TrimSpace(text))
	return string(runes[:min(len(runes), maxTerm)])
}
