package web

import (
	"strings"
	"testing"

	"github.com/nicksnyder/go-i18n/v2/i18n"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// A bar is drawn once for all who see the same: never for somebody who may see less, nor longer than
// the rights and the modules are as they were.
func TestABarIsForThoseWhoSeeTheSame(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.activate(t, 1)
	const item = `href="/admin/m/sample-00/pick"`
	own, cleos, switched := s.as(ann), s.as(cleo), s.as(ann)
	sees := func(when string, b *browser, path string, want bool) {
		t.Helper()
		if has := strings.Contains(b.get(path).wants(t, 200).body, item); has != want {
			t.Errorf("%s: sees it is %v", when, has)
		}
	}
	for range 2 { // the second from what was kept
		sees("an administrator", own, "/admin", true)
		sees("staff without the right", cleos, "/admin", false)
	}
	if !strings.Contains(switched.become(cleo).Header.Get("Location"), "/admin") {
		t.Fatal("not switched")
	}
	sees("an administrator as staff without the right", switched, "/admin", false)
	page := switched.get("/admin").wants(t, 200).body
	if strings.Count(page, `action="/session/restore"`) != 1 || !strings.Contains(page, switched.token) {
		t.Error("the way back has not this session's token")
	}
	roles, err := s.app.Roles(t.Context(), crm.Operator())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range roles {
		if r.Name == "Sales" {
			given := crm.NewCapabilities("sample-00/staff")
			wish := app.RoleForm{ID: r.ID, Name: r.Name, Capabilities: given, Shown: given}
			if _, err := s.app.SaveRole(t.Context(), crm.Operator(), wish); err != nil {
				t.Fatal(err)
			}
		}
	}
	sees("staff given the right", cleos, "/admin", true)
	if err := s.server.modules.Deactivate(t.Context(), crm.Operator(), "sample-00"); err != nil {
		t.Fatal(err)
	}
	sees("after the module was deactivated", own, "/admin", false)
}

// A sentence cut up once says what the library would have said of it.
func TestPatternsSayWhatTheLibrarySays(t *testing.T) {
	l, err := loadLanguages()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for tag, patterns := range l.patterns {
		for key, p := range patterns {
			args := map[string]any{}
			for i, name := range p.names {
				args[name] = []any{"Ann <b> & {{.Sons}}", 42, int64(-7), []string{"a", "b"}}[(i+len(key))%4]
			}
			want, err := l.localizers[tag].Localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: l.readable(tag, args)})
			if got, filled := p.fill(tag, args); err != nil || !filled || got != want {
				t.Errorf("%s %s: %q, the library %q %v", tag, key, got, want, err)
			}
			count++
		}
		if _, filled := (pattern{parts: []string{"", ""}, names: []string{"Name"}}).fill(tag, nil); filled {
			t.Error("a gap was filled with nothing")
		}
	}
	if count < 100 {
		t.Errorf("only %d sentences are patterns", count)
	}
	for _, odd := range []string{"{{if .A}}x{{end}}", "{{.A.B}}", "{{.A | html}}", "{{.A", "{{- .A}}", "{{}}"} {
		if _, plain := cutPattern(odd); plain {
			t.Errorf("%s is taken for plain", odd)
		}
	}
}
