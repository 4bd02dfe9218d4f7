package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
)

type moduleCommands struct {
	List       moduleListCommand       `cmd:"" help:"List the installed modules."`
	Verify     moduleVerifyCommand     `cmd:"" help:"Check a package as the installer would, run it through the conformance kit, and print its review."`
	Install    moduleInstallCommand    `cmd:"" help:"Install a package, or upgrade to it."`
	Activate   moduleActivateCommand   `cmd:"" help:"Allow an installed module to run."`
	Deactivate moduleDeactivateCommand `cmd:"" help:"Stop a module."`
	Uninstall  moduleUninstallCommand  `cmd:"" help:"Remove a module that is not active."`
	Export     moduleExportCommand     `cmd:"" help:"Write what a module keeps to a file."`
	Pack       modulePackCommand       `cmd:"" help:"Make a package of a folder."`
	Bundle     moduleBundleCommand     `cmd:"" help:"Make the download package: a package, its documentation and the licence."`
	Grants     moduleGrantsCommand     `cmd:"" help:"List what a module may ask of the host, or change it."`
	Accept     moduleAcceptCommand     `cmd:"" help:"Accept the new grants of a version that waits for that."`
	Rollback   moduleRollbackCommand   `cmd:"" help:"Go back to a version the module had before, or forward again."`
	Keygen     moduleKeygenCommand     `cmd:"" help:"Make a publisher's key pair."`
	Sign       moduleSignCommand       `cmd:"" help:"Sign a package, as minisign would sign its SHA256SUMS."`
	Trust      moduleTrustCommands     `cmd:"" help:"Say whose packages are trusted."`
}

type moduleListCommand struct {
	dataFlags
	Host string `help:"Before an upgrade of the CRM: say which modules would not run on this version of it. Exit status 1 when an activated one wouldn't." placeholder:"VERSION"`
}

// Run lists modules.
func (c *moduleListCommand) Run(ctx context.Context, t *terminal) error {
	return c.with(ctx, func(s *site) error {
		modules := s.modules
		if c.Host != "" {
			wanted, err := semver.NewVersion(c.Host)
			if err != nil {
				return fmt.Errorf("--host %s: give a version such as %s", c.Host, version)
			}
			modules = module.New(module.Options{App: s.app, HostVersion: wanted.String()})
		}
		list, err := modules.Modules(ctx, crm.Operator())
		if err != nil {
			return err
		}
		var left []string
		for _, m := range list {
			t.printf("%s\t%s\t%s\n", m.ID, m.Version, stateText(m))
			if m.WhyNot != nil && m.Activated {
				left = append(left, m.ID)
			}
		}
		if c.Host != "" && len(left) > 0 {
			return fmt.Errorf("%s would not run on %s: look for a newer version first", strings.Join(left, ", "), c.Host)
		}
		return nil
	})
}

func stateText(m module.Row) string {
	state := "inactive"
	if m.Activated {
		state = "activated"
	}
	if m.Problem != nil {
		state = "failed: " + sentence(m.Problem)
	}
	if m.WhyNot != nil {
		state += "; can't run: " + sentence(m.WhyNot)
	}
	return state
}

// verifier checks packages without a database.
func verifier() *module.Manager { return module.New(module.Options{HostVersion: version}) }

// printReview begins each line with a word of ours: a description may read like a signature.
func printReview(t *terminal, r module.Review) {
	t.printf("module %s %s by %s\nabout %s\nSHA-256 %s\nneeds the CRM %s\nplatforms %s\n", r.Manifest.Name, r.Manifest.Version, r.Manifest.Author, r.Manifest.Description,
		r.SHA256, r.Manifest.Requires.Host, strings.Join(r.Platforms, " "))
	printSigner(t, r.Signer)
	if r.SignerChanged {
		t.printf("the installed version was signed by %s\n", r.InstalledSigner)
	}
	for _, g := range r.Grants {
		t.printf("grant %s: %s\n", g.Name, g.Why)
	}
	for _, w := range r.Warnings {
		t.printf("warning %s\n", sentence(&w))
	}
	for _, p := range r.Problems {
		t.printf("can't be activated here: %s\n", sentence(&p))
	}
}

type moduleInstallCommand struct {
	dataFlags
	sizeFlags
	signatureFlags
	sandboxFlags
	File      string `arg:"" help:"The package." type:"existingfile"`
	Reinstall bool   `help:"Install the version that is installed already once more."`
	Downgrade bool   `help:"Install an older version over a newer one."`
}

