package module

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// BenchmarkFirstReplies is the part of make bench that needs to see inside: how long a module takes from
// nothing to its first reply, with the sandbox and without, and a plugin of go-plugin alone. It takes
// turns and writes the times of each.
func BenchmarkFirstReplies(t *testing.B) {
	out := os.Getenv("UNDERSTUDY_BENCH_STARTS")
	if out == "" {
		t.Skip("make bench runs this")
	}
	var rounds int
	if err := json.Unmarshal([]byte(os.Getenv("UNDERSTUDY_BENCH_ROUNDS")), &rounds); err != nil {
		t.Fatal(err)
	}
	l := sampleLaunch(t)
	direct := l
	direct.direct = true
	took := map[string][]time.Duration{}
	for range rounds {
		for name, start := range map[string]func() (time.Duration, error){ // another one first each time
			"sandbox": func() (time.Duration, error) { return firstReply(t.Context(), l) },
			"direct":  func() (time.Duration, error) { return firstReply(t.Context(), direct) },
			"raw":     func() (time.Duration, error) { return firstRawReply(t.Context(), os.Getenv("UNDERSTUDY_BENCH_RAW")) },
		} {
			d, err := start()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			took[name] = append(took[name], d)
		}
	}
	text, err := json.Marshal(took)
	if err == nil {
		err = os.WriteFile(out, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// sampleLaunch is all that is needed to start the sample module.
func sampleLaunch(t *testing.B) launch {
	t.Helper()
	program := the(t, sampleProgram)
	base, err := os.MkdirTemp("", "u")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	folder := filepath.Join(base, "sample/1.0.0")
	name := filepath.Join(folder, "bin/sample")
	err = errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.Mkdir(filepath.Join(folder, "assets"), 0o755),
		os.WriteFile(filepath.Join(folder, "assets/mode"), []byte("normal"), 0o600), os.WriteFile(name, program.content, 0o755))
	if err != nil {
		t.Fatal(err)
	}
	return launch{
		executable: name, digest: program.sum, enclosure: enclosure{Folder: folder}, runDir: filepath.Join(base, "r"),
		log: newModuleLog("sample", time.Now, slog.New(slog.DiscardHandler), error.Error), timeout: 10 * time.Second, groups: findCgroups(),
	}
}

// firstReply starts the module and has it say who it is.
func firstReply(ctx context.Context, l launch) (time.Duration, error) {
	began := time.Now()
	p, err := startProcess(ctx, l)
	if err != nil {
		return 0, err
	}
	defer p.stop(0)
	_, err = modulev1.NewModuleServiceClient(p.conn).Describe(ctx, &modulev1.DescribeRequest{})
	return time.Since(began), err
}

// firstRawReply does the same with a plugin of go-plugin alone, with the same TLS.
func firstRawReply(ctx context.Context, program string) (time.Duration, error) {
	began := time.Now()
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "RAW", MagicCookieValue: "raw"},
		Plugins:         plugin.PluginSet{"raw": rawPlugin{}}, Cmd: exec.Command(program), SyncStdout: io.Discard, SyncStderr: io.Discard,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, AutoMTLS: true, Logger: hclog.NewNullLogger(),
	})
	defer client.Kill()
	protocol, err := client.Client()
	if err != nil {
		return 0, err
	}
	raw, err := protocol.Dispense("raw")
	if err != nil {
		return 0, err
	}
	switches, is := raw.(modulev1.SessionSwitchServiceClient)
	if !is {
		return 0, errors.New("it is something else")
	}
	_, err = switches.Decide(ctx, &modulev1.DecideRequest{})
	return time.Since(began), err
}

type rawPlugin struct{ plugin.NetRPCUnsupportedPlugin }

func (rawPlugin) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return errors.New("no server") }

func (rawPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return modulev1.NewSessionSwitchServiceClient(conn), nil
}
