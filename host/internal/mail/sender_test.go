package mail_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/mail"
)

const (
	ann  = "admin@example.com"
	ben  = "ben@example.com"
	jane = "jane@acme.example"
	omar = "omar@acme.example"
)

// texts are the words of a module and of the host, by language.
func texts(module, language, key string, args map[string]string) string {
	sentences := map[string]string{
		"en sample/told": "{Who} was here.", "en sample/told_subject": "About {Who}", "ar sample/told": "كان {Who} هنا.",
		"en /mail_subject": "News from {Site}", "ar /mail_subject": "أخبار من {Site}", "en /mail_footer": "You have an account with {Site}.", "ar /mail_footer": "لديك حساب في {Site}.",
		"en sample/plain": "Something happened.",
	}
	text, ok := sentences[language+" "+module+"/"+key]
	if !ok {
		return key
	}
	for name, value := range args {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// newSender has the site send mail by this server; what it logs is in the buffer.
func newSender(s *hosttest.Site, server mail.Server) (*mail.Sender, *bytes.Buffer) {
	var out bytes.Buffer
	s.App.UseMail()
	return mail.New(mail.Options{App: s.App, Server: server, Text: texts, Links: "https://crm.example/base/", Log: slog.New(slog.NewTextHandler(&out, nil))}), &out
}

// tell has the sample tell somebody something by mail.
func tell(t *testing.T, s *hosttest.Site, who crm.Who, to, key string, args map[string]string) {
	t.Helper()
	if _, err := s.App.Module(t.Context(), "sample"); err != nil {
		s.Exec(t, `INSERT INTO modules (id, version, manifest, sha256, activated, grants, installed_at)
			VALUES ('sample', '1.0.0', '{}', '', TRUE, '', 0)`)
	}
	n := crm.AccountNotice{To: s.Key(t, to), TextKey: key, Args: args, Mail: true}
	if n.To.Kind == crm.Contact {
		n.Page = "/m/sample/log?id=3"
	}
	must(t, s.App.SendNotice(t.Context(), who, "sample", n, false))
}

// serverOf is how a sender reaches a post office.
func serverOf(p *hosttest.PostOffice, security mail.Security) mail.Server {
	return mail.Server{Host: "127.0.0.1", Port: p.Port, Security: security, From: &netmail.Address{Address: "crm@host.example"}, Roots: p.Roots}
}

// closedPort is where nobody listens.
func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	addr, _ := l.Addr().(*net.TCPAddr)
	return addr.Port
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func header(t *testing.T, l hosttest.Letter, name string) string {
	t.Helper()
	text, err := new(mime.WordDecoder).DecodeHeader(l.Header.Get(name))
	must(t, err)
	return text
}

func body(t *testing.T, l hosttest.Letter) string {
	t.Helper()
	text := l.Body
	if l.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		text = quotedprintable.NewReader(l.Body)
	}
	read, err := io.ReadAll(text)
	must(t, err)
	return strings.ReplaceAll(string(read), "\r\n", "\n")
}

func wantWaiting(t *testing.T, s *hosttest.Site, want int) {
	t.Helper()
	list, err := s.Store.Read().DueMail(t.Context(), s.Clock.Now().Add(365*24*time.Hour))
	if err != nil || len(list) != want {
		t.Errorf("%d mails wait, %v; want %d", len(list), err, want)
	}
}

func TestANoticeGoesOutAsMailInItsReadersLanguage(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		office := hosttest.OpenPostOffice(t, mail.Mandatory)
		sender, _ := newSender(s, serverOf(office, mail.Mandatory))
		who := s.SignIn(t, ben).Who()
		tell(t, s, who, jane, "told", map[string]string{"Who": "Ben"})
		tell(t, s, who, omar, "told", map[string]string{"Who": "Ben"})
		must(t, sender.SendDue(t.Context()))
		wantWaiting(t, s, 0)
		got := office.Letters()
		if len(got) != 2 {
			t.Fatalf("%d letters", len(got))
		}
		for i, want := range []struct{ to, name, subject, text, footer string }{
			{jane, "Jane Doe", "About Ben", "Ben was here.", "You have an account with Understudy."},
			{omar, "Omar Haddad", "أخبار من Understudy", "كان Ben هنا.", "لديك حساب في Understudy."},
		} {
			l := got[i]
			text := want.text + "\n\nhttps://crm.example/base/m/sample/log?id=3\n\n-- \n" + want.footer + "\n"
			if l.To != want.to || l.From != "crm@host.example" || !l.Secure || header(t, l, "To") != `"`+want.name+`" <`+want.to+`>` ||
				header(t, l, "From") != `"Understudy" <crm@host.example>` || header(t, l, "Subject") != want.subject || body(t, l) != text {
				t.Errorf("%s got\n%s", want.to, l.Raw)
			}
			if id := l.Header.Get("Message-ID"); !strings.HasSuffix(id, "@host.example>") || l.Header.Get("Auto-Submitted") != "auto-generated" || l.Header.Get("Content-Language") == "" {
				t.Errorf("%s got\n%s", want.to, l.Raw)
			}
			if _, there := l.Header["X-Understudy-Actor"]; there {
				t.Errorf("a mail that nobody wrote under a borrowed name names %s", l.Header.Get("X-Understudy-Actor"))
			}
		}
		must(t, sender.SendDue(t.Context()))
		if len(office.Letters()) != 2 {
			t.Error("they were sent again")
		}
	})
}

