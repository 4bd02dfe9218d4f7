// Package sdktest runs a module inside a test, without a process and without a host: pages are
// requested, hooks are asked, and a host of maps and slices stands behind them. It keeps the
// host's rules that a module relies on: undeclared addresses, who may open a page, what a switched
// session may send, and which services answer.
package sdktest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/sdk"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// FormToken is the form token of every viewer that Viewer makes.
const FormToken = "form-token-of-a-test"

// Options says what the host behind the module knows. The zero value is an empty host with the
// module's own defaults and every grant it asks for.
type Options struct {
	// People are the accounts there are.
	People []sdk.Account
	// Companies are customers none of whose contacts can sign in.
	Companies []sdk.CompanyWithoutContact
	// Settings go over the declared defaults.
	Settings sdk.Settings
	// Switches are the record of session switches, in any order.
	Switches []sdk.SessionSwitch
	// Refusals are codes with which the host would refuse to make somebody of an account, beyond
	// "inactive" and "not_administrator", which the kit finds by itself.
	Refusals map[sdk.AccountKey]string
	// Denied are grants the module asks for and was not given.
	Denied []string
}

// Kit is a module that runs in a test.
type Kit struct {
	// Host is what stands behind the module: look into it, and change it between requests.
	Host     *Host
	t        testing.TB
	module   sdk.Module
	instance *sdk.Instance
	requests int
}

// New activates a module for a test and deactivates it at its end. A module that would not start
// ends the test, with the sentence its author would read.
func New(t testing.TB, module sdk.Module, options Options) *Kit {
	t.Helper()
	instance, err := sdk.NewInstance(module)
	if err != nil {
		t.Fatal(err)
	}
	kit := &Kit{t: t, module: module, instance: instance, Host: newHost(module, instance, options)}
	var grants []string
	for _, grant := range instance.Manifest().Grants {
		if !slices.Contains(options.Denied, grant.Name) {
			grants = append(grants, grant.Name)
		}
	}
	err = instance.Activate(t.Context(), kit.Host.services(), sdk.Activation{
		Grants: grants, Settings: maps.Clone(kit.Host.Settings), HostVersion: "3.1.0",
	})
	if err != nil {
		t.Fatalf("activate: %v", err)
	}
	t.Cleanup(func() {
		if err := instance.Deactivate(context.Background()); err != nil {
			t.Errorf("deactivate: %v", err)
		}
	})
	return kit
}

// Manifest returns the module's manifest.
func (k *Kit) Manifest() manifest.Manifest { return k.instance.Manifest() }

// Words returns the module's messages in a language.
func (k *Kit) Words(language string) sdk.Words { return k.instance.Words(language) }

// Viewer returns somebody who looks at a page: in the admin area for staff, in the portal for
// contacts, in English unless the account chose a language, in UTC.
func (k *Kit) Viewer(who sdk.Account) sdk.Viewer {
	viewer := sdk.Viewer{
		Actor: who, Subject: who, Language: who.Language, Area: sdk.AdminArea, TimeZone: "UTC",
		FormToken: FormToken, BasePath: "/admin/m/" + k.Manifest().ID,
	}
	if viewer.Language == "" {
		viewer.Language = "en"
	}
	if who.Key.Kind == sdk.Contact {
		viewer.Area, viewer.BasePath = sdk.PortalArea, "/m/"+k.Manifest().ID
	}
	return viewer
}

// ViewerAs returns actor looking through the eyes of subject.
func (k *Kit) ViewerAs(actor, subject sdk.Account) sdk.Viewer {
	viewer := k.Viewer(subject)
	viewer.Actor = actor
	viewer.Switch = &sdk.SessionSwitch{Actor: actor.Key, ActorName: actor.Name, Subject: subject.Key, SubjectName: subject.Name}
	return viewer
}

// Response is what the browser would be given, before the host draws its layout around it.
type Response struct {
	Status int
	Header http.Header
	Body   string
	// FromHost is true when the host answered without asking the module.
	FromHost bool
}

// Get requests a page; the path may carry a query.
func (k *Kit) Get(path string, viewer sdk.Viewer) Response {
	k.t.Helper()
	return k.Do(http.MethodGet, path, nil, nil, viewer)
}

// Post sends a form, the form token with it.
func (k *Kit) Post(path string, form url.Values, viewer sdk.Viewer) Response {
	k.t.Helper()
	form = maps.Clone(form)
	if form == nil {
		form = url.Values{}
	}
	form.Set(sdk.FormTokenField, viewer.FormToken)
	header := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	return k.Do(http.MethodPost, path, header, []byte(form.Encode()), viewer)
}

