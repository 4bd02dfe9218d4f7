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

// maxTerm is the longest search, in characters.
const maxTerm = 200

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

// post serves what a form is sent to. Nothing of it works under a borrowed name; the host refuses
// that too.
func post(page func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", "POST")
			http.Error(w, sdk.T(r, "error_method"), http.StatusMethodNotAllowed)
			return
		}
		if sdk.ViewerFrom(r).Switched() {
			answer(w, r, sentence{http.StatusForbidden, "error_switched"})
			return
		}
		answer(w, r, page(w, r))
	}
}

// back sends the browser on to a page of the module's.
func back(w http.ResponseWriter, r *http.Request, address string) {
	w.Header().Set("Location", sdk.ViewerFrom(r).BasePath+address)
	w.WriteHeader(http.StatusSeeOther)
}

// answer turns what a page returned into what the person reads.
func answer(w http.ResponseWriter, r *http.Request, err error) {
	if err == nil {
		return
	}
	said := sentence{status: sdk.StatusOf(err), key: "error_failed"}
	if !errors.As(err, &said) {
		slog.ErrorContext(r.Context(), "page failed", "path", r.URL.Path, "error", err)
		switch sdk.KindOf(err) {
		case sdk.Denied:
			said.key = "error_denied"
		case sdk.Unavailable:
			said.key = "error_unavailable"
		case sdk.TooLarge:
			said.key = "error_full"
		}
	}
	text := sdk.T(r, said.key, "request", sdk.ViewerFrom(r).RequestID)
	if strings.HasSuffix(r.URL.Path, "/search") || r.URL.Path == "/who/target" {
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

// term cuts what somebody typed to a sensible length.
func term(text string) string {
	runes := []rune(strings.TrimSpace(text))
	return string(runes[:min(len(runes), maxTerm)])
}
