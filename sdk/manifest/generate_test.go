package manifest

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/Masterminds/semver/v3"
)

// any* make values by chance, of which every one keeps the rules.

func anyOf[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

func anyWord(r *rand.Rand, first, rest string, least, most int) string {
	var out strings.Builder
	out.WriteByte(first[r.IntN(len(first))])
	for range least - 1 + r.IntN(most-least+1) {
		out.WriteByte(rest[r.IntN(len(rest))])
	}
	return out.String()
}

func anyText(r *rand.Rand, least, most int) string {
	runes := []rune("abc XYZ 0189 <>&\"'\\/%{}é世界عربي\u200d🙂")
	n := least + r.IntN(most-least+1)
	out := make([]rune, n)
	for i := range out {
		if out[i] = runes[r.IntN(len(runes))]; (i == 0 || i == n-1) && unicode.IsSpace(out[i]) {
			out[i] = 'x'
		}
	}
	return string(out)
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	digits = "0123456789"
)

func anyManifest(r *rand.Rand) map[string]any {
	m := map[string]any{
		"id": anyWord(r, lower, lower+digits+"-", 2, 32), "name": anyText(r, 1, 64),
		"version":     fmt.Sprintf("%d.%d.%d%s", r.IntN(100), r.IntN(100), r.IntN(100), anyOf(r, "", "-rc.1", "+build.5", "-0a.b+c")),
		"requires":    map[string]any{"host": anyOf(r, ">=3.1.0", ">= 3.1", "^3", "~3.1", ">=3.1.0, <5", "3.x || 4.x"), "protocol": 1 + r.IntN(1000)},
		"executables": map[string]any{},
	}
	executables := m["executables"].(map[string]any)
	for range 1 + r.IntN(5) {
		executables[anyWord(r, lower, lower+digits, 2, 16)+"/"+anyWord(r, lower, lower+digits, 2, 16)] = "bin/" + anyWord(r, lower, lower+digits+"._-", 1, 150)
	}
	for _, text := range []struct { // in one order: a map's would make another manifest of the same seed each time
		field string
		most  int
	}{{"description", 500}, {"author", 100}, {"license", 64}} {
		if r.IntN(2) == 0 {
			m[text.field] = anyText(r, 1, text.most)
		}
	}
	if r.IntN(2) == 0 {
		m["homepage"] = anyOf(r, "https://example.com", "http://example.com/a?b=c#d", "https://xn--bcher-kva.example/")
	}
	var grants, capabilities []any
	for _, name := range GrantNames() {
		if r.IntN(2) == 0 {
			grants = append(grants, map[string]any{"name": name, "why": anyText(r, 1, 300)})
		}
	}
	for i := range r.IntN(4) {
		capabilities = append(capabilities, anyWord(r, lower, lower+digits+"_", 1, 28)+fmt.Sprint("_", i))
	}
	if grants != nil {
		m["grants"] = grants
	}
	if capabilities != nil {
		m["capabilities"] = capabilities
	}
	return m
}

// wrongs each break one rule, and say which field must be named.
var wrongs = []struct {
	field string
	apply func(r *rand.Rand, m map[string]any)
}{
	{"id", func(r *rand.Rand, m map[string]any) {
		m["id"] = anyOf[any](r, nil, "", "a", "A1", "1a", "a b", "../a", "a/b", "a.b", "a_b", "ä1", strings.Repeat("a", 33), 7, []any{"ab"}, "a\u0000")
	}},
	{"name", func(r *rand.Rand, m map[string]any) {
		m["name"] = anyOf[any](r, nil, "", " ", " a", "a ", "a\nb", "a\u2028b", "a\u2029b", "a\u200bb", "a\ufeff", "\u202ea", "a\u2066", "a\x1b[2J", "\u0085", "a\U000e0041", strings.Repeat("é", 65), true)
	}},
	{"version", func(r *rand.Rand, m map[string]any) {
		m["version"] = anyOf[any](r, nil, "", "1", "1.0", "v1.0.0", "1.0.0/..", "../1.0.0", "01.0.0", "1.0.0-", "1.0.0 ", "1.0.0-a..b", "9999999999999999999999.0.0", 1)
	}},
	{"description", func(r *rand.Rand, m map[string]any) {
		m["description"] = anyOf[any](r, strings.Repeat("x", 501), "a\tb", "\u202d", 1, map[string]any{})
	}},
	{"author", func(r *rand.Rand, m map[string]any) {
		m["author"] = anyOf[any](r, strings.Repeat("x", 101), "a\r", "\u2067x", false)
	}},
	{"license", func(r *rand.Rand, m map[string]any) {
		m["license"] = anyOf[any](r, strings.Repeat("x", 65), "\u0000", []any{})
	}},
	{"homepage", func(r *rand.Rand, m map[string]any) {
		m["homepage"] = anyOf[any](r, "javascript:alert(1)", "//example.com", "https://", "ftp://example.com", "https://a:b@example.com", "example.com", "https://"+strings.Repeat("x", 200), " https://example.com", 1)
	}},
	{"requires", func(r *rand.Rand, m map[string]any) {
		m["requires"] = anyOf[any](r, nil, "x", []any{}, map[string]any{})
	}},
	{"requires.host", func(r *rand.Rand, m map[string]any) {
		m["requires"].(map[string]any)["host"] = anyOf[any](r, nil, "", "newest", ">=", "1.2.3.4.5", strings.Repeat("1", 101), 3)
	}},
	{"requires.protocol", func(r *rand.Rand, m map[string]any) {
		m["requires"].(map[string]any)["protocol"] = anyOf[any](r, nil, 0, -1, 1001, 1.5, 1e300, "1", true, json.Number("1e2"))
	}},
	{"executables", func(r *rand.Rand, m map[string]any) {
		m["executables"] = anyOf[any](r, nil, "x", []any{"x"}, map[string]any{}, map[string]any{"linux": "x"}, map[string]any{"../x/y": "x"}, map[string]any{"linux/amd64/v3": "x"}, tooMany())
	}},
	{"executables.linux/amd64", func(r *rand.Rand, m map[string]any) {
		m["executables"].(map[string]any)["linux/amd64"] = anyOf[any](r, nil, "", "/x", "../x", "a/../b", "a//b", "./a", "a/", `a\b`, "C:x", "a\u0000b", "ä", "a b", "-a", ".a", strings.Repeat("a", 201), 1)
	}},
	{"grants", func(r *rand.Rand, m map[string]any) {
		grant := map[string]any{"name": GrantAuditWrite, "why": "w"}
		m["grants"] = anyOf[any](r, "x", map[string]any{}, []any{"x"}, []any{grant, grant}, []any{nil}, []any{map[string]any{"name": "root", "why": "w"}},
			[]any{map[string]any{"name": GrantNetwork}}, []any{map[string]any{"name": GrantNetwork, "why": ""}}, []any{map[string]any{"name": GrantNetwork, "why": "a\nb"}},
			[]any{map[string]any{"name": GrantNetwork, "why": strings.Repeat("x", 301)}}, []any{map[string]any{"why": "w"}})
	}},
	{"capabilities", func(r *rand.Rand, m map[string]any) {
		m["capabilities"] = anyOf[any](r, "x", []any{"A"}, []any{"a", "a"}, []any{"a/b"}, []any{""}, []any{nil}, []any{1}, []any{strings.Repeat("a", 33)}, make([]any, 33))
	}},
	{"unknown field", func(r *rand.Rand, m map[string]any) {
		m[anyOf(r, "ID", "Id", "licence", "", "requires ", "__proto__", "id\u0000")] = "x"
	}},
	{"unknown field", func(_ *rand.Rand, m map[string]any) { m["requires"].(map[string]any)["Host"] = ">=0" }},
}

func tooMany() map[string]any {
	m := map[string]any{}
	for i := range 33 {
		m[fmt.Sprintf("linux/arch%d", i)] = "x"
	}
	return m
}

func encoded(t testing.TB, m map[string]any) []byte {
	t.Helper()
	file, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// Thousands of manifests that keep the rules are read, to the last field; with one rule broken each
// is refused, by the name of the field.
func TestThousandsOfManifests(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := anyManifest(r)
		file := encoded(t, m)
		read, err := Parse(file)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, file)
		}
		keepsRules(t, read)
		if got := encoded(t, asTree(t, read)); string(got) != string(file) {
			t.Fatalf("seed %d: read as\n%s, written as\n%s", seed, got, file)
		}
		wrong := wrongs[r.IntN(len(wrongs))]
		wrong.apply(r, m)
		file = encoded(t, m)
		read, err = Parse(file)
		if err == nil || !strings.HasPrefix(err.Error(), FileName+": "+wrong.field) {
			t.Errorf("seed %d: says %v of %s in\n%s", seed, err, wrong.field, file)
		}
		if !reflect.DeepEqual(read, Manifest{}) {
			t.Errorf("seed %d: refused, and still returned", seed)
		}
	}
}

