// Package hosttest is the kit for testing the host with real parts: a real database, a real
// browser. What a machine lacks is said loudly and skipped, and in CI it is required.
package hosttest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Missing ends the test because this machine lacks what ("postgres", "browser", "assets").
// It skips, or fails when UNDERSTUDY_TEST_REQUIRE is "all" or its comma-separated list holds what.
func Missing(t testing.TB, what, why string) {
	t.Helper()
	for required := range strings.SplitSeq(os.Getenv("UNDERSTUDY_TEST_REQUIRE"), ",") {
		if required = strings.TrimSpace(required); required == "all" || required == what {
			t.Fatalf("%s is required by UNDERSTUDY_TEST_REQUIRE and missing: %s", what, why)
		}
	}
	t.Skipf("NOT TESTED, %s is missing: %s", what, why)
}

// Root is the top folder of the repository.
func Root(t testing.TB) string {
	t.Helper()
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func findRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find the repository: no go.mod above %s", start)
		}
	}
}

// processDir makes a temporary folder for something that lives as long as this test process.
// A process has no last moment to tidy in, so each removes what dead ones left behind.
func processDir(kind string) (string, error) {
	prefix := "understudy-" + kind + "-"
	old, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	if err != nil {
		return "", fmt.Errorf("look for old %s folders: %w", kind, err)
	}
	for _, dir := range old {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), prefix), "-")
		if pid, err := strconv.Atoi(owner); err == nil && !alive(pid) {
			// Another process may be sweeping too; what stays is taken by the next.
			_ = os.RemoveAll(dir)
		}
	}
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", prefix, os.Getpid()))
	if err != nil {
		return "", fmt.Errorf("make a %s folder: %w", kind, err)
	}
	return dir, nil
}

func alive(pid int) bool {
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	if runtime.GOOS == "windows" {
		return true
	}
	err = process.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, os.ErrPermission)
}
