package module

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/trace"
	"github.com/understudy-crm/understudy/proto"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// PageRequest is a request for one of a module's pages. Whoever makes it has checked the form
// token.
type PageRequest struct {
	Module, Method, Path, RawQuery          string
	Header                                  http.Header
	Body                                    []byte
	Viewer                                  Viewer
	FormToken, BasePath, SitePath, TimeZone string
	Modal                                   bool
}

// pageResponse is a module's answer as it came. Its header holds Content-Type, Content-Disposition and
// Location at most. Whoever gets it closes Body. Nothing of it reaches a browser but by Manager.Answer.
type pageResponse struct {
	Status  int
	Header  http.Header
	Body    io.ReadCloser
	answers Answers
	running *running
	id      string // of the request
}

// passedOn are the header fields of a request that a module sees.
var passedOn = []string{"Accept", "Accept-Language", "Content-Type", "User-Agent", "X-Requested-With", "X-Modal", "Hx-Request"}

// servePage has a running module answer one of its pages. It returns with the answer's head; the
// body comes as the module writes it. Unavailable at once when the module isn't running,
// NotFound when it declared no such page, Denied when its rule or the session doesn't allow it to
// the viewer; what a broken module answers becomes one sentence.
func (m *Manager) servePage(ctx context.Context, q PageRequest) (pageResponse, error) {
	r, err := m.active(q.Module)
	if err != nil {
		if u := m.known(q.Module); u != nil {
			u.meter.refused(callServePage, "not_running")
		}
		return pageResponse{}, err
	}
	page, err := m.mayOpen(q)
	if err != nil {
		return pageResponse{}, err
	}
	if len(q.Body) > proto.MaxBodyBytes {
		return pageResponse{}, crm.Refuse(crm.TooLarge, "module_body_too_big", "Max", proto.MaxBodyBytes>>20)
	}
	leave, err := r.gate.enter(callServePage)
	if err != nil {
		return pageResponse{}, err
	}
	id := r.begin(q.Viewer.Who, q.changes())
	ctx, cancel := context.WithCancel(ctx)
	ctx, span := r.gate.span(ctx, callServePage)
	b := &pageBody{running: r, ctx: ctx, span: span, what: "page " + q.Path, id: id, leave: leave, cancel: cancel, wait: r.timing.idle}
	b.timer = time.AfterFunc(r.timing.page, b.expire)
	b.stream, err = r.pages.Serve(ctx, r.pageToWire(q, id))
	var head *modulev1.ResponseHead
	if err == nil {
		head, err = b.head()
	}
	if err != nil {
		return pageResponse{}, b.finish(err)
	}
	header, err := cleanHeader(head)
	if err != nil {
		return pageResponse{}, b.finish(err)
	}
	answers := page.answers
	if answers == File && head.GetStatus() >= http.StatusBadRequest {
		answers = Fragment // there is no file, and why is for reading
	}
	b.whole = answers != File
	return pageResponse{Status: int(head.GetStatus()), Header: header, Body: b, answers: answers, running: r, id: id}, nil
}

// MaxPageBytes is the most that a module's page may be, and what it answers choices with. Files may be
// of any length: they pass through, the others are held whole to be written anew.
const MaxPageBytes = 4 << 20

var errPageTooLong = fmt.Errorf("the page is longer than %d bytes", MaxPageBytes)

// changes tells requests that may change something.
func (q PageRequest) changes() bool {
	return q.Method != http.MethodGet && q.Method != http.MethodHead
}

func (m *Manager) mayOpen(q PageRequest) (Page, error) {
	page, declared := m.Surface().Page(q.Module, q.Viewer.Area, q.Path)
	switch {
	case !declared:
		return page, crm.Refuse(crm.NotFound, "page_not_found")
	case !page.Allowed(q.Viewer):
		return page, crm.Refuse(crm.Denied, "page_not_permitted")
	case q.changes():
		return page, crm.CheckClass(q.Viewer.Who, page.Class)
	}
	return page, nil
}

