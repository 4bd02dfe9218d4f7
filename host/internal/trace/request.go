// Package trace is what is told of a request while it runs: log lines name it and who asked, and
// where somebody collects that, spans tell how long each step took.
package trace

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// Request is what is known of the request a context belongs to.
type Request struct {
	Client crm.Client
	who    atomic.Pointer[people]
}

type people struct {
	actor, subject crm.AccountKey
	switched       int64
}

// SetWho says who asks, once that is known. Whoever isn't signed in is nobody.
func (r *Request) SetWho(who crm.Who) {
	if who.SignedIn() {
		r.who.Store(&people{who.Actor.Key, who.Subject.Key, who.Session.SwitchID})
	}
}

// Attributes are what a log line says of the request.
func (r *Request) Attributes() []slog.Attr {
	list := []slog.Attr{slog.String("request", r.Client.RequestID)}
	if p := r.who.Load(); p != nil {
		list = append(list, slog.String("actor", p.actor.String()), slog.String("subject", p.subject.String()))
		if p.switched != 0 {
			list = append(list, slog.Int64("switch", p.switched))
		}
	}
	return list
}

type requestKey struct{}

// With gives a context its request.
func With(ctx context.Context, r *Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// Of is the request a context belongs to, nil for none.
func Of(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}

// LogHandler adds to each record logged with a request's context the request's number, the actor, the
// subject and the switch it is under.
func LogHandler(h slog.Handler) slog.Handler { return handler{h} }

type handler struct{ slog.Handler }

// Handle adds what is known of the request.
func (h handler) Handle(ctx context.Context, record slog.Record) error {
	if r := Of(ctx); r != nil {
		record = record.Clone()
		record.AddAttrs(r.Attributes()...)
	}
	return h.Handler.Handle(ctx, record)
}

// WithAttrs stays such a handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

// WithGroup stays such a handler.
func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
