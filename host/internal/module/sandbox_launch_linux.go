package module

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// becomeModule is the launcher. It confines the thread it runs on, which is all that is left of
// the process when it becomes the module, and never returns.
func becomeModule(text string) {
	runtime.LockOSThread()
	var e enclosure
	err := json.Unmarshal([]byte(text), &e)
	if err == nil {
		err = e.launch()
	}
	// Where nobody listens, a person has tried the command by hand.
	if tell(report{Problem: err.Error(), NoProgram: errors.Is(err, errNoProgram)}, -1) != nil {
		fmt.Fprintln(os.Stderr, "understudy:", err)
	}
	os.Exit(1)
}

// launch goes from what needs the most rights to what leaves the fewest. It returns only when the
// module did not start.
func (e enclosure) launch() error {
	if err := closeOnExec(); err != nil {
		return err
	}
	level := Level{Granted: e.Network}
	libraries := needsLibraries()
	level.Resources = limitResources() == nil
	err := e.dropPrivileges()
	if err != nil {
		return err
	}
	if level.Landlock, err = e.restrictFiles(libraries); err != nil {
		return fmt.Errorf("confine to its folders: %w", err)
	}
	level.Files = level.Landlock > 0
	listener, err := e.filterCalls(level.Landlock)
	level.Network, level.Privileges = err == nil, err == nil
	level.Sockets = err == nil && listener >= 0
	refused := !level.Reaches(e.Require)
	if err := tell(report{Level: level, Refused: refused}, listener); err != nil || refused {
		return errors.Join(errors.New("refused"), err)
	}
	return execute(e.Program)
}

// closeOnExec keeps every open file but the standard ones from the module.
func closeOnExec() error {
	if unix.CloseRange(executableFD, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return nil
	}
	for _, fd := range []uintptr{executableFD, reportFD} {
		if _, err := unix.FcntlInt(fd, unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			return fmt.Errorf("keep the launcher's files: %w", err)
		}
	}
	return nil
}

// Bounds of one module's process. Go's own reservations take most of the address space: a module
// at rest holds some 15 MB of data. Shared memory counts as address space only, so both are bound.
const (
	maxAddressSpace = 2 << 30
	maxData         = 1 << 30
	maxFileSize     = 256 << 20
	maxOpenFiles    = 512
	moreThreads     = 1024
)

func limitResources() error {
	limits := []struct {
		what  int
		value uint64
	}{
		{unix.RLIMIT_NOFILE, maxOpenFiles},
		{unix.RLIMIT_DATA, maxData},
		{unix.RLIMIT_AS, maxAddressSpace},
		{unix.RLIMIT_FSIZE, maxFileSize},
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_NPROC, maxThreads()},
	}
	for _, l := range limits {
		var now unix.Rlimit
		if err := unix.Prlimit(0, l.what, nil, &now); err != nil {
			return fmt.Errorf("read a limit: %w", err)
		}
		value := min(l.value, now.Max)
		if err := unix.Prlimit(0, l.what, &unix.Rlimit{Cur: value, Max: value}, nil); err != nil {
			return fmt.Errorf("set a limit: %w", err)
		}
	}
	// When memory runs out, a module goes before the host does. Where /proc is read-only, it doesn't.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("500"), 0)
	return nil
}

// maxThreads leaves room above all there is: the kernel counts the user's threads, the host's and
// other modules' among them, so a number of its own would stop a module for what others do. (The
// kernel holds root to no number.)
func maxThreads() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 1 << 15
	}
	return uint64(info.Procs) + moreThreads
}

// dropPrivileges leaves the process without any capability and without a way to gain one, and
// renews the parent-death signal, which belongs to a thread: here to the one that stays.
func (e enclosure) dropPrivileges() error {
	for c := uintptr(0); c <= 63; c++ {
		if unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0) != nil {
			break // past the last, or not ours to drop: then there are none to gain either, by no_new_privs
		}
	}
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) // kernels before 4.3 have none
	header, none := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("give up capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("end with the host: %w", err)
	}
	if os.Getppid() != e.Parent {
		return errors.New("the host is gone")
	}
	return nil
}

// tell sends one message to the host, with an open file beside it unless that is negative.
func tell(r report, file int) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	var beside []byte
	if file >= 0 {
		beside = unix.UnixRights(file)
	}
	return unix.Sendmsg(reportFD, text, beside, nil, unix.MSG_NOSIGNAL)
}

var errNoProgram = errors.New("execute")

// execute becomes the module: the very file that the host has opened and hashed. syscall.Exec won't
// do, it takes a path and puts the limit on open files back.
func execute(program string) error {
	empty, err := unix.BytePtrFromString("")
	if err != nil {
		return err
	}
	args, err := syscall.SlicePtrFromStrings([]string{program})
	if err != nil {
		return err
	}
	env, err := syscall.SlicePtrFromStrings(os.Environ())
	if err != nil {
		return err
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, executableFD, uintptr(unsafe.Pointer(empty)), //nolint:gosec // G103: the kernel takes pointers
		uintptr(unsafe.Pointer(&args[0])), uintptr(unsafe.Pointer(&env[0])), unix.AT_EMPTY_PATH, 0) //nolint:gosec // G103: the same
	return fmt.Errorf("%w %s: %w", errNoProgram, program, errno)
}
