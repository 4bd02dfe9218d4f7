package hosttest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	netmail "net/mail"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/understudy-crm/understudy/host/internal/mail"
)

// PostOffice is a real SMTP server on this machine, which says what the story tells it to.
type PostOffice struct {
	Port  int
	Roots *x509.CertPool // believes its certificate, for 127.0.0.1

	mu    sync.Mutex
	rules Answers
	taken []Letter
}

// Answers are what a PostOffice says; the zero value takes everything from everybody.
type Answers struct {
	Sender   error                 // at MAIL
	Refuse   func(to string) error // at RCPT
	Password string                // of whoever may send
	Reached  chan struct{}         // when set, a letter that has come in tells so there …
	GoOn     chan struct{}         // … and waits here for its answer
}

// Letter is a message as it was taken.
type Letter struct {
	*netmail.Message
	Raw      string
	From, To string // of the envelope
	Secure   bool
}

// OpenPostOffice opens one that offers STARTTLS, or speaks TLS from the first byte on, or neither.
func OpenPostOffice(t testing.TB, kind mail.Security) *PostOffice {
	t.Helper()
	p := &PostOffice{Roots: x509.NewCertPool()}
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &counter{office: p, conn: c}, nil }))
	s.Domain, s.EnableSMTPUTF8, s.AllowInsecureAuth = "localhost", true, true
	s.ErrorLog = quiet{}
	config := &tls.Config{Certificates: []tls.Certificate{p.certificate(t)}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if addr, ok := listener.Addr().(*net.TCPAddr); ok {
		p.Port = addr.Port
	}
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

// certificate is good for this machine, and only who believes p.Roots believes it.
func (p *PostOffice) certificate(t testing.TB) tls.Certificate {
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
	p.Roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Letters are what it has taken so far.
func (p *PostOffice) Letters() []Letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Letter(nil), p.taken...)
}

// Answer tells it what to say from now on.
func (p *PostOffice) Answer(a Answers) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = a
}

func (p *PostOffice) answers() Answers {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rules
}

// counter is one conversation.
type counter struct {
	office *PostOffice
	conn   *smtp.Conn
	from   string
	to     string
	known  bool
}

func (c *counter) AuthMechanisms() []string { return []string{sasl.Plain} }

func (c *counter) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, _, password string) error {
		if password != c.office.answers().Password {
			return smtp.ErrAuthFailed
		}
		c.known = true
		return nil
	}), nil
}

func (c *counter) Mail(from string, _ *smtp.MailOptions) error {
	rules := c.office.answers()
	if rules.Password != "" && !c.known {
		return smtp.ErrAuthRequired
	}
	c.from = from
	return rules.Sender
}

func (c *counter) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.to = to
	if refuse := c.office.answers().Refuse; refuse != nil {
		return refuse(to)
	}
	return nil
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
	if rules := c.office.answers(); rules.Reached != nil {
		rules.Reached <- struct{}{}
		<-rules.GoOn
	}
	c.office.mu.Lock()
	defer c.office.mu.Unlock()
	c.office.taken = append(c.office.taken, Letter{message, string(raw), c.from, c.to, secure})
	return nil
}

func (c *counter) Reset()        {}
func (c *counter) Logout() error { return nil }

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// Says is an answer of a PostOffice, such as 550; one with an enhanced code names its three numbers.
func Says(code int, text string, enhanced ...int) error {
	e := &smtp.SMTPError{Code: code, EnhancedCode: smtp.NoEnhancedCode, Message: text}
	if len(enhanced) == 3 {
		e.EnhancedCode = smtp.EnhancedCode(enhanced)
	}
	return e
}
