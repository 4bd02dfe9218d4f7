package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/understudy-crm/understudy/proto"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// Serve is the whole main of a module. It returns when the host is done with it, and ends the
// process with a sentence on stderr when the module's declarations are wrong (exit code 1) or when
// a person started it by hand (exit code 2).
//
// What the module logs by log/slog is in its log in the CRM, with its level and fields; logged with a
// page's context (slog.InfoContext(r.Context(), …)) it carries the id of the request.
func Serve(module Module) {
	instance, err := NewInstance(module)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv(proto.HandshakeCookieKey) != proto.HandshakeCookieValue {
		fmt.Fprintf(os.Stderr, "%s %s is a module of the CRM: the CRM starts it by itself.\n"+
			"Install its zip in Setup → Modules, or with: understudy module install\n",
			instance.manifest.Name, instance.manifest.Version)
		os.Exit(2)
	}
	// go-plugin replaces os.Stderr; the logger must keep the real one.
	slog.SetDefault(slog.New(logHandler(os.Stderr)))
	if os.Getenv("GOMAXPROCS") == "" {
		// A module waits for one host most of the time: one processor serves more calls a second.
		runtime.GOMAXPROCS(1)
	}
	go exitWithParent(os.Getppid())
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			MagicCookieKey: proto.HandshakeCookieKey, MagicCookieValue: proto.HandshakeCookieValue,
		},
		VersionedPlugins: map[int]plugin.PluginSet{
			proto.ProtocolVersion: {proto.PluginName: &servedModule{instance: instance}},
		},
		GRPCServer: newServer,
		Logger:     hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr, JSONFormat: true}),
	})
}

func newServer(options []grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(options, grpc.ChainUnaryInterceptor(measureUnary), grpc.ChainStreamInterceptor(measureStream),
		grpc.MaxRecvMsgSize(proto.MaxMessageBytes), grpc.MaxSendMsgSize(proto.MaxMessageBytes))...)
}

// parentPoll is how often the watchdog looks. It also bounds how long an orphan lives.
const parentPoll = 500 * time.Millisecond

// exitWithParent ends the process when its parent has gone: go-plugin alone would leave it running
// for ever. The parent is asked for before anything else runs. It looks rather than asking the kernel for a signal, because that signal comes when the
// parent's thread ends, which only the parent can keep from happening; a host that arms it does so.
func exitWithParent(parent int) {
	for range time.Tick(parentPoll) {
		if os.Getppid() != parent {
			slog.Warn("the host is gone; ending")
			os.Exit(0)
		}
	}
}

// servedModule registers the module's side of the contract.
type servedModule struct {
	plugin.NetRPCUnsupportedPlugin
	instance *Instance
}

// GRPCServer registers every service; one the module does not answer is not announced as a hook.
func (m *servedModule) GRPCServer(broker *plugin.GRPCBroker, server *grpc.Server) error {
	modulev1.RegisterModuleServiceServer(server, &moduleServer{instance: m.instance, broker: broker})
	modulev1.RegisterPageServiceServer(server, &pageServer{instance: m.instance})
	modulev1.RegisterSettingsServiceServer(server, &settingsServer{instance: m.instance})
	modulev1.RegisterSessionSwitchServiceServer(server, &switchServer{instance: m.instance})
	return nil
}

// GRPCClient is the host's business.
func (m *servedModule) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a module is no client")
}

type moduleServer struct {
	modulev1.UnimplementedModuleServiceServer
	instance *Instance
	broker   *plugin.GRPCBroker
}

func (s *moduleServer) Describe(context.Context, *modulev1.DescribeRequest) (*modulev1.DescribeResponse, error) {
	m := s.instance.manifest
	answer := &modulev1.DescribeResponse{
		Id: m.ID, Version: m.Version, Contributions: contributionsToWire(s.instance.module.Contributions),
	}
	if s.instance.DecidesSwitch() {
		answer.Hooks = append(answer.Hooks, modulev1.Hook_HOOK_DECIDE_SESSION_SWITCH)
	}
	if s.instance.ValidatesSettings() {
		answer.Hooks = append(answer.Hooks, modulev1.Hook_HOOK_VALIDATE_SETTINGS)
	}
	return answer, nil
}

func (s *moduleServer) Activate(ctx context.Context, request *modulev1.ActivateRequest) (*modulev1.ActivateResponse, error) {
	conn, err := s.broker.DialWithOptions(request.GetHostServicesBrokerId(), grpc.WithChainUnaryInterceptor(measureHost), grpc.WithDefaultCallOptions(
		grpc.MaxCallRecvMsgSize(proto.MaxMessageBytes), grpc.MaxCallSendMsgSize(proto.MaxMessageBytes)))
	if err != nil {
		return nil, toStatus(Errorf(Unavailable, "activate: reach the host's services: %w", err))
	}
	err = s.instance.Activate(ctx, hostOver(conn), Activation{
		Grants: request.GetGrants(), Settings: request.GetSettings(), HostVersion: request.GetHostVersion(),
	})
	if err != nil {
		return nil, toStatus(errors.Join(err, conn.Close()))
	}
	return &modulev1.ActivateResponse{}, nil
}

func (s *moduleServer) Deactivate(ctx context.Context, _ *modulev1.DeactivateRequest) (*modulev1.DeactivateResponse, error) {
	return &modulev1.DeactivateResponse{}, toStatus(s.instance.Deactivate(ctx))
}

func (s *moduleServer) CheckHealth(ctx context.Context, _ *modulev1.CheckHealthRequest) (*modulev1.CheckHealthResponse, error) {
	return &modulev1.CheckHealthResponse{}, toStatus(s.instance.CheckHealth(ctx))
}

type pageServer struct {
	modulev1.UnimplementedPageServiceServer
	instance *Instance
}

func (s *pageServer) Serve(request *modulev1.ServeRequest, stream grpc.ServerStreamingServer[modulev1.ServeResponse]) error {
	return toStatus(s.instance.ServePage(stream.Context(), pageRequestFromWire(request), func(part PagePart) error {
		return stream.Send(pagePartToWire(part))
	}))
}

type settingsServer struct {
	modulev1.UnimplementedSettingsServiceServer
	instance *Instance
}

func (s *settingsServer) Validate(ctx context.Context, request *modulev1.ValidateRequest) (*modulev1.ValidateResponse, error) {
	refusals, err := s.instance.ValidateSettings(ctx, request.GetSettings())
	return &modulev1.ValidateResponse{Refusals: refusals}, toStatus(err)
}

func (s *settingsServer) Changed(ctx context.Context, request *modulev1.ChangedRequest) (*modulev1.ChangedResponse, error) {
	return &modulev1.ChangedResponse{}, toStatus(s.instance.SettingsChanged(ctx, request.GetSettings()))
}

type switchServer struct {
	modulev1.UnimplementedSessionSwitchServiceServer
	instance *Instance
}

func (s *switchServer) Decide(ctx context.Context, request *modulev1.DecideRequest) (*modulev1.DecideResponse, error) {
	if !s.instance.DecidesSwitch() {
		return s.UnimplementedSessionSwitchServiceServer.Decide(ctx, request)
	}
	decision, err := s.instance.DecideSwitch(ctx, questionFromWire(request))
	return decisionToWire(decision), toStatus(err)
}
