package web

import (
	"crypto/rand"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// clientOf is where a request comes from. What a trusted proxy says of it is believed, what anybody
// else says is not.
func (s *server) clientOf(r *http.Request, rt *route) crm.Client {
	return crm.Client{
		IP: clientIP(r, s.proxies), Browser: clip(r.UserAgent(), 300), RequestID: requestID(r, s.proxies),
		Doing: clip(r.Method, 20) + " " + addressOf(r, rt),
	}
}

// clientIP is the address of the browser: the other end of the connection, or, when that is a
// trusted proxy, the last address in X-Forwarded-For that isn't one.
func clientIP(r *http.Request, proxies []netip.Prefix) string {
	host := peerOf(r)
	if !trusted(host, proxies) {
		return host
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop, ok := address(hop)
		if !ok {
			break
		}
		host = hop
		if !trusted(hop, proxies) {
			break
		}
	}
	return host
}

// peerOf is the other end of the connection.
func peerOf(r *http.Request) string {
	if peer, ok := address(r.RemoteAddr); ok {
		return peer
	}
	return r.RemoteAddr
}

// address is an IP address in its one form, whatever stands around it: some proxies name the port,
// too, and one client must not be two by writing it otherwise.
func address(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return "", false
	}
	return addr.Unmap().WithZone("").String(), true
}

func trusted(host string, proxies []netip.Prefix) bool {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(addr.Unmap().WithZone("")) })
}

// overTLS tells whether the browser asked by https: of us, or of a trusted proxy that says so.
func (s *server) overTLS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	said := r.Header.Values("X-Forwarded-Proto")
	if len(said) == 0 || !trusted(peerOf(r), s.proxies) {
		return false
	}
	// The nearest proxy's word is the last one.
	last := strings.Split(said[len(said)-1], ",")
	return strings.EqualFold(strings.TrimSpace(last[len(last)-1]), "https")
}

// secureCookies tells whether this browser gets cookies that go out over TLS only.
func (s *server) secureCookies(r *http.Request) bool { return s.secure || s.overTLS(r) }

var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{7,47}$`)

// requestID is the number under which a request stands in the logs, the Activity Log and modules'
// logs: a trusted proxy's, so that its log can be laid beside ours, or one of our own.
func requestID(r *http.Request, proxies []netip.Prefix) string {
	said := r.Header.Values("X-Request-Id")
	if len(said) == 1 && requestIDPattern.MatchString(said[0]) && trusted(peerOf(r), proxies) {
		return said[0]
	}
	return strings.ToLower(rand.Text()[:16])
}
