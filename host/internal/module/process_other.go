//go:build !linux

package module

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
)

// confine does nothing here: no parent-death signal exists. The watchdog in the SDK ends a module
// whose host is gone.
func confine(*exec.Cmd) {}

// reap waits for the child's end.
func (c *child) reap() {
	_ = c.cmd.Wait() // how it ended is in ProcessState
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reaped = true
}

// killGroup ends the child.
func killGroup(p *os.Process) error {
	err := p.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// signalOf does not know signals here; the state's own words say what happened.
func signalOf(*os.ProcessState) string { return "" }

// noExec can't tell here.
func noExec(string) bool { return false }

// syncFolder makes the names in a folder durable, where folders can be synced at all.
func syncFolder(f *os.File) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	return f.Sync()
}
