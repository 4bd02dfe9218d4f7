package sdk

import (
	"context"
	"io"
	"log/slog"
	"strings"
)

// logHandler writes each record as one line of the JSON that go-plugin's host side reads, so that
// levels and fields survive the way to the module's log.
func logHandler(w io.Writer) slog.Handler {
	return requestHandler{slog.NewJSONHandler(w, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
			if len(groups) > 0 {
				return attr
			}
			switch attr.Key {
			case slog.TimeKey:
				// An author's own field may be called so too, and hold anything.
				if attr.Value.Kind() != slog.KindTime {
					return attr
				}
				return slog.String("@timestamp", attr.Value.Time().Format("2006-01-02T15:04:05.000000Z07:00"))
			case slog.LevelKey:
				return slog.String("@level", levelWord(attr.Value))
			case slog.MessageKey:
				attr.Key = "@message"
			}
			return attr
		},
	})}
}

// requestIDKey is where a call's context keeps the id of the request it is made for, also where no
// viewer is told.
type requestIDKey struct{}

// requestHandler says of a record for which request it was made, by the context it was logged with.
type requestHandler struct{ slog.Handler }

// Handle adds the request's id.
func (h requestHandler) Handle(ctx context.Context, r slog.Record) error {
	id := ViewerOf(ctx).RequestID
	if id == "" {
		id, _ = ctx.Value(requestIDKey{}).(string)
	}
	if id != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs stays a requestHandler.
func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup stays a requestHandler.
func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name)}
}

// levelWord returns hclog's word for a level.
func levelWord(value slog.Value) string {
	level, ok := value.Any().(slog.Level)
	if !ok {
		return strings.ToLower(value.String())
	}
	switch {
	case level < slog.LevelInfo:
		return "debug"
	case level < slog.LevelWarn:
		return "info"
	case level < slog.LevelError:
		return "warn"
	}
	return "error"
}
