package main

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/understudy-crm/understudy/host/internal/hosttest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"understudy": func() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// The commands' stories are in testdata/script.
func TestCommands(t *testing.T) {
	pkg := hosttest.Package(t, "plugins/impersonation")
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PACKAGE", pkg)
			e.Setenv("UNDERSTUDY_DATA", e.WorkDir+"/data")
			e.Setenv("UNDERSTUDY_MODULES", e.WorkDir+"/modules")
			return nil
		},
	})
}