func (r *running) pageToWire(q PageRequest, id string) *modulev1.ServeRequest {
	who := q.Viewer.Who
	viewer := &modulev1.Viewer{
		Actor: r.account(who.Actor), Subject: r.account(who.Subject),
		Language: q.Viewer.Language, RightToLeft: rightToLeft(q.Viewer.Language), Area: areaToWire(q.Viewer.Area),
		TimeZone: cmp.Or(q.TimeZone, "UTC"), FormToken: q.FormToken, BasePath: q.BasePath, SitePath: q.SitePath,
		LanguagesRevision: r.languages.Load(),
	}
	if who.Switch != nil {
		viewer.SessionSwitch = switchToWire(*who.Switch)
	}
	header := map[string]string{}
	for _, name := range passedOn {
		if value := q.Header.Get(name); value != "" {
			header[name] = strings.ToValidUTF8(value, "?")
		}
	}
	return &modulev1.ServeRequest{
		Method: q.Method, Path: strings.ToValidUTF8(q.Path, "?"), Query: strings.ToValidUTF8(q.RawQuery, "?"),
		Header: header, Body: q.Body, Viewer: viewer, RequestId: id, Modal: q.Modal,
	}
}

var errHead = errors.New("the answer begins with no head, or one that can't be sent")

// cleanHeader keeps of a head what the host passes on. A Location must lead to this site.
func cleanHeader(head *modulev1.ResponseHead) (http.Header, error) {
	if head.GetStatus() < 200 || head.GetStatus() > 599 {
		return nil, errHead
	}
	header := http.Header{}
	for name, value := range head.GetHeader() {
		name = textproto.CanonicalMIMEHeaderKey(name)
		if name != "Content-Type" && name != "Content-Disposition" && name != "Location" {
			continue
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, errHead
		}
		if name == "Location" && !local(value) {
			return nil, errHead
		}
		header.Set(name, value)
	}
	return header, nil
}

// local tells addresses that can't leave the site.
func local(address string) bool {
	if strings.Contains(address, "\\") || strings.HasPrefix(address, "//") {
		return false
	}
	before, _, _ := strings.Cut(address, "/")
	return !strings.Contains(before, ":")
}

// pageBody reads a page's chunks as they come. It keeps its place among the module's calls until
// it is read to its end or closed.
type pageBody struct {
	running *running
	what    string
	id      string
	ctx     context.Context // the request's, for the log
	span    trace.Span
	stream  grpc.ServerStreamingClient[modulev1.ServeResponse]
	cancel  context.CancelFunc
	leave   func(error)
	timer   *time.Timer
	wait    time.Duration
	rest    []byte
	whole   bool // it is held whole: anything but a file
	taken   int  // bytes of it so far

	mu      sync.Mutex
	expired bool
	ended   error
	once    sync.Once
}

// expire ends a stream whose next part is too long in coming.
func (b *pageBody) expire() {
	b.mu.Lock()
	b.expired = true
	b.mu.Unlock()
	b.cancel()
}

func (b *pageBody) head() (*modulev1.ResponseHead, error) {
	part, err := b.stream.Recv()
	if err != nil {
		return nil, err
	}
	head := part.GetHead()
	if head == nil {
		return nil, errHead
	}
	b.timer.Reset(b.wait)
	return head, nil
}

// Read gives what the module wrote. Its errors are fit for people. What is held whole has a bound on
// its length and, from its head to its end, one wait: a file may take as long as it keeps coming, but
// a person sees nothing of a page before its last word.
func (b *pageBody) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if b.ended != nil {
			return 0, b.ended
		}
		if !b.whole {
			b.timer.Reset(b.wait)
		}
		part, err := b.stream.Recv()
		if b.taken += len(part.GetChunk()); b.whole && b.taken > MaxPageBytes {
			err = errPageTooLong
		}
		if errors.Is(err, io.EOF) {
			b.ended = io.EOF
			_ = b.finish(nil)
			continue
		}
		if err != nil {
			b.ended = b.finish(err)
			continue
		}
		b.rest = part.GetChunk()
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close ends the call if it is still underway.
func (b *pageBody) Close() error {
	_ = b.finish(nil)
	return nil
}

// finish ends the call once, and makes of a raw error what a person may read.
func (b *pageBody) finish(err error) error {
	b.timer.Stop()
	b.cancel()
	b.mu.Lock()
	if b.expired && err != nil {
		err = context.DeadlineExceeded
	}
	b.mu.Unlock()
	b.once.Do(func() {
		b.leave(err)
		b.span.End(err)
		b.running.end(b.id)
	})
	return b.running.gate.fault(b.ctx, b.what, b.id, err)
}
