package module

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// guard answers a module's connect calls: no rule of the kernel's own can tell the socket of the
// host from that of a database or a container engine, which may take its user for a friend. The
// host reads the address, connects by itself to what is allowed and puts the connection in the
// place of the module's socket, so nothing changed meanwhile matters. It also says no to what the
// filter lets nobody do but what somebody should hear of: sockets of a network, and processes.
type guard struct {
	folder   string // the sockets it may connect to
	listener *os.File
	record   func(what string)
	recorded map[string]time.Time
	credit   float64   // answers given at once; see pause
	counted  time.Time // when credit was
}

func newGuard(folder string, listener *os.File, record func(string)) *guard {
	if record == nil {
		record = func(string) {}
	}
	return &guard{folder: folder, listener: listener, record: record, recorded: map[string]time.Time{}, credit: atOnce, counted: time.Now()}
}

// canGuard tells whether this machine lets a program read what its own children hand to the kernel.
func canGuard() bool {
	scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	if err == nil && scope[0] >= '2' && os.Geteuid() != 0 {
		return false
	}
	var from, to [1]byte
	local, remote := []unix.Iovec{{Base: &to[0]}}, []unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&from)), Len: 1}} //nolint:gosec // G103: the kernel takes pointers
	local[0].SetLen(1)
	_, err = unix.ProcessVMReadv(os.Getpid(), local, remote, 0)
	return err == nil
}

// callNotice is the kernel's struct seccomp_notif.
type callNotice struct {
	id         uint64
	pid, flags uint32
	call       int32
	arch       uint32
	at         uint64
	args       [6]uint64
}

// callAnswer is the kernel's struct seccomp_notif_resp.
type callAnswer struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// fileGift is the kernel's struct seccomp_notif_addfd.
type fileGift struct {
	id                        uint64
	flags, from, to, newFlags uint32
}

const (
	noticeIsValid = 0x40082102 // SECCOMP_IOCTL_NOTIF_ID_VALID
	giveFile      = 0x40182103 // SECCOMP_IOCTL_NOTIF_ADDFD
)

// run answers until the module has ended.
func (g *guard) run() {
	defer g.listener.Close()
	raw, err := g.listener.SyscallConn()
	if err != nil {
		return
	}
	for {
		var n callNotice
		var gone bool
		err := raw.Read(func(fd uintptr) bool {
			var again bool
			gone, again = receive(fd, &n)
			return !again
		})
		if err != nil || gone {
			return
		}
		if n.id != 0 {
			_ = raw.Control(func(fd uintptr) { g.answer(fd, n) })
			g.pause()
		}
	}
}

const (
	atOnce    = 64
	perSecond = 100
)

// pause has a module wait that calls again and again: each call is work for the host, and must not
// become all it does.
func (g *guard) pause() {
	now := time.Now()
	g.credit = min(atOnce, g.credit+now.Sub(g.counted).Seconds()*perSecond) - 1
	g.counted = now
	if g.credit < 0 {
		time.Sleep(time.Second / perSecond)
	}
}

// refuse puts on record what was tried, the same thing once a minute.
func (g *guard) refuse(what string, errno unix.Errno) (int, unix.Errno) {
	now := time.Now()
	if last, known := g.recorded[what]; known && now.Sub(last) < time.Minute {
		return -1, errno
	}
	if len(g.recorded) >= 100 {
		clear(g.recorded)
	}
	g.recorded[what] = now
	g.record(what)
	return -1, errno
}

// decide answers a call: connect on its merits, the rest is only sent here to be refused.
func (g *guard) decide(fd uintptr, n callNotice) (int, unix.Errno) {
	switch n.call {
	case unix.SYS_CONNECT:
		return g.connect(fd, n)
	case unix.SYS_CLONE:
		return g.refuse("start a process", unix.EPERM)
	}
	return g.refuse("open a socket for "+socketKind(n), unix.EACCES)
}

