package hosttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Proxy is a running nginx with the configuration we ship.
type Proxy struct {
	Address string // such as https://127.0.0.1:40123
	Plain   string // the same by http, which leads there
	roots   *x509.CertPool
	output  *syncBuffer
}

// Output is what nginx has logged so far.
func (n *Proxy) Output() string { return n.output.String() }

// Client speaks with nginx from an address of this machine's loopback network, such as 127.0.0.7,
// keeps cookies and follows no redirect.
func (n *Proxy) Client(t testing.TB, from string) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Transport: n.Transport(t, from), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Transport connects to nginx from an address of this machine's loopback network, and knows nginx's
// certificate.
func (n *Proxy) Transport(t testing.TB, from string) *http.Transport {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: n.roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// ProxyFile is the configuration we ship, to be edited as its own words say.
func ProxyFile(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(Root(t), "host", "packaging", "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var exampleServers = regexp.MustCompile(`(?m)^\s*server 127\.0\.0\.1:\d+ (.*);\n`)

// StartProxy serves a configuration, as ProxyFile gives it, in front of replicas at addresses such as
// http://127.0.0.1:40123, until the test ends. Its ports, its certificate and the replicas are put in;
// all else is what the file says. Without nginx the test is [Missing] "nginx".
func StartProxy(t testing.TB, file string, replicas ...string) *Proxy {
	t.Helper()
	program, err := nginxProgram()
	if err != nil {
		Missing(t, "nginx", err.Error())
	}
	dir := t.TempDir()
	n := &Proxy{roots: writeCertificate(t, dir)}
	// A port that is free now may be taken a moment later, by another test.
	for range 5 {
		plain, secure := freePort(t), freePort(t)
		n.Plain, n.Address, n.output = "http://"+plain, "https://"+secure, &syncBuffer{}
		writeFile(t, filepath.Join(dir, "site.conf"), fillIn(t, file, dir, plain, secure, replicas))
		writeFile(t, filepath.Join(dir, "nginx.conf"), strings.ReplaceAll(nginxMain, "DIR", dir))
		if startNginx(t, n, program, filepath.Join(dir, "nginx.conf")) {
			return n
		}
	}
	t.Fatalf("nginx doesn't start:\n%s", n.Output())
	return nil
}

// fillIn puts into the configuration what its own words ask to be changed.
func fillIn(t testing.TB, file, dir, plain, secure string, replicas []string) string {
	t.Helper()
	options := exampleServers.FindStringSubmatch(file)
	if options == nil {
		t.Fatal("the configuration names no replicas")
	}
	var servers strings.Builder
	for _, replica := range replicas {
		fmt.Fprintf(&servers, "    server %s %s;\n", strings.TrimPrefix(replica, "http://"), options[1])
	}
	all := servers.String()
	file = exampleServers.ReplaceAllStringFunc(file, func(string) string {
		defer func() { all = "" }()
		return all
	})
	return strings.NewReplacer(
		"listen 80;", "listen "+plain+";", "listen 443 ssl;", "listen "+secure+" ssl;",
		"/etc/nginx/crm.example.com.", filepath.Join(dir, "site."), "https://$host$request_uri", "https://"+secure+"$request_uri",
	).Replace(file)
}

// nginxMain stands for /etc/nginx/nginx.conf: it writes into its own folder alone.
const nginxMain = `daemon off;
worker_processes 1;
pid DIR/pid;
error_log stderr notice;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path DIR/body;
    proxy_temp_path DIR/proxy;
    fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi;
    scgi_temp_path DIR/scgi;
    include DIR/site.conf;
}
`

func freePort(t testing.TB) string {
	t.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func writeFile(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeCertificate makes a certificate for this machine, and returns who trusts it.
func writeCertificate(t testing.TB, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "understudy test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	made, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made})
	writeFile(t, filepath.Join(dir, "site.pem"), string(public))
	writeFile(t, filepath.Join(dir, "site.key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(public)
	return roots
}
