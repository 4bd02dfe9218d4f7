package web

import (
	"net/http"
	"time"
)

// attachment is an answer that is to be kept as a file, not shown. It begins with the first byte:
// until then an error becomes a page as any other.
type attachment struct {
	visit *visit
	name  string // of letters, digits, hyphens and dots
	kind  string
}

// Write sends.
func (a *attachment) Write(p []byte) (int, error) {
	a.begin()
	return a.visit.w.Write(p)
}

func (a *attachment) begin() {
	v := a.visit
	if v.answered {
		return
	}
	v.answered = true
	h := v.w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Content-Disposition", `attachment; filename="`+a.name+`"`)
	v.deadline(http.NewResponseController(v.w).SetWriteDeadline, time.Now().Add(uploadTime))
	v.w.WriteHeader(http.StatusOK)
}

// end ends the file. One that went wrong after it began is broken off, so that it can't be taken for
// a whole one.
func (a *attachment) end(err error) error {
	v := a.visit
	if err == nil {
		a.begin() // it may be empty
		return nil
	}
	if !v.answered {
		return err
	}
	v.log.WarnContext(v.r.Context(), "a file was cut off", "file", a.name, "error", err)
	panic(http.ErrAbortHandler)
}
