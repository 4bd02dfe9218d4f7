package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/hosttest"
	"github.com/understudy-crm/understudy/host/internal/module"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// pinnedEnv tells the process of the pinned rows where to write its section.
const pinnedEnv = "UNDERSTUDY_BENCH_PINNED"

// hook measures in a process of its own, on one processor with all its children: with two idle ones a
// wake-up costs more than the call.
func (b *run) hook(t *testing.B) {
	out := filepath.Join(t.TempDir(), "section.json")
	args := []string{os.Args[0], "-test.run", "^$", "-test.benchtime", "1x", "-test.bench", "^BenchmarkHookCalls$", "-test.timeout", "5m"}
	pinned := ""
	if path, err := exec.LookPath("taskset"); err == nil {
		args = append([]string{path, "-c", "0"}, args...)
	} else {
		pinned = "taskset is not here: these were not held to one processor"
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), pinnedEnv+"="+out, "UNDERSTUDY_BENCH_RAW="+b.raw, "UNDERSTUDY_BENCH_GRAFANA="+b.grafana)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the pinned rows: %v\n%s", err, text)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var s section
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	if pinned != "" {
		s.Notes = append(s.Notes, pinned)
	}
	b.add(s)
}

// BenchmarkHookCalls is the pinned process.
func BenchmarkHookCalls(t *testing.B) {
	out := os.Getenv(pinnedEnv)
	if out == "" {
		t.Skip("make bench runs this, on one processor")
	}
	rounds, calls := 40, 1000
	if quick() {
		rounds, calls = 6, 300
	}
	ours, theirs := hookOfOurs(t), hookOfRaw(t, os.Getenv("UNDERSTUDY_BENCH_RAW"))
	grafana, err := startGrafana(t, os.Getenv("UNDERSTUDY_BENCH_GRAFANA"))
	s := section{Title: "Hook call, everything on one processor"}
	for _, atOnce := range []int{1, 8} {
		o := &contender{turn: func() spell { return load(calls*atOnce/2, atOnce, func(int, int) error { return ours() }) }}
		r := &contender{turn: func() spell { return load(calls*atOnce/2, atOnce, func(int, int) error { return theirs() }) }}
		all := []*contender{o, r}
		g := &contender{turn: func() spell { return grafana.calls(t, calls*atOnce/2, atOnce) }}
		if err == nil {
			all = append(all, g)
		}
		contend(rounds, all...)
		for _, c := range all {
			if n, err := c.failed(); n > 0 {
				t.Fatalf("%d calls failed: %v", n, err)
			}
		}
		if atOnce == 1 {
			s.Rows = append(s.Rows, compared("hook, one at a time, p50, against raw go-plugin", duration(quantile(o.all(), 0.5)), duration(quantile(r.all(), 0.5)), o.to(r, spell.p50), atMost(1.1)))
			if err == nil {
				s.Rows = append(s.Rows, compared("  against Grafana SDK CheckHealth", duration(quantile(o.all(), 0.5)), duration(quantile(g.all(), 0.5)), o.to(g, spell.p50), atMost(0.6)))
			} else {
				s.Rows = append(s.Rows, absent("  against Grafana SDK CheckHealth", duration(quantile(o.all(), 0.5)), err.Error(), atMost(0.6)))
			}
			s.Rows = append(s.Rows, told("  p99", duration(quantile(o.all(), 0.99)), duration(quantile(r.all(), 0.99))))
			continue
		}
		s.Rows = append(s.Rows, compared("hook, 8 at once, calls/s", perSecond(o.of(spell.rate)), perSecond(r.of(spell.rate)), o.to(r, spell.rate), atLeast(0.9)))
		if err == nil {
			s.Rows = append(s.Rows, told("  Grafana SDK CheckHealth, 8 at once", "", perSecond(g.of(spell.rate))))
		}
	}
	text, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(out, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// hookOfOurs is the hook as a switch asks it: permission, deadline, breaker, metrics, a sandboxed process.
func hookOfOurs(t *testing.B) func() error {
	t.Helper()
	site := hosttest.NewSite(t)
	m := module.New(module.Options{App: site.App, Dir: filepath.Join(t.TempDir(), "modules"), RunDir: shortFolder(t), Log: slog.New(slog.DiscardHandler), AllowUpload: true})
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Stop(context.Background()) })
	install(t, m, samplePackage(t, "sample"))
	account, err := site.App.Account(t.Context(), site.Key(t, "admin@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	revision, err := site.App.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	q := crm.SwitchQuestion{Actor: account, Target: account, Reason: "to measure", Revision: revision, Moment: crm.SwitchStart} // as a request knows it
	return func() error {
		_, err := m.DecideSwitch(t.Context(), q)
		return err
	}
}

// hookOfRaw is the same question and answer over go-plugin alone, with the same TLS and deadline.
func hookOfRaw(t *testing.B, program string) func() error {
	t.Helper()
	client, switches, err := startRaw(program)
	t.Cleanup(client.Kill)
	if err != nil {
		t.Fatal(err)
	}
	account := &modulev1.Account{
		Key: &modulev1.AccountKey{Kind: modulev1.AccountKind_ACCOUNT_KIND_STAFF, Id: 1}, Name: "Ann Lee", Email: "admin@example.com", Administrator: true, Active: true,
		Capabilities: []string{"staff", "customers"},
	}
	return func() error {
		q := &modulev1.DecideRequest{
			Moment: modulev1.DecideMoment_DECIDE_MOMENT_START, Actor: account, Target: account, Reason: "to measure",
			Settings: map[string]string{"closed": "false", "minutes": "60", "mode": "full"},
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		answer, err := switches.Decide(ctx, q)
		if err == nil && !answer.GetAllowed() {
			err = errors.New("not allowed")
		}
		return err
	}
}

func startRaw(program string) (*plugin.Client, modulev1.SessionSwitchServiceClient, error) {
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "RAW", MagicCookieValue: "raw"},
		Plugins:         plugin.PluginSet{"raw": rawClient{}}, Cmd: exec.Command(program),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, AutoMTLS: true, Logger: hclog.NewNullLogger(),
	})
	protocol, err := client.Client()
	if err != nil {
		return client, nil, err
	}
	raw, err := protocol.Dispense("raw")
	if err != nil {
		return client, nil, err
	}
	conn, is := raw.(*grpc.ClientConn)
	if !is {
		return client, nil, fmt.Errorf("dispensed a %T", raw)
	}
	return client, modulev1.NewSessionSwitchServiceClient(conn), nil
}

