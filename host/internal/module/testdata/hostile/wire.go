//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/understudy-crm/understudy/proto"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// rogue is a module that keeps to the handshake and to little else. It speaks the contract by
// hand: the sdk would keep it from most of this. Its attack is the word after "rogue " in its mode.
type rogue struct {
	plugin.NetRPCUnsupportedPlugin
	modulev1.UnimplementedModuleServiceServer
	modulev1.UnimplementedPageServiceServer
	modulev1.UnimplementedSettingsServiceServer
	modulev1.UnimplementedSessionSwitchServiceServer
	attack string
	broker *plugin.GRPCBroker
	host   *grpc.ClientConn
	checks atomic.Int32
	offers atomic.Int32
}

func serve(attack string) {
	r := &rogue{attack: attack}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  plugin.HandshakeConfig{MagicCookieKey: proto.HandshakeCookieKey, MagicCookieValue: proto.HandshakeCookieValue},
		VersionedPlugins: map[int]plugin.PluginSet{proto.ProtocolVersion: {proto.PluginName: r}},
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, grpc.MaxSendMsgSize(1<<30), grpc.MaxRecvMsgSize(1<<30), grpc.ChainStreamInterceptor(r.offer))...)
		},
	})
}

func (r *rogue) GRPCServer(broker *plugin.GRPCBroker, server *grpc.Server) error {
	r.broker = broker
	modulev1.RegisterModuleServiceServer(server, r)
	modulev1.RegisterPageServiceServer(server, r)
	modulev1.RegisterSettingsServiceServer(server, settings{rogue: r})
	modulev1.RegisterSessionSwitchServiceServer(server, r)
	return nil
}

func (*rogue) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, status.Error(codes.Unimplemented, "a module is no client")
}

// offer has go-plugin's broker, on the host's side, remember connections without end.
func (r *rogue) offer(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if r.attack == "offers" && info.FullMethod == "/plugin.GRPCBroker/StartStream" {
		go func() {
			for id := uint64(100); id < 1<<20; id++ {
				var offer emptypb.Empty // and what it carries: a number, and a knock at the door
				text := append(protowire.AppendVarint([]byte{0x08}, id), 0x22, 0x02, 0x08, 0x01)
				offer.ProtoReflect().SetUnknown(text)
				if stream.SendMsg(&offer) != nil {
					return
				}
				r.offers.Add(1)
			}
		}()
	}
	return handle(server, stream)
}

// at misbehaves when a moment is the attack's: it hangs, lies about its bytes, sends too many of
// them, or fails in words that are none of the contract's.
func (r *rogue) at(moment string, unknown func(protoreflect.RawFields)) error {
	switch r.attack {
	case moment + "-hang":
		select {}
	case moment + "-garbage":
		unknown([]byte{0xff, 0xff, 0xff, 0xff})
	case moment + "-big":
		unknown(append([]byte{0xfa, 0x3f, 0x80, 0x80, 0x80, 0x32}, make([]byte, 100<<20)...)) // field 1023, 100 MiB of it
	case moment + "-words":
		return status.Error(codes.Code(4242), "<script>alert(1)</script>\r\n\x1b[31mroot password?\u202e")
	}
	return nil
}

func (r *rogue) Describe(context.Context, *modulev1.DescribeRequest) (*modulev1.DescribeResponse, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	folder := filepath.Dir(filepath.Dir(executable))
	d := &modulev1.DescribeResponse{
		Id: filepath.Base(filepath.Dir(folder)), Version: filepath.Base(folder), Contributions: contributions(r.attack),
		Hooks: []modulev1.Hook{modulev1.Hook_HOOK_VALIDATE_SETTINGS},
	}
	if r.attack == "poses" {
		d.Id = "good"
	}
	if manifest, err := os.ReadFile(filepath.Join(folder, "module.json")); err == nil && strings.Contains(string(manifest), "session.switch") || r.attack == "wants-more" {
		d.Hooks = append(d.Hooks, modulev1.Hook_HOOK_DECIDE_SESSION_SWITCH)
	}
	return d, r.at("describe", d.ProtoReflect().SetUnknown)
}

