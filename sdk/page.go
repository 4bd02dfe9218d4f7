package sdk

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	maxBodyBytes  = 8 << 20
	maxChunkBytes = 64 << 10
)

// PageRequest is a request for one of the module's pages, as it comes from the host.
type PageRequest struct {
	Method string
	// Path is relative to the module's root.
	Path   string
	Query  string
	Header map[string]string
	Body   []byte
	Viewer Viewer
}

// PagePart is a part of the answer: first one with a head, then any number with a chunk.
type PagePart struct {
	// Head is set on the first part only.
	Head *PageHead
	// Chunk is at most 64 KiB.
	Chunk []byte
}

// PageHead is status and header.
type PageHead struct {
	Status int
	Header map[string]string
}

// ServePage answers a request part by part. A handler that panics answers 500 if nothing was sent
// yet; if something was, ServePage returns an error, so that half a page isn't taken for a whole.
func (i *Instance) ServePage(ctx context.Context, request PageRequest, send func(PagePart) error) error {
	w := &pageWriter{method: request.Method, send: send, header: http.Header{}}
	if i.host.Load() == nil {
		return Errorf(Unavailable, "page %s: not activated", request.Path)
	}
	page, ok := i.page(request)
	w.answers = page.Answers
	if !ok {
		http.Error(w, "Not found", http.StatusNotFound)
		return w.finish()
	}
	if len(request.Body) > maxBodyBytes {
		http.Error(w, "Request body too large", http.StatusRequestEntityTooLarge)
		return w.finish()
	}
	ctx = i.within(ctx)
	i.words.refresh(ctx, HostOf(ctx).Languages, request.Viewer.LanguagesRevision)
	c := callOf(ctx)
	c.viewer = request.Viewer
	c.words = i.words.in(request.Viewer.Language)
	err := guarded("page "+request.Path+" ("+request.Viewer.RequestID+")", func() error {
		page.Handler.ServeHTTP(w, httpRequest(withCall(ctx, c), request))
		return nil
	})
	if err != nil {
		if w.sent {
			return err
		}
		w.reset()
		http.Error(w, "Internal error", http.StatusInternalServerError)
	}
	return w.finish()
}

func (i *Instance) page(request PageRequest) (Page, bool) {
	if !strings.HasPrefix(request.Path, "/") || !clean(request.Path) {
		return Page{}, false
	}
	for _, page := range i.pages {
		below := strings.HasSuffix(page.Path, "/") && strings.HasPrefix(request.Path, page.Path)
		if page.Path == request.Path || below {
			return page, slices.Contains(page.Areas, request.Viewer.Area)
		}
	}
	return Page{}, false
}

func httpRequest(ctx context.Context, request PageRequest) *http.Request {
	address := &url.URL{Path: request.Path, RawQuery: request.Query}
	r := &http.Request{
		Method: request.Method, URL: address, RequestURI: address.RequestURI(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, ContentLength: int64(len(request.Body)), Host: "module",
	}
	for name, value := range request.Header {
		r.Header.Set(name, value)
	}
	if len(request.Body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(request.Body))
	}
	return r.WithContext(ctx)
}

// pageWriter is the http.ResponseWriter of a page. It holds back up to one chunk, so that a small
// page is one message and a panic early on can still become a 500.
type pageWriter struct {
	method  string
	answers PageAnswer
	send    func(PagePart) error
	header  http.Header
	status  int
	buffer  []byte
	sent    bool
	err     error
}

func (w *pageWriter) Header() http.Header { return w.header }

func (w *pageWriter) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	if status > 999 {
		panic(fmt.Sprintf("invalid status %d", status))
	}
	w.status = status
}

func (w *pageWriter) Write(body []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.err != nil {
		return 0, w.err
	}
	if w.status == http.StatusNoContent || w.status == http.StatusNotModified {
		return 0, http.ErrBodyNotAllowed
	}
	if w.header.Get("Content-Type") == "" {
		w.header.Set("Content-Type", w.kindOf(body))
	}
	if w.method == http.MethodHead {
		return len(body), nil
	}
	for rest := body; len(rest) > 0; {
		n := min(len(rest), maxChunkBytes-len(w.buffer))
		w.buffer = append(w.buffer, rest[:n]...)
		rest = rest[n:]
		if len(w.buffer) == maxChunkBytes {
			if w.flush(); w.err != nil {
				return 0, w.err
			}
		}
	}
	return len(body), nil
}

// kindOf is the type of what a handler wrote without saying so. Only a file is looked into: a page that
// begins with words is HTML as well.
func (w *pageWriter) kindOf(body []byte) string {
	switch {
	case w.answers == AnswersChoices:
		return "application/json"
	case w.answers == AnswersFile && w.status < http.StatusBadRequest:
		return http.DetectContentType(body)
	}
	return "text/html; charset=utf-8"
}

// Flush sends what was written so far.
func (w *pageWriter) Flush() {
	w.WriteHeader(http.StatusOK)
	w.flush()
}

func (w *pageWriter) flush() {
	if w.err != nil {
		return
	}
	if !w.sent {
		w.sent = true
		head := &PageHead{Status: w.status, Header: make(map[string]string, len(w.header))}
		for name, values := range w.header {
			// One broken byte would make the whole message unsendable.
			head.Header[name] = strings.ToValidUTF8(strings.Join(values, ", "), "?")
		}
		if w.err = w.send(PagePart{Head: head}); w.err != nil {
			return
		}
	}
	if len(w.buffer) > 0 {
		w.err = w.send(PagePart{Chunk: w.buffer})
		w.buffer = w.buffer[:0]
	}
}

func (w *pageWriter) reset() { w.header, w.status, w.buffer = http.Header{}, 0, nil }

func (w *pageWriter) finish() error {
	w.Flush()
	if w.err != nil {
		slog.Debug("page: the host hung up", "error", w.err)
	}
	return w.err
}
