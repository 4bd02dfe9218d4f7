//go:build linux && (amd64 || arm64)

package launcher

import (
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// refusedCalls need no look at their arguments. They are what Landlock doesn't see and a module has
// no business with: other processes, the machine, memory that no limit counts, and what changes a
// file without opening it, the host's database included.
var refusedCalls = slices.Concat(archRefused, []uint32{
	// other processes
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_PROCESS_MRELEASE,
	unix.SYS_KCMP, unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_GETFD, unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_TKILL, unix.SYS_MIGRATE_PAGES,
	unix.SYS_MOVE_PAGES, unix.SYS_SCHED_SETAFFINITY, unix.SYS_SCHED_SETPARAM, unix.SYS_SCHED_SETSCHEDULER, unix.SYS_SCHED_SETATTR,
	unix.SYS_SETPRIORITY, unix.SYS_IOPRIO_SET, unix.SYS_PERF_EVENT_OPEN,
	unix.SYS_SETPGID, unix.SYS_SETSID, // out of the group that is ended with it
	// the machine
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE, unix.SYS_OPEN_TREE_ATTR,
	unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR, unix.SYS_LISTMOUNT, unix.SYS_STATMOUNT,
	unix.SYS_LISTNS, unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_BPF, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_USERFAULTFD,
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_REBOOT,
	unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME,
	unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_SYSLOG, unix.SYS_VHANGUP,
	unix.SYS_PERSONALITY, unix.SYS_FANOTIFY_INIT, unix.SYS_FANOTIFY_MARK, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_OPEN_BY_HANDLE_AT,
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, // it makes calls that no filter sees
	// memory that no limit counts, and other programs' shared memory
	unix.SYS_MEMFD_CREATE, unix.SYS_MEMFD_SECRET, unix.SYS_SHMGET, unix.SYS_SHMAT, unix.SYS_SHMCTL, unix.SYS_SEMGET, unix.SYS_SEMCTL, unix.SYS_SEMOP,
	unix.SYS_SEMTIMEDOP, unix.SYS_MSGGET, unix.SYS_MSGCTL, unix.SYS_MSGSND, unix.SYS_MSGRCV, unix.SYS_MQ_OPEN, unix.SYS_MQ_UNLINK,
	// files not opened
	unix.SYS_FCHMODAT, unix.SYS_FCHMODAT2, unix.SYS_FCHOWNAT, unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_REMOVEXATTR, unix.SYS_LREMOVEXATTR,
	unix.SYS_SETXATTRAT, unix.SYS_REMOVEXATTRAT, unix.SYS_FILE_SETATTR, unix.SYS_UTIMENSAT,
})

// lastCall is the newest system call that was looked at for the lists here. Later ones, and those
// of a processor's other modes, don't exist for a module.
const lastCall = 471

// filterCalls has the kernel refuse system calls to this thread from here on. Answers to connect
// are the host's, through the returned file; that is negative when the host doesn't answer, because
// it won't or because the kernel doesn't let it.
func (e Enclosure) filterCalls(landlock int) (listener int, err error) {
	if e.Guard {
		n, errno := setFilter(e.filter(landlock, true), unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
		if errno == 0 {
			return n, nil
		}
	}
	if _, errno := setFilter(e.filter(landlock, false), 0); errno != 0 {
		return -1, errno
	}
	return -1, nil
}

func setFilter(f filter, flags uintptr) (int, unix.Errno) {
	program := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	n, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program))) //nolint:gosec // G103: the kernel takes pointers
	return int(n), errno
}

// filter is a program the kernel runs at each system call. It may look at numbers and arguments,
// not at what those point to.
type filter []unix.SockFilter