// Run installs a package.
func (c *moduleInstallCommand) Run(ctx context.Context, t *terminal) error {
	return c.withModules(ctx, moduleFlags{AllowUpload: true, sizeFlags: c.sizeFlags, signatureFlags: c.signatureFlags, sandboxFlags: c.sandboxFlags}, func(s *site) error {
		file, err := os.Open(c.File)
		if err != nil {
			return fmt.Errorf("read the package: %w", err)
		}
		defer file.Close()
		review, err := s.modules.Upload(ctx, crm.Operator(), filepath.Base(c.File), file)
		if err != nil {
			return err
		}
		if err := isPackage(review); err != nil {
			return err
		}
		printReview(t, review)
		if err := c.confirmed(review); err != nil {
			return errors.Join(err, s.modules.DropReview(ctx, crm.Operator(), review.StagedID))
		}
		m, err := s.modules.Install(ctx, crm.Operator(), review.StagedID)
		if err != nil {
			return err
		}
		if m.Waiting {
			t.printf("%s %s asks for more than the installed version and waits; to accept that: understudy module accept %s\n", m.ID, m.Version, m.ID)
			return nil
		}
		t.printf("installed %s %s\n", m.ID, m.Version)
		return nil
	})
}

// confirmed asks for the word that the page asks for by a button of its own.
func (c *moduleInstallCommand) confirmed(r module.Review) error {
	switch {
	case r.Change == "reinstall" && !c.Reinstall:
		return fmt.Errorf("%s %s is already installed: to install it once more, add --reinstall", r.Manifest.ID, r.Manifest.Version)
	case r.Change == "downgrade" && !c.Downgrade:
		return fmt.Errorf("%s %s is installed, and %s is older: to go back to it, add --downgrade", r.Manifest.ID, r.InstalledVersion, r.Manifest.Version)
	}
	return nil
}

// isPackage refuses the download package around a module's own.
func isPackage(r module.Review) error {
	if len(r.Inner) == 0 {
		return nil
	}
	return fmt.Errorf("this is the download package; what can be installed is inside it: %s", strings.Join(r.Inner, ", "))
}

type moduleActivateCommand struct {
	dataFlags
	sandboxFlags
	ID string `arg:"" help:"The module's id."`
}

// Run activates a module.
func (c *moduleActivateCommand) Run(ctx context.Context, t *terminal) error {
	return c.withModules(ctx, moduleFlags{sandboxFlags: c.sandboxFlags}, func(s *site) error {
		if err := s.modules.Activate(ctx, crm.Operator(), c.ID); err != nil {
			return err
		}
		t.printf("activated %s\n", c.ID)
		return nil
	})
}

type moduleDeactivateCommand struct {
	dataFlags
	ID string `arg:"" help:"The module's id."`
}

// Run deactivates a module.
func (c *moduleDeactivateCommand) Run(ctx context.Context, t *terminal) error {
	return c.with(ctx, func(s *site) error {
		if err := s.modules.Deactivate(ctx, crm.Operator(), c.ID); err != nil {
			return err
		}
		t.printf("deactivated %s\n", c.ID)
		return nil
	})
}

type moduleUninstallCommand struct {
	dataFlags
	ID         string `arg:"" help:"The module's id."`
	DeleteData string `help:"Delete its settings, log and values, too: type the module's name." placeholder:"NAME"`
}

// Run uninstalls a module.
func (c *moduleUninstallCommand) Run(ctx context.Context, t *terminal) error {
	return c.with(ctx, func(s *site) error {
		if err := s.modules.Uninstall(ctx, crm.Operator(), c.ID, c.DeleteData != "", c.DeleteData); err != nil {
			return err
		}
		t.printf("uninstalled %s\n", c.ID)
		return nil
	})
}

type modulePackCommand struct {
	Folder   string   `arg:"" help:"A folder with module.json, the executables it names, languages/ and assets/." type:"existingdir"`
	Out      string   `help:"The package to write." required:"" type:"path"`
	Platform []string `help:"Only these platforms, as os/arch; by default those whose executable is there."`
}

// Run packs a folder.
func (c *modulePackCommand) Run(t *terminal) error {
	err := writeFile(c.Out, 0o644, func(f *os.File) error { return module.Pack(c.Folder, f, c.Platform) })
	if err != nil {
		return err
	}
	t.printf("wrote %s\n", c.Out)
	return nil
}

type moduleBundleCommand struct {
	Package string `arg:"" help:"The package." type:"existingfile"`
	Docs    string `help:"The folder of the user documentation." required:"" type:"existingdir"`
	License string `help:"The licence." required:"" type:"existingfile"`
	Out     string `help:"The folder to write to." required:"" type:"existingdir"`
}

// Run writes the download package, named after the module and its version.
func (c *moduleBundleCommand) Run(ctx context.Context, t *terminal) error {
	review, err := verifier().Verify(ctx, c.Package)
	if err != nil {
		return err
	}
	pkg, err := os.ReadFile(c.Package)
	if err != nil {
		return fmt.Errorf("read the package: %w", err)
	}
	out := filepath.Join(c.Out, review.Manifest.ID+"-"+review.Manifest.Version+".zip")
	if err := writeFile(out, 0o644, func(f *os.File) error { return module.Bundle(pkg, c.Docs, c.License, f) }); err != nil {
		return err
	}
	t.printf("wrote %s\n", out)
	return nil
}

// writeFile writes beside and renames, so that a failure leaves no half a file.
func writeFile(path string, mode os.FileMode, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".writing-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = errors.Join(write(f), f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}
