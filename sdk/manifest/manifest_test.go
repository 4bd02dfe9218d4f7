package manifest

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

const good = `{
  "id": "example", "name": "Example", "version": "1.2.3-rc.1+build.5",
  "description": "Says hello.", "author": "Ann Lee", "homepage": "https://example.com/x", "license": "MIT",
  "requires": {"host": ">=3.1.0", "protocol": 1},
  "executables": {"linux/amd64": "bin/example-linux-amd64", "windows/amd64": "bin/example.exe"},
  "grants": [{"name": "directory.read", "why": "To greet people by name."}],
  "capabilities": ["greet", "greet_all"]
}`

func TestParseReadsEveryField(t *testing.T) {
	m, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	want := Manifest{
		ID: "example", Name: "Example", Version: "1.2.3-rc.1+build.5",
		Description: "Says hello.", Author: "Ann Lee", Homepage: "https://example.com/x", License: "MIT",
		Requires:     Requires{Host: ">=3.1.0", Protocol: 1},
		Executables:  map[string]string{"linux/amd64": "bin/example-linux-amd64", "windows/amd64": "bin/example.exe"},
		Grants:       []Grant{{Name: "directory.read", Why: "To greet people by name."}},
		Capabilities: []string{"greet", "greet_all"},
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v", m)
	}
	if !m.Asks(GrantDirectoryRead) || m.Asks(GrantNetwork) {
		t.Error("Asks is wrong")
	}
	encoded, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Parse(encoded); err != nil || !reflect.DeepEqual(again, m) {
		t.Errorf("after Encode: %+v, %v", again, err)
	}
}

func TestParseRefuses(t *testing.T) {
	swap := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the good manifest does not hold %q", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	for _, test := range []struct{ name, file, says string }{
		{"nothing", "", "ends too early"},
		{"not JSON", "{id: 1}", "not valid JSON"},
		{"a list", "[]", "must be an object"},
		{"cut short", good[:40], "not valid JSON"},
		{"something after the end", good + "{}", "goes on after its end"},
		{"too big", good + strings.Repeat(" ", MaxBytes), "are allowed"},
		{"byte order mark twice", "\xef\xbb\xbf\xef\xbb\xbf" + good, "not valid JSON"},
		{"byte order mark inside", swap(`"Example"`, "\"Exa\ufeffmple\""), "U+FEFF"},
		{"isolate in the author", swap(`Ann Lee`, "Ann\u2066 Lee"), "author: holds the character U+2066"},
		{"UTF-16", "{\x00\"\x00\xff", "not UTF-8"},
		{"nested too deep", swap(`"greet", "greet_all"`, deep), "nested too deep"},
		{"unknown field", swap(`"license"`, `"licence"`), `unknown field "licence"`},
		{"field in other case", swap(`"id"`, `"ID"`), `unknown field "ID"`},
		{"unknown inner field", swap(`"protocol": 1`, `"protocol": 1, "os": "linux"`), `unknown field "requires.os"`},
		{"unknown field of a grant", swap(`"why":`, `"because":`), `unknown field "grants[0].because"`},
		{"percent sign in a name", swap(`"license"`, `"%d%s"`), `"%d%s"`},
		{"key twice", swap(`"name": "Example"`, `"name": "Example", "name": "Other"`), "name: is given twice"},
		{"inner key twice", swap(`"protocol": 1`, `"protocol": 1, "protocol": 2`), "requires.protocol: is given twice"},
		{"platform twice", swap(`"windows/amd64"`, `"linux/amd64"`), "executables.linux/amd64: is given twice"},
		{"no id", swap(`"id": "example", `, ""), "id: is missing"},
		{"id of one letter", swap(`"example"`, `"e"`), "id: has 1 characters"},
		{"id with capitals", swap(`"example"`, `"Example"`), "lower-case"},
		{"id that climbs", swap(`"example"`, `"../etc"`), "lower-case"},
		{"id that begins with a digit", swap(`"example"`, `"1example"`), "lower-case"},
		{"id as number", swap(`"example"`, `7`), "must be a text"},
		{"no name", swap(`"name": "Example", `, ""), "name: is missing"},
		{"long name", swap(`"Example"`, `"`+strings.Repeat("x", 65)+`"`), "name: has 65 characters"},
		{"name that turns direction", swap(`"Example"`, `"Exa\u202emple"`), "U+202E"},
		{"name with a line break", swap(`"Example"`, `"Exa\nmple"`), "U+000A"},
		{"name with half a surrogate", swap(`"Example"`, `"Exa\ud800mple"`), "U+FFFD"},
		{"name in spaces", swap(`"Example"`, `" Example"`), "begins or ends with a space"},
		{"version with v", swap(`1.2.3-rc.1+build.5`, `v1.2.3`), "semantic version"},
		{"short version", swap(`1.2.3-rc.1+build.5`, `1.2`), "semantic version"},
		{"version that climbs", swap(`1.2.3-rc.1+build.5`, `1.2.3/..`), "semantic version"},
		{"homepage with script", swap(`https://example.com/x`, `javascript:alert(1)`), "homepage"},
		{"homepage without host", swap(`https://example.com/x`, `https:///x`), "homepage"},
		{"long description", swap(`Says hello.`, strings.Repeat("é", 501)), "description: has 501"},
		{"no requires", swap(`"requires": {"host": ">=3.1.0", "protocol": 1},`, ""), "requires: must be an object"},
		{"range that isn't one", swap(`>=3.1.0`, `newest`), "requires.host"},
		{"protocol as text", swap(`"protocol": 1`, `"protocol": "1"`), "requires.protocol: must be a whole number"},
		{"protocol in halves", swap(`"protocol": 1`, `"protocol": 1.5`), "requires.protocol: is 1.5"},
		{"protocol zero", swap(`"protocol": 1`, `"protocol": 0`), "requires.protocol: is 0"},
		{"no protocol", swap(`, "protocol": 1`, ""), "requires.protocol: is missing"},
		{"no executables", swap(`"linux/amd64": "bin/example-linux-amd64", "windows/amd64": "bin/example.exe"`, ""), "at least one file"},
		{"platform that isn't one", swap(`"linux/amd64"`, `"linux"`), "is not a platform"},
		{"absolute executable", swap(`bin/example-linux-amd64`, `/bin/sh`), "inside the package"},
		{"executable that climbs", swap(`bin/example-linux-amd64`, `bin/../../sh`), "inside the package"},
		{"backslash", swap(`bin/example-linux-amd64`, `bin\\sh`), "inside the package"},
		{"drive letter", swap(`bin/example-linux-amd64`, `c:/sh`), "inside the package"},
		{"executable as number", swap(`"bin/example-linux-amd64"`, `7`), "must be a text"},
		{"unknown grant", swap(`directory.read`, `everything`), `there is no grant "everything"`},
		{"grant without why", swap(`, "why": "To greet people by name."`, ""), "grants[0].why: is missing"},
		{"grants as texts", swap(`{"name": "directory.read", "why": "To greet people by name."}`, `"directory.read"`), "grants[0]: must be an object"},
		{"grant twice", swap(`[{"name"`, `[{"name": "directory.read", "why": "x"}, {"name"`), "asked for twice"},
		{"grants as object", swap(`[{"name": "directory.read", "why": "To greet people by name."}]`, `{}`), "grants: must be a list"},
		{"capability with dash", swap(`"greet"`, `"gr-eet"`), "lower-case"},
		{"capability twice", swap(`"greet_all"`, `"greet"`), "named twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := Parse([]byte(test.file))
			if err == nil {
				t.Fatalf("accepted as %+v", m)
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("says %q; wanted %q", err, test.says)
			}
			if !reflect.DeepEqual(m, Manifest{}) {
				t.Errorf("refused, and still returned %+v", m)
			}
		})
	}
}

