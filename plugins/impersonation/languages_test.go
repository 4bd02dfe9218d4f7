package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/sdk"
	"github.com/understudy-crm/understudy/sdk/sdktest"
)

func TestLanguageIsUploadedListedAndDeleted(t *testing.T) {
	kit := newKit(t, sdktest.Options{})
	viewer := kit.Viewer(ann)
	french := []byte(`{"user_type": "Type d’utilisateur", "unheard_of": "x"}`)
	page := kit.Upload("/languages", nil, "file", `C:\Users\Ann\fr.json`, french, viewer)
	if page.Status != http.StatusSeeOther || !strings.HasPrefix(page.Header.Get("Location"), "/admin/m/impersonation/languages?") || !strings.Contains(page.Header.Get("Location"), "saved=fr") {
		t.Fatalf("%d %v %s", page.Status, page.Header, page.Body)
	}
	back := strings.TrimPrefix(page.Header.Get("Location"), "/admin/m/impersonation")
	mustHold(t, kit.Get(back, viewer), "Saved fr", "left out: 1", "1 of 3", `aria-label="Delete upload of fr"`, "Choose File", "Español")

	speaksFrench := viewer
	speaksFrench.Language = "fr"
	mustHold(t, kit.Get("/start", speaksFrench), "Type d’utilisateur", ">Impersonate</button>")

	page = kit.Get("/languages/download?tag=fr", viewer)
	if page.Header.Get("Content-Disposition") != `attachment; filename="fr.json"` || !json.Valid([]byte(page.Body)) {
		t.Errorf("%v %s", page.Header, page.Body)
	}
	if page = kit.Post("/languages/delete", url.Values{"tag": {"fr"}}, viewer); page.Status != http.StatusSeeOther {
		t.Errorf("%d %s", page.Status, page.Body)
	}
	mustLack(t, kit.Get("/start", speaksFrench), "Type d’utilisateur")

	page = kit.Upload("/languages", url.Values{"tag": {"pt-BR"}}, "file", "x.json", []byte(`{"user": "Usuário"}`), viewer)
	if !strings.Contains(page.Header.Get("Location"), "saved=pt-BR") {
		t.Errorf("%d %v", page.Status, page.Header)
	}
	if page = kit.Get("/languages/download?tag=xx", viewer); page.Status != http.StatusNotFound {
		t.Errorf("an unknown language: %d", page.Status)
	}
}

func TestALanguageFileWithAByteOrderMarkIsAccepted(t *testing.T) {
	kit := newKit(t, sdktest.Options{})
	page := kit.Upload("/languages", nil, "file", "fr.json", []byte("\xef\xbb\xbf"+`{"user_type": "Genre"}`), kit.Viewer(ann))
	if page.Status != http.StatusSeeOther || !strings.Contains(page.Header.Get("Location"), "saved=fr") {
		t.Fatalf("%d %s", page.Status, page.Body)
	}
	speaksFrench := kit.Viewer(ann)
	speaksFrench.Language = "fr"
	mustHold(t, kit.Get("/start", speaksFrench), "Genre")
}

func TestLanguageThatIsNoneIsRefusedInWords(t *testing.T) {
	kit := newKit(t, sdktest.Options{})
	for _, test := range []struct{ file, content, says string }{
		{"fr.json", "not json", "not a language file"},
		{"fr.json", `{"a": {"b": "c"}}`, "not a language file"},
		{"fr.json", `["a"]`, "not a language file"},
		{"fr.json", `null`, "not a language file"},
		{"fr.json", `{"user": "a", "user": "b"}`, "What is wrong: user: is given twice."},
		{"fr.json", `{"user": "\u0007"}`, "What is wrong: user: holds the character U"},
		{"fr.json", "{\"user\": \"\xff\"}", "is not UTF-8"},
		{"translation.json", `{}`, "not a language tag"},
		{"../../x.json", `{"a": "b"}`, "not a language tag"},
		{"fr.json", `{"a": "` + strings.Repeat("x", maxLanguageFile) + `"}`, "larger than 256 KB"},
	} {
		page := kit.Upload("/languages", nil, "file", test.file, []byte(test.content), kit.Viewer(ann))
		if page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, test.says) {
			t.Errorf("%s %.20s: %d", test.file, test.content, page.Status)
		}
	}
	if page := kit.Post("/languages", nil, kit.Viewer(ann)); page.Status != http.StatusUnprocessableEntity {
		t.Errorf("no file: %d", page.Status)
	}
	switched := kit.ViewerAs(ann, ann)
	if page := kit.Upload("/languages", nil, "file", "fr.json", []byte(`{}`), switched); page.Status != http.StatusForbidden {
		t.Errorf("while switched: %d", page.Status)
	}
}

func readLanguage(t *testing.T, tag string) map[string]string {
	t.Helper()
	file, err := os.ReadFile("languages/" + tag + ".json")
	if err != nil {
		t.Fatal(err)
	}
	messages, err := sdk.ReadLanguage(file)
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// shippedLanguages returns the tags of languages/, English among them.
func shippedLanguages(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("languages/*.json")
	if err != nil {
		t.Fatal(err)
	}
	tags := make([]string, len(files))
	for i, file := range files {
		tags[i] = strings.TrimSuffix(filepath.Base(file), ".json")
	}
	for _, tag := range []string{"ar", "en", "es"} {
		if !slices.Contains(tags, tag) {
			t.Errorf("languages/%s.json is missing", tag)
		}
	}
	return tags
}

func TestLanguagesAreComplete(t *testing.T) {
	en := readLanguage(t, "en")
	for _, tag := range shippedLanguages(t) {
		messages := readLanguage(t, tag)
		for key, text := range en {
			if messages[key] == "" {
				t.Errorf("%s lacks %s", tag, key)
			}
			want, got := placeholder.FindAllString(text, -1), placeholder.FindAllString(messages[key], -1)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Errorf("%s: placeholders %v in en, %v in %s", key, want, got, tag)
			}
		}
		for key := range messages {
			if en[key] == "" {
				t.Errorf("%s has %s, which en lacks", tag, key)
			}
		}
	}
}

