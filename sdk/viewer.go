package sdk

import (
	"context"
	"html/template"
	"net/http"
	"time"
	_ "time/tzdata" // a sandboxed module cannot read the system's
)

// FormTokenField is the name of the form field that carries the form token.
const FormTokenField = "form_token"

// Viewer says for whom a page is made.
type Viewer struct {
	// Actor signed in and is accountable.
	Actor Account
	// Subject is the account whose rights and eyes the request uses; equals Actor unless switched.
	Subject Account
	// Language is the tag the page is to be in.
	Language    string
	RightToLeft bool
	Area        Area
	// TimeZone is an IANA name, "UTC" when unknown.
	TimeZone string
	// FormToken is good only for this module's addresses and, with the grant session.switch, for
	// POST {SitePath}/session/switch. FormField writes it.
	FormToken string
	// BasePath is the address of the module's root, such as /admin/m/example.
	BasePath string
	// SitePath is the address of the site, empty at the root.
	SitePath string
	// RequestID identifies the request in the logs.
	RequestID string
	// Modal is true when the page is drawn in a modal.
	Modal bool
	// LanguagesRevision is raised when the language files change.
	LanguagesRevision uint64
	// Switch is the switch the session is under, nil when under none.
	Switch *SessionSwitch
}

// Switched reports whether the session is switched.
func (v Viewer) Switched() bool { return v.Switch != nil || v.Actor.Key != v.Subject.Key }

// Location returns the viewer's time zone, UTC when it is unknown.
func (v Viewer) Location() *time.Location {
	if location, err := time.LoadLocation(v.TimeZone); err == nil {
		return location
	}
	return time.UTC
}

// ViewerFrom returns for whom a page is made; the zero Viewer outside a page.
func ViewerFrom(r *http.Request) Viewer { return ViewerOf(r.Context()) }

// ViewerOf returns for whom a page is made; the zero Viewer outside a page.
func ViewerOf(ctx context.Context) Viewer { return callOf(ctx).viewer }

// HostOf returns the host's services, within every call from Activate to Deactivate. Outside of
// one every service answers Unavailable.
func HostOf(ctx context.Context) Host { return callOf(ctx).host }

// FormField writes the hidden input every form needs.
func FormField(r *http.Request) template.HTML {
	token := template.HTMLEscapeString(ViewerFrom(r).FormToken)
	return template.HTML(`<input type="hidden" name="` + FormTokenField + `" value="` + token + `">`) //nolint:gosec // the token is escaped above
}

// call is what one call from the host carries.
type call struct {
	viewer Viewer
	host   Host
	words  Words
}

type callKey struct{}

func withCall(ctx context.Context, c call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

func callOf(ctx context.Context) call {
	if c, ok := ctx.Value(callKey{}).(call); ok {
		return c
	}
	return call{host: noHost}
}
