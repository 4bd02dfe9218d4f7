//go:build linux

// Command hostile tries what a module must not be able to do, and prints how each try ended:
// "name: ok" or "name: the kernel's refusal". Its mode and what it needs to know come by its
// environment, or as a module by the file assets/mode.
package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	signal.Ignore(unix.SIGXFSZ)
	word, attack, _ := strings.Cut(mode(), " ")
	if word == "rogue" {
		serve(attack)
		return
	}
	tries[word]()
}

// out is where answers go.
var out io.Writer = os.Stdout

var tries = map[string]func(){
	"files": files, "network": network, "sockets": sockets, "processes": processes, "machine": machine, "memory": memory, "take": take,
	"threads": threads, "surroundings": surroundings, "flood": flood, "escape": escape, "fake-report": fakeReport,
	"wait": func() {
		fmt.Println("ready: ok")
		time.Sleep(time.Hour)
	},
	"print": func() {
		fmt.Println("1|1|unix|/run/docker.sock|grpc|")
		time.Sleep(time.Hour) // or its end would be what the host hears of first
	},
}

func mode() string {
	if mode := os.Getenv("MODE"); mode != "" {
		return mode
	}
	executable, err := os.Executable()
	if err != nil {
		panic(err)
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(executable)), "assets", "mode"))
	if err != nil {
		panic(err)
	}
	return string(text)
}

func say(name string, err error) {
	if errno, ok := err.(unix.Errno); ok && errno == 0 {
		err = nil
	}
	if err == nil {
		fmt.Fprintf(out, "%s: ok\n", name)
		return
	}
	fmt.Fprintf(out, "%s: %v\n", name, err)
}

func call(name string, number uintptr, args ...uintptr) {
	var all [6]uintptr
	copy(all[:], args)
	_, _, errno := unix.Syscall6(number, all[0], all[1], all[2], all[3], all[4], all[5])
	say(name, errno)
}

func files() {
	run, database, outside := os.Getenv("TMPDIR"), os.Getenv("DATABASE"), os.Getenv("OUTSIDE")
	for _, path := range []string{"/etc/passwd", database, fmt.Sprintf("/proc/%d/environ", os.Getppid()), "/proc/self/mem"} {
		_, err := os.ReadFile(path)
		say("read "+path, err)
	}
	_, err := os.ReadDir("/")
	say("list /", err)
	say("write outside", os.WriteFile(filepath.Join(outside, "new"), []byte("x"), 0o600))
	say("write database", os.WriteFile(database, []byte("x"), 0o600))
	say("truncate database", unix.Truncate(database, 0))
	say("chmod database", unix.Fchmodat(unix.AT_FDCWD, database, 0o777, 0))
	say("touch database", unix.UtimesNanoAt(unix.AT_FDCWD, database, make([]unix.Timespec, 2), 0))
	say("label database", unix.Setxattr(database, "user.x", []byte("x"), 0))
	say("remove database", unix.Unlink(database))
	say("take database", unix.Rename(database, filepath.Join(run, "database")))
	say("link database", unix.Link(database, filepath.Join(run, "database")))
	say("symlink", unix.Symlink(database, filepath.Join(run, "link")))
	say("device", unix.Mknod(filepath.Join(run, "device"), unix.S_IFCHR|0o600, 1<<8|3))
	ownFiles(run)
}

// ownFiles tries what a module may do with its own files, and a little more.
func ownFiles(run string) {
	self := os.Getenv("FOLDER")
	say("write package", os.WriteFile(filepath.Join(self, "new"), []byte("x"), 0o600))
	_, err := os.ReadFile(filepath.Join(self, "assets", "mode"))
	say("read package", err)
	say("write run", os.WriteFile(filepath.Join(run, "own"), []byte("#!/bin/sh\n"), 0o700))
	_, err = os.ReadFile(filepath.Join(run, "own"))
	say("read run", err)
	say("execute run", unix.Exec(filepath.Join(run, "own"), []string{"own"}, nil))
	say("execute shell", unix.Exec("/bin/sh", []string{"sh", "-c", "echo out"}, nil))
	say("write null", os.WriteFile("/dev/null", []byte("x"), 0))
	f, err := os.Create(filepath.Join(run, "big"))
	say("create big", err)
	say("grow big", unix.Ftruncate(int(f.Fd()), 1<<30))
	for err = nil; err == nil; {
		_, err = unix.Open("/dev/null", unix.O_RDONLY, 0)
	}
	say("open many", err)
}

func processes() {
	host := os.Getppid()
	word := uintptr(unsafe.Pointer(new([64]byte)))
	call("ptrace", unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(host))
	call("process_vm_readv", unix.SYS_PROCESS_VM_READV, uintptr(host))
	call("pidfd_open", unix.SYS_PIDFD_OPEN, uintptr(host))
	say("kill", unix.Kill(host, unix.SIGURG))
	say("kill group", unix.Kill(0, unix.SIGURG))
	say("kill all", unix.Kill(-1, unix.SIGURG))
	say("tgkill", unix.Tgkill(host, host, unix.SIGURG))
	call("tkill", unix.SYS_TKILL, uintptr(host), uintptr(unix.SIGURG))
	call("sigqueue", unix.SYS_RT_SIGQUEUEINFO, uintptr(host), uintptr(unix.SIGURG), word)
	_, err := unix.FcntlInt(1, unix.F_SETOWN, host)
	say("own", err)
	say("kill itself", unix.Kill(os.Getpid(), unix.SIGURG))
	call("limit host", unix.SYS_PRLIMIT64, uintptr(host), unix.RLIMIT_NOFILE, 0, word)
	call("pin host", unix.SYS_SCHED_SETAFFINITY, uintptr(host), 64, word)
	call("priority", unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, uintptr(host), 1)
	say("survive", unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0))
	group, _ := unix.Getpgid(host)
	say("leave group", unix.Setpgid(0, group))
	call("new session", unix.SYS_SETSID)
	fork()
}

