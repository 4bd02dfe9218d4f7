package main

import (
	"context"
	"errors"
	"os"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/web"
)

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(t *terminal) error {
	t.printf("understudy %s\n", version)
	return nil
}

// sentence says an error in English, by the sentence a page would show when it has one.
func sentence(err error) string {
	if e, ok := errors.AsType[*crm.Error](err); ok && e.Kind != crm.Internal {
		if text := web.ErrorText("en", e); text != "" {
			if e.Err != nil && e.Kind == crm.Unavailable {
				return text + " (" + e.Err.Error() + ")"
			}
			return text
		}
	}
	return err.Error()
}

// with opens the site for one command.
func (f dataFlags) with(ctx context.Context, do func(*site) error) error {
	return f.withModules(ctx, moduleFlags{}, do)
}

// withModules opens the site for one command that takes packages, by these rules.
func (f dataFlags) withModules(ctx context.Context, m moduleFlags, do func(*site) error) error {
	s, err := f.open(ctx, m, logFlags{}.logger(os.Stderr))
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.close())
}