func TestCheckHost(t *testing.T) {
	for _, test := range []struct{ need, have, says string }{
		{">=3.1.0", "3.1.0", ""},
		{">=3.1.0", "v3.1.0", ""},
		{">=3.1.0", "4.0.0", ""},
		{">=3.1.0", "3.2.0-dev", ""},
		{">=3.1.0", "3.0.9", "This module requires at least v3.1.0 of the CRM"},
		{">= 3.1", "2.9.0", "This module requires at least v3.1.0 of the CRM"},
		{">=3.1.0", "3.1.0-rc.1", "This module requires at least v3.1.0 of the CRM"},
		{">=3.1.0, <4.0.0", "4.0.0", "This module requires a version of the CRM in the range >=3.1.0, <4.0.0; this is v4.0.0"},
		{">=3.1.0", "new", `the CRM's version "new" is not a semantic version`},
	} {
		err := Manifest{Requires: Requires{Host: test.need}}.CheckHost(test.have)
		says := ""
		if err != nil {
			says = err.Error()
		}
		if says != test.says {
			t.Errorf("%s on %s: %q, wanted %q", test.need, test.have, says, test.says)
		}
	}
}

func TestEveryGrantHasAMeaning(t *testing.T) {
	if len(GrantNames()) != len(grantMeanings) {
		t.Error("GrantNames and the meanings differ in number")
	}
	for _, name := range GrantNames() {
		if GrantMeaning(name) == "" {
			t.Errorf("%s has no meaning", name)
		}
	}
}

// FuzzParse holds that Parse never panics, and that what it accepts keeps every rule and survives
// writing and reading.
func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"id":"x","id":"y"}`))
	f.Add([]byte(`{"executables":{"linux/amd64":"../x"}}`))
	f.Add([]byte("\xef\xbb\xbf{}"))
	for i, wrong := range wrongs {
		r := rand.New(rand.NewPCG(uint64(i), 3))
		m := anyManifest(r)
		f.Add(encoded(f, m))
		wrong.apply(r, m)
		f.Add(encoded(f, m))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := Parse(file)
		if err != nil {
			return
		}
		if !json.Valid(WithoutMark(file)) {
			t.Fatal("accepted what isn't JSON")
		}
		keepsRules(t, m)
	})
}
