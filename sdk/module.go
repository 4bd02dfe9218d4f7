package sdk

import (
	"context"
	"io/fs"
	"strconv"
)

// Module is everything an author says about a module: two embedded files, what it adds to the
// host, and what it answers. Only Manifest and Languages are required; an answer left nil is one
// the module does not give, and the host does not ask for it.
type Module struct {
	// Manifest is the content of module.json; embed it.
	Manifest []byte
	// Languages holds the folder "languages" with en.json and one more file per translation;
	// embed it with //go:embed languages/*.json.
	Languages fs.FS
	// Contributions is what the module adds to the host's surface.
	Contributions Contributions

	// DecideSwitch is asked before a session switch, again whenever something it may depend on has
	// changed, and when the actor wants more time or more rights. Answer within two seconds, from the
	// question and what the module has stored; an error, a panic or a late answer refuses. When
	// something else it depends on changes, say so by SwitchLog.Recheck. Needs the grant
	// session.switch.
	DecideSwitch func(ctx context.Context, question SwitchQuestion) (SwitchDecision, error)
	// ValidateSettings may refuse values before they are saved. It returns the message key of the
	// refusal by setting key; none refuses nothing.
	ValidateSettings func(ctx context.Context, settings Settings) (refusals map[string]string, err error)
	// SettingsChanged is told of saved values.
	SettingsChanged func(ctx context.Context, settings Settings) error
	// Activate is called once, before any page or hook; HostOf(ctx) answers from here on.
	Activate func(ctx context.Context, activation Activation) error
	// Deactivate is the last call; HostOf(ctx) still answers during it.
	Deactivate func(ctx context.Context) error
	// CheckHealth returns nil while the module works. Without it a running module is healthy.
	CheckHealth func(ctx context.Context) error
}

// Activation is what a module starts with.
type Activation struct {
	// Grants are those an administrator approved.
	Grants []string
	// Settings holds every declared setting.
	Settings Settings
	// HostVersion is the host's semantic version, without "v".
	HostVersion string
}

// Settings holds the module's settings by key, as the host stores them.
type Settings map[string]string

// Bool returns a yes-or-no setting. Anything but "true" and "false" is an error, so that the
// caller decides what a damaged value means.
func (s Settings) Bool(key string) (bool, error) {
	switch s[key] {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, Errorf(Invalid, "setting %s: %q is neither true nor false", key, s[key])
}

// Number returns a whole-number setting.
func (s Settings) Number(key string) (int64, error) {
	n, err := strconv.ParseInt(s[key], 10, 64)
	if err != nil {
		return 0, Errorf(Invalid, "setting %s: %q is not a whole number", key, s[key])
	}
	return n, nil
}