// Outgoing mail written while switched names the actor, in a header no name can break out of.
func TestTheHeaderNamesWhoWroteUnderABorrowedName(t *testing.T) {
	for _, name := range []string{"Ben Ortiz", "Bén Ørtiz عمر", "Ben\r\nBcc: evil@evil.example\r\n\r\nGotcha", `"Ben" <evil@evil.example>`, strings.Repeat("long name ", 30), "=?utf-8?q?Ann=0D=0ABcc:_x?="} {
		s := hosttest.NewSite(t)
		office := hosttest.OpenPostOffice(t, mail.Mandatory)
		sender, _ := newSender(s, serverOf(office, mail.Mandatory))
		v := s.SignIn(t, ben)
		s.Exec(t, "UPDATE staff SET name = $1 WHERE email = '"+ben+"'", name)
		s.Exec(t, "UPDATE contacts SET name = $1 WHERE email = '"+jane+"'", name)
		v.Become(jane)
		tell(t, s, v.Who(), jane, "told", map[string]string{"Who": name})
		must(t, sender.SendDue(t.Context()))
		got := office.Letters()
		if len(got) != 1 {
			t.Fatalf("%q: %d letters", name, len(got))
		}
		l := got[0]
		oneLine := strings.ReplaceAll(strings.Join(strings.Fields(name), " "), "=?", "= ?")
		oneLine = oneLine[:min(len(oneLine), 200)]
		if actor := header(t, l, "X-Understudy-Actor"); actor != strings.TrimSpace(oneLine) && actor != oneLine {
			t.Errorf("%q: the actor is %q", name, actor)
		}
		if to, err := l.Header.AddressList("To"); err != nil || len(to) != 1 || to[0].Address != jane || l.To != jane {
			t.Errorf("%q: it goes to %v, %v", name, to, err)
		}
		for _, forged := range []string{"Bcc", "Gotcha"} {
			if _, there := l.Header[forged]; there {
				t.Errorf("%q: it has a header %s\n%s", name, forged, l.Raw)
			}
		}
		if text := body(t, l); strings.HasPrefix(text, "Gotcha") || strings.Contains(text, "\nGotcha") || strings.Contains(text, "\nBcc") {
			t.Errorf("%q: the text is %q", name, text)
		}
		for line := range strings.SplitSeq(l.Raw, "\r\n") {
			if len(line) > 998 {
				t.Errorf("%q: a line of %d bytes", name, len(line))
			}
		}
	}
}

func TestMailNeedsNoSubjectAndWaitsForWords(t *testing.T) {
	s := hosttest.NewSite(t)
	office := hosttest.OpenPostOffice(t, mail.Mandatory)
	sender, log := newSender(s, serverOf(office, mail.Mandatory))
	tell(t, s, crm.Who{}, jane, "words_it_lost", nil)
	tell(t, s, crm.Who{}, ann, "plain", nil)
	must(t, sender.SendDue(t.Context()))
	got := office.Letters()
	if len(got) != 1 || header(t, got[0], "Subject") != "News from Understudy" || body(t, got[0]) != "Something happened.\n\n-- \nYou have an account with Understudy.\n" {
		t.Errorf("sent: %+v", got)
	}
	wantWaiting(t, s, 1)
	if !strings.Contains(log.String(), "no such sentence") {
		t.Error(log)
	}
}

