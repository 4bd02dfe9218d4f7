package module

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// A module that stands still is named within the time it has for a decision, and no longer once it
// goes on.
func TestASilentModuleIsNamedByThePing(t *testing.T) {
	s := newStage(t, func(q *timing) { q.hook = 200 * time.Millisecond })
	s.active(kit{})
	pid := s.pid("sample")
	freeze(t, pid)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	if err := s.m.PingSwitch(t.Context()); err == nil || !strings.Contains(err.Error(), "module sample:") {
		t.Errorf("it stands still: %v", err)
	}
	resume(t, pid)
	eventually(t, "it answers again", func() bool { return s.m.PingSwitch(t.Context()) == nil })
}
