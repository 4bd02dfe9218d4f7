package sdk

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/understudy-crm/understudy/sdk/manifest"
)

// Instance is a module that was checked and can be called. Serve makes one of a Module and puts it
// behind the connection to the host; package sdktest calls one without any process.
type Instance struct {
	module   Module
	manifest manifest.Manifest
	pages    []Page
	words    *wordBook
	host     atomic.Pointer[Host]
}

// NewInstance checks a module as far as that is possible without a host. Its error names what is
// wrong and what would be right.
func NewInstance(module Module) (*Instance, error) {
	m, err := manifest.Parse(module.Manifest)
	if err != nil {
		return nil, err
	}
	table, err := readLanguages(module.Languages)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", m.ID, err)
	}
	if err := check(module, m, table); err != nil {
		return nil, fmt.Errorf("module %s: %w", m.ID, err)
	}
	pages := slices.Clone(module.Contributions.Pages)
	// The longest path first, so that the most exact page answers.
	slices.SortStableFunc(pages, func(a, b Page) int { return cmp.Compare(len(b.Path), len(a.Path)) })
	return &Instance{module: module, manifest: m, pages: pages, words: newWordBook(table)}, nil
}

// Manifest returns the module's manifest.
func (i *Instance) Manifest() manifest.Manifest { return i.manifest }

// Contributions returns what the module adds.
func (i *Instance) Contributions() Contributions { return i.module.Contributions }

// Words returns the module's messages in a language, as they stand now.
func (i *Instance) Words(language string) Words { return i.words.in(language) }

// Languages returns the messages by tag and key, as they stand now.
func (i *Instance) Languages() map[string]map[string]string { return i.words.all() }

// Activate hands the module its host. Conflict if it was activated before.
func (i *Instance) Activate(ctx context.Context, host Host, activation Activation) error {
	if !i.host.CompareAndSwap(nil, &host) {
		return Errorf(Conflict, "activate: this process is activated already")
	}
	if i.module.Activate == nil {
		return nil
	}
	return guarded("activate", func() error { return i.module.Activate(i.within(ctx), activation) })
}

// Deactivate is the last call.
func (i *Instance) Deactivate(ctx context.Context) error {
	if i.module.Deactivate == nil {
		return nil
	}
	return guarded("deactivate", func() error { return i.module.Deactivate(i.within(ctx)) })
}

// CheckHealth returns nil while the module works.
func (i *Instance) CheckHealth(ctx context.Context) error {
	if i.module.CheckHealth == nil {
		return nil
	}
	return guarded("check health", func() error { return i.module.CheckHealth(i.within(ctx)) })
}

// DecidesSwitch reports whether the module answers DecideSwitch.
func (i *Instance) DecidesSwitch() bool { return i.module.DecideSwitch != nil }

// DecideSwitch asks the module; any error refuses.
func (i *Instance) DecideSwitch(ctx context.Context, question SwitchQuestion) (decision SwitchDecision, err error) {
	err = guarded("decide switch", func() error {
		decision, err = i.module.DecideSwitch(i.within(ctx), question)
		return err
	})
	if err != nil {
		return SwitchDecision{}, err
	}
	if decision.Allowed && decision.Limit <= 0 {
		return SwitchDecision{}, Errorf(Invalid, "decide switch: allowed without a limit above zero")
	}
	return decision, nil
}

// ValidatesSettings reports whether the module answers ValidateSettings.
func (i *Instance) ValidatesSettings() bool { return i.module.ValidateSettings != nil }

// ValidateSettings asks the module.
func (i *Instance) ValidateSettings(ctx context.Context, settings Settings) (refusals map[string]string, err error) {
	if i.module.ValidateSettings == nil {
		return nil, nil
	}
	err = guarded("validate settings", func() error {
		refusals, err = i.module.ValidateSettings(i.within(ctx), settings)
		return err
	})
	return refusals, err
}

// SettingsChanged tells the module.
func (i *Instance) SettingsChanged(ctx context.Context, settings Settings) error {
	if i.module.SettingsChanged == nil {
		return nil
	}
	return guarded("settings changed", func() error { return i.module.SettingsChanged(i.within(ctx), settings) })
}

func (i *Instance) within(ctx context.Context) context.Context {
	c := callOf(ctx)
	if host := i.host.Load(); host != nil {
		c.host = *host
	}
	return withCall(ctx, c)
}

// guarded turns a panic into an error: one bad question must not end the process for everybody.
func guarded(step string, act func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			slog.Error(step+": panic", "fault", fmt.Sprint(fault), "stack", stack())
			err = Errorf(Unknown, "%s: panic", step)
		}
	}()
	return act()
}
