package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
)

type moduleRollbackCommand struct {
	dataFlags
	signatureFlags
	sandboxFlags
	ID   string `arg:"" help:"The module's id."`
	To   string `help:"Go to this one of the versions kept, or to the one whose package's SHA-256 begins so; by default to the newest." placeholder:"VERSION"`
	List bool   `help:"Go nowhere; list the versions kept."`
}

// Run goes to a version the module had before, or lists them.
func (c *moduleRollbackCommand) Run(ctx context.Context, t *terminal) error {
	return c.withModules(ctx, moduleFlags{signatureFlags: c.signatureFlags, sandboxFlags: c.sandboxFlags}, func(s *site) error {
		versions, err := s.modules.Versions(ctx, crm.Operator(), c.ID)
		if err != nil {
			return err
		}
		if c.List {
			printVersions(t, versions)
			return nil
		}
		sha256, err := c.chosen(versions)
		if err != nil {
			return err
		}
		m, err := s.modules.RollBack(ctx, crm.Operator(), c.ID, sha256)
		if err != nil {
			return err
		}
		t.printf("installed %s %s again; stored data stays as it was\n", m.ID, m.Version)
		return nil
	})
}

// chosen finds the version asked for; of two packages of one version the newer.
func (c *moduleRollbackCommand) chosen(versions []module.Version) (string, error) {
	const leastOfSum = 8
	var numbers []string
	for _, v := range versions {
		if c.To == "" || v.KeptVersion.Version == c.To || (len(c.To) >= leastOfSum && strings.HasPrefix(v.SHA256, strings.ToLower(c.To))) {
			return v.SHA256, nil
		}
		numbers = append(numbers, v.KeptVersion.Version)
	}
	if len(versions) == 0 {
		return "", fmt.Errorf("no other version of %s is kept: nothing has been installed over this one yet", c.ID)
	}
	return "", fmt.Errorf("version %s of %s is not kept; kept are: %s", c.To, c.ID, strings.Join(numbers, ", "))
}

func printVersions(t *terminal, versions []module.Version) {
	for _, v := range versions {
		t.printf("%s\treplaced %s\tSHA-256 %s\tsigned by %s\n", v.KeptVersion.Version, v.ReplacedAt.Format("2006-01-02 15:04"), v.SHA256, v.Signer)
		for _, g := range v.Gains {
			t.printf("\tgets the grant %s: %s\n", g.Name, g.Why)
		}
		for _, g := range v.Loses {
			t.printf("\tloses the grant %s\n", g.Name)
		}
		if v.WhyNot != nil {
			t.printf("\tcan't be gone to here: %s\n", sentence(v.WhyNot))
		}
	}
}