func (e Enclosure) filter(landlock int, guarded bool) filter {
	var f filter
	f.load(4) // the processor's mode
	f.unless(auditArch, unix.SECCOMP_RET_KILL_PROCESS)
	f.load(0) // the call
	f = append(f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K, K: lastCall, Jf: 1}, answer(refuse(unix.ENOSYS)))
	for _, call := range refusedCalls {
		f.when(call, answer(refuse(unix.EPERM)))
	}
	if landlock < 3 {
		f.when(unix.SYS_TRUNCATE, answer(refuse(unix.EPERM))) // the one that Landlock saw only later
	}
	// Its flags can't be seen; without it, programs use clone.
	f.when(unix.SYS_CLONE3, answer(refuse(unix.ENOSYS)))
	tried := refuse(unix.EPERM)
	if guarded {
		tried = unix.SECCOMP_RET_USER_NOTIF // the host refuses it, and puts it on record
	}
	f.when(unix.SYS_CLONE, onlyIfSet(0, unix.CLONE_THREAD, tried)...)
	self := uint32(unix.Getpid())
	for _, call := range []uint32{unix.SYS_KILL, unix.SYS_TGKILL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO} {
		f.when(call, onlyFor(0, unix.EPERM, self)...)
	}
	f.when(unix.SYS_PRLIMIT64, onlyFor(0, unix.EPERM, 0, self)...)
	f.when(unix.SYS_PRCTL, notFor(0, unix.PR_SET_PDEATHSIG, unix.PR_SET_PTRACER, unix.PR_SET_MM)...)
	f.when(unix.SYS_FCNTL, notFor(1, unix.F_SETOWN, unix.F_SETOWN_EX, unix.F_SETSIG, unix.F_NOTIFY)...) // signals by another door
	f.when(unix.SYS_IOCTL, notFor(1, fiosetown, siocspgrp, unix.TIOCSTI, unix.TIOCLINUX)...)
	f.sockets(e.Network, guarded)
	if guarded {
		f.when(unix.SYS_CONNECT, answer(unix.SECCOMP_RET_USER_NOTIF))
	}
	return append(f, answer(unix.SECCOMP_RET_ALLOW))
}

// Requests of ioctl that name a receiver of signals.
const (
	fiosetown = 0x8901
	siocspgrp = 0x8902
)

// sockets leaves local streams, and with the grant TCP (in all its kinds) and UDP: no raw packets,
// no netlink, no virtual machines' or Bluetooth sockets. What is refused, the host refuses where it
// listens, and puts it on record.
func (f *filter) sockets(network, guarded bool) {
	const kindOf = 0xf // the rest of the argument are flags
	local := []unix.SockFilter{
		argument(0),
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.AF_UNIX, Jf: 4},
		argument(1),
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: kindOf},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SOCK_STREAM, Jf: 1},
		answer(unix.SECCOMP_RET_ALLOW),
	}
	refused := answer(refuse(unix.EACCES))
	f.when(unix.SYS_SOCKETPAIR, append(slices.Clone(local), refused)...)
	if guarded {
		refused = answer(unix.SECCOMP_RET_USER_NOTIF)
	}
	if !network {
		f.when(unix.SYS_SOCKET, append(local, refused)...)
		return
	}
	f.when(unix.SYS_SOCKET, append(local,
		argument(0), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.AF_INET, Jt: 1},
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.AF_INET6, Jf: 5},
		argument(1), unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: kindOf},
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SOCK_STREAM, Jt: 1},
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SOCK_DGRAM, Jf: 1},
		answer(unix.SECCOMP_RET_ALLOW), refused)...)
}

// when adds what happens at a call; body must end with an answer on every way.
func (f *filter) when(call uint32, body ...unix.SockFilter) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: uint8(len(body))})
	*f = append(*f, body...)
}

func (f *filter) load(offset uint32) { *f = append(*f, word(offset)) }

func (f *filter) unless(value, verdict uint32) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jt: 1}, answer(verdict))
}

// onlyIfSet allows a call with a bit in an argument.
func onlyIfSet(index, bit, otherwise uint32) []unix.SockFilter {
	return []unix.SockFilter{
		argument(index),
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: bit, Jf: 1},
		answer(unix.SECCOMP_RET_ALLOW), answer(otherwise),
	}
}

// onlyFor allows a call with one of these values as an argument.
func onlyFor(index uint32, otherwise unix.Errno, values ...uint32) []unix.SockFilter {
	body := []unix.SockFilter{argument(index)}
	for _, v := range values {
		body = append(body, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: v, Jf: 1}, answer(unix.SECCOMP_RET_ALLOW))
	}
	return append(body, answer(refuse(otherwise)))
}

// notFor refuses a call with one of these values as an argument.
func notFor(index uint32, values ...uint32) []unix.SockFilter {
	body := []unix.SockFilter{argument(index)}
	for _, v := range values {
		body = append(body, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: v, Jf: 1}, answer(refuse(unix.EPERM)))
	}
	return append(body, answer(unix.SECCOMP_RET_ALLOW))
}

// word loads from struct seccomp_data.
func word(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

// argument loads the low half of an argument, all that the kernel reads of those looked at here;
// both processors are little-endian.
func argument(index uint32) unix.SockFilter { return word(16 + 8*index) }

func answer(verdict uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: verdict}
}

func refuse(errno unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(errno) }
