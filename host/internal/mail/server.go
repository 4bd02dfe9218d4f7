package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strings"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Security is how the way to the server is kept private.
type Security string

// The ways.
const (
	Mandatory     Security = "mandatory"     // STARTTLS, or nothing is sent
	Opportunistic Security = "opportunistic" // STARTTLS where the server offers it
	Implicit      Security = "implicit"      // TLS from the first byte on
	None          Security = "none"
)

// answerTime bounds each wait for the server.
const answerTime = 20 * time.Second

// Server is the SMTP server that takes our mail.
type Server struct {
	Host     string
	Port     int // 0 for the usual one
	User     string
	Password string
	Security Security
	From     *mail.Address
	Roots    *x509.CertPool // whom certificates are believed from; nil for the system's
}

// Check says what is wrong with a server's settings.
func (s Server) Check() error {
	switch {
	case s.From == nil:
		return errors.New("a mail needs a sender")
	case s.Port < 0 || s.Port > 65535:
		return fmt.Errorf("port %d is none", s.Port)
	case s.User == "" && s.Password != "":
		return errors.New("a password needs a user")
	case s.User != "" && (s.Security == None || s.Security == Opportunistic) && !s.isHere():
		return errors.New("a password is sent over TLS only")
	}
	return nil
}

// isHere tells whether the server runs on this machine.
func (s Server) isHere() bool {
	ip := net.ParseIP(s.Host)
	return s.Host == "localhost" || (ip != nil && ip.IsLoopback())
}

// send sends one message in a conversation of its own.
func (s Server) send(ctx context.Context, msg *gomail.Msg) error {
	var dialled conversation
	defer dialled.close()
	defer context.AfterFunc(ctx, dialled.close)() // the library waits for the server, not for us
	client, err := gomail.NewClient(s.Host, s.options(&dialled)...)
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, msg)
	if msg.IsDelivered() {
		return nil // what goes wrong after the server took it, such as the farewell, is no failure
	}
	return err
}

func (s Server) options(c *conversation) []gomail.Option {
	secure := &tls.Config{ServerName: s.Host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
	options := []gomail.Option{gomail.WithTimeout(answerTime), gomail.WithTLSConfig(secure), gomail.WithDialContextFunc(c.dial), gomail.WithPort(s.port())}
	switch s.Security {
	case Implicit:
		options = append(options, gomail.WithSSL(), gomail.WithDialContextFunc(c.dialTLS(secure)))
	case None:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	case Opportunistic:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.User != "" {
		options = append(options, gomail.WithUsername(s.User), gomail.WithPassword(s.Password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	return options
}

// port is the server's, or the usual one for its security.
func (s Server) port() int {
	switch {
	case s.Port != 0:
		return s.Port
	case s.Security == Implicit:
		return 465
	case s.Security == None:
		return 25
	default:
		return 587
	}
}

// conversation is the connection to the server, to be ended from outside: the library leaves it open
// where a conversation fails early.
type conversation struct {
	mu    sync.Mutex
	conn  net.Conn
	ended bool
}

func (c *conversation) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return c.keep(new(net.Dialer).DialContext(ctx, network, address))
}

func (c *conversation) dialTLS(secure *tls.Config) gomail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return c.keep((&tls.Dialer{Config: secure}).DialContext(ctx, network, address))
	}
}

func (c *conversation) keep(conn net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
	if c.ended {
		return nil, errors.Join(context.Canceled, conn.Close())
	}
	return conn, nil
}

func (c *conversation) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended = true; c.conn != nil {
		_ = c.conn.Close() // it may be closed already
	}
}

// fault is whose doing a failure is.
type fault int

const (
	everybody fault = iota // the server, the way to it or our settings: no mail would go out
	message                // this mail's, and it may pass
	addressee              // this mail's, for good
)

// blame says whose doing a failure is. For good is only what the server says so of, about this
// address or this text; what it says of our own rights (5.7.x, 530, 535 …) is a matter of settings,
// and those can be put right.
func blame(err error) fault {
	if errors.Is(err, errNoWords) {
		return message
	}
	e, ok := errors.AsType[*gomail.SendError](err)
	if !ok {
		return everybody
	}
	switch e.Reason {
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose:
	default:
		return everybody
	}
	code := e.ErrorCode()
	switch {
	case code >= 500 && code < 530 || code >= 550 && code < 560:
		if strings.HasPrefix(e.EnhancedStatusCode(), "5.7.") {
			return message
		}
		return addressee
	case code >= 400:
		return message
	default:
		return everybody // it said nothing: the connection is gone
	}
}
