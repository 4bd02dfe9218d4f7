package main

import (
	"fmt"
	"net"
	"time"
)

// lastUse is how long connections that a balancer keeps may still be used after no new ones are
// taken: a request that is sent on one as it is closed is lost, and a POST is not sent again.
const lastUse = 300 * time.Millisecond

// linger goes on serving for the drain delay, until the balancer has had the time to notice that
// /readyz fails; then it takes no more connections. Whoever has a balancer has set a delay.
func (s *server) linger(listener net.Listener, failed <-chan error) error {
	if s.at.DrainDelay == 0 {
		return nil
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-time.After(s.at.DrainDelay):
	}
	awaitAccepted(listener)
	if err := listener.Close(); err != nil {
		return fmt.Errorf("take no more connections: %w", err)
	}
	time.Sleep(lastUse)
	return nil
}
