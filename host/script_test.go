package main

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"understudy": func() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) },
		// Says the exit status, of which scripts see only whether it is zero.
		"understudy-status": func() {
			status := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)
			fmt.Println("status", status)
			os.Exit(status)
		},
	})
}

// The commands' stories are in testdata/script.
func TestCommands(t *testing.T) {
	pkg := hosttest.Package(t, "plugins/impersonation")
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PACKAGE", pkg)
			// No Go program runs there, so no test runs it by mistake.
			if err := os.WriteFile(e.WorkDir+"/foreign.elf", append([]byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00"), make([]byte, 44)...), 0o755); err != nil {
				return err
			}
			panics, err := os.ReadFile("internal/module/zipfile/testdata/panic.zip")
			if err != nil {
				return err
			}
			if err := os.WriteFile(e.WorkDir+"/panic.zip", panics, 0o600); err != nil {
				return err
			}
			e.Setenv("UNDERSTUDY_DATA", e.WorkDir+"/data")
			e.Setenv("UNDERSTUDY_MODULES", e.WorkDir+"/modules")
			return nil
		},
	})
}
