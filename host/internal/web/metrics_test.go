package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestMetricsAreForThisMachineOrTheToken(t *testing.T) {
	const token = "a-token-nobody-guesses"
	tests := []struct {
		name  string
		allow bool
		peer  string // 127.0.0.1 when empty
		host  string // localhost:8080 when empty
		proto string
		send  []string
	}{
		{name: "a program here", allow: true},
		{name: "a program here, by IPv6", allow: true, peer: "[::1]:4000", host: "[::1]:8080"},
		{name: "a program here, by a mapped address", allow: true, peer: "[::ffff:127.0.0.1]:4000", host: "127.0.0.1"},
		{name: "somebody who typed the address into a browser here", allow: true, send: []string{"Sec-Fetch-Site", "none"}},
		{name: "somebody elsewhere", peer: "192.0.2.7:4000"},
		{name: "somebody elsewhere who says they are here", peer: "192.0.2.7:4000", send: []string{"X-Forwarded-For", "127.0.0.1"}},
		{name: "a socket without an address", peer: "@"},
		{name: "a proxy here for a stranger", send: []string{"X-Forwarded-For", "192.0.2.7"}},
		{name: "a proxy here with an empty header", send: []string{"X-Forwarded-For", ""}},
		{name: "a proxy here that only names the host", send: []string{"X-Forwarded-Host", "crm.example"}},
		{name: "a proxy here, the standard header", send: []string{"Forwarded", "for=192.0.2.7"}},
		{name: "a proxy here, another header", send: []string{"x-real-ip", "192.0.2.7"}},
		{name: "a proxy here that only says Via", send: []string{"Via", "1.1 proxy"}},
		{name: "a proxy here that adds nothing but passes the name on", host: "crm.example"},
		{name: "a proxy here of the old kind", proto: "HTTP/1.0"},
		{name: "a trusted proxy", peer: "127.0.0.9:4000"},
		{name: "a name made to mean this machine", host: "evil.example:8080"},
		{name: "a name that begins like this machine", host: "localhost.evil.example"},
		{name: "a page of a stranger's", send: []string{"Sec-Fetch-Site", "cross-site"}},
		{name: "a page of a neighbour's", send: []string{"Sec-Fetch-Site", "same-site"}},
		{name: "a script of a stranger's", send: []string{"Origin", "https://evil.example"}},
		{name: "the token, from elsewhere", allow: true, peer: "192.0.2.7:4000", host: "crm.example", send: []string{"Authorization", "Bearer " + token}},
		{name: "the token, through a proxy", allow: true, send: []string{"X-Forwarded-For", "192.0.2.7", "Authorization", "bearer " + token}},
		{name: "half the token", peer: "192.0.2.7:4000", send: []string{"Authorization", "Bearer " + token[:10]}},
		{name: "no token", peer: "192.0.2.7:4000", send: []string{"Authorization", "Bearer "}},
		{name: "the token as a password", peer: "192.0.2.7:4000", send: []string{"Authorization", "Basic " + token}},
	}
	for _, q := range tests {
		t.Run(q.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
			r.RemoteAddr, r.Host = or(q.peer, "127.0.0.1:4000"), or(q.host, "localhost:8080")
			if q.proto != "" {
				r.Proto, r.ProtoMajor, r.ProtoMinor = q.proto, 1, 0
			}
			for i := 0; i < len(q.send); i += 2 {
				r.Header.Set(q.send[i], q.send[i+1])
			}
			proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.9/32")}
			if got := (MetricsAccess{Token: token}).allows(r, proxies); got != q.allow {
				t.Errorf("allowed: %t", got)
			}
			byToken := strings.Contains(q.name, "token,")
			if got := (MetricsAccess{Token: token, NotLocal: true}).allows(r, proxies); got != byToken {
				t.Errorf("allowed where only the token counts: %t", got)
			}
			if (MetricsAccess{NotLocal: true}).allows(r, proxies) || (q.peer != "" && !q.allow && (MetricsAccess{}).allows(r, proxies)) {
				t.Error("allowed where there is no token")
			}
		})
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func TestMetricsAreAnsweredWithoutASession(t *testing.T) {
	s := newSite(t)
	a := s.browser().get("/metrics").wants(t, 200)
	for _, part := range []string{"go_goroutines ", `understudy_build_info{version="3.1.0"} 1`, "# HELP"} {
		if !strings.Contains(a.body, part) {
			t.Errorf("no %q", part)
		}
	}
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain") {
		t.Error(a.Header)
	}
	// An administrator's cookie is no reason: a browser sends it for whoever asks it to.
	refused := s.as(ann).do("GET", "/metrics", nil, "Sec-Fetch-Site", "cross-site").wants(t, 403)
	if !strings.Contains(refused.body, "--metrics.token") || strings.Contains(refused.body, "understudy_") {
		t.Errorf("%q", refused.body)
	}
	s.browser().do("POST", "/metrics", nil).wants(t, 405)
}