type rawClient struct{ plugin.NetRPCUnsupportedPlugin }

func (rawClient) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return errors.New("no server") }

func (rawClient) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

// grafana is the baseline's own host, see bench/grafana.
type grafana struct {
	in    io.Writer
	lines *bufio.Scanner
}

func startGrafana(t *testing.B, program string) (*grafana, error) {
	t.Helper()
	if program == "" {
		return nil, errors.New("its SDK could not be built")
	}
	cmd := exec.Command(program)
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
		_ = cmd.Wait()
	})
	g := &grafana{in: in, lines: bufio.NewScanner(out)}
	g.lines.Buffer(nil, 16<<20)
	if !g.lines.Scan() || !strings.HasPrefix(g.lines.Text(), "ready") {
		return nil, errors.New("its plugin did not start")
	}
	return g, nil
}

// ask sends a line and reads the numbers of the answer.
func (g *grafana) ask(t *testing.B, line string) []time.Duration {
	t.Helper()
	fmt.Fprintln(g.in, line)
	if !g.lines.Scan() {
		t.Fatal("Grafana's host has ended")
	}
	var list []time.Duration
	for word := range strings.FieldsSeq(g.lines.Text()) {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, time.Duration(n))
	}
	return list
}

func (g *grafana) calls(t *testing.B, calls, atOnce int) spell {
	t.Helper()
	list := g.ask(t, fmt.Sprint(calls, " ", atOnce))
	return spell{took: list[0], each: list[1:]}
}
