package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/understudy-crm/understudy/sdk"
)

const maxLanguageFile = 256 << 10

var tagPattern = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}$`)

// languagesView is the list of languages.
type languagesView struct {
	view
	Rows        []languageRow
	Wrong, Done string
	Tag         string
}

// languageRow is one of them.
type languageRow struct {
	Tag, Name, Download string
	Complete, Total     int
	Percent             int
	Uploaded            bool
}

// languages lists them, and takes an uploaded file.
func (p *pages) languages(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		answer(w, r, p.showLanguages(w, r, http.StatusOK, ""))
	case http.MethodPost:
		answer(w, r, p.uploadLanguage(w, r))
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, sdk.T(r, "error_method"), http.StatusMethodNotAllowed)
	}
}

func (p *pages) showLanguages(w http.ResponseWriter, r *http.Request, status int, wrong string) error {
	list, _, err := sdk.HostOf(r.Context()).Languages.List(r.Context())
	if err != nil {
		return err
	}
	words := sdk.WordsFrom(r)
	v := languagesView{view: viewOf(r), Wrong: wrong, Tag: term(r.FormValue("tag"))}
	if tag := r.URL.Query().Get("saved"); tagPattern.MatchString(tag) {
		missing, _ := strconv.Atoi(r.URL.Query().Get("missing"))
		unknown, _ := strconv.Atoi(r.URL.Query().Get("unknown"))
		v.Done = words.T("language_saved", "tag", tag, "missing", max(missing, 0), "unknown", max(unknown, 0))
	}
	if tag := r.URL.Query().Get("deleted"); tagPattern.MatchString(tag) {
		v.Done = words.T("language_deleted", "tag", tag)
	}
	total := 0
	for _, language := range list {
		if language.Tag == "en" {
			total = len(language.Messages)
		}
	}
	for _, language := range list {
		row := languageRow{
			Tag: language.Tag, Name: language.Messages["language_name"], Uploaded: language.Uploaded,
			Complete: language.Complete, Total: total,
			Download: v.Base + "/languages/download?tag=" + url.QueryEscape(language.Tag),
		}
		if total > 0 {
			row.Percent = 100 * row.Complete / total
		}
		v.Rows = append(v.Rows, row)
	}
	return render(w, status, "languages.html", v)
}

func (p *pages) uploadLanguage(w http.ResponseWriter, r *http.Request) error {
	tag, file, wrong := uploadedLanguage(r)
	if wrong != "" {
		return p.showLanguages(w, r, http.StatusUnprocessableEntity, wrong)
	}
	taken, err := sdk.HostOf(r.Context()).Languages.Put(r.Context(), tag, file)
	switch sdk.KindOf(err) {
	case sdk.Invalid, sdk.TooLarge:
		return p.showLanguages(w, r, http.StatusUnprocessableEntity, sdk.T(r, "language_refused"))
	}
	if err != nil {
		return err
	}
	seeOther(w, r, url.Values{
		"saved":   {tag},
		"missing": {strconv.Itoa(len(taken.MissingKeys))},
		"unknown": {strconv.Itoa(len(taken.UnknownKeys))},
	})
	return nil
}

// uploadedLanguage returns the posted file and its tag, or the sentence for what is wrong with it.
func uploadedLanguage(r *http.Request) (tag string, content []byte, wrong string) {
	upload, header, err := r.FormFile("file")
	if err != nil {
		return "", nil, sdk.T(r, "language_no_file")
	}
	defer func() { _ = upload.Close() }()
	content, err = io.ReadAll(io.LimitReader(upload, maxLanguageFile+1))
	if err != nil {
		return "", nil, sdk.T(r, "language_no_file")
	}
	if len(content) > maxLanguageFile {
		return "", nil, sdk.T(r, "language_too_large")
	}
	if tag = strings.TrimSpace(r.FormValue("tag")); tag == "" {
		tag = strings.TrimSuffix(path.Base(strings.ReplaceAll(header.Filename, `\`, "/")), ".json")
	}
	if !tagPattern.MatchString(tag) {
		return "", nil, sdk.T(r, "language_no_tag")
	}
	if _, err := sdk.ReadLanguage(content); err != nil {
		return "", nil, sdk.T(r, "language_not_json", "detail", err)
	}
	return tag, content, ""
}

func (p *pages) deleteLanguage(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		http.Error(w, sdk.T(r, "error_method"), http.StatusMethodNotAllowed)
		return
	}
	tag := r.FormValue("tag")
	if !tagPattern.MatchString(tag) {
		answer(w, r, sentence{http.StatusNotFound, "error_language"})
		return
	}
	if err := sdk.HostOf(r.Context()).Languages.Delete(r.Context(), tag); err != nil {
		answer(w, r, err)
		return
	}
	seeOther(w, r, url.Values{"deleted": {tag}})
}

// downloadLanguage gives out a language as a file, to be translated or corrected and uploaded.
func (p *pages) downloadLanguage(w http.ResponseWriter, r *http.Request) error {
	list, _, err := sdk.HostOf(r.Context()).Languages.List(r.Context())
	if err != nil {
		return err
	}
	for _, language := range list {
		if language.Tag != r.FormValue("tag") || !tagPattern.MatchString(language.Tag) {
			continue
		}
		var file bytes.Buffer
		enc := json.NewEncoder(&file)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(language.Messages); err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Disposition", `attachment; filename="`+language.Tag+`.json"`)
		_, _ = file.WriteTo(w)
		return nil
	}
	return sentence{http.StatusNotFound, "error_language"}
}

// seeOther goes back to the list of languages.
func seeOther(w http.ResponseWriter, r *http.Request, query url.Values) {
	w.Header().Set("Location", sdk.ViewerFrom(r).BasePath+"/languages?"+query.Encode())
	w.WriteHeader(http.StatusSeeOther)
}
