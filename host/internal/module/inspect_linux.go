package module

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ThisMachine looks at the machine, and changes nothing about it.
func ThisMachine() Machine {
	m := Machine{Platform: hostPlatform(), Root: os.Geteuid() == 0, Groups: groupsHere(), ClockKnown: true}
	if n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION); errno == 0 {
		m.Landlock = int(n)
	}
	if actions, err := os.ReadFile("/proc/sys/kernel/seccomp/actions_avail"); err == nil {
		words := strings.Fields(string(actions))
		m.Seccomp, m.Answers = slices.Contains(words, "errno"), slices.Contains(words, "user_notif") && canGuard()
	}
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil {
		m.OpenFiles = files.Cur
	}
	var clock unix.Timex
	if _, err := unix.Adjtimex(&clock); err != nil {
		m.ClockKnown = false
	}
	const unsynced = 0x40 // STA_UNSYNC
	m.ClockSet = clock.Status&unsynced == 0
	return m
}

// groupsHere is where findCgroups would make groups, as far as can be seen without trying.
func groupsHere() string {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	own, err2 := os.ReadFile("/proc/self/cgroup")
	if err != nil || err2 != nil {
		return ""
	}
	tree := cgroupTree{mounts: string(mounts), own: string(own), delegated: delegated}
	if folder := tree.place(""); folder != "" {
		for _, folder := range []string{folder, filepath.Dir(folder)} {
			if delegated(folder) && slices.Contains(cgroupWords(folder, "cgroup.controllers"), "memory") {
				return folder
			}
		}
	}
	if folder := tree.place("memory"); folder != "" && unix.Access(folder, unix.W_OK) == nil {
		return folder
	}
	return ""
}

// remote are network file systems by the numbers the kernel gives them.
var remote = map[int64]string{0x6969: "NFS", 0x517B: "SMB", 0xFE534D42: "SMB", 0xFF534D42: "CIFS", 0x564C: "NCP", 0x00C36400: "Ceph", 0x01021997: "9P"}

func folderFacts(path string) FolderFacts {
	f := FolderFacts{Path: path, Owner: -1}
	var stat unix.Stat_t
	if unix.Stat(path, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		return f
	}
	f.There, f.Owner, f.Private = true, int(stat.Uid), stat.Mode&0o077 == 0
	f.Writable = unix.Access(path, unix.W_OK|unix.X_OK) == nil
	f.NoExec = noExec(path)
	var system unix.Statfs_t
	if unix.Statfs(path, &system) != nil {
		return f
	}
	f.Known, f.Free, f.FreeFiles = true, system.Bavail*uint64(system.Bsize), system.Ffree
	f.Remote = remote[int64(uint32(system.Type))]
	if system.Files == 0 {
		f.FreeFiles = 1 << 30 // it has no fixed number
	}
	return f
}
