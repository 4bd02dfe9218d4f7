package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What performance.md recorded, in one run of its own: Symfony can't be had by npm or as a Go module, so
// its rows are better-auth's of this run by these. They are requests a second.
const (
	symfonyPage, peerPage     = 908.0, 1292.0
	symfonySwitch, peerSwitch = 1065.0, 485.0
)

// recorded is a row against Symfony by way of better-auth.
func recorded(what, ours string, ratio, least float64) row {
	return compared(what, ours, "by its recorded ratio to better-auth", ratio, atLeast(least))
}

// peer is a running better-auth, see bench/better-auth.
type peer struct {
	Origin  string
	Cookie  string
	Targets []string

	stopping []string // the cookies of switches that run, by call
}

// peer starts one; its error says why there is none.
func (b *run) peer(t *testing.B, synchronous string) (*peer, error) {
	t.Helper()
	dir := filepath.Join(b.root, "bench", "better-auth")
	if _, err := exec.LookPath("node"); err != nil {
		return nil, errors.New("no Node")
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json")); err != nil {
		b.progress("npm ci for better-auth")
		cmd := exec.Command("npm", "ci", "--no-fund", "--no-audit")
		cmd.Dir = dir
		if text, err := within(4*time.Minute, cmd); err != nil {
			b.progress("npm ci: %v\n%s", err, text)
			return nil, errors.New("npm ci failed")
		}
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "better-auth.log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("node", "server.mjs")
	cmd.Dir, cmd.Stderr = dir, log
	cmd.Env = append(os.Environ(), "NODE_ENV=production", "SYNCHRONOUS="+synchronous, "DATABASE="+filepath.Join(shortFolder(t), "better-auth.db"))
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
	})
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		lines.Scan()
		ready <- lines.Text()
	}()
	p := &peer{}
	select {
	case line := <-ready:
		if err := json.Unmarshal([]byte(line), p); err != nil {
			said, _ := os.ReadFile(log.Name())
			b.progress("better-auth: %s", said)
			return nil, errors.New("it did not start")
		}
	case <-time.After(time.Minute):
		return nil, errors.New("it did not start in a minute")
	}
	return p, nil
}

// pages is its page with a session lookup.
func (p *peer) pages(t *testing.B, requests int) *contender {
	t.Helper()
	open := connections(t, p.Origin, 8)
	return &contender{turn: func() spell {
		list := open()
		return load(requests, len(list), func(worker, _ int) error {
			a, err := list[worker].get("/page", p.Cookie)
			if err == nil {
				err = a.want(http.StatusOK)
			}
			return err
		})
	}}
}

// start is so many impersonateUser, remembered to be stopped.
func (p *peer) start(list []*client, n, atOnce int) spell {
	p.stopping = make([]string, n)
	return load(n, atOnce, func(worker, i int) error {
		a, err := list[worker].json("/api/auth/admin/impersonate-user", p.Cookie, fmt.Sprintf(`{"userId":%q}`, p.Targets[i%len(p.Targets)]))
		if err == nil {
			err = a.want(http.StatusOK)
		}
		var cookies []string
		for _, c := range a.cookies {
			if c.Value != "" {
				cookies = append(cookies, c.Name+"="+c.Value)
			}
		}
		p.stopping[i] = strings.Join(cookies, "; ")
		return err
	})
}

// stop is stopImpersonating, for each of those.
func (p *peer) stop(list []*client, n, atOnce int) spell {
	return load(n, atOnce, func(worker, i int) error {
		a, err := list[worker].json("/api/auth/admin/stop-impersonating", p.stopping[i], `{}`)
		if err == nil {
			err = a.want(http.StatusOK)
		}
		return err
	})
}
