// Command grafana is a baseline of make bench: a plugin written with Grafana's SDK, and the host
// that calls it. It lives in a module of its own, so that the product doesn't depend on that SDK.
//
// Without arguments it starts itself as the plugin, with AutoMTLS, and answers each line "CALLS AT-ONCE"
// on standard input with a line: how long all took in nanoseconds, then how long each did.
// "start" is answered with how long a new plugin took to its first reply.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/grpcplugin"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
)

func main() {
	if len(os.Args) > 1 {
		serve()
		return
	}
	if err := host(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type checker struct{}

// CheckHealth answers as small as the hook of ours does.
func (checker) CheckHealth(context.Context, *backend.CheckHealthRequest) (*backend.CheckHealthResult, error) {
	return &backend.CheckHealthResult{Status: backend.HealthStatusOk, Message: "allowed"}, nil
}

func serve() {
	if err := backend.Manage("understudy-bench", backend.ServeOpts{CheckHealthHandler: checker{}}); err != nil {
		os.Exit(1)
	}
}

// start starts a plugin and connects to it.
func start() (*plugin.Client, grpcplugin.DiagnosticsClient, error) {
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  plugin.HandshakeConfig{ProtocolVersion: 2, MagicCookieKey: "grafana_plugin_type", MagicCookieValue: "datasource"},
		VersionedPlugins: map[int]plugin.PluginSet{2: {"diagnostics": &grpcplugin.DiagnosticsGRPCPlugin{}}},
		Cmd:              exec.Command(os.Args[0], "plugin"),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		Logger:           hclog.NewNullLogger(),
	})
	protocol, err := client.Client()
	if err != nil {
		return client, nil, err
	}
	raw, err := protocol.Dispense("diagnostics")
	if err != nil {
		return client, nil, err
	}
	return client, raw.(grpcplugin.DiagnosticsClient), nil
}

func host() error {
	client, diagnostics, err := start()
	if client != nil {
		defer client.Kill()
	}
	if err != nil {
		return err
	}
	call := func(d grpcplugin.DiagnosticsClient) error {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_, err := d.CheckHealth(ctx, &pluginv2.CheckHealthRequest{PluginContext: &pluginv2.PluginContext{OrgId: 1, PluginId: "understudy-bench"}})
		return err
	}
	fmt.Println("ready", client.ID())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if lines.Text() == "start" {
			took, err := coldStart(call)
			if err != nil {
				return err
			}
			fmt.Println(took.Nanoseconds())
			continue
		}
		var calls, atOnce int
		if _, err := fmt.Sscan(lines.Text(), &calls, &atOnce); err != nil {
			return err
		}
		if err := answer(calls, atOnce, func() error { return call(diagnostics) }); err != nil {
			return err
		}
	}
	return nil
}

func coldStart(call func(grpcplugin.DiagnosticsClient) error) (time.Duration, error) {
	began := time.Now()
	client, diagnostics, err := start()
	defer client.Kill()
	if err == nil {
		err = call(diagnostics)
	}
	return time.Since(began), err
}

// answer makes the calls and writes how long they took.
func answer(calls, atOnce int, call func() error) error {
	each, failed := make([]time.Duration, calls), make([]error, atOnce)
	var wait sync.WaitGroup
	began := time.Now()
	for w := range atOnce {
		wait.Go(func() {
			for i := w; i < calls; i += atOnce {
				start := time.Now()
				if err := call(); err != nil {
					failed[w] = err
					return
				}
				each[i] = time.Since(start)
			}
		})
	}
	wait.Wait()
	total := time.Since(began)
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	var line strings.Builder
	fmt.Fprint(&line, total.Nanoseconds())
	for _, d := range each {
		fmt.Fprint(&line, " ", d.Nanoseconds())
	}
	fmt.Println(line.String())
	return nil
}
