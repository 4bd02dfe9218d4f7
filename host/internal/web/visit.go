package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/trace"
)

// visit is one request with all that is known about it. A handler reads from it, acts through the
// app and answers once.
type visit struct {
	*server
	w         http.ResponseWriter
	r         *http.Request
	route     *route
	client    crm.Client
	who       crm.Who
	notice    crm.Notice
	unread    bool // the account at the screen has notices to read
	lang      string
	actorLang string // of the banner, while switched
	body      []byte // of a module's page, as it came
	answered  bool
	watched   bool          // a switched session's page, see notePage
	out       watchedWriter // what w is
	request   trace.Request // what the log says of it
	began     time.Time
	title     string // of the page that was drawn
	ended     bool   // the switch of this session has ended by itself, under the visitor's hands
}

// text is a sentence of the host in the page's language.
func (v *visit) text(key string, pairs ...any) string {
	return v.languages.text(v.language(), key, pairs...)
}

// sentence is what a person reads of an error. What isn't meant for persons becomes the number of
// the request, under which the log has the rest.
func (v *visit) sentence(err error) string {
	return v.sentenceIn(v.language(), err)
}

func (v *visit) sentenceIn(language string, err error) string {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) && v.route != nil && v.route.pattern == uploadPattern {
		return v.languages.text(language, "error_module_too_big", "Size", bytesText(v.r.ContentLength), "Max", bytesText(v.maxUpload))
	}
	if errors.As(err, &tooLarge) {
		return v.languages.text(language, "error_request_too_large", "Max", bytesText(tooLarge.Limit))
	}
	var e *crm.Error
	if !errors.As(err, &e) || e.Kind == crm.Internal || e.Key == "" {
		return v.languages.text(language, "error_internal", "Request", v.client.RequestID)
	}
	if e.Module != "" {
		return v.modules.Surface().Text(e.Module, language, e.Key, e.Args)
	}
	return v.languages.withArgs(language, "error_"+e.Key, v.named(language, e.Args))
}

// named replaces the names programs use for a capability by the words a person knows.
func (v *visit) named(language string, args map[string]any) map[string]any {
	name, ok := args["Capability"].(string)
	if !ok {
		return args
	}
	args = maps.Clone(args)
	args["Capability"] = v.capabilityName(language, crm.Capability(name))
	return args
}

func (v *visit) limitBody() {
	limit := int64(maxForm)
	switch {
	case v.route.pattern == uploadPattern:
		limit = v.maxUpload + maxForm
	case v.route.need.perPage:
		limit = maxModuleBody
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, limit)
}

// How long a body may take to come in, and a module's file to go out.
const (
	formTime   = 15 * time.Second
	pageTime   = time.Minute
	uploadTime = 10 * time.Minute // of a package that comes in, and of the host's own files that go out
	fileTime   = 2 * time.Minute
)

// limitTime bounds how long the body may take, read or not. A request without one gets no bound:
// net/http would take it for the end of the connection.
func (v *visit) limitTime() {
	// A file that went out before on this connection has left its own bound.
	v.deadline(http.NewResponseController(v.w).SetWriteDeadline, time.Time{})
	if v.r.Body == nil || v.r.Body == http.NoBody {
		return
	}
	limit := formTime
	switch {
	case v.route == nil:
	case v.route.pattern == uploadPattern:
		limit = uploadTime
	case v.route.need.perPage:
		limit = pageTime
	}
	v.deadline(http.NewResponseController(v.w).SetReadDeadline, time.Now().Add(limit))
}

// deadline sets a bound where the connection knows of any.
func (v *visit) deadline(set func(time.Time) error, at time.Time) {
	if err := set(at); err != nil && !errors.Is(err, http.ErrNotSupported) {
		v.log.DebugContext(v.r.Context(), "set a deadline", "error", err)
	}
}

// readBody reads what was sent, in its time; what is done with it may take longer.
func (v *visit) readBody() error {
	if err := v.parseBody(); err != nil {
		return err
	}
	v.deadline(http.NewResponseController(v.w).SetReadDeadline, time.Time{})
	return nil
}

// parseBody parses the form, and keeps the body of a module's page as it came.
func (v *visit) parseBody() error {
	if v.route.need.perPage && v.body == nil {
		body, err := io.ReadAll(v.r.Body)
		if err != nil {
			return unreadable(err)
		}
		v.body = body
		v.r.Body = io.NopCloser(bytes.NewReader(body))
	}
	kind := v.r.Header.Get("Content-Type")
	if strings.HasPrefix(kind, "multipart/form-data") {
		return unreadable(v.r.ParseMultipartForm(maxForm))
	}
	return unreadable(v.r.ParseForm())
}

func unreadable(err error) error {
	var tooLarge *http.MaxBytesError
	if err == nil || errors.As(err, &tooLarge) {
		return err
	}
	return &crm.Error{Kind: crm.Invalid, Key: "form_unreadable", Err: err}
}

// value is a field of the posted form.
func (v *visit) value(name string) string { return v.r.PostFormValue(name) }

// checked tells whether a box or a Yes of the posted form is set.
func (v *visit) checked(name string) bool {
	switch v.value(name) {
	case "", "0", "false", "no":
		return false
	}
	return true
}

// id is a number in the address; what is none is no such thing.
func (v *visit) id(name string) (int64, error) {
	id, err := strconv.ParseInt(v.r.PathValue(name), 10, 64)
	if err != nil || id <= 0 {
		return 0, crm.Refuse(crm.NotFound, "not_found")
	}
	return id, nil
}

// query reads the search word, the place and the filters of a list from the address.
func (v *visit) query(filters ...string) crm.Query {
	values := v.r.URL.Query()
	q := crm.Query{Term: strings.TrimSpace(clip(values.Get("q"), 200)), After: clip(values.Get("after"), 500), Limit: pageSize}
	for _, name := range filters {
		if value := strings.TrimSpace(clip(values.Get(name), 200)); value != "" {
			if q.Filter == nil {
				q.Filter = map[string]string{}
			}
			q.Filter[name] = value
		}
	}
	return q
}

// path is an address of the site as a browser asks for it.
func (s *server) path(local string) string { return s.base + local }

// redirect answers with another address of the site. A script that asked for a piece of a page is
// told where to go instead of being led there, or it would draw a page inside a page.
func (v *visit) redirect(local string) {
	v.answered = true
	if v.wantsFragment() {
		v.w.Header().Set("X-Location", v.path(local))
		v.w.WriteHeader(http.StatusNoContent)
		return
	}
	v.w.Header().Set("Location", v.path(local))
	v.w.WriteHeader(http.StatusSeeOther)
}

// done redirects after something was saved, with the sentence that says so.
func (v *visit) done(local, key string, args ...string) error {
	v.setFlash(key, args...)
	v.redirect(local)
	return nil
}

// wantsFragment tells whether a script of ours asks for a piece of a page.
func (v *visit) wantsFragment() bool { return v.r.Header.Get("X-Modal") == "1" }

// zone is the visitor's time zone, as app.js told it by a cookie.
func (v *visit) zone() *time.Location {
	if c, err := v.r.Cookie("understudy_zone"); err == nil {
		if zone, err := time.LoadLocation(strings.ReplaceAll(c.Value, "%2F", "/")); err == nil && c.Value != "Local" {
			return zone
		}
	}
	return time.UTC
}

// timeText writes a moment in the visitor's time zone, nothing for the zero time.
func (v *visit) timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(v.zone()).Format("2006-01-02 15:04")
}

// bytesText writes a number of bytes for a person.
func bytesText(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	default:
		return fmt.Sprintf("%d B", n)
	}
}
