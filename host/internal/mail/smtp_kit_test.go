package mail_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	netmail "net/mail"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/understudy-crm/understudy/host/internal/mail"
)

// postOffice is a real SMTP server on this machine, which says what the story tells it to.
type postOffice struct {
	mu       sync.Mutex
	taken    []letter
	refuse   func(to string) error // at RCPT
	sender   error                 // at MAIL
	reached  chan struct{}         // when set, a letter that has come in tells so there …
	goOn     chan struct{}         // … and waits here for its answer
	password string

	addr  *net.TCPAddr
	roots *x509.CertPool
}

// letter is a message as it was taken.
type letter struct {
	*netmail.Message
	raw      string
	from, to string
	secure   bool
}

// openPostOffice opens one that offers STARTTLS, or speaks TLS from the first byte on, or neither.
func openPostOffice(t *testing.T, kind mail.Security) *postOffice {
	t.Helper()
	p := &postOffice{roots: x509.NewCertPool()}
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &counter{office: p, conn: c}, nil }))
	s.Domain, s.EnableSMTPUTF8, s.AllowInsecureAuth = "localhost", true, true
	s.ErrorLog = quiet{}
	config := &tls.Config{Certificates: []tls.Certificate{p.certificate(t)}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr, _ = listener.Addr().(*net.TCPAddr)
	switch kind {
	case mail.Implicit:
		listener = tls.NewListener(listener, config)
	case mail.None:
	default:
		s.TLSConfig = config
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(listener) }()
	t.Cleanup(func() { _ = s.Close(); _ = listener.Close(); <-done }) // it may not have begun to serve
	return p
}

// certificate is good for this machine, and only who believes p.roots believes it.
func (p *postOffice) certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "post office"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	p.roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// server is how a sender reaches the post office.
func (p *postOffice) server(security mail.Security) mail.Server {
	return mail.Server{Host: "127.0.0.1", Port: p.addr.Port, Security: security, From: &netmail.Address{Address: "crm@host.example"}, Roots: p.roots}
}

func (p *postOffice) letters() []letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]letter(nil), p.taken...)
}

// change tells the office what to say from now on.
func (p *postOffice) change(do func(*postOffice)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do(p)
}

// counter is one conversation.
type counter struct {
	office *postOffice
	conn   *smtp.Conn
	from   string
	to     string
	known  bool
}

func (c *counter) AuthMechanisms() []string { return []string{sasl.Plain} }

func (c *counter) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, _, password string) error {
		if password != c.office.password {
			return smtp.ErrAuthFailed
		}
		c.known = true
		return nil
	}), nil
}

func (c *counter) Mail(from string, _ *smtp.MailOptions) error {
	c.office.mu.Lock()
	defer c.office.mu.Unlock()
	if c.office.password != "" && !c.known {
		return smtp.ErrAuthRequired
	}
	c.from = from
	return c.office.sender
}

func (c *counter) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.office.mu.Lock()
	defer c.office.mu.Unlock()
	c.to = to
	if c.office.refuse == nil {
		return nil
	}
	return c.office.refuse(to)
}

func (c *counter) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	message, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	_, secure := c.conn.TLSConnectionState()
	c.office.mu.Lock()
	reached, goOn := c.office.reached, c.office.goOn
	c.office.mu.Unlock()
	if reached != nil {
		reached <- struct{}{}
		<-goOn
	}
	c.office.mu.Lock()
	defer c.office.mu.Unlock()
	c.office.taken = append(c.office.taken, letter{message, string(raw), c.from, c.to, secure})
	return nil
}

func (c *counter) Reset()        {}
func (c *counter) Logout() error { return nil }

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// says is an answer of the server.
func says(code int, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.NoEnhancedCode, Message: text}
}

func saysEnhanced(code int, enhanced smtp.EnhancedCode, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}

// closedPort is where nobody listens.
func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	n, convErr := strconv.Atoi(port)
	if err := errors.Join(err, convErr, l.Close()); err != nil {
		t.Fatal(err)
	}
	return n
}
