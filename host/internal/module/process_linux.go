package module

import (
	"errors"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// confine puts the child into a process group of its own and has the kernel kill it when the
// thread that starts it ends.
func confine(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// reap waits for the child's end, kills what the child has left behind, and only then gives up its
// process id: until that moment no other process can get the id, so the kill hits nobody else.
func (c *child) reap() {
	for {
		err := unix.Waitid(unix.P_PID, c.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = killGroup(c.cmd.Process)
	_ = c.cmd.Wait() // how it ended is in ProcessState
	c.reaped = true
}

// killGroup ends the child and all it started. Only for children not yet reaped.
func killGroup(p *os.Process) error {
	err := unix.Kill(-p.Pid, unix.SIGKILL)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// signalOf names the signal that ended a process, empty when none did.
func signalOf(state *os.ProcessState) string {
	status, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return ""
	}
	return unix.SignalName(status.Signal())
}

// noExec tells whether the folder's file system refuses to run programs.
func noExec(folder string) bool {
	var stat unix.Statfs_t
	return unix.Statfs(folder, &stat) == nil && stat.Flags&unix.ST_NOEXEC != 0
}

// syncFolder makes the names in a folder durable.
func syncFolder(f *os.File) error { return f.Sync() }