// Upload sends a form with one file.
func (k *Kit) Upload(path string, form url.Values, field, fileName string, content []byte, viewer sdk.Viewer) Response {
	k.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	fields := maps.Clone(form)
	if fields == nil {
		fields = url.Values{}
	}
	fields.Set(sdk.FormTokenField, viewer.FormToken)
	for name, values := range fields {
		for _, value := range values {
			if err := w.WriteField(name, value); err != nil {
				k.t.Fatal(err)
			}
		}
	}
	file, err := w.CreateFormFile(field, fileName)
	if err == nil {
		_, err = file.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		k.t.Fatal(err)
	}
	return k.Do(http.MethodPost, path, map[string]string{"Content-Type": w.FormDataContentType()}, body.Bytes(), viewer)
}

// Do sends any request.
func (k *Kit) Do(method, path string, header map[string]string, body []byte, viewer sdk.Viewer) Response {
	k.t.Helper()
	k.requests++
	viewer.RequestID = fmt.Sprintf("request-%d", k.requests)
	viewer.LanguagesRevision = k.Host.revision
	address, err := url.Parse(path)
	if err != nil {
		k.t.Fatal(err)
	}
	if status := k.gate(method, address.Path, viewer); status != 0 {
		return Response{Status: status, Header: http.Header{}, Body: http.StatusText(status), FromHost: true}
	}
	response := Response{Header: http.Header{}}
	var chunks strings.Builder
	err = k.instance.ServePage(k.t.Context(), sdk.PageRequest{
		Method: method, Path: address.Path, Query: address.RawQuery, Header: header, Body: body, Viewer: viewer,
	}, func(part sdk.PagePart) error {
		if part.Head != nil {
			response.Status = part.Head.Status
			for name, value := range part.Head.Header {
				response.Header.Set(name, value)
			}
		}
		chunks.Write(part.Chunk)
		return nil
	})
	if err != nil {
		return Response{Status: http.StatusBadGateway, Header: http.Header{}, Body: err.Error(), FromHost: true}
	}
	response.Body = chunks.String()
	return response
}

// gate returns the status with which the host itself would answer, zero when the module is asked.
func (k *Kit) gate(method, path string, viewer sdk.Viewer) int {
	page, found := k.page(path)
	reads := method == http.MethodGet || method == http.MethodHead
	switch {
	case !found || !slices.Contains(page.Areas, viewer.Area):
		return http.StatusNotFound
	case page.Visible.IsZero() && !viewer.Subject.Administrator:
		return http.StatusForbidden
	case !page.Visible.IsZero() && !k.Visible(page.Visible, viewer):
		return http.StatusForbidden
	case !reads && viewer.Switched() && page.UnsafeClass == sdk.Sensitive:
		return http.StatusForbidden
	case !reads && viewer.Switched() && page.UnsafeClass == sdk.Write && viewer.Switch != nil && viewer.Switch.Mode == sdk.ReadOnly:
		return http.StatusForbidden
	}
	return 0
}

func (k *Kit) page(path string) (best sdk.Page, found bool) {
	for _, page := range k.module.Contributions.Pages {
		fits := page.Path == path || strings.HasSuffix(page.Path, "/") && strings.HasPrefix(path, page.Path)
		if fits && len(page.Path) >= len(best.Path) {
			best, found = page, true
		}
	}
	return best, found
}

// Visible evaluates a rule for a viewer, as the host does.
func (k *Kit) Visible(rule sdk.VisibilityRule, viewer sdk.Viewer) bool {
	return rule.Holds(sdk.Facts{
		Subject: viewer.Subject, Settings: k.Host.Settings, Switched: viewer.Switched(), Area: viewer.Area,
	})
}

// Ask asks the module's hook any question, with the settings the host holds.
func (k *Kit) Ask(question sdk.SwitchQuestion) (sdk.SwitchDecision, error) {
	question.Settings = maps.Clone(k.Host.Settings)
	return k.instance.DecideSwitch(k.t.Context(), question)
}

// SaveSettings saves settings as the host does: it asks the module, keeps them if nothing is
// refused, and tells it.
func (k *Kit) SaveSettings(changed sdk.Settings) (refusals map[string]string, err error) {
	settings := maps.Clone(k.Host.Settings)
	maps.Copy(settings, changed)
	refusals, err = k.instance.ValidateSettings(k.t.Context(), settings)
	if err != nil || len(refusals) > 0 {
		return refusals, err
	}
	k.Host.Settings = settings
	return nil, k.instance.SettingsChanged(k.t.Context(), maps.Clone(settings))
}
