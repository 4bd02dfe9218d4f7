package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// client is one connection that is kept open, and as little else as can be: it runs on the same
// processors as what it measures.
type client struct {
	host string
	conn net.Conn
	in   *bufio.Reader
	buf  bytes.Buffer
}

// answer is what came back.
type answer struct {
	status  int
	size    int64
	cookies []*http.Cookie
	body    string // of what isn't 2xx or 3xx
}

func dial(origin string) (*client, error) {
	host := strings.TrimPrefix(origin, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return nil, err
	}
	return &client{host: host, conn: conn, in: bufio.NewReaderSize(conn, 32<<10)}, nil
}

func (c *client) get(path, cookie string) (answer, error) {
	return c.send("GET", path, cookie, "", "")
}

func (c *client) form(path, cookie string, form url.Values) (answer, error) {
	return c.send("POST", path, cookie, "application/x-www-form-urlencoded", form.Encode())
}

func (c *client) json(path, cookie, body string) (answer, error) {
	return c.send("POST", path, cookie, "application/json", body)
}

func (c *client) send(method, path, cookie, kind, body string) (answer, error) {
	c.buf.Reset()
	fmt.Fprintf(&c.buf, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Bench/1.0\r\nAccept: text/html\r\nAccept-Language: en\r\nCookie: %s\r\n", method, path, c.host, cookie)
	if method != "GET" {
		fmt.Fprintf(&c.buf, "Origin: http://%s\r\nSec-Fetch-Site: same-origin\r\nContent-Type: %s\r\nContent-Length: %d\r\n", c.host, kind, len(body))
	}
	c.buf.WriteString("\r\n" + body)
	if _, err := c.conn.Write(c.buf.Bytes()); err != nil {
		return answer{}, err
	}
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode, cookies: response.Cookies()}
	if a.status >= 400 {
		text, err := io.ReadAll(response.Body)
		a.body = string(text)
		return a, err
	}
	a.size, err = io.Copy(io.Discard, response.Body)
	return a, err
}

// want makes an error of any other status.
func (a answer) want(status int) error {
	if a.status != status {
		return fmt.Errorf("answered %d %.300s", a.status, a.body)
	}
	return nil
}

// connections are some to the same program, opened when they are first wanted: one that says nothing
// for ten seconds is closed.
func connections(t *testing.B, origin string, n int) func() []*client {
	t.Helper()
	var list []*client
	return func() []*client {
		for len(list) < n {
			c, err := dial(origin)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, c)
		}
		return list
	}
}
