package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

type doctorCommand struct {
	serveCommand
	JSON   bool `help:"Print one JSON document."`
	Strict bool `help:"Let warnings count as failures."`
}

// Help is the command's page.
func (*doctorCommand) Help() string {
	return `Give it what understudy serve is given, as the same user: the same flags, or the same environment. It looks at the folders,
the machine, the database, the modules, the clock, and how the CRM is reached, and says of each thing that is wrong what to do.
It changes nothing.

Exit status: 0 nothing is wrong, though there may be warnings; 1 something is; 2 wrong usage, or interrupted.`
}

// Severity of a finding.
const (
	well    = "ok"
	warning = "warning"
	failure = "failure"
)

// finding is one thing that was looked at.
type finding struct {
	Area  string `json:"area"`
	State string `json:"state"`
	Says  string `json:"says"`
	Do    string `json:"do,omitempty"` // what to do about it; there is something unless all is well
}

// doctor gathers findings.
type doctor struct {
	findings []finding
}

func (d *doctor) ok(area, says string, args ...any) {
	d.findings = append(d.findings, finding{area, well, fmt.Sprintf(says, args...), ""})
}

func (d *doctor) warn(area, do, says string, args ...any) {
	d.findings = append(d.findings, finding{area, warning, fmt.Sprintf(says, args...), do})
}

func (d *doctor) fail(area, do, says string, args ...any) {
	d.findings = append(d.findings, finding{area, failure, fmt.Sprintf(says, args...), do})
}

func (d *doctor) has(state string) bool {
	return slices.ContainsFunc(d.findings, func(f finding) bool { return f.State == state })
}

const doctorTimeout = time.Minute

// Run looks at everything and says what it found.
func (c *doctorCommand) Run(ctx context.Context, t *terminal) error {
	bounded, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	d := &doctor{}
	c.checkFolders(d)
	c.checkMachine(d)
	c.checkDatabase(bounded, d)
	c.checkWeb(d)
	if ctx.Err() != nil {
		return &unreadError{errors.New("interrupted")}
	}
	if err := c.print(t, d); err != nil {
		return err
	}
	if d.has(failure) || (c.Strict && d.has(warning)) {
		return errors.New("something is wrong: see above")
	}
	return nil
}

func (c *doctorCommand) print(t *terminal, d *doctor) error {
	if !c.JSON {
		for _, f := range d.findings {
			t.printf("%-8s %-9s %s\n", f.State, f.Area, f.Says)
			if f.Do != "" {
				t.printf("%18s %s\n", "→", f.Do)
			}
		}
		return nil
	}
	state := well
	for _, s := range []string{warning, failure} {
		if d.has(s) {
			state = s
		}
	}
	text, err := json.MarshalIndent(struct {
		Kind     string    `json:"kind"`
		Version  string    `json:"version"`
		State    string    `json:"state"`
		Findings []finding `json:"findings"`
	}{"understudy.doctor/1", version, state, d.findings}, "", "  ")
	if err != nil {
		return fmt.Errorf("print the findings: %w", err)
	}
	t.printf("%s\n", text)
	return nil
}

// amount says bytes as people read them.
func amount(bytes uint64) string {
	const step = 1000.0
	value, unit := float64(bytes), "B"
	for _, next := range []string{"kB", "MB", "GB", "TB"} {
		if value < step {
			break
		}
		value, unit = value/step, next
	}
	return fmt.Sprintf("%.3g %s", value, unit)
}
