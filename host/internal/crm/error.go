package crm

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure an error is. It is set where the failure arises and becomes an
// HTTP status, a gRPC code or an exit status in one place each.
type Kind int

// The kinds of failure.
const (
	Internal    Kind = iota // our own fault: 500
	Invalid                 // what was sent can't be taken: 422
	Denied                  // known who asks, and it is not theirs to do: 403
	NotFound                // there is no such thing: 404
	Conflict                // the world has moved on: 409
	TooLarge                // beyond a limit of size: 413
	TooMany                 // beyond a limit of rate: 429
	Unavailable             // can't be had just now: 503
	SignedOut               // nobody is signed in: to the login page
)

// Error is a failure a person may read: Key names the sentence in the language files of the host,
// or of Module when that is set, and Args fills it.
type Error struct {
	Kind   Kind
	Key    string
	Args   map[string]any
	Module string
	Err    error
}

// Error is for logs; persons read the sentence named by Key.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Key, e.Err)
	}
	if len(e.Args) > 0 {
		return fmt.Sprintf("%s %v", e.Key, e.Args)
	}
	return e.Key
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Refuse makes an error of a kind with the key of its sentence and, in pairs, what fills it.
func Refuse(kind Kind, key string, pairs ...any) *Error {
	e := &Error{Kind: kind, Key: key}
	for i := 0; i+1 < len(pairs); i += 2 {
		if e.Args == nil {
			e.Args = map[string]any{}
		}
		e.Args[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return e
}

// KindOf is the kind of the first Error in err's chain, Internal when there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// KeyOf is the key of the first Error in err's chain, empty when there is none.
func KeyOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Key
	}
	return ""
}
