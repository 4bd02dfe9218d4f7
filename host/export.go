package main

import (
	"context"
	"os"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

type moduleExportCommand struct {
	dataFlags
	ID  string `arg:"" help:"The module's id."`
	Out string `help:"The JSON file to write." required:"" type:"path"`
}

// Run writes a module's data to a file that nobody else on this machine can read.
func (c *moduleExportCommand) Run(ctx context.Context, t *terminal) error {
	return c.with(ctx, func(s *site) error {
		err := writeFile(c.Out, 0o600, func(f *os.File) error { return s.modules.Export(ctx, crm.Operator(), c.ID, f) })
		if err != nil {
			return err
		}
		t.printf("wrote %s\n", c.Out)
		return nil
	})
}
