// Raw is a baseline: a plugin of go-plugin with nothing around it, which answers the hook's question.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

func main() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "RAW", MagicCookieValue: "raw"},
		Plugins:         plugin.PluginSet{"raw": raw{}},
		GRPCServer:      plugin.DefaultGRPCServer,
		Logger:          hclog.NewNullLogger(),
	})
}

type raw struct{ plugin.NetRPCUnsupportedPlugin }

func (raw) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	modulev1.RegisterSessionSwitchServiceServer(server, decider{})
	return nil
}

func (raw) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("it is no client")
}

type decider struct {
	modulev1.UnimplementedSessionSwitchServiceServer
}

func (decider) Decide(context.Context, *modulev1.DecideRequest) (*modulev1.DecideResponse, error) {
	return &modulev1.DecideResponse{Allowed: true, Limit: durationpb.New(time.Hour), Mode: modulev1.SwitchMode_SWITCH_MODE_FULL}, nil
}
