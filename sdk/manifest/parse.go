package manifest

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/Masterminds/semver/v3"
)

var (
	idPattern         = regexp.MustCompile(`^[a-z][a-z0-9-]{1,31}$`)
	capabilityPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	platformPattern   = regexp.MustCompile(`^[a-z0-9]{2,16}/[a-z0-9]{2,16}$`)
	filePattern       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$`)
)

const (
	maxDepth        = 8
	maxExecutables  = 32
	maxGrants       = 16
	maxCapabilities = 32
)

// Parse reads a module.json. It returns a manifest only if every rule is kept; otherwise its error
// names the field, what is wrong with it and what would be right. A field it does not know is an
// error, so that a misspelt one is not silently without effect; so is a key given twice.
func Parse(file []byte) (Manifest, error) {
	m, err := parse(file)
	if err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", FileName, err)
	}
	return m, nil
}

func parse(file []byte) (Manifest, error) {
	root, err := document(file, MaxBytes)
	if err != nil {
		return Manifest{}, err
	}
	r := &reader{}
	top := r.fields("", root, "id", "name", "version", "description", "author", "homepage", "license",
		"requires", "executables", "grants", "capabilities")
	requires := r.fields("requires", top["requires"], "host", "protocol")
	m := Manifest{
		ID:          r.text("id", top["id"], 2, 32),
		Name:        r.text("name", top["name"], 1, 64),
		Version:     r.text("version", top["version"], 1, 64),
		Description: r.text("description", top["description"], 0, 500),
		Author:      r.text("author", top["author"], 0, 100),
		Homepage:    r.text("homepage", top["homepage"], 0, 200),
		License:     r.text("license", top["license"], 0, 64),
		Requires: Requires{
			Host:     r.text("requires.host", requires["host"], 1, 100),
			Protocol: r.number("requires.protocol", requires["protocol"], 1, 1000),
		},
		Executables:  r.executables(top["executables"]),
		Grants:       r.grants(top["grants"]),
		Capabilities: r.capabilities(top["capabilities"]),
	}
	if r.err == nil {
		r.err = m.check()
	}
	return m, r.err
}

// check holds the rules on single texts beyond their length.
func (m Manifest) check() error {
	if !idPattern.MatchString(m.ID) {
		return fmt.Errorf("id: %q must be 2 to 32 lower-case letters, digits and dashes and begin with a letter", m.ID)
	}
	if _, err := semver.StrictNewVersion(m.Version); err != nil {
		return fmt.Errorf("version: %q is not a semantic version; write it like \"1.0.0\"", m.Version)
	}
	if _, err := hostRange(m.Requires.Host); err != nil {
		return fmt.Errorf("requires.host: %w", err)
	}
	if m.Homepage == "" {
		return nil
	}
	address, err := url.Parse(m.Homepage)
	if err != nil || (address.Scheme != "https" && address.Scheme != "http") || address.Host == "" || address.User != nil {
		return fmt.Errorf("homepage: %q must be an address that begins with https:// or http://", m.Homepage)
	}
	return nil
}

// reader turns a JSON tree into fields and keeps the first thing that is wrong.
type reader struct{ err error }

func (r *reader) fail(where, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %w", where, fmt.Errorf(format, args...))
	}
}

func (r *reader) fields(where string, value any, known ...string) map[string]any {
	object, ok := value.(map[string]any)
	if !ok {
		if where == "" {
			where = "the file"
		}
		r.fail(where, "must be an object { … }")
		return nil
	}
	for _, key := range sortedKeys(object) {
		if !slices.Contains(known, key) {
			r.fail("unknown field "+strconv.Quote(join(where, key)), "known here are %s", strings.Join(known, ", "))
		}
	}
	return object
}

// unseen are line breaks, control characters, characters that turn the direction of what stands
// around them and others by which a text can look like another. The two joiners shape letters and
// pictures, and stay.
func unseen(char rune) bool {
	const nonJoiner, joiner = '\u200c', '\u200d'
	return char != nonJoiner && char != joiner &&
		(unicode.In(char, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || char == utf8.RuneError)
}

// text reads a string of min to max characters that can all be seen. A missing one is empty.
func (r *reader) text(where string, value any, min, max int) string {
	if value == nil {
		if min > 0 {
			r.fail(where, "is missing")
		}
		return ""
	}
	text, ok := value.(string)
	if !ok {
		r.fail(where, "must be a text in quotes")
		return ""
	}
	if n := utf8.RuneCountInString(text); n < min || n > max {
		r.fail(where, "has %d characters; %d to %d are allowed", n, min, max)
		return ""
	}
	if strings.TrimSpace(text) != text {
		r.fail(where, "begins or ends with a space")
	}
	for _, char := range text {
		if unseen(char) {
			r.fail(where, "holds the character %U, which is not allowed", char)
			return ""
		}
	}
	return text
}

func (r *reader) number(where string, value any, min, max int) int {
	if value == nil {
		r.fail(where, "is missing")
		return 0
	}
	digits, ok := value.(json.Number)
	if !ok {
		r.fail(where, "must be a whole number")
		return 0
	}
	n, err := strconv.Atoi(digits.String())
	if err != nil || n < min || n > max {
		r.fail(where, "is %s; a whole number from %d to %d is allowed", digits, min, max)
		return 0
	}
	return n
}

func (r *reader) list(where string, value any, max int) []any {
	if value == nil {
		return nil
	}
	list, ok := value.([]any)
	if !ok {
		r.fail(where, "must be a list [ … ]")
		return nil
	}
	if len(list) > max {
		r.fail(where, "has %d entries; %d are allowed", len(list), max)
		return nil
	}
	return list
}

func (r *reader) executables(value any) map[string]string {
	object, ok := value.(map[string]any)
	if !ok || len(object) == 0 {
		r.fail("executables", `must be an object that names at least one file, such as { "linux/amd64": "bin/example-linux-amd64" }`)
		return nil
	}
	if len(object) > maxExecutables {
		r.fail("executables", "has %d entries; %d are allowed", len(object), maxExecutables)
		return nil
	}
	executables := make(map[string]string, len(object))
	for _, platform := range sortedKeys(object) {
		where := join("executables", platform)
		if !platformPattern.MatchString(platform) {
			r.fail("executables", `%q is not a platform; write it like "linux/amd64"`, platform)
			continue
		}
		file := r.text(where, object[platform], 1, 200)
		if file != "" && (!filePattern.MatchString(file) || !fs.ValidPath(file)) {
			r.fail(where, "%q must be a path inside the package, of letters, digits, dots, dashes and underscores, with forward slashes", file)
		}
		executables[platform] = file
	}
	return executables
}

func (r *reader) grants(value any) []Grant {
	var grants []Grant
	seen := map[string]bool{}
	for i, entry := range r.list("grants", value, maxGrants) {
		where := fmt.Sprintf("grants[%d]", i)
		object := r.fields(where, entry, "name", "why")
		grant := Grant{
			Name: r.text(where+".name", object["name"], 1, 64),
			Why:  r.text(where+".why", object["why"], 1, 300),
		}
		if grant.Name != "" && GrantMeaning(grant.Name) == "" {
			r.fail(where+".name", "there is no grant %q; there are %s", grant.Name, strings.Join(GrantNames(), ", "))
		}
		if seen[grant.Name] {
			r.fail(where+".name", "%q is asked for twice", grant.Name)
		}
		seen[grant.Name] = true
		grants = append(grants, grant)
	}
	return grants
}

func (r *reader) capabilities(value any) []string {
	var capabilities []string
	for i, entry := range r.list("capabilities", value, maxCapabilities) {
		where := fmt.Sprintf("capabilities[%d]", i)
		capability := r.text(where, entry, 1, 32)
		if capability != "" && !capabilityPattern.MatchString(capability) {
			r.fail(where, "%q must be lower-case letters, digits and underscores and begin with a letter", capability)
		}
		if slices.Contains(capabilities, capability) {
			r.fail(where, "%q is named twice", capability)
		}
		capabilities = append(capabilities, capability)
	}
	return capabilities
}

func sortedKeys(object map[string]any) []string {
	keys := make([]string, 0, len(object))
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
