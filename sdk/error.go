package sdk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// ErrorKind says what sort of thing went wrong, between host and module in both directions.
type ErrorKind int

// The kinds; the zero value is a fault nobody named.
const (
	Unknown ErrorKind = iota
	// Invalid means the request cannot be meant.
	Invalid
	// Denied means who asks may not.
	Denied
	// NotFound means there is none.
	NotFound
	// Conflict means the state of things does not allow it now.
	Conflict
	// Unavailable means the other side does not answer now.
	Unavailable
	// TooLarge means more than is allowed, in size or in number.
	TooLarge
)

// Error is an error with a kind.
type Error struct {
	Kind ErrorKind
	// Message is for developers and logs, not for the screen.
	Message string
	cause   error
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the error wrapped with %w.
func (e *Error) Unwrap() error { return e.cause }

// Errorf makes an error of a kind; %w wraps.
func Errorf(kind ErrorKind, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Message: err.Error(), cause: errors.Unwrap(err)}
}

// KindOf returns the kind of an error, Unknown for one without.
func KindOf(err error) ErrorKind {
	var typed *Error
	switch {
	case errors.As(err, &typed):
		return typed.Kind
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return Unavailable
	}
	return Unknown
}

// StatusOf returns the HTTP status that suits an error, for a page that has nothing better to say.
func StatusOf(err error) int {
	switch KindOf(err) {
	case Invalid:
		return http.StatusUnprocessableEntity
	case Denied:
		return http.StatusForbidden
	case NotFound:
		return http.StatusNotFound
	case Conflict:
		return http.StatusConflict
	case Unavailable:
		return http.StatusServiceUnavailable
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusInternalServerError
}
