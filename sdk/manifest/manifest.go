// Package manifest reads module.json, the one file that says what a module is before any of it
// runs. Host and module authors share this definition and nothing else.
package manifest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// FileName is the name of the manifest, at the root of a package or in its one top folder.
const FileName = "module.json"

// MaxBytes is the largest manifest that is read.
const MaxBytes = 64 << 10

// Manifest is a module.json that kept every rule. Only Parse makes a valid one.
type Manifest struct {
	ID           string            `json:"id"`
	Name         string            `json:"name"`
	Version      string            `json:"version"`
	Description  string            `json:"description,omitempty"`
	Author       string            `json:"author,omitempty"`
	Homepage     string            `json:"homepage,omitempty"`
	License      string            `json:"license,omitempty"`
	Requires     Requires          `json:"requires"`
	Executables  map[string]string `json:"executables"`
	Grants       []Grant           `json:"grants,omitempty"`
	Capabilities []string          `json:"capabilities,omitempty"`
}

// Requires is what the module needs of the host.
type Requires struct {
	// Host is a range of semantic versions, such as ">=3.1.0".
	Host string `json:"host"`
	// Protocol is the version of the contract the module speaks.
	Protocol int `json:"protocol"`
}

// Grant is something the module asks of the host, with the reason shown to the administrator who
// approves it.
type Grant struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// The grants there are.
const (
	GrantSessionSwitch = "session.switch"
	GrantDirectoryRead = "directory.read"
	GrantAuditWrite    = "audit.write"
	GrantNetwork       = "network"
	GrantNoticeSend    = "notice.send"
)

var grantMeanings = map[string]string{
	GrantNoticeSend:    "Tell staff members and contacts something on their next page, and by mail.",
	GrantSessionSwitch: "Decide who may act as whom, read the record of it and end it.",
	GrantDirectoryRead: "Search and read staff members and contacts: name, address, role, company and who is online.",
	GrantAuditWrite:    "Write entries to the Activity Log under the module's name.",
	GrantNetwork:       "Open network connections to other machines.",
}

// GrantNames returns every grant there is, in order.
func GrantNames() []string {
	return []string{GrantAuditWrite, GrantDirectoryRead, GrantNetwork, GrantNoticeSend, GrantSessionSwitch}
}

// GrantMeaning says in one English line what a grant allows, empty for a grant there isn't.
func GrantMeaning(name string) string { return grantMeanings[name] }

// Asks reports whether the module asks for a grant.
func (m Manifest) Asks(grant string) bool {
	return slices.ContainsFunc(m.Grants, func(g Grant) bool { return g.Name == grant })
}

// Platforms returns the platforms the manifest names an executable for, as "os/arch" in order.
func (m Manifest) Platforms() []string {
	platforms := make([]string, 0, len(m.Executables))
	for platform := range m.Executables {
		platforms = append(platforms, platform)
	}
	slices.Sort(platforms)
	return platforms
}

// CheckHost returns nil when a host of this version, with or without a leading "v", is in the
// range the module requires. Its error is a sentence for the screen. A pre-release counts by its
// place in the order: 3.2.0-dev satisfies >=3.1.0, 3.1.0-rc.1 does not.
func (m Manifest) CheckHost(version string) error {
	have, err := semver.NewVersion(version)
	if err != nil {
		return fmt.Errorf("the CRM's version %q is not a semantic version", version)
	}
	within, err := hostRange(m.Requires.Host)
	if err != nil {
		return fmt.Errorf("requires.host: %w", err)
	}
	if within.Check(have) {
		return nil
	}
	if least, ok := leastVersion(m.Requires.Host); ok {
		//nolint:staticcheck // a whole sentence, shown as it is
		return fmt.Errorf("This module requires at least v%s of the CRM", least)
	}
	//nolint:staticcheck // a whole sentence, shown as it is
	return fmt.Errorf("This module requires a version of the CRM in the range %s; this is v%s", m.Requires.Host, have)
}

// CheckProtocol returns nil when the module speaks a protocol version the host speaks too. Its
// error is a sentence for the screen.
func (m Manifest) CheckProtocol(spoken ...int) error {
	if slices.Contains(spoken, m.Requires.Protocol) {
		return nil
	}
	words := make([]string, len(spoken))
	for i, version := range spoken {
		words[i] = fmt.Sprint(version)
	}
	//nolint:staticcheck // a whole sentence, shown as it is
	return fmt.Errorf("This module speaks protocol %d; this CRM speaks %s", m.Requires.Protocol, strings.Join(words, " and "))
}

// Encode writes the manifest as a module.json that Parse reads back.
func (m Manifest) Encode() ([]byte, error) {
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		return nil, err
	}
	return []byte(out.String()), nil
}

func hostRange(text string) (*semver.Constraints, error) {
	within, err := semver.NewConstraint(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a range of versions; write something like \">=3.1.0\"", text)
	}
	within.IncludePrerelease = true
	return within, nil
}

// leastVersion recognises the plain lower bound, the only range with a sentence of its own.
func leastVersion(text string) (string, bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), ">=")
	if !ok {
		return "", false
	}
	least, err := semver.NewVersion(strings.TrimSpace(rest))
	if err != nil {
		return "", false
	}
	return least.String(), true
}