// What a sentence quotes must be what stands on the screen.
func TestSentencesNameSettingsAndButtonsAsTheScreenDoes(t *testing.T) {
	for _, tag := range shippedLanguages(t) {
		messages := readLanguage(t, tag)
		for sentence, names := range map[string][]string{
			"rule_staff_on":                   {"enable_admins"},
			"rule_customers_on":               {"enable_customers"},
			"rule_not_disabled":               {"disable_impersonation"},
			"rule_staff_permission":           {"capability_staff"},
			"rule_customers_permission":       {"capability_customers"},
			"refused_no_staff_permission":     {"capability_staff"},
			"refused_no_customers_permission": {"capability_customers"},
			"refused_switched":                {"stop_impersonation"},
			"what_happens":                    {"stop_impersonation"},
			"refused_settings":                {"impersonate"},
			"refused_customers_off":           {"impersonate"},
			"refused_staff_off":               {"impersonate"},
			"refused_both_off":                {"impersonate"},
			"log_empty_next":                  {"impersonate"},
			"error_kind":                      {"kind_staff", "kind_contact"},
			"error_from":                      {"from"},
			"error_until":                     {"until"},
			"let_customers_decide_help":       {"support_access"},
			"pulse_help":                      {"stop_impersonation"},
			"rule_customer_allows":            {"support_access"},
			"refused_customer_never":          {"support_access"},
			"refused_customer_ask":            {"support_access"},
			"refused_customer_silent":         {"support_access"},
			"who_refused_approval_asked":      {"approvals"},
			"notice_many_targets":             {"active_switches"},
			"approvals_off":                   {"four_eyes"},
			"access_hidden":                   {"capability_view_log"},
			"error_switched":                  {"stop_impersonation"},
			"error_consent_required":          {"let_customers_decide"},
			"error_format":                    {"export_csv", "export_json"},
			"error_answer":                    {"approve", "refuse"},
			"error_access":                    {"capability_access"},
			"error_approval_over":             {"approvals"},
		} {
			for _, name := range names {
				if !strings.Contains(messages[sentence], messages[name]) {
					t.Errorf("%s: %s doesn't say %q", tag, sentence, messages[name])
				}
			}
		}
	}
}

func TestEveryKeyIsUsedAndEveryUsedKeyExists(t *testing.T) {
	en := readLanguage(t, "en")
	var all bytes.Buffer
	for _, pattern := range []string{"*.go", "templates/*.html"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(file)
			for _, used := range regexp.MustCompile(`\.?T\((?:r, )?"([a-z_]+)"[,)]|\.T "([a-z_]+)"`).FindAllStringSubmatch(string(file), -1) {
				if key := used[1] + used[2]; en[key] == "" {
					t.Errorf("%s uses %q, which en.json lacks", name, key)
				}
			}
		}
	}
	made := regexp.MustCompile(`^(end|code|outcome|choice|event|host|check|window)_|_help$`)
	for key := range en {
		if !made.MatchString(key) && !bytes.Contains(all.Bytes(), []byte(`"`+key+`"`)) {
			t.Errorf("nothing uses %q", key)
		}
	}
}

func TestDocumentationIsOfflineAndOfThisVersion(t *testing.T) {
	file, err := os.ReadFile("docs/index.html")
	if err != nil {
		t.Fatal(err)
	}
	text := string(file)
	version := newKit(t, sdktest.Options{}).Manifest().Version
	for _, part := range []string{"impersonation-" + version + ".zip", "Impersonation " + version, "impersonation.zip", "version 3.1.0"} {
		if !strings.Contains(text, part) {
			t.Errorf("lacks %q", part)
		}
	}
	for _, part := range []string{"http:", "https:", "<script", " style=", "<style", "src="} {
		if strings.Contains(text, part) {
			t.Errorf("holds %q", part)
		}
	}
	en := readLanguage(t, "en")
	for _, key := range []string{
		"impersonate", "stop_impersonation", "settings", "view_log", "feature", "languages", "user_type", "kind_staff", "kind_contact",
		"user", "reason", "disable_impersonation", "enable_customers", "enable_admins", "capability_staff", "capability_customers",
		"capability_view_log", "choose_file", "upload", "export_csv", "export_json", "kind_everyone", "timeline", "active_switches", "approvals",
		"support_access", "who_can_use", "pin", "end_now", "approve", "refuse", "access_always", "access_ask", "access_never", "withdraw", "ticket", "time_limit",
		"hard_cap", "read_only", "own_password", "tell_subject", "let_customers_decide", "consent_required", "four_eyes", "targets_per_hour", "pulse",
	} {
		if !strings.Contains(text, en[key]) {
			t.Errorf("does not name %q", en[key])
		}
	}
	ids := regexp.MustCompile(` id="([a-z]+)"`).FindAllStringSubmatch(text, -1)
	for _, link := range regexp.MustCompile(`href="#([a-z]+)"`).FindAllStringSubmatch(text, -1) {
		if !slices.ContainsFunc(ids, func(id []string) bool { return id[1] == link[1] }) {
			t.Errorf("a link to #%s leads nowhere", link[1])
		}
	}
}
