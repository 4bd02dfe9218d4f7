package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/trace"
)

// The largest bodies taken, in bytes.
const (
	maxForm       = 1 << 20
	maxModuleBody = 8 << 20 // what the contract allows a module's page
)

const longestModuleID = 32

// serve is the one way every request goes: act answers it, and what an error becomes. rt is nil for
// an unknown address, and for a method the address doesn't know.
func (s *server) serve(w http.ResponseWriter, r *http.Request, rt *route, act func(*visit) error) {
	v := &visit{server: s, route: rt, client: s.clientOf(r, rt), out: watchedWriter{ResponseWriter: w}, began: time.Now()}
	v.w, v.request.Client = &v.out, v.client
	ctx, span := v.measure(trace.With(r.Context(), &v.request), r)
	v.r = r.WithContext(ctx)
	defer v.endMeasure(span)
	w.Header().Set("X-Request-Id", v.client.RequestID)
	defer v.logAnswer()
	defer v.removeFiles()
	v.limitTime()
	defer v.notePage()
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p) // it is meant for net/http, which cuts the connection
		default:
			v.fail(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	if err := act(v); err != nil {
		v.fail(err)
	}
}

// measure begins the request's own step, where steps are collected, below the one a trusted proxy names.
func (v *visit) measure(ctx context.Context, r *http.Request) (context.Context, trace.Span) {
	if v.traces == nil || v.route != nil && v.route.need.static {
		return ctx, trace.Span{}
	}
	var parent, state string
	if trusted(peerOf(r), v.proxies) {
		parent, state = r.Header.Get("Traceparent"), r.Header.Get("Tracestate")
	}
	return v.traces.Request(ctx, clip(r.Method, 20)+" "+v.routeName(), parent, state)
}

// endMeasure says what came of the request.
func (v *visit) endMeasure(span trace.Span) {
	if !span.On() {
		return
	}
	span.Set("http.request.method", clip(v.r.Method, 20))
	span.Set("http.route", v.routeName())
	span.SetInt("http.response.status_code", int64(v.out.status))
	for _, a := range v.request.Attributes() {
		span.Set("understudy."+a.Key, a.Value.String())
	}
	if v.out.status >= 500 {
		span.Fail()
	}
	span.End(nil)
}

// routeName stands for the address, which may hold a secret.
func (v *visit) routeName() string {
	if v.route == nil {
		return "none"
	}
	return v.route.pattern
}

// logAnswer writes the request's one line, which names its route and never its address: that may hold
// a secret. What is asked for by each page, or by programs every few seconds, is told to who looks closer.
func (v *visit) logAnswer() {
	level, ctx := slog.LevelInfo, v.r.Context()
	if v.route != nil && v.route.need.static {
		level = slog.LevelDebug
	}
	if !v.log.Enabled(ctx, level) {
		return
	}
	attributes := []slog.Attr{
		slog.String("method", clip(v.r.Method, 20)), slog.String("route", v.routeName()), slog.Int("status", v.out.status),
		slog.Float64("ms", float64(time.Since(v.began).Microseconds())/1000), slog.String("client", v.client.IP),
	}
	if v.route != nil && v.route.need.perPage {
		attributes = append(attributes, slog.String("module", clip(v.r.PathValue("module"), longestModuleID))) // anybody may write there what they like
	}
	v.log.LogAttrs(ctx, level, "request", attributes...)
}

// removeFiles takes away the files a form was parsed into: net/http knows only its own request, and
// v.r is a copy of it.
func (v *visit) removeFiles() {
	if v.r.MultipartForm == nil {
		return
	}
	if err := v.r.MultipartForm.RemoveAll(); err != nil {
		v.log.WarnContext(v.r.Context(), "remove the files of a form", "error", err)
	}
}

// run asks who it is, whether it is theirs to do, and does it. methods is nil for an unknown address.
func (v *visit) run(methods map[string]*route) error {
	if v.route != nil && v.route.need.static {
		return v.route.handle(v)
	}
	if err := v.resolve(); err != nil {
		return err
	}
	if methods == nil {
		return v.unknownAddress()
	}
	v.watchPage()
	if v.route == nil {
		return v.wrongMethod(methods)
	}
	if err := v.crossOrigin.Check(v.r); err != nil {
		return &crm.Error{Kind: crm.Denied, Key: "cross_origin", Err: err}
	}
	v.limitBody()
	if err := v.checkArea(); err != nil || v.answered {
		return err
	}
	if err := v.checkRights(); err != nil {
		return err
	}
	if err := v.checkToken(); err != nil {
		return err
	}
	return v.route.handle(v)
}

