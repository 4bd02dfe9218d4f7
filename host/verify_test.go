package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/module"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// found is a package about which there is something to say in every respect.
func found() *module.Findings {
	return &module.Findings{
		Review: module.Review{
			SHA256: "ab", Size: 7, Platforms: []string{"linux/amd64"}, Signer: crm.Signer{KeyID: "0F", Trusted: true, Comment: "c"},
			Manifest: manifest.Manifest{
				ID: "hello", Name: "Hello", Version: "1.0.0", Author: "An\x1bn", Requires: manifest.Requires{Host: ">=3.1.0", Protocol: 1},
				Executables: map[string]string{"linux/amd64": "bin/hello"},
			},
			Grants:   []module.ReviewGrant{{Name: "network", Why: "To\u202e call."}},
			Warnings: []crm.Error{*crm.Refuse(crm.Invalid, "module_name_mixed", "Name", "H\u0435llo", "Scripts", "Cyrillic, Latin")},
			Problems: []crm.Error{*crm.Refuse(crm.Unavailable, "module_host_too_old", "Least", "9.0.0", "Host", version)},
		},
		Points: []module.Point{
			{Name: "start", Result: module.PointPassed, Reason: "at once", Warnings: []string{"slow"}},
			{Name: "pages", Result: module.PointFailed, Reason: "/: broken"},
		},
		Measured: module.Measured{ExecutableBytes: 1, DescriptionBytes: 2, Start: 3 * time.Millisecond, IdleBytes: 4},
		Sandbox:  &module.Level{Files: true},
		Log:      []string{"words"},
	}
}

// Others read this document: a name that changes breaks their builds.
func TestTheVerifyDocumentKeepsItsNames(t *testing.T) {
	var out bytes.Buffer
	c := &moduleVerifyCommand{File: "some/where/hello.zip"}
	f := found()
	if err := printVerifyJSON(&terminal{out: &out}, c.File, f, c.verdict(f)); err != nil {
		t.Fatal(err)
	}
	want := `{
  "format": "understudy.module.verify/1",
  "file": "hello.zip",
  "result": "refused",
  "reason": "This module requires at least v9.0.0 of the CRM. This is v3.1.0.",
  "code": "module_host_too_old",
  "host": "3.1.0",
  "platform": "` + runtime.GOOS + "/" + runtime.GOARCH + `",
  "sha256": "ab",
  "size": 7,
  "manifest": {
    "id": "hello",
    "name": "Hello",
    "version": "1.0.0",
    "author": "An\u001bn",
    "requires": {
      "host": "\u003e=3.1.0",
      "protocol": 1
    },
    "executables": {
      "linux/amd64": "bin/hello"
    }
  },
  "platforms": [
    "linux/amd64"
  ],
  "signer": {
    "key_id": "0F",
    "trusted": true,
    "comment": "c"
  },
  "grants": [
    {
      "name": "network",
      "meaning": "Open network connections to other machines.",
      "why": "To` + "\u202e" + ` call."
    }
  ],
  "problems": [
    {
      "code": "module_host_too_old",
      "reason": "This module requires at least v9.0.0 of the CRM. This is v3.1.0."
    }
  ],
  "warnings": [
    {
      "code": "module_name_mixed",
      "reason": "The module's name, “Hеllo”, mixes letters of several scripts (Cyrillic, Latin), so it may only look like a name you know. Make sure whose module it is before you install it."
    }
  ],
  "sandbox": "files",
  "points": [
    {
      "name": "start",
      "result": "passed",
      "reason": "at once",
      "warnings": [
        "slow"
      ]
    },
    {
      "name": "pages",
      "result": "failed",
      "reason": "/: broken",
      "warnings": []
    }
  ],
  "measured": {
    "executable_bytes": 1,
    "description_bytes": 2,
    "start_ms": 3,
    "idle_bytes": 4
  },
  "log": [
    "words"
  ]
}
`
	if out.String() != want {
		t.Errorf("it is\n%s", out.String())
	}
}

// Whatever a package says, it neither begins a line nor moves the cursor.
func TestAPackageCantWriteOnTheTerminal(t *testing.T) {
	var out bytes.Buffer
	f := found()
	f.Review.Manifest.Description = "good\r\x1b[2Kall well: hello 1.0.0"
	printFindings(&terminal{out: &out}, f)
	if strings.ContainsAny(out.String(), "\x1b\r\u202e") || strings.Contains(out.String(), "\nall well") {
		t.Errorf("%q", out.String())
	}
}

func TestWhatKilledProcessesLeftIsSwept(t *testing.T) {
	in := t.TempDir()
	old, young, ours := filepath.Join(in, "x-99999999-1"), filepath.Join(in, "x-99999998-1"), filepath.Join(in, "x-own-1")
	for _, folder := range []string{old, young, ours} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * time.Hour)
	if err := errors.Join(os.Chtimes(old, long, long), os.Chtimes(ours, long, long)); err != nil {
		t.Fatal(err)
	}
	sweepFolders(in, "x-", time.Hour)
	for folder, stays := range map[string]bool{old: false, young: true, ours: true} {
		if _, err := os.Stat(folder); (err == nil) != stays {
			t.Errorf("%s stays: %v", folder, !stays)
		}
	}
}

// Whoever interrupts a command must not be told that it did what it should have.
func TestAnInterruptedCommandSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	folder := t.TempDir()
	if status := run(ctx, []string{"module", "activate", "impersonation", "--data", folder, "--modules", folder}, &out, &errs); status != 1 || errs.Len() == 0 || out.Len() > 0 {
		t.Errorf("status %d, said %q and %q", status, out.String(), errs.String())
	}
}
