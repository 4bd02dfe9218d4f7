package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

type auditCommands struct {
	Verify auditVerifyCommand `cmd:"" help:"Check that no entry of the Activity Log was altered, removed or inserted."`
}

type auditVerifyCommand struct {
	dataFlags
	Mark []string `help:"A mark printed earlier, chain:number:seal: everything up to it must still be the same." placeholder:"MARK"`
	JSON bool     `help:"Print one JSON document."`
}

// Run checks the Activity Log: exit status 0 intact, 1 not.
func (c *auditVerifyCommand) Run(ctx context.Context, t *terminal) error {
	marks := make([]app.AuditMark, len(c.Mark))
	for i, text := range c.Mark {
		var err error
		if marks[i], err = app.ParseAuditMark(text); err != nil {
			return err
		}
	}
	return c.with(ctx, func(s *site) error {
		report, err := s.app.CheckAudit(ctx, crm.Operator(), marks...)
		if err != nil {
			return err
		}
		if err := c.print(t, report); err != nil {
			return err
		}
		if !report.Intact() {
			return errors.New("the Activity Log is not what was written: compare the database with a backup from before")
		}
		return nil
	})
}

func (c *auditVerifyCommand) print(t *terminal, r app.AuditReport) error {
	if c.JSON {
		type chain struct {
			Name    string `json:"name"`
			Mark    string `json:"mark"`
			Entries int64  `json:"entries"`
			Dropped int64  `json:"dropped"`
		}
		type fault struct {
			Chain string `json:"chain"`
			Kind  string `json:"kind"`
			Entry int64  `json:"entry"`
			ID    int64  `json:"id"`
		}
		out := struct {
			Intact   bool    `json:"intact"`
			Chains   []chain `json:"chains"`
			Unsealed int64   `json:"unsealed"`
			Faults   []fault `json:"faults"`
		}{Intact: r.Intact(), Chains: []chain{}, Unsealed: r.Unsealed, Faults: []fault{}}
		for _, k := range r.Chains {
			out.Chains = append(out.Chains, chain{k.Head.Chain, k.Head.String(), k.Entries, k.Dropped})
		}
		for _, f := range r.Faults {
			out.Faults = append(out.Faults, fault{f.Chain, f.Kind, f.Seq, f.ID})
		}
		text, err := json.MarshalIndent(out, "", "  ")
		if err != nil {
			return fmt.Errorf("print the report: %w", err)
		}
		t.printf("%s\n", text)
		return nil
	}
	for _, k := range r.Chains {
		t.printf("chain %s: %d entries, %d dropped for their age\nmark %s\n", k.Head.Chain, k.Entries, k.Dropped, k.Head)
	}
	if r.Unsealed > 0 {
		t.printf("%d entries from before entries were sealed: only their number is known\n", r.Unsealed)
	}
	for _, f := range r.Faults {
		t.printf("%s: entry %d of chain %q (id %d)\n", f.Kind, f.Seq, f.Chain, f.ID)
	}
	if r.Intact() {
		t.printf("intact\n")
	}
	return nil
}