// checkArea lets nobody in without a sign-in, and everybody only into their own part of the site.
func (v *visit) checkArea() error {
	rt := v.route
	switch {
	case rt.need.public:
		return nil
	case !v.who.SignedIn():
		return v.toLogin()
	case rt.area == both || rt.area == v.who.Area():
		return nil
	case v.who.Switched():
		return v.refuseArea()
	case v.ended, rt.method == get && (rt.area == portal || v.r.URL.Path == rt.area.Home()):
		// The switch has just ended under a page of somebody else's area, or a staff member strayed
		// into the portal: home, where the sentence that says why is waiting.
		v.redirect(v.who.Area().Home())
		return nil
	default:
		return crm.Refuse(crm.NotFound, "not_found")
	}
}

// checkRights asks the rights of the subject, and of a switched session whether it may do such
// things at all. What a borrowed name tried is recorded.
func (v *visit) checkRights() error {
	class := v.route.class
	if v.route.need.perPage {
		page, err := v.declaredPage()
		if err != nil {
			return err
		}
		if v.route.method != get {
			class = page.Class
		}
	}
	if err := v.app.CheckClass(v.who, class); err != nil {
		return err
	}
	n := v.route.need
	switch {
	case n.administrator && !v.who.Subject.Administrator:
		return crm.Refuse(crm.Denied, "administrators_only")
	case n.capability != "" && !v.who.Can(n.capability):
		return crm.Refuse(crm.Denied, "not_permitted", "Capability", string(n.capability))
	}
	return nil
}

// checkToken lets an unsafe request through only with the token of a form this session's subject was
// given. A module's token opens its own addresses and, with the grant session.switch, the switch.
func (v *visit) checkToken() error {
	if v.route.method == get || v.route.need.public {
		return nil
	}
	if err := v.readBody(); err != nil {
		return err
	}
	token := v.r.Header.Get("X-Form-Token")
	if token == "" {
		token = v.r.PostForm.Get("form_token")
	}
	scope, err := v.app.CheckFormToken(v.who, token)
	if crm.KindOf(err) == crm.Conflict && v.route.pattern == "/session/restore" && !v.who.Switched() {
		// The page was a switched one, and its switch has ended by itself: what was asked for is done.
		v.ended = true
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case scope == "", v.route.need.perPage && scope == v.r.PathValue("module"):
		return nil
	case v.route.pattern != "/session/switch":
		return crm.Refuse(crm.Denied, "form_token_missing")
	case !v.modules.Surface().MaySwitch(scope):
		return crm.Refuse(crm.Denied, "form_module_may_not_switch")
	}
	return nil
}

func (v *visit) unknownAddress() error {
	trimmed := strings.TrimRight(v.r.URL.Path, "/")
	if v.r.Method == get && trimmed != v.r.URL.Path && crm.IsLocal(trimmed) {
		v.redirect(trimmed)
		return nil
	}
	return crm.Refuse(crm.NotFound, "not_found")
}

// wrongMethod is its own answer: no kind of error stands for it.
func (v *visit) wrongMethod(methods map[string]*route) error {
	var allowed []string
	for method := range methods {
		allowed = append(allowed, method)
		if method == get {
			allowed = append(allowed, http.MethodHead)
		}
	}
	slices.Sort(allowed)
	v.w.Header().Set("Allow", strings.Join(allowed, ", "))
	v.renderError(http.StatusMethodNotAllowed, v.text("error_wrong_method"), nil)
	return nil
}

// statusOf is the one place where a kind of error becomes an HTTP status.
func statusOf(err error) int {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	switch crm.KindOf(err) {
	case crm.Invalid:
		return http.StatusUnprocessableEntity
	case crm.Denied:
		return http.StatusForbidden
	case crm.NotFound:
		return http.StatusNotFound
	case crm.Conflict:
		return http.StatusConflict
	case crm.TooLarge:
		return http.StatusRequestEntityTooLarge
	case crm.TooMany:
		return http.StatusTooManyRequests
	case crm.Unavailable:
		return http.StatusServiceUnavailable
	case crm.SignedOut:
		return http.StatusUnauthorized
	default:
		return http.StatusInternalServerError
	}
}

// fail is the one place where an error becomes an answer.
func (v *visit) fail(err error) {
	status := statusOf(err)
	if status >= 500 {
		v.log.ErrorContext(v.r.Context(), "request failed", "doing", v.client.Doing, "error", err)
	}
	if v.answered {
		return
	}
	if status == http.StatusUnauthorized {
		if err = v.toLogin(); err == nil {
			return
		}
	}
	v.renderError(status, v.sentence(err), err)
}

func clip(s string, max int) string {
	if len(s) <= max {
		return s
	}
	return strings.ToValidUTF8(s[:max], "")
}
