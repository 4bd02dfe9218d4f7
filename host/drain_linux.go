package main

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// awaitAccepted waits a moment, at most a second, in which nobody stands in the kernel's queue of
// those who have connected and haven't been taken in yet: closing the listener would turn them away
// after they have sent what isn't sent twice.
func awaitAccepted(listener net.Listener) {
	socket, ok := listener.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return
	}
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		waiting := uint32(0)
		err := raw.Control(func(fd uintptr) {
			if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				waiting = info.Unacked // of a listener: the length of its queue
			}
		})
		if err != nil || waiting == 0 {
			return
		}
		time.Sleep(100 * time.Microsecond)
	}
}