// fork starts processes until it would hurt.
func fork() {
	var err error
	word := uintptr(unsafe.Pointer(new([64]byte)))
	forked := 0
	for range 100 {
		pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if errno == 0 && pid == 0 {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
		if err = errno; errno == 0 {
			forked++
		}
	}
	say("fork", err)
	fmt.Fprintf(out, "forked: %d\n", forked)
	call("clone3", unix.SYS_CLONE3, word, 64)
	_, err = os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	if path, is := err.(*os.PathError); is {
		err = path.Err
	}
	say("start", err)
}

func machine() {
	word := uintptr(unsafe.Pointer(new([256]byte)))
	say("unshare", unix.Unshare(unix.CLONE_NEWUSER))
	call("setns", unix.SYS_SETNS, 0, 0)
	say("mount", unix.Mount("none", os.Getenv("TMPDIR"), "tmpfs", 0, ""))
	call("bpf", unix.SYS_BPF, 0, word, 64)
	call("keyctl", unix.SYS_KEYCTL, 0)
	call("userfaultfd", unix.SYS_USERFAULTFD, 0)
	call("perf", unix.SYS_PERF_EVENT_OPEN, word)
	say("chroot", unix.Chroot(os.Getenv("TMPDIR")))
	call("clock", unix.SYS_CLOCK_SETTIME, 0, word)
	call("unknown call", 5000)
	fmt.Fprintf(out, "capabilities: %s\n", capabilities())
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	fmt.Fprintf(out, "no_new_privs: %d %v\n", dumpable, err)
	var death int32
	err = unix.Prctl(unix.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&death)), 0, 0, 0)
	fmt.Fprintf(out, "parent death: %d %v\n", death, err)
	fmt.Fprintf(out, "leads its group: %v\n", unix.Getpgrp() == os.Getpid())
}

func capabilities() string {
	header, data := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err.Error()
	}
	return fmt.Sprint(data[0].Permitted|data[0].Inheritable|data[1].Permitted|data[1].Inheritable != 0)
}

func memory() {
	for name, flags := range map[string]int{"private": unix.MAP_PRIVATE, "shared": unix.MAP_SHARED} {
		_, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, 4<<30, unix.PROT_READ|unix.PROT_WRITE, uintptr(flags|unix.MAP_ANONYMOUS), ^uintptr(0), 0)
		say(name, errno)
	}
	_, err := unix.MemfdCreate("x", 0)
	say("memfd", err)
	call("shmget", unix.SYS_SHMGET, 0, 1<<30, 0o1600)
	var limit unix.Rlimit
	err = unix.Prlimit(0, unix.RLIMIT_DATA, &unix.Rlimit{Cur: 8 << 30, Max: 8 << 30}, nil)
	say("raise", err)
	_ = unix.Getrlimit(unix.RLIMIT_CORE, &limit)
	fmt.Fprintf(out, "core: %d\n", limit.Max)
}

// take takes 4 GiB as a program does.
func take() {
	var held [][]byte
	for range 64 {
		block := make([]byte, 64<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		held = append(held, block)
		fmt.Fprintln(out, "taken:", len(held))
	}
	runtime.KeepAlive(held)
}

// threads has more and more of them, up to a number that hurts nobody.
func threads() {
	for n := range 4000 {
		started := make(chan bool)
		go func() {
			runtime.LockOSThread()
			started <- true
			select {}
		}()
		<-started
		if n%100 == 0 {
			fmt.Fprintln(out, "threads:", n)
		}
	}
}

// surroundings tells what came along from the host: files of any kind, but not the nameless ones
// that Go's own poller makes.
func surroundings() {
	for fd := range 64 {
		var stat unix.Stat_t
		if err := unix.Fstat(fd, &stat); err == nil && stat.Mode&unix.S_IFMT != 0 {
			fmt.Fprintf(out, "open: %d\n", fd)
		}
	}
	env := os.Environ()
	slices.Sort(env)
	fmt.Fprintln(out, "env:", strings.Join(env, " "))
	fmt.Fprintln(out, "args:", os.Args)
}

func flood() {
	line := strings.Repeat("x", 1000) + "\n"
	for range 6_000 {
		if _, err := os.Stderr.WriteString(line); err != nil {
			return
		}
	}
	os.Exit(3)
}

// fakeReport says to every open file what the launcher says to the host.
func fakeReport() {
	for fd := 3; fd < 64; fd++ {
		_, _ = unix.Write(fd, []byte(`{"level":{"files":true,"network":true,"sockets":true,"privileges":true,"resources":true,"landlock":99}}`))
	}
	fmt.Fprintln(out, "said: ok")
}
