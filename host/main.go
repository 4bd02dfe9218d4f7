// Command understudy is a CRM whose features arrive as modules.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is the host's own; modules say which they need.
const version = "3.1.0"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run runs one command and returns the exit status: 0 done, 1 refused or failed, 2 not understood.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	var c commands
	status := -1
	parser, err := kong.New(&c, kong.Name("understudy"), kong.Description("A CRM whose features arrive as modules."), kong.UsageOnError(),
		kong.Writers(out, errs), kong.Exit(func(code int) { status = code }), kong.Vars{"version": version, "log_level": "INFO"})
	if err != nil {
		fmt.Fprintln(errs, err)
		return 2
	}
	command, err := parser.Parse(args)
	if status >= 0 {
		return status // help was asked for, and given
	}
	if err != nil {
		fmt.Fprintf(errs, "understudy: %v\nTry understudy --help.\n", err)
		return 2
	}
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run(&terminal{out: out, errs: errs})
	errs = lineByLine{errs} // a sentence may quote a stranger's file
	if unread, ok := errors.AsType[*unreadError](err); ok {
		fmt.Fprintln(errs, "understudy:", sentence(unread.err))
		return 2
	}
	if errors.Is(err, context.Canceled) && slices.Contains([]string{"serve", "demo"}, command.Command()) {
		return 0 // so these end
	}
	if err != nil {
		fmt.Fprintln(errs, "understudy:", sentence(err))
		return 1
	}
	return 0
}