// contributions are well-formed ones, or one that poses as something else.
func contributions(attack string) *modulev1.Contributions {
	admin := []modulev1.Area{modulev1.Area_AREA_ADMIN}
	item := &modulev1.NavbarItem{Id: "rogue", LabelKey: "item", Icon: "user", Areas: admin, Action: &modulev1.NavbarItem_GoToPage{GoToPage: "/ok"}}
	c := &modulev1.Contributions{NavbarItems: []*modulev1.NavbarItem{item}, SettingsPages: []*modulev1.SettingsPage{{
		TitleKey: "title", Fields: []*modulev1.SettingField{{Key: "closed", Kind: modulev1.SettingKind_SETTING_KIND_BOOL, LabelKey: "closed", DefaultValue: "false"}},
	}}}
	for _, path := range strings.Fields("/ok /hang /hang-body /garbage /no-head /status /line-break /away /cookie /script /big-page /big-message /words /kill /ask /publish /try /log /burn /offers /ask-on /swell") {
		c.Pages = append(c.Pages, &modulev1.Page{Path: path, TitleKey: "title", Areas: admin, UnsafeClass: modulev1.RouteClass_ROUTE_CLASS_WRITE})
	}
	switch attack {
	case "label-script":
		item.LabelKey = "<script>alert(1)</script>"
	case "label-long":
		item.LabelKey = strings.Repeat("x", 128<<10)
	case "icon-script":
		item.Icon = `user" onload="alert(1)`
	case "item-elsewhere":
		item.Action = &modulev1.NavbarItem_GoToPage{GoToPage: "https://elsewhere.example/"}
	case "item-of-another":
		item.Action = &modulev1.NavbarItem_GoToPage{GoToPage: "/../good/pick"}
	case "page-of-another":
		c.Pages[0].Path = "/../good/pick"
	case "swollen":
		return swollen(proto.MaxMessageBytes - 1024)
	case "many-items":
		for i := range 1000 {
			c.NavbarItems = append(c.NavbarItems, &modulev1.NavbarItem{Id: fmt.Sprint("i", i), LabelKey: "item", Areas: admin, Action: item.Action})
		}
	}
	return c
}

func (r *rogue) Activate(_ context.Context, q *modulev1.ActivateRequest) (*modulev1.ActivateResponse, error) {
	var err error
	if r.host, err = r.broker.DialWithOptions(q.GetHostServicesBrokerId(), grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(1<<30))); err != nil {
		return nil, err
	}
	a := &modulev1.ActivateResponse{}
	return a, r.at("activate", a.ProtoReflect().SetUnknown)
}

// ownStderr is the process's, which is read to its end. os.Stderr is go-plugin's by now: what is
// printed there last may be lost with the connection.
var ownStderr = os.NewFile(2, "stderr")

// Deactivate asks for everything there is before it answers, as somebody does who hopes that the
// host waits for him with its hands full. What came of it goes to the log.
func (r *rogue) Deactivate(ctx context.Context, _ *modulev1.DeactivateRequest) (*modulev1.DeactivateResponse, error) {
	if r.attack == "deactivate-asks" {
		fmt.Fprintln(ownStderr, "asked while deactivated: "+strings.Join(r.askAll(ctx), ", "))
	}
	a := &modulev1.DeactivateResponse{}
	return a, r.at("deactivate", a.ProtoReflect().SetUnknown)
}

// CheckHealth is well until it was believed once.
func (r *rogue) CheckHealth(context.Context, *modulev1.CheckHealthRequest) (*modulev1.CheckHealthResponse, error) {
	a := &modulev1.CheckHealthResponse{}
	if r.checks.Add(1) == 1 {
		return a, nil
	}
	return a, r.at("health", a.ProtoReflect().SetUnknown)
}

func (r *rogue) Decide(context.Context, *modulev1.DecideRequest) (*modulev1.DecideResponse, error) {
	a := &modulev1.DecideResponse{Allowed: true} // without a limit
	return a, r.at("decide", a.ProtoReflect().SetUnknown)
}

type settings struct {
	modulev1.UnimplementedSettingsServiceServer
	rogue *rogue
}

func (s settings) Validate(context.Context, *modulev1.ValidateRequest) (*modulev1.ValidateResponse, error) {
	a := &modulev1.ValidateResponse{}
	return a, s.rogue.at("validate", a.ProtoReflect().SetUnknown)
}

func (s settings) Changed(context.Context, *modulev1.ChangedRequest) (*modulev1.ChangedResponse, error) {
	a := &modulev1.ChangedResponse{}
	return a, s.rogue.at("changed", a.ProtoReflect().SetUnknown)
}

// askAll calls each method of each of the host's services, and says how each call ended.
func (r *rogue) askAll(ctx context.Context) []string {
	var said []string
	services := modulev1.File_understudy_module_v1_host_proto.Services()
	for i := range services.Len() {
		methods := services.Get(i).Methods()
		for j := range methods.Len() {
			name := fmt.Sprintf("%s/%s", services.Get(i).FullName(), methods.Get(j).Name())
			err := r.host.Invoke(ctx, "/"+name, &emptypb.Empty{}, &emptypb.Empty{})
			said = append(said, strings.TrimPrefix(name, "understudy.module.v1.")+" "+status.Code(err).String())
		}
	}
	return said
}

// Serve answers a page by its path: some of them go wrong before there is an answer, some in its head,
// some in what it says, and some after it.
func (r *rogue) Serve(q *modulev1.ServeRequest, stream grpc.ServerStreamingServer[modulev1.ServeResponse]) error {
	if broken, err := r.breaks(q.GetPath(), stream); broken {
		return err
	}
	text := r.text(stream.Context(), q)
	if err := stream.Send(&modulev1.ServeResponse{Part: &modulev1.ServeResponse_Head{Head: head(q.GetPath())}}); err != nil {
		return err
	}
	if err := sendChunk(stream, text); err != nil {
		return err
	}
	switch q.GetPath() {
	case "/big-page":
		part := bytes.Repeat([]byte("x"), proto.MaxChunkBytes)
		for range 1599 {
			if err := sendChunk(stream, part); err != nil {
				return err
			}
		}
	case "/hang-body":
		for stream.Context().Err() == nil { // a little now and then, so that it never looks idle
			time.Sleep(50 * time.Millisecond)
			_ = sendChunk(stream, []byte(" "))
		}
	}
	return nil
}

