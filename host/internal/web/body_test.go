package web

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
)

// counted tells how much of a body was read.
type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// multipartForm is a form with one file.
func multipartForm(t *testing.T, size int, fields ...string) (data []byte, kind string) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i+1 < len(fields); i += 2 {
		_ = form.WriteField(fields[i], fields[i+1])
	}
	part, err := form.CreateFormFile("package", "x.zip")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(make([]byte, size))
	_ = form.Close()
	return body.Bytes(), form.FormDataContentType()
}

func TestTheFilesOfAFormAreRemoved(t *testing.T) {
	s := newSite(t)
	b := s.as(ann)
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	data, kind := multipartForm(t, 20<<20, "form_token", b.token)
	r := httptest.NewRequest(http.MethodPost, uploadPattern, bytes.NewReader(data))
	r.Header.Set("Content-Type", kind)
	r.AddCookie(b.cookie())
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("after an upload (%d) %d files are left: %v", w.Code, len(left), err)
	}
}

func TestNobodysBodiesAreHardlyRead(t *testing.T) {
	s := newSite(t)
	file, kind := multipartForm(t, 1<<20)
	large := []byte(url.Values{"note": {strings.Repeat("x", maxForm)}}.Encode())
	const plain = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		path, kind string
		body       []byte
		most       int
	}{
		{uploadPattern, kind, file, 0},
		{uploadPattern, plain, large, 0},
		{"/admin/m/example/page", plain, large, 0},
		{"/m/example/page", kind, file, 0},
		{"/admin/profile", kind, file, 0},
		{"/admin/profile", "", large, 0},
		{"/admin/profile", plain, large, maxKept + 4096},
	} {
		body := &counted{Reader: bytes.NewReader(c.body)}
		r := httptest.NewRequest(http.MethodPost, c.path, body)
		r.Header.Set("Content-Type", c.kind)
		w := httptest.NewRecorder()
		s.server.ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized || body.n > c.most {
			t.Errorf("POST %s of %q: %d, %d bytes were read, want at most %d", c.path, c.kind, w.Code, body.n, c.most)
		}
		if strings.Contains(w.Body.String(), `name="kept" value="{`) {
			t.Errorf("POST %s of %q was kept", c.path, c.kind)
		}
	}
}
