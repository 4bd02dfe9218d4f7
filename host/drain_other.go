//go:build !linux

package main

import "net"

// awaitAccepted is known on Linux alone.
func awaitAccepted(net.Listener) {}
