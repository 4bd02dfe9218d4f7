package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

type adminCommands struct {
	Create      adminCreateCommand      `cmd:"" help:"Add an administrator. The password is read from standard input, one line."`
	SetPassword adminSetPasswordCommand `cmd:"" name:"set-password" help:"Set anybody's password; it is read from standard input, one line."`
}

type adminCreateCommand struct {
	dataFlags
	Email string `arg:"" help:"The address to sign in with."`
	Name  string `help:"The person's name." required:""`
}

// Run adds an administrator.
func (c *adminCreateCommand) Run(ctx context.Context, t *terminal) error {
	return c.with(ctx, func(s *site) error {
		password, err := readPassword(t)
		if err != nil {
			return err
		}
		if _, err := s.app.CreateAdministrator(ctx, crm.Operator(), c.Name, c.Email, password); err != nil {
			return err
		}
		t.printf("%s is an administrator and signs in at /admin/login.\n", c.Email)
		return nil
	})
}

type adminSetPasswordCommand struct {
	dataFlags
	Email   string `arg:"" help:"The address the person signs in with."`
	Contact bool   `help:"The person is a contact, not on the staff."`
}

// Run sets a password.
func (c *adminSetPasswordCommand) Run(ctx context.Context, t *terminal) error {
	return c.with(ctx, func(s *site) error {
		password, err := readPassword(t)
		if err != nil {
			return err
		}
		kind := crm.Staff
		if c.Contact {
			kind = crm.Contact
		}
		if err := s.app.SetPassword(ctx, crm.Operator(), kind, c.Email, password); err != nil {
			return err
		}
		t.printf("%s has a new password and is signed out everywhere.\n", c.Email)
		return nil
	})
}

func readPassword(t *terminal) (string, error) {
	_, _ = fmt.Fprint(t.errs, "Password: ")
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", fmt.Errorf("no password on standard input: %w", err)
	}
	return line, nil
}
