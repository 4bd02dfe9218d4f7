package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

type demoCommand struct {
	webFlags
	logFlags `set:"log_level=WARN"` // or requests would bury the accounts it prints
	traceFlags
	Data     string `help:"Folder for the demo's data; it must be empty. By default a temporary one that is removed at the end." type:"path"`
	Bare     bool   `help:"Leave the shipped modules out, to install them by hand."`
	Packages string `help:"Folder of the shipped modules' packages. By default the dist folder beside the program's own." type:"path"`
}

// Validate refuses settings that make no sense, before anything is opened.
func (c *demoCommand) Validate() error { return c.webFlags.check() }

// Run fills a fresh data folder with example people and serves it to this machine alone.
func (c *demoCommand) Run(ctx context.Context, t *terminal) error {
	if !isLoopback(c.Listen) {
		return fmt.Errorf("the demo's passwords are public, so it listens on a loopback address only, such as 127.0.0.1:8080, not on %s", c.Listen)
	}
	data, remove, err := c.freshData()
	if err != nil {
		return err
	}
	defer remove()
	packages, err := c.packages(ctx)
	if err != nil {
		return err
	}
	log := c.logger(t.errs)
	traces, err := c.collector(ctx, "demo", log)
	if err != nil {
		return err
	}
	flags := dataFlags{Data: data, Modules: filepath.Join(data, "modules"), Synchronous: "NORMAL"}
	release, err := flags.own()
	if err != nil {
		return err
	}
	s, err := flags.open(ctx, moduleFlags{AllowUpload: true, logKeptFlags: logKeptFlags{LogLines: 5000, LogDays: 30}}, log)
	if err != nil {
		return errors.Join(err, release())
	}
	capabilities, err := c.install(ctx, s, packages)
	if err == nil {
		err = s.app.FillDemo(ctx, capabilities...)
	}
	if err != nil {
		return errors.Join(err, s.close(), release())
	}
	serving := server{site: s, traces: traces, at: c.webFlags, log: log, ready: func(base string) error {
		c.welcome(t, base, packages)
		return nil
	}}
	return errors.Join(serving.run(ctx), s.close(), release())
}

// freshData makes the data folder, and says how to be rid of it.
func (c *demoCommand) freshData() (string, func(), error) {
	if c.Data == "" {
		dir, err := os.MkdirTemp("", "understudy-demo-")
		if err != nil {
			return "", nil, fmt.Errorf("make a data folder (choose one with --data): %w", err)
		}
		return dir, func() { _ = os.RemoveAll(dir) }, nil // temporary: what stays is the system's to sweep
	}
	entries, err := os.ReadDir(c.Data)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", nil, fmt.Errorf("read the data folder: %w", err)
	}
	if len(entries) > 0 {
		return "", nil, fmt.Errorf("%s is not empty, and the demo wants a fresh folder; to go on with what is there: understudy serve --data %s --modules %s",
			c.Data, c.Data, filepath.Join(c.Data, "modules"))
	}
	return c.Data, func() {}, nil
}

// shipped is the package of a module we ship.
type shipped struct {
	file string
	zip  []byte
}

// packages reads the shipped modules' packages; the download packages around them are left alone.
func (c *demoCommand) packages(ctx context.Context) ([]shipped, error) {
	if c.Bare {
		return nil, nil
	}
	dir := c.Packages
	if dir == "" {
		program, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find the shipped modules (name their folder with --packages): %w", err)
		}
		dir = filepath.Join(filepath.Dir(program), "..", "dist")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.zip"))
	if err != nil {
		return nil, fmt.Errorf("find the shipped modules: %w", err)
	}
	var list []shipped
	for _, file := range files {
		review, err := verifier().Verify(ctx, file)
		if err != nil {
			return nil, fmt.Errorf("check %s: %w", file, err)
		}
		if len(review.Inner) > 0 {
			continue
		}
		zip, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read a shipped module: %w", err)
		}
		list = append(list, shipped{filepath.Base(file), zip})
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no module package in %s: make them with `make build`, name their folder with --packages, or start with --bare", dir)
	}
	return list, nil
}

// install puts the shipped modules in and activates them, by the door an administrator uses, and
// lists the capabilities they bring.
func (c *demoCommand) install(ctx context.Context, s *site, packages []shipped) ([]crm.Capability, error) {
	var capabilities []crm.Capability
	for _, p := range packages {
		review, err := s.modules.Upload(ctx, crm.Operator(), p.file, bytes.NewReader(p.zip))
		if err != nil {
			return nil, fmt.Errorf("review %s: %w", p.file, err)
		}
		if _, err := s.modules.Install(ctx, crm.Operator(), review.StagedID); err != nil {
			return nil, fmt.Errorf("install %s: %w", p.file, err)
		}
		if err := s.modules.Activate(ctx, crm.Operator(), review.Manifest.ID); err != nil {
			return nil, fmt.Errorf("activate %s: %w", p.file, err)
		}
		// No process says yet which of them are of contacts; the name of one of those as one of staff
		// gives nothing.
		for _, key := range review.Manifest.Capabilities {
			capabilities = append(capabilities, crm.ModuleCapability(review.Manifest.ID, key))
		}
	}
	return capabilities, nil
}

func (c *demoCommand) welcome(t *terminal, base string, packages []shipped) {
	t.printf("\nUnderstudy %s, a demo on this machine alone: %s/admin\n\n", version, base)
	t.printf("  %-22s %-12s %s\n", "admin@example.com", "Ann Lee", "administrator")
	t.printf("  %-22s %-12s %s\n", "ben@example.com", "Ben Ortiz", "staff, role Support: holds what the shipped modules grant")
	t.printf("  %-22s %-12s %s\n", "cleo@example.com", "Cleo Park", "staff, role Sales: does not")
	t.printf("  %-22s %-12s %s\n", "jane@acme.example", "Jane Doe", "contact of Acme Ltd, signs in at "+base+"/login")
	t.printf("  %-22s %-12s %s\n", "omar@acme.example", "Omar Haddad", "contact of Acme Ltd, in Arabic")
	t.printf("  %-22s %-12s %s\n", "rosa@globex.example", "Rosa Diaz", "contact of Globex, in Spanish")
	t.printf("\nEverybody's password: %s\n", app.DemoPassword)
	if len(packages) == 0 {
		t.printf("No module is installed: Setup → Modules → Choose File (make build leaves packages in dist/).\n")
	}
	t.printf("Ctrl-C ends it.\n\n")
}