// What the server says decides: later means later, never means never, and what is wrong with us hurts
// no mail.
func TestRefusedMail(t *testing.T) {
	for name, story := range map[string]struct {
		says   hosttest.Answers
		given  bool // the mail is given up
		others bool // the others go out
	}{
		"full mailbox":      {hosttest.Answers{Refuse: only(jane, hosttest.Says(452, "mailbox full"))}, false, true},
		"no such user":      {hosttest.Answers{Refuse: only(jane, hosttest.Says(550, "no such user"))}, true, true},
		"no such user, new": {hosttest.Answers{Refuse: only(jane, hosttest.Says(550, "no such user", 5, 1, 1))}, true, true},
		"no relaying":       {hosttest.Answers{Refuse: only(jane, hosttest.Says(554, "relay access denied", 5, 7, 1))}, false, true},
		"sender refused":    {hosttest.Answers{Sender: hosttest.Says(550, "who are you")}, false, false},
		"sign-in required":  {hosttest.Answers{Password: "other"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := hosttest.NewSite(t)
			office := hosttest.OpenPostOffice(t, mail.Mandatory)
			sender, log := newSender(s, serverOf(office, mail.Mandatory))
			office.Answer(story.says)
			tell(t, s, crm.Who{}, jane, "plain", nil)
			tell(t, s, crm.Who{}, omar, "told", nil)
			if err := sender.SendDue(t.Context()); (err == nil) != story.others {
				t.Errorf("the round ended with %v\n%s", err, log)
			}
			waiting, letters := 1, 1
			if story.given {
				waiting = 0
			}
			if !story.others {
				waiting, letters = 2, 0
			}
			wantWaiting(t, s, waiting)
			if got := office.Letters(); len(got) != letters {
				t.Errorf("%d letters", len(got))
			}
			told, err := s.App.Notices(t.Context(), s.SignIn(t, ann).Who())
			if err != nil || (len(told) == 1) != story.given {
				t.Errorf("the administrator is told %+v, %v", told, err)
			}
			// Once it is put right, everything that waits goes out.
			office.Answer(hosttest.Answers{})
			s.Clock.Advance(time.Hour)
			must(t, sender.SendDue(t.Context()))
			wantWaiting(t, s, 0)
			if got := office.Letters(); len(got) != letters+waiting {
				t.Errorf("in the end %d letters", len(got))
			}
		})
	}
}

func only(address string, err error) func(string) error {
	return func(to string) error {
		if to == address {
			return err
		}
		return nil
	}
}

func TestAServerThatIsDownKeepsNothing(t *testing.T) {
	s := hosttest.NewSite(t)
	office := hosttest.OpenPostOffice(t, mail.Mandatory)
	away := serverOf(office, mail.Mandatory)
	away.Port = closedPort(t)
	sender, _ := newSender(s, away)
	for range 3 {
		tell(t, s, crm.Who{}, jane, "plain", nil)
	}
	if err := sender.SendDue(t.Context()); err == nil {
		t.Error("the round went well")
	}
	sender, _ = newSender(s, serverOf(office, mail.Mandatory))
	must(t, sender.SendDue(t.Context()))
	if got := office.Letters(); len(got) != 2 {
		t.Errorf("%d of the two that hadn't been tried", len(got))
	}
	s.Clock.Advance(time.Minute)
	must(t, sender.SendDue(t.Context()))
	if got := office.Letters(); len(got) != 3 {
		t.Errorf("%d letters", len(got))
	}
}

func TestMailGoesOutAsSecretlyAsItIsTold(t *testing.T) {
	for name, story := range map[string]struct {
		offers, wants mail.Security
		trusted       bool
		secure, goes  bool
	}{
		"mandatory":                        {mail.Mandatory, mail.Mandatory, true, true, true},
		"mandatory, not offered":           {mail.None, mail.Mandatory, true, false, false},
		"mandatory, a stranger's":          {mail.Mandatory, mail.Mandatory, false, false, false},
		"opportunistic":                    {mail.Mandatory, mail.Opportunistic, true, true, true},
		"opportunistic, not offered":       {mail.None, mail.Opportunistic, true, false, true},
		"implicit":                         {mail.Implicit, mail.Implicit, true, true, true},
		"implicit, a stranger's":           {mail.Implicit, mail.Implicit, false, false, false},
		"none":                             {mail.None, mail.None, true, false, true},
		"none, though it would be offered": {mail.Mandatory, mail.None, true, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := hosttest.NewSite(t)
			office := hosttest.OpenPostOffice(t, story.offers)
			server := serverOf(office, story.wants)
			if !story.trusted {
				server.Roots = nil
			}
			sender, log := newSender(s, server)
			tell(t, s, crm.Who{}, jane, "plain", nil)
			if err := sender.SendDue(t.Context()); (err == nil) != story.goes {
				t.Errorf("%v\n%s", err, log)
			}
			got := office.Letters()
			if (len(got) == 1) != story.goes || (story.goes && got[0].Secure != story.secure) {
				t.Errorf("letters: %+v", got)
			}
		})
	}
}

