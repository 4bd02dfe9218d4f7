package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
)

type moduleKeygenCommand struct {
	Out        string `help:"The file for the secret key; it must not exist." required:"" type:"path"`
	NoPassword bool   `help:"Don't protect the key by a password: for machines that sign, with the file kept as a secret."`
}

// Run makes a publisher's key pair: the secret one to the file, the public one to standard output.
// The password is read from standard input.
func (c *moduleKeygenCommand) Run(t *terminal) error {
	password := ""
	if !c.NoPassword {
		var err error
		if password, err = readPassword(t); err != nil {
			return err
		}
	}
	secret, public, err := module.GenerateKey(password)
	if err != nil {
		return err
	}
	if err := writeSecret(c.Out, secret); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(t.errs, "Keep %s secret. The public key, for whoever installs what you sign:\n", c.Out)
	t.printf("%s", public)
	return nil
}

// writeSecret writes a file only its owner can read, and never over another.
func writeSecret(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the secret key: %w", err)
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the secret key: %w", err), os.Remove(path))
	}
	return nil
}

type moduleSignCommand struct {
	Package string `arg:"" help:"The package." type:"existingfile"`
	Key     string `help:"The secret key, made by keygen or by minisign." required:"" type:"existingfile"`
}

// Run signs a package in its place. A key's password is read from standard input.
func (c *moduleSignCommand) Run(t *terminal) error {
	pkg, err := os.ReadFile(c.Package)
	if err != nil {
		return fmt.Errorf("read the package: %w", err)
	}
	secret, err := os.ReadFile(c.Key)
	if err != nil {
		return fmt.Errorf("read the key: %w", err)
	}
	sign := func(password string) (id string, err error) {
		return id, writeFile(c.Package, 0o644, func(f *os.File) error {
			id, err = module.Sign(filepath.Base(c.Package), pkg, secret, password, time.Now(), f)
			return err
		})
	}
	id, err := sign("")
	if errors.Is(err, module.ErrKeyLocked) {
		password, wrong := readPassword(t)
		if wrong != nil {
			return wrong
		}
		id, err = sign(password)
	}
	if err != nil {
		return err
	}
	t.printf("signed %s with the key %s\n", c.Package, id)
	return nil
}

type moduleTrustCommands struct {
	Add    moduleTrustAddCommand    `cmd:"" help:"Trust a publisher: packages signed by this key are that publisher's."`
	List   moduleTrustListCommand   `cmd:"" help:"List the trusted keys."`
	Remove moduleTrustRemoveCommand `cmd:"" help:"Trust a key no longer. What is installed goes on."`
}

type moduleTrustAddCommand struct {
	dataFlags
	Key  string `arg:"" help:"The public key, or the file that holds it."`
	Name string `help:"Whose key it is." required:""`
}

// Run trusts a key.
func (c *moduleTrustAddCommand) Run(ctx context.Context, t *terminal) error {
	text := c.Key
	if file, err := os.ReadFile(c.Key); err == nil {
		text = string(file)
	}
	return c.with(ctx, func(s *site) error {
		k, err := s.app.AddTrustedKey(ctx, crm.Operator(), c.Name, text)
		if err != nil {
			return err
		}
		t.printf("trusts %s\t%s\n", k.KeyID, k.Name)
		return nil
	})
}

type moduleTrustListCommand struct{ dataFlags }

// Run lists trusted keys.
func (c *moduleTrustListCommand) Run(ctx context.Context, t *terminal) error {
	return c.with(ctx, func(s *site) error {
		keys, err := s.app.TrustedKeys(ctx, crm.Operator())
		if err != nil {
			return err
		}
		for _, k := range keys {
			t.printf("%s\t%s\t%s\tadded %s by %s\n", k.KeyID, k.PublicKey, k.Name, k.AddedAt.Format(time.DateOnly), k.AddedBy)
		}
		return nil
	})
}

type moduleTrustRemoveCommand struct {
	dataFlags
	KeyID string `arg:"" help:"The key's id, as the list shows it."`
}

// Run trusts a key no longer.
func (c *moduleTrustRemoveCommand) Run(ctx context.Context, t *terminal) error {
	return c.with(ctx, func(s *site) error {
		if err := s.app.RemoveTrustedKey(ctx, crm.Operator(), c.KeyID); err != nil {
			return err
		}
		t.printf("trusts %s no longer\n", strings.ToUpper(c.KeyID))
		return nil
	})
}

type moduleGrantsCommand struct {
	dataFlags
	ID   string   `arg:"" help:"The module's id."`
	Only []string `help:"Give it these of the grants it asks for, and no other." placeholder:"GRANT" xor:"grants"`
	None bool     `help:"Give it no grant at all." xor:"grants"`
	All  bool     `help:"Give it every grant it asks for." xor:"grants"`
}

// Run changes a module's grants, when told to, and lists them.
func (c *moduleGrantsCommand) Run(ctx context.Context, t *terminal) error {
	return c.with(ctx, func(s *site) error {
		grants, err := s.modules.Grants(ctx, crm.Operator(), c.ID)
		if err != nil {
			return err
		}
		if len(c.Only) > 0 || c.None || c.All {
			wanted := c.Only
			if c.All {
				wanted = nil
				for _, g := range grants {
					wanted = append(wanted, g.Name)
				}
			}
			if err := s.modules.SetGrants(ctx, crm.Operator(), c.ID, wanted); err != nil {
				return err
			}
			if grants, err = s.modules.Grants(ctx, crm.Operator(), c.ID); err != nil {
				return err
			}
		}
		for _, g := range grants {
			state := "granted"
			if g.Withdrawn {
				state = "withdrawn"
			} else if g.New {
				state = "not granted yet"
			}
			t.printf("%s\t%s\t%s\n", g.Name, state, g.Why)
		}
		return nil
	})
}

type moduleAcceptCommand struct {
	dataFlags
	signatureFlags
	sandboxFlags
	ID   string `arg:"" help:"The module's id."`
	Drop bool   `help:"Don't: forget the waiting version; the installed one goes on."`
}

// Run accepts what a waiting version asks for, or drops it.
func (c *moduleAcceptCommand) Run(ctx context.Context, t *terminal) error {
	return c.withModules(ctx, moduleFlags{signatureFlags: c.signatureFlags, sandboxFlags: c.sandboxFlags}, func(s *site) error {
		if c.Drop {
			if err := s.modules.DropWaiting(ctx, crm.Operator(), c.ID); err != nil {
				return err
			}
			t.printf("dropped the waiting version of %s\n", c.ID)
			return nil
		}
		m, err := s.modules.AcceptGrants(ctx, crm.Operator(), c.ID)
		if err != nil {
			return err
		}
		t.printf("installed %s %s\n", m.ID, m.Version)
		return nil
	})
}

// printSigner says who signed a package, and of a key nobody trusts how to.
func printSigner(t *terminal, s crm.Signer) {
	switch {
	case !s.Signed():
		t.printf("not signed\n")
	case s.Trusted:
		t.printf("signed by %s, key %s, trusted: %s\n", s.Name, s.KeyID, s.Comment)
	default:
		t.printf("signed by the key %s, which isn't trusted here; to trust it get its public key from the author, by another way than the package, and run\n"+
			"  understudy module trust add PUBLIC-KEY --name AUTHOR\n", s.KeyID)
	}
}
