package web

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

func keysOf(t *testing.T, file string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	keys := map[string]string{}
	for key, text := range raw {
		keys[key] = string(text)
	}
	return keys
}

var argument = regexp.MustCompile(`\.([A-Z][A-Za-z0-9]*)`)

func TestLanguagesHaveTheSameKeysAndArguments(t *testing.T) {
	english := keysOf(t, "languages/en.json")
	for _, file := range []string{"languages/es.json", "languages/ar.json"} {
		other := keysOf(t, file)
		for key, text := range english {
			translated, ok := other[key]
			if !ok {
				t.Errorf("%s lacks %s", file, key)
				continue
			}
			if want, got := arguments(text), arguments(translated); !slices.Equal(want, got) {
				t.Errorf("%s: %s fills %v, English %v", file, key, got, want)
			}
		}
		for key := range other {
			if _, ok := english[key]; !ok {
				t.Errorf("%s has %s, which English hasn't", file, key)
			}
		}
	}
}

// Whose package is refused, or whose module doesn't start, must not be left alone with it. What stands
// on a module's row beside its last lines and Retry needs no more words.
func TestEveryRefusedPackageSaysWhatToDo(t *testing.T) {
	way := regexp.MustCompile(`(?i)\b(tell|ask|get|try|choose|upload|download|install|make|add|unpack|deactivate|look|write|can change)\b`)
	about := regexp.MustCompile(`^error_module_(bad_entry|start|sandbox|signature|too|list|unpacks|not_startable|no_|nested|two|tampered|damaged|zip64|overlap|mislabelled|wrong)|^error_trusted_key_not`)
	atTheRow := regexp.MustCompile(`_start_(exit|signal|memory)$`)
	sentences := 0
	for key, text := range keysOf(t, "languages/en.json") {
		if about.MatchString(key) && !atTheRow.MatchString(key) {
			if sentences++; !way.MatchString(text) {
				t.Errorf("%s: %s", key, text)
			}
		}
	}
	if sentences < 40 {
		t.Errorf("%d sentences", sentences)
	}
}

func arguments(text string) []string {
	var names []string
	for _, block := range regexp.MustCompile(`\{\{[^}]*\}\}`).FindAllString(text, -1) {
		for _, match := range argument.FindAllStringSubmatch(block, -1) {
			names = append(names, match[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

var usedKeys = []*regexp.Regexp{
	regexp.MustCompile(`\.[TA] "([a-z0-9_]+)"`),
	regexp.MustCompile(`(?:\.text|\.T|\.A|say|languages\.text)\((?:[a-zA-Z.()]+, )?"([a-z0-9_]+)"`),
	regexp.MustCompile(`"((?:flash|empty|language_from|owns)_[a-z0-9_]+)"`),
}

// Beginnings of keys that are put together at run time.
var builtKeys = regexp.MustCompile(`_$`)

func TestEveryKeyThatIsUsedExists(t *testing.T) {
	english := keysOf(t, "languages/en.json")
	files, _ := filepath.Glob("*.go")
	pages, _ := filepath.Glob("templates/*.html")
	for _, file := range append(files, pages...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, pattern := range usedKeys {
			for _, match := range pattern.FindAllStringSubmatch(string(text), -1) {
				if _, ok := english[match[1]]; !ok && !builtKeys.MatchString(match[1]) {
					t.Errorf("%s uses %s", file, match[1])
				}
			}
		}
	}
}

// refusals finds the keys of errors in the sources of the layers below.
var refusals = []*regexp.Regexp{
	regexp.MustCompile(`Refuse\(\s*(?:crm\.)?[A-Za-z]+,\s*"([a-z0-9_]+)"`),
	regexp.MustCompile(`\bKey:\s*"([a-z0-9_]+)"`),
	regexp.MustCompile(`(?:found|taken)\([^\n]*"([a-z]+_[a-z0-9_]+)"\)`),
}

func TestEveryRefusalHasASentence(t *testing.T) {
	english := keysOf(t, "languages/en.json")
	for _, layer := range []string{"crm", "store", "app", "module", "web"} {
		files, err := filepath.Glob("../" + layer + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatal(layer, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, pattern := range refusals {
				for _, match := range pattern.FindAllStringSubmatch(string(text), -1) {
					if _, ok := english["error_"+match[1]]; !ok && !builtKeys.MatchString(match[1]) && match[1] != "panic" {
						t.Errorf("%s refuses with %s, which has no sentence", file, match[1])
					}
				}
			}
		}
	}
}

func TestEveryActionAndEndAndCapabilityHasWords(t *testing.T) {
	english := keysOf(t, "languages/en.json")
	for _, cause := range crm.EndCauses() {
		for _, prefix := range []string{"notice_switch_ended_", "notice_switch_last_ended_"} {
			if _, ok := english[prefix+string(cause)]; !ok {
				t.Errorf("no sentence %s%s", prefix, cause)
			}
		}
	}
	for _, feature := range crm.Features() {
		for _, c := range feature.Capabilities {
			if english[c.Label] == "" {
				t.Errorf("no word %s", c.Label)
			}
		}
		if english[feature.Label] == "" {
			t.Errorf("no word %s", feature.Label)
		}
	}
	for _, action := range activityActions {
		if english["action_"+action] == "" {
			t.Errorf("no words for action %s", action)
		}
	}
	files, _ := filepath.Glob("../app/*.go")
	action := regexp.MustCompile(`(?:a\.change\(ctx, \w+|a\.audit\(tx, \w+|a\.changeModule\(ctx, who), "([a-z_]+)"`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range action.FindAllStringSubmatch(string(text), -1) {
			if english["action_"+match[1]] == "" {
				t.Errorf("%s records %s, which has no words", file, match[1])
			}
		}
	}
}

func TestTheLanguageIsTheAccountsThenTheCompanysThenTheBrowsersThenTheSites(t *testing.T) {
	s := newSite(t)
	german := s.browser()
	german.header.Set("Accept-Language", "de")
	german.get("/login").says(t, `lang="en"`)
	spanish := s.browser()
	spanish.header.Set("Accept-Language", "es-MX,es;q=0.9,en;q=0.5")
	spanish.get("/login").says(t, `lang="es"`, "Correo electrónico")
	b := s.as(ann)
	b.post("/admin/settings/general", "site_name", "Acme CRM", "language", "ar").wants(t, 303)
	b.get("/admin").says(t, "Acme CRM", `lang="en"`)
	german.get("/login").says(t, `lang="ar" dir="rtl"`, "Acme CRM")
	b.post("/preferences", "language", "es", "back", "/admin/customers").wants(t, 303).leadsTo(t, "/admin/customers")
	b.get("/admin/customers").says(t, `lang="es"`, "Panel")
	b.post("/preferences", "theme", "dark", "back", "https://evil.example").wants(t, 303).leadsTo(t, "/admin")
	b.get("/admin").says(t, `data-bs-theme="dark"`, `lang="es"`)
}
