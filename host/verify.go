package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
)

type moduleVerifyCommand struct {
	sizeFlags
	sandboxFlags
	File   string `arg:"" help:"The package." type:"path"`
	Static bool   `help:"Look at the package only; run nothing of it."`
	JSON   bool   `name:"json" help:"Print one JSON document (understudy.module.verify/1) instead of lines."`
	Signer string `help:"The public key, or the file that holds it, by which the package must be signed." placeholder:"KEY"`
}

// Help is the command's page.
func (*moduleVerifyCommand) Help() string {
	return `The package goes through the checks of Setup → Modules and is then installed, activated, asked for its pages, killed and
stopped in a throw-away CRM of its own, with example people in it. Nothing of yours is touched.

For that its executable is run. It runs as it would in the CRM: on Linux held to the same sandbox (and with no network unless
the package asks for it), elsewhere with your own rights. Run what you don't trust with --static.

Exit status: 0 all well; 1 refused: a check or a point failed; 2 nothing could be found out: no such file, not readable,
wrong usage, interrupted. A package without an executable for this machine is looked at without being run, which is no failure.`
}

// unreadError is why a package could not be judged: the exit status is 2, and not 1.
type unreadError struct{ err error }

func (e *unreadError) Error() string { return e.err.Error() }

func (e *unreadError) Unwrap() error { return e.err }

// Run verifies a package. It prints only when all that ran has ended and its folder is gone.
func (c *moduleVerifyCommand) Run(ctx context.Context, t *terminal) error {
	f, err := c.examine(ctx)
	if ctx.Err() != nil {
		err = errors.New("interrupted: nothing is known of the package")
	}
	switch {
	case err != nil:
		f, err = nil, &unreadError{err}
	case !f.OK():
		err = c.verdict(f)
	}
	if c.JSON {
		return errors.Join(printVerifyJSON(t, c.File, f, err), err)
	}
	if f != nil && f.Review.Manifest.ID != "" {
		printFindings(t, f)
	}
	return err
}

// verdict says in one sentence why a package is refused.
func (c *moduleVerifyCommand) verdict(f *module.Findings) error {
	if f.Refusal != nil {
		return f.Refusal
	}
	if len(f.Review.Problems) > 0 {
		return &f.Review.Problems[0]
	}
	var failed []string
	for _, p := range f.Points {
		if p.Result == module.PointFailed {
			failed = append(failed, p.Name)
		}
	}
	return fmt.Errorf("%s is refused: %s failed", filepath.Base(c.File), strings.Join(failed, ", "))
}

// examine has a throw-away CRM look at the package.
func (c *moduleVerifyCommand) examine(ctx context.Context) (f *module.Findings, err error) {
	file, err := openInterruptible(ctx, c.File)
	if err != nil {
		return nil, err
	}
	defer file.file.Close()
	sweepFolders(os.TempDir(), verifyFolderPrefix, time.Hour)
	folder, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", verifyFolderPrefix, os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("make a folder to try the package in (choose where with TMPDIR): %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	flags := dataFlags{Data: folder, Modules: filepath.Join(folder, "modules"), Synchronous: "NORMAL"}
	rules := moduleFlags{AllowUpload: true, sizeFlags: c.sizeFlags, sandboxFlags: c.sandboxFlags}
	rules.RequireSignature = c.Signer != ""
	s, err := flags.open(ctx, rules, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	admin, err := c.people(ctx, s)
	if err != nil {
		return nil, err
	}
	return s.modules.Examine(ctx, admin, filepath.Base(c.File), file, c.Static)
}

const verifyFolderPrefix = "understudy-verify-"

// people fills the throw-away CRM and signs its administrator in.
func (c *moduleVerifyCommand) people(ctx context.Context, s *site) (crm.Who, error) {
	if c.Signer != "" {
		key := c.Signer
		if text, err := os.ReadFile(c.Signer); err == nil {
			key = string(text)
		}
		if _, err := s.app.AddTrustedKey(ctx, crm.Operator(), "Author", key); err != nil {
			return crm.Who{}, err
		}
	}
	if err := s.app.FillDemo(ctx); err != nil {
		return crm.Who{}, err
	}
	client := crm.Client{IP: "127.0.0.1", Browser: "understudy module verify"}
	secret, _, err := s.app.SignIn(ctx, crm.Admin, "admin@example.com", app.DemoPassword, client)
	if err != nil {
		return crm.Who{}, err
	}
	signed, err := s.app.Resolve(ctx, secret, client)
	return signed.Who, err
}

// interruptible is a file whose opening and reading ends with a context: a pipe nobody writes to
// would hold a Ctrl-C up for ever.
type interruptible struct {
	ctx  context.Context //nolint:containedctx // a Reader has no other way to learn of it
	file *os.File
}

func openInterruptible(ctx context.Context, name string) (*interruptible, error) {
	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder; make a package of it with: understudy module pack", name)
	}
	if err != nil {
		return nil, err
	}
	file, err := wait(ctx, func() (*os.File, error) { return os.Open(name) })
	return &interruptible{ctx, file}, err
}

// Read reads into a buffer of its own, which nobody else sees when it is given up.
func (f *interruptible) Read(p []byte) (int, error) {
	read, err := wait(f.ctx, func() ([]byte, error) {
		own := make([]byte, len(p))
		n, err := f.file.Read(own)
		return own[:n], err
	})
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	return copy(p, read), err
}

func wait[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := do()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// printFindings prints the review and how each point went. Whatever a package says stands after a
// word of ours on its line, and can neither begin a line nor move the cursor.
func printFindings(t *terminal, f *module.Findings) {
	own := &terminal{out: lineByLine{t.out}, errs: t.errs}
	printReview(own, f.Review)
	own.printf("size %d bytes\n\n", f.Review.Size)
	if f.Sandbox != nil {
		own.printf("run on %s/%s; held to: %s\n", runtime.GOOS, runtime.GOARCH, f.Sandbox)
	}
	for _, p := range f.Points {
		own.printf("%-8s %-13s %s\n", p.Result, p.Name, p.Reason)
		for _, w := range p.Warnings {
			own.printf("%-8s %-13s %s\n", "warning", p.Name, w)
		}
	}
	if len(f.Log) > 0 {
		own.printf("\nits last lines:\n")
	}
	for _, line := range f.Log {
		own.printf("  | %s\n", line)
	}
	if f.OK() {
		own.printf("\nall well: %s %s\n", f.Review.Manifest.ID, f.Review.Manifest.Version)
	}
}

// lineByLine takes from what is printed everything that isn't text or the end of a line.
type lineByLine struct{ out io.Writer }

// Write cleans and writes.
func (l lineByLine) Write(p []byte) (int, error) {
	lines := strings.Split(string(p), "\n")
	for i := range lines {
		lines[i] = module.Plain(lines[i])
	}
	_, err := io.WriteString(l.out, strings.Join(lines, "\n"))
	return len(p), err
}

func printVerifyJSON(t *terminal, file string, f *module.Findings, verdict error) error {
	out := json.NewEncoder(t.out)
	out.SetIndent("", "  ")
	if err := out.Encode(verifyDocument(file, f, verdict)); err != nil {
		return fmt.Errorf("print the findings: %w", err)
	}
	return nil
}
