package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// addressOf is a request's address as records name it: without the query, and for routes that are
// open to everybody by the pattern, for theirs may hold the secret of a link.
func addressOf(r *http.Request, rt *route) string {
	if rt != nil && rt.need.public {
		return rt.pattern
	}
	return r.URL.Path
}

// watchPage makes ready for notePage.
func (v *visit) watchPage() {
	if v.route != nil && v.r.Method == get && v.who.Session.Switched() {
		v.watched = true
	}
}

// notePage notes what a switched session was shown: every answer to a GET of the table, be it a whole
// page, a piece of one or a file, whatever the browser says of itself. What only leads elsewhere is
// none, and an address nobody answers neither.
func (v *visit) notePage() {
	if !v.watched {
		return
	}
	switch status := v.out.status; {
	case status == 0, status == http.StatusNoContent, status == http.StatusNotModified:
	case status < 400 && v.w.Header().Get("Location") != "":
	default: // a module may answer by any status, and a browser shows what came with it
		v.seen(v.who, addressOf(v.r, v.route), v.title, status)
	}
}

// watchedWriter remembers the status.
type watchedWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader passes the status on.
func (w *watchedWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write answers 200 where nobody said otherwise.
func (w *watchedWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// refuseArea keeps a switched session out of the part of the site that isn't its subject's. That it
// tried to do something there is recorded; a page it only looked for is one it was shown as refused.
func (v *visit) refuseArea() error {
	err := crm.Refuse(crm.Denied, "area_while_switched", "Subject", v.who.Subject.Title())
	if v.r.Method == get || v.r.Method == http.MethodHead {
		return err
	}
	if failed := v.app.RecordRefusal(v.r.Context(), v.who, v.client.Doing, err.Key); failed != nil {
		return failed
	}
	return err
}

// checkWayBack looks whether a browser would reach the way back: the page that offers it is asked
// for as a stranger would, and the route itself must need nothing but a session.
func (s *server) checkWayBack(ctx context.Context) error {
	back := slices.IndexFunc(routes(), func(r route) bool { return r.method == post && r.pattern == "/session/restore" })
	if back < 0 {
		return errors.New("there is no way back in the table of routes")
	}
	if r := routes()[back]; r.class != open || r.need != signedIn || r.area != both {
		return errors.New("the way back needs more than a session")
	}
	request, err := http.NewRequestWithContext(ctx, get, s.base+"/session", http.NoBody)
	if err != nil {
		return fmt.Errorf("ask for /session: %w", err)
	}
	answer := &drawn{header: http.Header{}}
	s.ServeHTTP(answer, request)
	if answer.status != http.StatusOK || !strings.Contains(answer.body.String(), "<h1") {
		return fmt.Errorf("/session answered %d", answer.status)
	}
	return nil
}

// drawn is an answer nobody is sent.
type drawn struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (d *drawn) Header() http.Header         { return d.header }
func (d *drawn) WriteHeader(status int)      { d.status = status }
func (d *drawn) Write(p []byte) (int, error) { return d.body.Write(p) }
