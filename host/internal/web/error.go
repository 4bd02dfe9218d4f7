package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// errorView is a refusal or a failure: what happened, and the way out.
type errorView struct {
	*Page
	Status   int
	Sentence string
	Request  string
	Home     string
	HomeText string
	Now      string // who this browser is now, when the form was somebody else's
}

// renderError draws an error inside the layout, banner and way back included, or a bare page when
// the layout itself fails. Scripts get what they asked for.
func (v *visit) renderError(status int, sentence string, cause error) {
	if strings.Contains(v.r.Header.Get("Accept"), "application/json") {
		v.renderErrorJSON(status, sentence)
		return
	}
	if err := v.tryErrorPage(status, sentence, cause); err != nil {
		v.log.ErrorContext(v.r.Context(), "the error page failed", "error", err)
		v.renderBareError(status, sentence)
	}
}

func (v *visit) tryErrorPage(status int, sentence string, cause error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = crm.Refuse(crm.Internal, "panic", "Value", p)
		}
	}()
	view := errorView{Page: v.newPage(v.text(errorTitle(status))), Status: status, Sentence: sentence, Request: v.client.RequestID}
	view.Home, view.HomeText = v.path(view.Area.Home()), v.text("error_home")
	if !view.Signed {
		view.Home, view.HomeText = v.path(view.Area.Login()), v.text("error_login")
	}
	if crm.KeyOf(cause) == "form_token_stale" && view.Signed {
		view.Now = v.text("you_are_now", "Name", v.who.Subject.Title())
	}
	return v.render(status, "error", view)
}

// renderBareError needs no template: it is for when those fail.
func (v *visit) renderBareError(status int, sentence string) {
	if v.answered {
		return
	}
	v.answered = true
	v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write([]byte(sentence + "\n\n" + v.path("/session") + "\n")) // nobody is left to tell
}

func (v *visit) renderErrorJSON(status int, sentence string) {
	v.answered = true
	v.w.Header().Set("Content-Type", "application/json")
	v.w.WriteHeader(status)
	_ = json.NewEncoder(v.w).Encode(map[string]string{"error": sentence, "request": v.client.RequestID}) // nobody is left to tell
}

func errorTitle(status int) string {
	switch status {
	case http.StatusForbidden:
		return "title_403"
	case http.StatusNotFound:
		return "title_404"
	case http.StatusMethodNotAllowed:
		return "title_405"
	case http.StatusConflict:
		return "title_409"
	case http.StatusRequestEntityTooLarge:
		return "title_413"
	case http.StatusUnprocessableEntity:
		return "title_422"
	case http.StatusTooManyRequests:
		return "title_429"
	case http.StatusServiceUnavailable:
		return "title_503"
	default:
		return "title_500"
	}
}

// ErrorText is the sentence a page in this language would show for an error, for doors other than
// the browser; empty when the language files have none.
func ErrorText(language string, e *crm.Error) string {
	l, err := loadLanguages()
	if err != nil || e.Module != "" || !l.has("error_"+e.Key) {
		return ""
	}
	return l.withArgs(language, "error_"+e.Key, e.Args)
}

// Texts gives the host's sentences by language and key, for doors other than the browser.
func Texts() (func(language, key string, args map[string]any) string, error) {
	l, err := loadLanguages()
	if err != nil {
		return nil, fmt.Errorf("read languages: %w", err)
	}
	return func(language, key string, args map[string]any) string {
		return l.withArgs(l.match(language, "en"), key, args)
	}, nil
}
