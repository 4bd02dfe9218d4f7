//go:build linux

package main

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

func network() {
	for _, s := range []struct {
		name                   string
		domain, kind, protocol int
	}{
		{"tcp", unix.AF_INET, unix.SOCK_STREAM, 0},
		{"tcp6", unix.AF_INET6, unix.SOCK_STREAM, 0},
		{"mptcp", unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP},
		{"udp", unix.AF_INET, unix.SOCK_DGRAM, 0},
	} {
		fd, err := unix.Socket(s.domain, s.kind, s.protocol)
		if err == nil && s.domain == unix.AF_INET {
			err = unix.Connect(fd, loopback(s.name))
		}
		if err == nil && s.name == "udp" {
			_, err = unix.Write(fd, []byte("out"))
		}
		say(s.name, err)
	}
	for _, s := range []struct {
		name                   string
		domain, kind, protocol int
	}{
		{"raw", unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP},
		{"packet", unix.AF_PACKET, unix.SOCK_RAW, 0},
		{"netlink", unix.AF_NETLINK, unix.SOCK_RAW, 0},
		{"vsock", unix.AF_VSOCK, unix.SOCK_STREAM, 0},
		{"alg", unix.AF_ALG, unix.SOCK_SEQPACKET, 0},
		{"local datagram", unix.AF_UNIX, unix.SOCK_DGRAM, 0},
		{"local stream", unix.AF_UNIX, unix.SOCK_STREAM, 0},
	} {
		_, err := unix.Socket(s.domain, s.kind, s.protocol)
		say(s.name, err)
	}
	_, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	say("local datagram pair", err)
	call("io_uring", unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&[120]byte{})))
}

// loopback is where the test listens, by TCP for both kinds of it.
func loopback(kind string) *unix.SockaddrInet4 {
	port := 0
	fmt.Sscan(os.Getenv(map[bool]string{true: "UDP_PORT", false: "TCP_PORT"}[kind == "udp"]), &port)
	return &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
}

func sockets() {
	for _, name := range []string{"OWN", "OTHER", "ABSTRACT", "LINKED"} {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			panic(err)
		}
		if err = unix.Connect(fd, &unix.SockaddrUnix{Name: os.Getenv(name)}); err == nil {
			_, err = unix.Write(fd, []byte("hello"))
		}
		say(name, err)
	}
}
