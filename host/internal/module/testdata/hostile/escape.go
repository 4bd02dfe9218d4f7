//go:build linux

package main

import (
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// escape tries the ways around a filter and a file system's rules that are less worn.
func escape() {
	word := uintptr(unsafe.Pointer(new([256]byte)))
	call("io_uring_setup", unix.SYS_IO_URING_SETUP, 1, word)
	call("io_uring_enter", unix.SYS_IO_URING_ENTER, 0, 1)
	call("io_uring_register", unix.SYS_IO_URING_REGISTER, 0, 0)
	_, err := unix.MemfdCreate("program", unix.MFD_CLOEXEC)
	say("memfd", err)
	call("memfd_secret", unix.SYS_MEMFD_SECRET, 0)
	say("execveat", execveat())
	call("clone3", unix.SYS_CLONE3, word, 88)
	_, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.CLONE_NEWUSER|unix.SIGCHLD), 0, 0, 0, 0, 0)
	say("clone user namespace", errno)
	_, err = os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	say("own memory", err)
	_, err = os.OpenFile("/proc/self/oom_score_adj", os.O_WRONLY, 0)
	say("own rank", err)
	_, err = os.ReadDir("/proc/self/fd")
	say("own files", err)
	_, err = os.OpenFile("/sys/fs/cgroup/memory/cgroup.procs", os.O_WRONLY, 0)
	say("leave the control group", err)
	call("keyring", unix.SYS_KEYCTL, 0, 0xfffffffd, 1) // the session's, shared with the host
	call("add key", unix.SYS_ADD_KEY, word, word, word, 1, 0xfffffffd)
	call("type into the terminal", unix.SYS_IOCTL, 0, unix.TIOCSTI, word)
	call("paste into the console", unix.SYS_IOCTL, 0, unix.TIOCLINUX, word)
	call("seccomp listener", unix.SYS_PIDFD_GETFD, 3, 3, 0)
	say("be traced", unix.Prctl(unix.PR_SET_PTRACER, ^uintptr(0), 0, 0, 0))
	say("look like another", unix.Prctl(unix.PR_SET_MM, unix.PR_SET_MM_ARG_START, word, 0, 0))
	call("open by handle", unix.SYS_OPEN_BY_HANDLE_AT, ^uintptr(99), word, 0)
	call("raise nice", unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 0, ^uintptr(19))
	call("be first", unix.SYS_SCHED_SETATTR, 0, word, 0)
	_, err = unix.Mmap(-1, 0, 4096, unix.PROT_READ, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_HUGETLB)
	if err == nil {
		say("huge pages", nil)
	}
	run := os.Getenv("TMPDIR")
	say("link to a device", unix.Symlink("/dev/sda", filepath.Join(run, "device")))
	say("leave a link for the host", unix.Symlink("/etc", filepath.Join(run, "plugin-dir")))
	say("link its own socket's folder", unix.Link("/etc/passwd", filepath.Join(run, "hard")))
	say("other run folders", readDir(filepath.Dir(filepath.Dir(run))))
}

func readDir(name string) error {
	_, err := os.ReadDir(name)
	return err
}

// execveat executes what it has written, by the file and not by its name.
func execveat() error {
	name := filepath.Join(os.Getenv("TMPDIR"), "program")
	if err := os.WriteFile(name, []byte("#!/bin/sh\necho out\n"), 0o700); err != nil {
		return err
	}
	fd, err := unix.Open(name, unix.O_PATH, 0)
	if err != nil {
		return err
	}
	empty, argv := [1]byte{}, [2]uintptr{}
	_, _, errno := unix.Syscall6(unix.SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(&empty)), uintptr(unsafe.Pointer(&argv)), uintptr(unsafe.Pointer(&argv)), unix.AT_EMPTY_PATH, 0)
	return errno
}
