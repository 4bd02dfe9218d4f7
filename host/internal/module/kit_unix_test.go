//go:build unix

package module

import (
	"syscall"
	"testing"
)

// freeze stops a process without ending it.
func freeze(t testing.TB, pid int) { signal(t, pid, syscall.SIGSTOP) }

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
