//go:build unix

package module

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// freeze stops a process without ending it.
func freeze(t testing.TB, pid int) {
	t.Helper()
	signal(t, pid, syscall.SIGSTOP)
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return // where nobody tells, it is taken for done
	}
	eventually(t, "the process stands still", func() bool { // a signal takes a moment to reach every thread
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, after, _ := strings.Cut(string(stat), ") ")
		return err != nil || strings.HasPrefix(after, "T")
	})
}

// resume lets a frozen process go on.
func resume(t testing.TB, pid int) { signal(t, pid, syscall.SIGCONT) }

// terminate asks a process to end.
func terminate(t testing.TB, pid int) { signal(t, pid, syscall.SIGTERM) }

func signal(t testing.TB, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}
