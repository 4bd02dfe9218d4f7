package web

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/gorilla/sessions"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/trace"
)

// The names of our cookies. The session's holds a random secret and nothing else.
const (
	sessionCookie = "understudy"
	flashCookie   = "understudy_flash"
)

// resolutionKey is where a gorilla session keeps what App.Resolve said about its secret.
type resolutionKey struct{}

// sessionStore is a sessions.Store over the app: the rows are the app's, the cookie is ours.
type sessionStore struct {
	app     resolver
	options sessions.Options
}

type resolver interface {
	Resolve(ctx context.Context, secret string, client crm.Client) (app.Resolution, error)
}

func newSessionStore(a resolver, base string) *sessionStore {
	return &sessionStore{app: a, options: sessions.Options{Path: base + "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}}
}

// Get is the session of the request, resolved once however often it is asked for.
func (s *sessionStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New resolves the secret in the cookie. Its error means that nobody can say who this is, which is
// not the same as nobody.
func (s *sessionStore) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	options := s.options
	session.Options, session.IsNew = &options, true
	if cookie, err := r.Cookie(name); err == nil {
		session.ID = cookie.Value
	}
	var client crm.Client
	if request := trace.Of(r.Context()); request != nil {
		client = request.Client
	}
	resolution, err := s.app.Resolve(r.Context(), session.ID, client)
	session.IsNew = !resolution.Who.SignedIn()
	session.Values[resolutionKey{}] = resolution
	return session, err
}

// Save writes the cookie, or takes it away when MaxAge is below zero.
func (s *sessionStore) Save(_ *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	http.SetCookie(w, sessions.NewCookie(session.Name(), session.ID, session.Options))
	return nil
}

// resolve finds out who comes. A new secret goes out at once; an unknown one stays in its cookie,
// for another tab may have been given a newer one this moment.
func (v *visit) resolve() error {
	_, span := trace.Start(v.r.Context(), "who is this")
	session, err := v.sessions.Get(v.r, sessionCookie)
	span.End(err)
	if err != nil {
		return err
	}
	resolution, _ := session.Values[resolutionKey{}].(app.Resolution)
	v.who, v.notice, v.unread = resolution.Who, resolution.Notice, resolution.Unread
	v.who.Client = v.client
	v.request.SetWho(v.who)
	if resolution.NewSecret != "" {
		v.ended = true
		if err := v.setSecret(resolution.NewSecret); err != nil {
			return err
		}
	}
	return v.modules.CatchUp(v.r.Context(), v.who.Revision)
}

// setSecret gives the browser the secret of its session from now on; empty takes the cookie away.
func (v *visit) setSecret(secret string) error {
	session, err := v.sessions.Get(v.r, sessionCookie)
	if err != nil {
		return err
	}
	session.ID, session.Options.Secure = secret, v.secureCookies(v.r)
	if secret == "" {
		session.Options.MaxAge = -1
	}
	return session.Save(v.r, v.w)
}

// flash is a sentence of the host for the page after a redirect. It travels in a cookie: it names a
// sentence that begins with "flash_", so a forged one can say nothing else.
type flash struct {
	Key  string            `json:"k"`
	Args map[string]string `json:"a,omitempty"`
}

func (v *visit) setFlash(key string, args ...string) {
	f := flash{Key: key}
	for i := 0; i+1 < len(args); i += 2 {
		if f.Args == nil {
			f.Args = map[string]string{}
		}
		f.Args[args[i]] = clip(args[i+1], 300)
	}
	data, err := json.Marshal(f)
	if err != nil {
		return // strings always encode
	}
	v.setFlashCookie(base64.RawURLEncoding.EncodeToString(data), 60)
}

// takeFlash reads the sentence and takes its cookie away.
func (v *visit) takeFlash() (flash, bool) {
	cookie, err := v.r.Cookie(flashCookie)
	if err != nil || cookie.Value == "" {
		return flash{}, false
	}
	v.setFlashCookie("", -1)
	data, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	var f flash
	if err != nil || json.Unmarshal(data, &f) != nil {
		return flash{}, false
	}
	return f, true
}

func (v *visit) setFlashCookie(value string, maxAge int) {
	http.SetCookie(v.w, &http.Cookie{ //nolint:gosec // Secure as the browser came: a site may be reached by plain http
		Name: flashCookie, Value: value, MaxAge: maxAge,
		Path: v.base + "/", HttpOnly: true, Secure: v.secureCookies(v.r), SameSite: http.SameSiteLaxMode,
	})
}
