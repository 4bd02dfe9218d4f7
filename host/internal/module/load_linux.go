package module

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// spent is the processor time the process has used so far.
func (c *child) spent() (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join("/proc", c.ID(), "stat"))
	if err != nil {
		return 0, err
	}
	// What follows the program's name, which is in brackets and may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const user, system = 11, 12
	if len(fields) <= system {
		return 0, errors.New("the kernel tells of no processor time")
	}
	var ticks int64
	for _, i := range []int{user, system} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	const perSecond = 100 // USER_HZ, the same everywhere
	return time.Duration(ticks) * time.Second / perSecond, nil
}

// yield has all threads of the process, and those they start, stand back for everybody else's.
func (c *child) yield() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reaped || c.cmd.Process == nil {
		return os.ErrProcessDone
	}
	return unix.Setpriority(unix.PRIO_PGRP, c.cmd.Process.Pid, 19)
}