// Bytes of a good manifest are changed by chance: what is still read keeps every rule.
func TestThousandsOfDamagedManifests(t *testing.T) {
	taken := 0
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 2))
		file := encoded(t, anyManifest(r))
		for range 1 + r.IntN(3) {
			at := r.IntN(len(file))
			switch r.IntN(4) {
			case 0:
				file[at] ^= 1 << r.IntN(8)
			case 1:
				file = append(file[:at:at], file[min(len(file), at+1+r.IntN(20)):]...)
			case 2:
				from := r.IntN(len(file))
				file = append(append(append([]byte{}, file[:at]...), file[from:min(len(file), from+r.IntN(40))]...), file[at:]...)
			case 3:
				file[at] = anyOf(r, []byte(`"{}[],:\u0`)...)
			}
		}
		if m, err := Parse(file); err == nil {
			taken++
			keepsRules(t, m)
		}
	}
	if taken < 50 {
		t.Errorf("only %d were still read: the changes are too coarse to tell anything", taken)
	}
}

func asTree(t testing.TB, m Manifest) (tree map[string]any) {
	t.Helper()
	file, err := m.Encode()
	if err == nil {
		err = json.Unmarshal(file, &tree)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// shapes are the rules' patterns, written down a second time.
// A scheme may be written in capitals (RFC 3986, 3.1).
var shapes = map[string]*regexp.Regexp{
	"id":         regexp.MustCompile(`\A(?:[a-z][a-z0-9-]{1,31})\z`),
	"homepage":   regexp.MustCompile(`\A(?:((?i:https?)://[^/@]+([/?#].*)?)?)\z`),
	"version":    regexp.MustCompile(`\A(?:[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]*)\z`),
	"platform":   regexp.MustCompile(`\A(?:[a-z0-9]{2,16}/[a-z0-9]{2,16})\z`),
	"executable": regexp.MustCompile(`\A(?:[A-Za-z0-9._/-]{1,200})\z`),
	"capability": regexp.MustCompile(`\A(?:[a-z][a-z0-9_]{0,31})\z`),
}

// keepsRules holds a manifest that was read against the rules, written down a second time, and sees
// that writing and reading it changes nothing.
func keepsRules(t testing.TB, m Manifest) {
	t.Helper()
	matches := func(what, text string) {
		if !shapes[what].MatchString(text) {
			t.Errorf("%s %q was taken", what, text)
		}
	}
	shown := func(what, text string, least, most int) {
		n := utf8.RuneCountInString(text)
		bad := func(c rune) bool {
			return c < ' ' || (c >= 0x7f && c < 0xa0) || strings.ContainsRune("\u200b\u200e\u200f\u2028\u2029\u2060\ufeff\ufffd", c) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069)
		}
		if n < least || n > most || !utf8.ValidString(text) || strings.ContainsFunc(text, bad) {
			t.Errorf("%s %q was taken", what, text)
		}
	}
	matches("id", m.ID)
	shown("name", m.Name, 1, 64)
	shown("description", m.Description, 0, 500)
	shown("author", m.Author, 0, 100)
	shown("license", m.License, 0, 64)
	matches("homepage", m.Homepage)
	matches("version", m.Version)
	if _, err := semver.StrictNewVersion(m.Version); err != nil || m.Requires.Protocol < 1 || m.Requires.Protocol > 1000 {
		t.Errorf("%s, protocol %d were taken", m.Version, m.Requires.Protocol)
	}
	if err := m.CheckHost("3.1.0"); err != nil && strings.Contains(err.Error(), "requires.host") {
		t.Errorf("the range %q was taken", m.Requires.Host)
	}
	if len(m.Executables) == 0 || len(m.Executables) > 32 || len(m.Capabilities) > 32 {
		t.Errorf("%d executables and %d capabilities were taken", len(m.Executables), len(m.Capabilities))
	}
	for platform, file := range m.Executables {
		matches("platform", platform)
		matches("executable", file)
		if !fs.ValidPath(file) {
			t.Errorf("the executable %q was taken", file)
		}
	}
	seen := map[string]bool{}
	for _, g := range m.Grants {
		shown("why", g.Why, 1, 300)
		if GrantMeaning(g.Name) == "" || seen[g.Name] {
			t.Errorf("the grant %q was taken", g.Name)
		}
		seen[g.Name] = true
	}
	for _, c := range m.Capabilities {
		matches("capability", c)
		if seen["c "+c] {
			t.Errorf("the capability %q was taken twice", c)
		}
		seen["c "+c] = true
	}
	file, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Parse(file); err != nil || !reflect.DeepEqual(again, m) {
		t.Errorf("written and read again it is %+v, %v; it was %+v", again, err, m)
	}
}
