//go:build unix

package module

import (
	"syscall"
	"testing"
)

// freeze stops a process without ending it.
func freeze(t testing.TB, pid int) { signal(t, pid, syscall.SIGSTOP) }

// terminate asks a process to end.
func terminate(t testing.TB, pid int) { signal(t, pid, syscall.SIGTERM) }

func signal(t testing.TB, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}