// socketKind names what a socket was wanted for.
func socketKind(n callNotice) string {
	const kindOf = 0xf
	family, kind := uint32(n.args[0]), uint32(n.args[1])&kindOf
	name, known := map[uint32]string{unix.SOCK_STREAM: "TCP", unix.SOCK_DGRAM: "UDP"}[kind]
	switch {
	case family == unix.AF_UNIX:
		return "local datagrams"
	case family != unix.AF_INET && family != unix.AF_INET6, !known:
		return fmt.Sprintf("packets (family %d, type %d)", family, kind)
	case uint32(n.args[2]) == unix.IPPROTO_MPTCP:
		return "multipath TCP; it needs the grant network"
	}
	return name + "; it needs the grant network"
}

// receive takes the next call, if one waits: asking without looking first would block for good.
func receive(fd uintptr, n *callNotice) (gone, again bool) {
	ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(ready, 0); err != nil {
		return false, false // a signal came; look once more
	}
	switch events := ready[0].Revents; {
	case events&unix.POLLIN != 0:
		if control(fd, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(n)) != 0 { //nolint:gosec // G103: the kernel takes pointers
			*n = callNotice{} // the caller was killed meanwhile
		}
		return false, false
	case events != 0:
		return true, false
	}
	return false, true
}

// answer makes the connection, or says why not.
func (g *guard) answer(fd uintptr, n callNotice) {
	reply := callAnswer{id: n.id}
	socket, errno := g.decide(fd, n)
	if errno == 0 {
		gift := fileGift{id: n.id, flags: unix.SECCOMP_ADDFD_FLAG_SETFD, from: uint32(socket), to: uint32(n.args[0]), newFlags: unix.O_CLOEXEC}
		errno = control(fd, giveFile, unsafe.Pointer(&gift)) //nolint:gosec // G103: the kernel takes pointers
		_ = unix.Close(socket)
	}
	reply.errno = -int32(errno)
	_ = control(fd, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&reply)) //nolint:gosec // G103: the same; a caller killed meanwhile needs no answer
}

func (g *guard) connect(fd uintptr, n callNotice) (int, unix.Errno) {
	name, ok := socketName(n)
	if !ok {
		g.refuse("connect to something else than a local socket's path", unix.EACCES)
	}
	if !ok || control(fd, noticeIsValid, unsafe.Pointer(&n.id)) != 0 { //nolint:gosec // G103: the kernel takes pointers
		return -1, unix.EACCES // not readable, or read from a process that has the number now
	}
	if !filepath.IsAbs(name) || filepath.Clean(name) != name || filepath.Dir(name) != g.folder {
		return g.refuse("connect to "+printable(name), unix.EACCES)
	}
	// First the socket itself, never where a link leads, and then by that the connection.
	file, err := unix.Open(name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, errnoOf(err)
	}
	defer unix.Close(file)
	var stat unix.Stat_t
	if unix.Fstat(file, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return g.refuse("connect to "+printable(name), unix.EACCES)
	}
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, errnoOf(err)
	}
	if err := unix.Connect(socket, &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(file)}); err != nil {
		_ = unix.Close(socket)
		return -1, errnoOf(err)
	}
	return socket, 0
}

// socketName reads the path of a local socket from the arguments of connect. Abstract names, and
// addresses of any other kind, are none.
func socketName(n callNotice) (string, bool) {
	address := make([]byte, min(n.args[2], unix.SizeofSockaddrUnix))
	if len(address) < 4 {
		return "", false
	}
	local := []unix.Iovec{{Base: &address[0]}}
	local[0].SetLen(len(address))
	remote := []unix.RemoteIovec{{Base: uintptr(n.args[1]), Len: len(address)}}
	got, err := unix.ProcessVMReadv(int(n.pid), local, remote, 0)
	if err != nil || got != len(address) || address[0] != unix.AF_UNIX || address[1] != 0 {
		return "", false
	}
	path, _, _ := bytes.Cut(address[2:], []byte{0})
	return string(path), len(path) > 0
}

func errnoOf(err error) unix.Errno {
	if errno, ok := err.(unix.Errno); ok { //nolint:errorlint // unix returns nothing else
		return errno
	}
	return unix.EACCES
}

func control(fd uintptr, request uint, argument unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, uintptr(request), uintptr(argument))
	return errno
}
