package main

import (
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/understudy-crm/understudy/host/internal/e2e"
)

// collected is a collector of traces, and all it was sent.
type collected struct {
	*httptest.Server
	mu    sync.Mutex
	raw   []byte
	spans []span
}

// span is one step as it was sent.
type span struct {
	*tracev1.Span
	scope string
}

func collect(t *testing.T) *collected {
	t.Helper()
	c := &collected{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var sent collectorv1.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &sent) != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw = append(c.raw, body...)
		for _, resource := range sent.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, s := range scope.GetSpans() {
					c.spans = append(c.spans, span{s, scope.GetScope().GetName()})
				}
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

func (s span) attribute(key string) string {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

// of is the trace of one request, its root first.
func (c *collected) of(t *testing.T, answer e2e.Answer) []span {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	id := answer.Header.Get("X-Request-Id")
	at := slices.IndexFunc(c.spans, func(s span) bool { return s.attribute("understudy.request") == id })
	if at < 0 {
		t.Fatalf("no trace of request %s among %d spans", id, len(c.spans))
	}
	all := []span{c.spans[at]}
	for i, s := range c.spans {
		if i != at && string(s.GetTraceId()) == string(c.spans[at].GetTraceId()) {
			all = append(all, s)
		}
	}
	return all
}

// stepBelow finds the step of that name and scope right below another, and checks that it lies in its time.
func stepBelow(t *testing.T, all []span, parent span, scope, name string) span {
	t.Helper()
	var names []string
	for _, s := range all {
		names = append(names, s.scope+": "+s.GetName())
		if s.scope == scope && s.GetName() == name && string(s.GetParentSpanId()) == string(parent.GetSpanId()) {
			if s.GetStartTimeUnixNano() < parent.GetStartTimeUnixNano() || s.GetEndTimeUnixNano() > parent.GetEndTimeUnixNano() || s.GetEndTimeUnixNano() < s.GetStartTimeUnixNano() {
				t.Errorf("%s lies outside of %s", name, parent.GetName())
			}
			return s
		}
	}
	t.Fatalf("no %s: %s below %s among %q", scope, name, parent.GetName(), names)
	return span{}
}

const moduleScope = "module/impersonation"

// One request is one trace, through the host, the module's process, which has no network to send
// anything by, and what that asked of the host meanwhile.
func TestATraceGoesThroughHostAndModule(t *testing.T) {
	t.Parallel()
	collector := collect(t)
	d := e2e.RunDemo(t, "--otlp.endpoint", collector.URL)
	c := e2e.SignedInClient(t, d, e2e.Ann)
	page := c.Get("/admin/m/impersonation/log?user=unsaid-term")
	c.Want(page, http.StatusOK)
	token := c.Token()
	started := c.Post("/session/switch", "target", "contact:1", "reason", "unsaid-reason")
	c.Want(started, http.StatusSeeOther)
	secrets := []string{e2e.DemoPassword, token, c.Secret(), c.Token(), "unsaid-term", "unsaid-reason"}
	c.Want(c.Post("/session/restore"), http.StatusSeeOther)
	if err := d.Stop(); err != nil { // what is left is sent then
		t.Fatal(err)
	}

	all := collector.of(t, page)
	if root := all[0]; root.GetName() != "GET /admin/m/{module}/{path...}" || len(root.GetParentSpanId()) != 0 || root.attribute("understudy.actor") != "staff:1" {
		t.Errorf("the root: %v", root)
	}
	call := stepBelow(t, all, all[0], "understudy", "module serve page")
	handled := stepBelow(t, all, call, moduleScope, "PageService/Serve")
	asked := stepBelow(t, all, handled, moduleScope, "ask ListSessionSwitches")
	stepBelow(t, all, asked, "understudy", "host ListSessionSwitches")

	all = collector.of(t, started)
	decided := stepBelow(t, all, all[0], "understudy", "module decide switch")
	stepBelow(t, all, decided, moduleScope, "SessionSwitchService/Decide")
	stepBelow(t, all, all[0], "understudy", "transaction")
	for _, secret := range secrets {
		if secret == "" || strings.Contains(string(collector.raw), secret) {
			t.Errorf("the traces hold %q", secret)
		}
	}
}

// Whose trace a request belongs to is a trusted proxy's word.
func TestOnlyAProxySaysWhichTrace(t *testing.T) {
	t.Parallel()
	collector := collect(t)
	d := e2e.RunDemo(t, "--bare", "--otlp.endpoint", collector.URL, "--trusted-proxies", "127.0.0.1")
	const theirs = "4bf92f3577b34da6a3ce929d0e0e4736"
	parent := http.Header{"Traceparent": {"00-" + theirs + "-00f067aa0ba902b7-01"}}
	proxy, stranger := e2e.NewClient(t, d), e2e.NewClient(t, d)
	stranger.Transport = fromAddress(t, "127.0.0.78")
	believed := proxy.Send(http.MethodGet, "/session", nil, parent)
	strange := stranger.Send(http.MethodGet, "/session", nil, parent)
	broken := proxy.Send(http.MethodGet, "/session", nil, http.Header{"Traceparent": {"00-" + theirs + "-zz"}})
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if root := collector.of(t, believed)[0]; hex.EncodeToString(root.GetTraceId()) != theirs || hex.EncodeToString(root.GetParentSpanId()) != "00f067aa0ba902b7" {
		t.Errorf("a proxy's: %x below %x", root.GetTraceId(), root.GetParentSpanId())
	}
	for _, answer := range []e2e.Answer{strange, broken} {
		if root := collector.of(t, answer)[0]; hex.EncodeToString(root.GetTraceId()) == theirs || len(root.GetParentSpanId()) != 0 {
			t.Errorf("a stranger's: %x below %x", root.GetTraceId(), root.GetParentSpanId())
		}
	}
}

// A collector that is gone, or never answers, holds nobody up.
func TestTracesNobodyTakesHoldNobodyUp(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	deaf := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-never:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(deaf.Close)
	t.Cleanup(func() { close(never) })
	for _, address := range []string{deaf.URL, "http://127.0.0.1:1"} {
		d := e2e.RunDemo(t, "--otlp.endpoint", address)
		c := e2e.SignedInClient(t, d, e2e.Ann)
		c.Want(c.Get("/admin/m/impersonation/log"), http.StatusOK)
		if err := d.Stop(); err != nil {
			t.Errorf("%s: it ended: %v", address, err)
		}
	}
	if said, err := command(t, "demo", "--bare", "--listen", "127.0.0.1:0", "--otlp.endpoint", "127.0.0.1:4318"); err == nil || !strings.Contains(said, "like http://") {
		t.Errorf("an address without http:// was taken: %s", said)
	}
}

// fromAddress asks from an address of this machine's loopback network.
func fromAddress(t *testing.T, address string) *http.Transport {
	t.Helper()
	transport := &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}).DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}
