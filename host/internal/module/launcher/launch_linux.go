package launcher

import (
	"errors"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// init makes this process the launcher when it was started as one. It is an init, and not the first
// thing in main, because of what comes before main.
func init() {
	args := arguments()
	if len(args) < 2 || args[1] != Word {
		return
	}
	// All is done by one thread, the one that is left when it becomes the module: Go holds an init
	// to the process' first.
	e, err := parse(args[1:])
	if err == nil {
		err = e.launch()
	}
	if tell(Report{Problem: err.Error(), NoProgram: errors.Is(err, errNoProgram)}, -1) != nil {
		_, _ = unix.Write(2, []byte("understudy: "+err.Error()+"\n")) // nobody listens: a person has tried it by hand
	}
	unix.Exit(1)
}

// arguments are the process' own. The package os, which has them, isn't ready yet.
func arguments() []string {
	return strings.Split(strings.TrimSuffix(readAll("/proc/self/cmdline"), "\x00"), "\x00")
}

// readAll reads one of the kernel's short files, empty when it can't.
func readAll(path string) string {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	text := make([]byte, 16<<10)
	n, err := unix.Read(fd, text)
	if err != nil || n == len(text) {
		return ""
	}
	return string(text[:n])
}

// launch goes from what needs the most rights to what leaves the fewest. It returns only when the
// module did not start.
func (e Enclosure) launch() error {
	level := Level{Granted: e.Network, Memory: e.joinGroups()}
	if err := closeOnExec(); err != nil {
		return err
	}
	yield()
	libraries := needsLibraries()
	level.Resources = limitResources(level.Memory) == nil
	err := e.dropPrivileges()
	if err != nil {
		return err
	}
	if level.Landlock, err = e.restrictFiles(libraries); err != nil {
		return step("confine to its folders", err)
	}
	level.Files = level.Landlock > 0
	listener, err := e.filterCalls(level.Landlock)
	level.Network, level.Privileges = err == nil, err == nil
	level.Sockets = err == nil && listener >= 0
	refused := !level.Reaches(e.Require)
	if err := tell(Report{Level: level, Refused: refused}, listener); err != nil || refused {
		return errors.Join(errors.New("refused"), err)
	}
	return execute(e.Program)
}

// joinGroups puts the process into the groups the host has made for it, and has the kernel say
// that it is in one that counts memory. In both versions of control groups 0 means who writes it.
func (e Enclosure) joinGroups() bool {
	for i := range e.Doors {
		_, _ = unix.Write(GroupFile+i, []byte("0"))
		_ = unix.Close(GroupFile + i)
	}
	return e.Doors > 0 && inMemoryGroup(readAll("/proc/self/cgroup"), e.Group)
}

// inMemoryGroup looks for the group in the kernel's list: lines of number, controllers and path.
// The second version has one line for all controllers, with none named.
func inMemoryGroup(list, name string) bool {
	for line := range strings.SplitSeq(list, "\n") {
		parts := strings.SplitN(line, ":", 3)
		if len(parts) == 3 && (parts[0] == "0" && parts[1] == "" || parts[1] == "memory" || strings.HasPrefix(parts[1], "memory,") || strings.HasSuffix(parts[1], ",memory")) &&
			strings.HasSuffix(parts[2], "/"+name) {
			return true
		}
	}
	return false
}

// yield has the scheduler prefer the host, and whatever else the machine is for, to a module. Not by
// all it can: the host waits for the module's answers, also while the machine is busy.
func yield() { _ = unix.Setpriority(unix.PRIO_PROCESS, 0, niceness) }

const niceness = 10

// closeOnExec keeps every open file but the standard ones from the module.
func closeOnExec() error {
	if unix.CloseRange(ExecutableFile, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return nil
	}
	for _, fd := range []uintptr{ExecutableFile, ReportFile} {
		if _, err := unix.FcntlInt(fd, unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			return step("keep the launcher's files", err)
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

// limitResources sets the bounds. Where the kernel counts what is really taken, reservations may be
// larger: it is the count that ends a module then, and that is known as the reason.
func limitResources(counted bool) error {
	reserved := uint64(1)
	if counted {
		reserved = 2
	}
	limits := []struct {
		what  int
		value uint64
	}{
		{unix.RLIMIT_NOFILE, maxOpenFiles},
		{unix.RLIMIT_DATA, reserved * maxData},
		{unix.RLIMIT_AS, reserved * maxAddressSpace},
		{unix.RLIMIT_FSIZE, maxFileSize},
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_NPROC, maxThreads()},
	}
	for _, l := range limits {
		var now unix.Rlimit
		if err := unix.Prlimit(0, l.what, nil, &now); err != nil {
			return step("read a limit", err)
		}
		value := min(l.value, now.Max)
		if err := unix.Prlimit(0, l.what, &unix.Rlimit{Cur: value, Max: value}, nil); err != nil {
			return step("set a limit", err)
		}
	}
	// When memory runs out, a module goes before the host does. Where /proc is read-only, it doesn't.
	if fd, err := unix.Open("/proc/self/oom_score_adj", unix.O_WRONLY|unix.O_CLOEXEC, 0); err == nil {
		_, _ = unix.Write(fd, []byte("500"))
		_ = unix.Close(fd)
	}
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
func (e Enclosure) dropPrivileges() error {
	for c := uintptr(0); c <= 63; c++ {
		if unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0) != nil {
			break // past the last, or not ours to drop: then there are none to gain either, by no_new_privs
		}
	}
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) // kernels before 4.3 have none
	header, none := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
	if err := unix.Capset(&header, &none[0]); err != nil {
		return step("give up capabilities", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return step("give up new privileges", err)
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return step("end with the host", err)
	}
	if unix.Getppid() != e.Parent {
		return errors.New("the host is gone")
	}
	return nil
}

// step names what failed.
func step(what string, err error) error { return errors.New(what + ": " + err.Error()) }

// tell sends one message to the host, with an open file beside it unless that is negative.
func tell(r Report, file int) error {
	var beside []byte
	if file >= 0 {
		beside = unix.UnixRights(file)
	}
	return unix.Sendmsg(ReportFile, []byte(r.Text()), beside, nil, unix.MSG_NOSIGNAL)
}

var errNoProgram = errors.New("execute the module")

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
	env, err := syscall.SlicePtrFromStrings(syscall.Environ())
	if err != nil {
		return err
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, ExecutableFile, uintptr(unsafe.Pointer(empty)), //nolint:gosec // G103: the kernel takes pointers
		uintptr(unsafe.Pointer(&args[0])), uintptr(unsafe.Pointer(&env[0])), unix.AT_EMPTY_PATH, 0) //nolint:gosec // G103: the same
	return errors.Join(errNoProgram, step(program, errno))
}
