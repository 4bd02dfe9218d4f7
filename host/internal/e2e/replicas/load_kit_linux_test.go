package replicas

import (
	"context"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/understudy-crm/understudy/host/internal/e2e"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

// load is what many visitors do at once, and what came of it.
type load struct {
	replicas
	names map[string]string // what a page calls an account, by key
	staff []string          // the agents' keys
	crowd []string          // the clients'

	mu      sync.Mutex
	answers map[string]int // by kind of request and status
	took    map[string][]time.Duration
	written map[string]string // action by the id of the request that must have written it
	causes  map[string]int    // why switches ended under somebody's hands
	wrong   []string
	rest    int // of what was wrong, not kept
}

func newLoad(r replicas) *load {
	r.t.Helper()
	l := &load{replicas: r, names: map[string]string{}, answers: map[string]int{}, took: map[string][]time.Duration{}, written: map[string]string{}, causes: map[string]int{}}
	rows, err := r.db.QueryContext(r.t.Context(), `SELECT 'staff:' || id, name, name FROM staff
		UNION ALL SELECT 'contact:' || c.id, c.name, c.name || ' (' || k.company || ')' FROM contacts c JOIN customers k ON k.id = c.customer_id`)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var key, name, title string
		if err := rows.Scan(&key, &name, &title); err != nil {
			r.t.Fatal(err)
		}
		l.names[key] = title
		switch {
		case strings.HasPrefix(name, "Agent "):
			l.staff = append(l.staff, key)
		case strings.HasPrefix(name, "Client "):
			l.crowd = append(l.crowd, key)
		}
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	return l
}

// mistake notes what must not be.
func (l *load) mistake(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.wrong) < 20 {
		l.wrong = append(l.wrong, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	} else {
		l.rest++
	}
}

func (l *load) note(kind string, status int, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers[fmt.Sprintf("%s %d", kind, status)]++
	l.took[kind] = append(l.took[kind], took)
}

// wrote remembers that an answer promised an entry of the Activity Log.
func (l *load) wrote(got e2e.Answer, action string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written[got.Header.Get("X-Request-Id")] = action
}

// guest is one browser among many, and what its person knows of who they are.
type guest struct {
	*load
	http  http.Client
	email string
	self  string // such as staff:7
	rand  *rand.Rand
	think time.Duration // at most, between requests

	session string // as pages name it, empty before the first one
	as      string // whom they have become, empty for nobody
	token   string // of the page on the screen
}

func (l *load) guest(email, self string, think time.Duration) *guest {
	l.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		l.t.Fatal(err)
	}
	return &guest{
		load: l, email: email, self: self, think: think, rand: rand.New(rand.NewPCG(rand.Uint64(), 7)),
		http: http.Client{Jar: jar, Timeout: hosttest.Patience, Transport: l.Transport(l.t, "127.0.0.1"), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// ask sends a request, counts its answer as of this kind and checks whose page it is; false when
// nothing came.
func (v *guest) ask(kind, method, path string, form url.Values) (e2e.Answer, bool) {
	got, ok := v.fetch(kind, method, path, form)
	if ok {
		v.check(method+" "+path, got)
	}
	return got, ok
}

func (v *guest) fetch(kind, method, path string, form url.Values) (e2e.Answer, bool) {
	var body io.Reader = http.NoBody
	if method == http.MethodPost {
		if form == nil {
			form = url.Values{}
		}
		form.Set("form_token", v.token)
		body = strings.NewReader(form.Encode())
	}
	// The visit is finished when the time is up: half a request could be done or not.
	req, err := http.NewRequestWithContext(context.Background(), method, v.Address+path, body)
	if err != nil {
		v.mistake("%s %s: %v", method, path, err)
		return e2e.Answer{}, false
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	began := time.Now()
	res, err := v.http.Do(req)
	if err != nil {
		v.mistake("%s %s: %v", method, path, err)
		return e2e.Answer{}, false
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		v.mistake("%s %s: %v", method, path, err)
		return e2e.Answer{}, false
	}
	got := e2e.Answer{Status: res.StatusCode, Header: res.Header, Body: string(text)}
	v.note(kind, got.Status, time.Since(began))
	return got, true
}

// check looks at whose page an answer is.
func (v *guest) check(what string, got e2e.Answer) {
	if found := e2e.TokenField.FindStringSubmatch(got.Body); found != nil {
		v.token = html.UnescapeString(found[1])
	}
	w, page := got.Whose()
	if !page {
		return
	}
	at := fmt.Sprintf("%s: %s at %s (as %q), %d by %s, request %s", what, v.self, v.session, v.as, got.Status, got.Header.Get(hosttest.ReplicaHeader), got.Header.Get("X-Request-Id"))
	if v.session == "" && w.Subject == v.self {
		v.session = w.Session
	}
	if v.session != w.Session {
		v.mistake("%s: a page of session %q of %q", at, w.Session, w.Subject)
		return
	}
	wantBanner := ""
	switch w.Subject {
	case "":
		return // a sign-in page, which names no session either
	case v.self:
		v.cameBack(at)
	default:
		wantBanner = "You (" + v.names[v.self] + ") are signed in as " + v.names[w.Subject]
		if w.Subject != v.as {
			v.mistake("%s: a page of %s under %q", at, w.Subject, w.Banner)
		}
	}
	if w.Banner != wantBanner {
		v.mistake("%s: a page of %s under %q, not %q", at, w.Subject, w.Banner, wantBanner)
	}
}

// outerCauses are why a switch may end under somebody's hands here: nobody's account or session goes,
// and no time runs out.
var outerCauses = []string{"module_off", "by_administrator"}

// cameBack takes note that a page is the person's own again, and checks that the record knows why.
func (v *guest) cameBack(at string) {
	if v.as == "" {
		return
	}
	var subject, cause string
	var ended int64
	err := v.db.QueryRowContext(context.Background(), `SELECT subject_kind || ':' || subject_id, ended_at, end_cause FROM session_switches
		WHERE session_id = CAST($1 AS BIGINT) AND refusal = '' ORDER BY id DESC LIMIT 1`, v.session).Scan(&subject, &ended, &cause)
	if err != nil || subject != v.as || ended == 0 || !slices.Contains(outerCauses, cause) {
		v.mistake("%s: a page of their own, and the record says %s ended at %d by %q, %v", at, subject, ended, cause, err)
	}
	v.mu.Lock()
	v.causes[cause]++
	v.mu.Unlock()
	v.as = ""
}

// get asks for a page of the host that must come: only modules may fail here. Whom a page isn't for is
// led home, and goes there.
func (v *guest) get(path string) (e2e.Answer, bool) {
	got, ok := v.ask("page", http.MethodGet, path, nil)
	if to := got.Header.Get("Location"); ok && got.Status == http.StatusSeeOther && (to == "/admin" || to == "/") && to != path {
		return v.get(to)
	}
	if ok && got.Status >= 500 {
		v.mistake("GET %s: %d by %s: %s", path, got.Status, got.Header.Get(hosttest.ReplicaHeader), got.Text())
	}
	return got, ok
}

// save sends a form of the host's that is to be done and leads there; the entry it leaves is looked for
// at the end. A switch may have ended meanwhile: then the page it was on is stale, and nothing is done.
func (v *guest) save(path, leads, action string, form url.Values) {
	got, ok := v.ask("form", http.MethodPost, path, form)
	switch {
	case !ok:
	case got.Status == http.StatusSeeOther && got.Header.Get("Location") == leads:
		v.wrote(got, action)
	case got.Status >= 500:
		v.mistake("POST %s: %d: %s", path, got.Status, got.Text())
	}
}

// pause is somebody looking at the screen.
func (v *guest) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(v.rand.Int64N(int64(v.think)))):
	}
}

// signIn signs in, if nobody is.
func (v *guest) signIn() bool {
	v.session, v.as = "", ""
	got, ok := v.ask("sign-in", http.MethodPost, e2e.Login(v.email), url.Values{"email": {v.email}, "password": {e2e.DemoPassword}})
	if !ok || got.Status != http.StatusSeeOther {
		v.mistake("%s doesn't get in: %d %s", v.email, got.Status, got.Text())
		return false
	}
	v.wrote(got, "signed_in")
	_, ok = v.get(e2e.Home(v.email))
	return ok && v.session != ""
}

// signOut ends the session, whoever they are in it.
func (v *guest) signOut() {
	v.plain()
	got, ok := v.ask("sign-out", http.MethodPost, "/logout", nil)
	if !ok || got.Status != http.StatusSeeOther {
		v.mistake("%s doesn't get out: %d %s", v.email, got.Status, got.Text())
		return
	}
	v.wrote(got, "signed_out")
	v.session, v.as = "", ""
}

// plain looks at the page that says in words who they are, and believes it once the record agrees.
func (v *guest) plain() {
	got, ok := v.ask("plain page", http.MethodGet, "/session", nil)
	if !ok {
		return
	}
	says, own, other := got.Text(), v.names[v.self], v.names[v.as]
	switch {
	case got.Status == http.StatusOK && v.as != "" && strings.Contains(says, "You ("+own+") are signed in as "+other):
	case got.Status == http.StatusOK && strings.Contains(says, "You are signed in as "+own):
		v.cameBack("GET /session")
	default:
		v.mistake("GET /session of %s (as %q): %d %s", v.self, v.as, got.Status, says)
	}
}

// become asks to be another, by the module's hook; it may be out of order. A while after the sign-in it
// takes the own password.
func (v *guest) become(target string) {
	got, ok := v.ask("start", http.MethodPost, "/session/switch", url.Values{"target": {target}, "reason": {"load"}})
	if ok && got.Status == http.StatusOK && strings.Contains(got.Text(), "Your own password, please") {
		got, ok = v.ask("start", http.MethodPost, "/session/switch", url.Values{"target": {target}, "reason": {"load"}, "password": {e2e.DemoPassword}})
	}
	switch {
	case !ok:
	case got.Status == http.StatusSeeOther:
		v.as = target
		v.wrote(got, "switch_started")
	case got.Status != http.StatusServiceUnavailable:
		v.mistake("%s becomes %s: %d %s", v.self, target, got.Status, got.Text())
	}
}

// comeBack returns, unless the switch has ended by itself.
func (v *guest) comeBack() {
	got, ok := v.ask("stop", http.MethodPost, "/session/restore", nil)
	switch {
	case !ok || v.as == "":
	case got.Status == http.StatusSeeOther:
		var by string
		err := v.db.QueryRowContext(context.Background(), `SELECT end_cause FROM session_switches WHERE session_id = CAST($1 AS BIGINT) AND refusal = '' ORDER BY id DESC LIMIT 1`, v.session).Scan(&by)
		if err != nil || by == "" {
			v.mistake("%s came back from %s, and the record says %q, %v", v.self, v.as, by, err)
		}
		if by == "stopped" {
			v.wrote(got, "switch_ended")
		}
		v.as = ""
	case got.Status >= 500:
		v.mistake("%s doesn't come back: %d %s", v.self, got.Status, got.Text())
	}
}

// any is one of a list.
func (v *guest) any(list ...string) string { return list[v.rand.IntN(len(list))] }