func sendChunk(stream grpc.ServerStreamingServer[modulev1.ServeResponse], text []byte) error {
	return stream.Send(&modulev1.ServeResponse{Part: &modulev1.ServeResponse_Chunk{Chunk: text}})
}

// breaks does what a page does instead of answering, and tells whether it was one of those.
func (r *rogue) breaks(path string, stream grpc.ServerStreamingServer[modulev1.ServeResponse]) (bool, error) {
	switch path {
	case "/hang":
		select {}
	case "/kill":
		os.Exit(3)
	case "/words":
		return true, status.Error(codes.Code(4242), "<script>alert(1)</script>\r\n\x1b[31mroot password?\u202e")
	case "/garbage":
		answer := &modulev1.ServeResponse{}
		answer.ProtoReflect().SetUnknown([]byte{0xff, 0xff, 0xff, 0xff})
		return true, stream.Send(answer)
	case "/no-head":
		return true, sendChunk(stream, []byte("<p>fine</p>"))
	}
	return false, nil
}

// head is the head of a page's answer.
func head(path string) *modulev1.ResponseHead {
	h := &modulev1.ResponseHead{Status: 200, Header: map[string]string{"Content-Type": "text/html; charset=utf-8"}}
	switch path {
	case "/status":
		h.Status = 99
	case "/line-break":
		h.Header["Content-Disposition"] = "x\r\nSet-Cookie: stolen=1"
	case "/away":
		h.Status, h.Header["Location"] = 303, `https://elsewhere.example/`
	case "/cookie":
		h.Header["Set-Cookie"], h.Header["Access-Control-Allow-Origin"] = "stolen=1", "*"
	}
	return h
}

// text does what a page does, and is what it says.
func (r *rogue) text(ctx context.Context, q *modulev1.ServeRequest) []byte {
	switch q.GetPath() {
	case "/script":
		return []byte(`<p onclick="steal()">fine<script>steal()</script><form action="/admin/staff"><iframe src="//elsewhere.example"></p>`)
	case "/log":
		for i := range 20_000 {
			fmt.Fprintln(os.Stderr, "line", i, strings.Repeat("x", 500))
		}
	case "/big-message":
		return bytes.Repeat([]byte("x"), 100<<20)
	case "/ask-on":
		r.askOn(ctx)
	case "/swell":
		return []byte(r.swell(ctx).Error())
	case "/ask":
		said, _ := json.Marshal(r.askAll(ctx))
		return said
	case "/publish":
		_, err := modulev1.NewContributionServiceClient(r.host).Publish(ctx, &modulev1.PublishRequest{Contributions: contributions(q.GetQuery())})
		return []byte(err.Error())
	case "/burn":
		burn(ctx)
	case "/offers":
		return fmt.Append(nil, r.offers.Load())
	case "/try":
		return try(q.GetQuery())
	}
	return []byte("<p>fine</p>")
}

// askOn asks for everything, from many sides and without end.
func (r *rogue) askOn(ctx context.Context) {
	for range 16 {
		go func() {
			for ctx.Err() == nil {
				r.askAll(ctx)
			}
		}()
	}
	<-ctx.Done()
}

// swollen are contributions of as many bytes: each two of them are one more empty item, which takes
// a hundred times as much of whoever reads it.
func swollen(size int) *modulev1.Contributions {
	c := &modulev1.Contributions{}
	c.ProtoReflect().SetUnknown(bytes.Repeat([]byte{0x0a, 0x00}, size/2))
	return c
}

// swell publishes them.
func (r *rogue) swell(ctx context.Context) error {
	_, err := modulev1.NewContributionServiceClient(r.host).Publish(ctx, &modulev1.PublishRequest{Contributions: swollen(1 << 20)})
	return err
}

// burn keeps as many processors busy as it can get.
func burn(ctx context.Context) {
	const threads = 16
	runtime.GOMAXPROCS(threads)
	for range threads {
		go func() {
			for ctx.Err() == nil {
			}
		}()
	}
	<-ctx.Done()
}

// try makes the tries of a mode, and returns what they say. The rest of the query is what they need
// to know.
func try(query string) []byte {
	mode, known, _ := strings.Cut(query, "&")
	values, err := url.ParseQuery(known)
	for name := range values {
		err = errors.Join(err, os.Setenv(name, values.Get(name)))
	}
	if err != nil {
		return []byte(err.Error())
	}
	var said bytes.Buffer
	out = &said
	tries[mode]()
	return said.Bytes()
}
