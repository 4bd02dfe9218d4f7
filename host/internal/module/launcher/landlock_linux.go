package launcher

import (
	"encoding/binary"
	"errors"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a process may do in a place.
const (
	mayRead    = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	mayExecute = mayRead | unix.LANDLOCK_ACCESS_FS_EXECUTE
	// No links out of the folder, no devices, and nothing written may be executed.
	mayKeep = mayRead | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_REFER | unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX
	ofFiles = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE
)

// place is a file or a folder with all below it.
type place struct {
	path   string
	access uint64
	must   bool // without it the module can't work
}

// places is all of the file system that a module has.
func (e Enclosure) places(libraries bool) []place {
	list := []place{
		{e.Folder, mayExecute, true},
		{e.Run, mayKeep, true},
		{"/dev/null", ofFiles &^ unix.LANDLOCK_ACCESS_FS_EXECUTE, false},
		{"/dev/urandom", mayRead, false},
		{"/usr/share/zoneinfo", mayRead, false},
	}
	if libraries {
		for _, path := range []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"} {
			list = append(list, place{path, mayExecute, false})
		}
		list = append(list, place{"/etc/ld.so.cache", mayRead, false})
	}
	if e.Network {
		for _, path := range []string{
			"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/services", "/etc/gai.conf", // names
			"/etc/ssl/certs", "/etc/ssl/cert.pem", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/etc/pki/tls", "/etc/pki/ca-trust", // authorities
		} {
			list = append(list, place{path, mayRead, false})
		}
	}
	return list
}

// needsLibraries tells whether the executable asks for a loader and shared libraries: a Go program
// built where a C compiler is found does. What is no program at all, the kernel will say.
func needsLibraries() bool {
	var head [64]byte
	if n, err := unix.Pread(ExecutableFile, head[:], 0); err != nil || n < len(head) || string(head[:4]) != "\x7fELF" || head[4] != 2 || head[5] != 1 {
		return strconv.IntSize == 32 // their layout isn't known here
	}
	start, size, count := binary.LittleEndian.Uint64(head[32:]), binary.LittleEndian.Uint16(head[54:]), binary.LittleEndian.Uint16(head[56:])
	const interpreter = 3
	for i := range count {
		var kind [4]byte
		if n, err := unix.Pread(ExecutableFile, kind[:], int64(start)+int64(i)*int64(size)); err != nil || n < len(kind) {
			return false
		}
		if binary.LittleEndian.Uint32(kind[:]) == interpreter {
			return true
		}
	}
	return false
}

// restrictFiles confines the thread to the places and says which version of Landlock does so, 0
// when the kernel has none. It is done by hand, not with a library, because the launcher must know
// what was reached, and because one thread is all that matters to it.
func (e Enclosure) restrictFiles(libraries bool) (version int, err error) {
	n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0, nil
	}
	handled := e.handled(int(n))
	ruleset, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&handled)), unsafe.Sizeof(handled), 0) //nolint:gosec // G103: the kernel takes pointers
	if errno != 0 {
		return 0, errors.New("make a ruleset: " + errno.Error())
	}
	defer unix.Close(int(ruleset))
	for _, p := range e.places(libraries) {
		if err := p.allow(int(ruleset), handled.Handled_access_fs); err != nil && (p.must || !errors.Is(err, unix.ENOENT)) {
			return 0, errors.New(p.path + ": " + err.Error())
		}
	}
	if _, _, errno = unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0); errno != 0 {
		return 0, errors.New("apply the ruleset: " + errno.Error())
	}
	return int(n), nil
}

// handled is what each version of Landlock can refuse.
func (e Enclosure) handled(version int) unix.LandlockRulesetAttr {
	a := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1}
	for _, more := range []struct {
		since  int
		access uint64
	}{
		{2, unix.LANDLOCK_ACCESS_FS_REFER},
		{3, unix.LANDLOCK_ACCESS_FS_TRUNCATE},
		{5, unix.LANDLOCK_ACCESS_FS_IOCTL_DEV},
		{9, unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX},
	} {
		if version >= more.since {
			a.Handled_access_fs |= more.access
		}
	}
	if version >= 4 && !e.Network {
		a.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if version >= 6 {
		a.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	return a
}

// allow adds the place to a ruleset.
func (p place) allow(ruleset int, handled uint64) error {
	fd, err := unix.Open(p.path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return err
	}
	access := p.access & handled
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= ofFiles
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0) //nolint:gosec // G103: the kernel takes pointers
	if errno != 0 {
		return errno
	}
	return nil
}