func TestThePasswordIsGivenOverTLSAndToldNobody(t *testing.T) {
	for _, kind := range []mail.Security{mail.Mandatory, mail.Implicit} {
		for password, goes := range map[string]bool{"hush-hush": true, "hush-wrong": false} {
			s := hosttest.NewSite(t)
			office := hosttest.OpenPostOffice(t, kind)
			office.Answer(hosttest.Answers{Password: "hush-hush"})
			server := serverOf(office, kind)
			server.User, server.Password = "crm", password
			sender, log := newSender(s, server)
			tell(t, s, crm.Who{}, jane, "plain", nil)
			err := sender.SendDue(t.Context())
			if (err == nil) != goes || (len(office.Letters()) == 1) != goes {
				t.Errorf("%s, %s: %v", kind, password, err)
			}
			if err != nil && strings.Contains(err.Error(), "hush") || strings.Contains(log.String(), "hush") {
				t.Errorf("%s: the password is told: %v\n%s", kind, err, log)
			}
		}
	}
	for _, refused := range []mail.Server{
		{Host: "mail.example", User: "crm", Security: mail.None},
		{Host: "mail.example", User: "crm", Security: mail.Opportunistic},
		{Host: "mail.example", Password: "x"},
		{Host: "mail.example", Port: 70000},
	} {
		refused.From = &netmail.Address{Address: "crm@host.example"}
		if refused.Check() == nil {
			t.Errorf("taken: %+v", refused)
		}
	}
}

// The story of kill -9 between "claimed" and "sent": whoever claimed it is never heard of again.
func TestAMailThatWasClaimedByTheDeadIsSentAfterTheLease(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		office := hosttest.OpenPostOffice(t, mail.Mandatory)
		sender, _ := newSender(s, serverOf(office, mail.Mandatory))
		tell(t, s, crm.Who{}, jane, "plain", nil)
		claimed, err := s.App.DueMail(t.Context())
		must(t, err)
		must(t, sender.SendDue(t.Context()))
		if len(office.Letters()) != 0 {
			t.Fatal("somebody else's mail was sent")
		}
		s.Clock.Advance(5 * time.Minute)
		must(t, sender.SendDue(t.Context()))
		got := office.Letters()
		if len(got) != 1 || !strings.Contains(got[0].Header.Get("Message-ID"), claimed.MessageID) {
			t.Errorf("letters: %+v", got)
		}
		wantWaiting(t, s, 0)
	})
}

// Two replicas send what is due at the same time: nobody gets anything twice.
func TestTwoSendersSendEachMailOnce(t *testing.T) {
	hosttest.OnBothEngines(t, func(t *testing.T, s *hosttest.Site) {
		office := hosttest.OpenPostOffice(t, mail.Mandatory)
		one, _ := newSender(s, serverOf(office, mail.Mandatory))
		two, _ := newSender(s, serverOf(office, mail.Mandatory))
		for range 8 {
			tell(t, s, crm.Who{}, jane, "plain", nil)
		}
		other := make(chan error)
		go func() { other <- two.SendDue(t.Context()) }()
		must(t, one.SendDue(t.Context()))
		must(t, <-other)
		must(t, one.SendDue(t.Context()))
		var ids []string
		for _, l := range office.Letters() {
			ids = append(ids, l.Header.Get("Message-ID"))
		}
		slices.Sort(ids)
		if len(slices.Compact(ids)) != 8 || len(office.Letters()) != 8 {
			t.Errorf("%d letters, %d different", len(office.Letters()), len(slices.Compact(ids)))
		}
		wantWaiting(t, s, 0)
	})
}

// The program stops while the server takes its time: the mail under way is noted as sent if it was.
func TestStoppingLetsTheMailUnderWayGoOut(t *testing.T) {
	s := hosttest.NewSite(t)
	office := hosttest.OpenPostOffice(t, mail.Mandatory)
	holds := hosttest.Answers{Reached: make(chan struct{}), GoOn: make(chan struct{})}
	office.Answer(holds)
	sender, _ := newSender(s, serverOf(office, mail.Mandatory))
	tell(t, s, crm.Who{}, jane, "plain", nil)
	tell(t, s, crm.Who{}, jane, "plain", nil)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); sender.Run(ctx) }()
	<-holds.Reached
	stop()
	holds.GoOn <- struct{}{}
	<-done
	if len(office.Letters()) != 1 {
		t.Errorf("%d letters", len(office.Letters()))
	}
	wantWaiting(t, s, 1)
}

// A server that never answers doesn't keep the program from stopping, and the mail waits.
func TestStoppingWaitsForNoServer(t *testing.T) {
	s := hosttest.NewSite(t)
	office := hosttest.OpenPostOffice(t, mail.Mandatory)
	holds := hosttest.Answers{Reached: make(chan struct{}), GoOn: make(chan struct{})}
	office.Answer(holds)
	sender, _ := newSender(s, serverOf(office, mail.Mandatory))
	tell(t, s, crm.Who{}, jane, "plain", nil)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); sender.Run(ctx) }()
	<-holds.Reached
	stop()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Fatal("it still waits")
	}
	close(holds.GoOn)
	wantWaiting(t, s, 1)
}
