package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// MetricsAccess says who may read /metrics: whoever sends the token, and, unless that is off,
// programs on this machine that ask it directly.
type MetricsAccess struct {
	Token    string // empty: nobody has it
	NotLocal bool   // on: the token is needed on this machine, too
}

const metricsRefused = "Metrics are for programs on this machine that ask it directly, by a loopback address.\n" +
	"From elsewhere, or through a proxy, send \"Authorization: Bearer TOKEN\"; the operator sets the token by --metrics.token.\n"

// metrics answers Prometheus. It is static: no session opens it, so no browser's cookie does.
func (v *visit) metrics() error {
	if !v.metricsAccess.allows(v.r, v.proxies) {
		return v.plain(http.StatusForbidden, metricsRefused)
	}
	v.answered = true
	v.metricsHandler.ServeHTTP(v.w, v.r)
	return nil
}

func newMetricsHandler(s *server) http.Handler {
	return promhttp.HandlerFor(s.modules.Metrics(), promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4})
}

// allows tells whether a request comes from somebody who may read the metrics.
func (a MetricsAccess) allows(r *http.Request, proxies []netip.Prefix) bool {
	if a.Token != "" && sameSecret(bearer(r), a.Token) {
		return true
	}
	return !a.NotLocal && asksDirectly(r, proxies)
}

func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// sameSecret compares in a time that says nothing of either, their lengths included.
func sameSecret(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// asksDirectly tells a program on this machine from what only looks like one: a proxy here that
// passes a stranger's request on, and a browser here that a stranger's page sends, be it by a name
// made to mean this machine.
func asksDirectly(r *http.Request, proxies []netip.Prefix) bool {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	switch {
	case err != nil || !isLoopback(peer) || trusted(peer, proxies):
		return false
	case !r.ProtoAtLeast(1, 1): // as old proxies speak to what is behind them
		return false
	case !isLoopback(hostOf(r.Host)):
		return false
	case forwarded(r.Header):
		return false
	case r.Header.Get("Origin") != "":
		return false
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "none" || site == "same-origin"
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback() || host == "localhost"
}

// hostOf is the Host header without its port.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

// forwarded tells whether somebody passed the request on, by any of the headers proxies add.
func forwarded(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded") || strings.HasPrefix(name, "X-Original") || strings.HasPrefix(name, "Cf-") || slices.Contains(proxyHeaders, name) {
			return true
		}
	}
	return false
}

var proxyHeaders = []string{
	"Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Client-Ip", "Fastly-Client-Ip", "X-Envoy-External-Address",
	"X-Appengine-User-Ip", "X-Azure-Clientip", "Proxy-Connection", "X-Proxyuser-Ip", "Cdn-Loop",
}
