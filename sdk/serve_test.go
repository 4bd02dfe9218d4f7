package sdk

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/understudy-crm/understudy/proto"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// The test's own executable is the module of these tests: started with this variable it serves.
const roleKey = "UNDERSTUDY_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleKey) {
	case "module":
		Serve(echoModule())
	case "parent":
		// Starts a module that it leaves behind.
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), roleKey+"=module", proto.HandshakeCookieKey+"="+proto.HandshakeCookieValue)
		out, err := child.StdoutPipe()
		if err == nil {
			err = child.Start()
		}
		if err != nil {
			panic(err)
		}
		line, _ := bufio.NewReader(out).ReadString('\n')
		fmt.Println(child.Process.Pid, strings.Count(line, "|"))
		time.Sleep(time.Hour)
	default:
		os.Exit(m.Run())
	}
}

// echoModule uses everything that crosses the wire.
func echoModule() Module {
	module := testModule(
		adminPage("/echo", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			viewer := ViewerFrom(r)
			page, err := HostOf(r.Context()).Directory.Search(r.Context(), AccountSearch{
				Kind: Contact, Term: "jane", Limit: 3, ActiveOnly: true, AsTargetOf: viewer.Actor.Key,
			})
			w.WriteHeader(http.StatusTeapot)
			_ = json.NewEncoder(w).Encode(map[string]any{
				"method": r.Method, "url": r.URL.String(), "accept": r.Header.Get("Accept"), "body": string(body),
				"viewer": viewer, "page": page, "error": fmt.Sprint(err), "message": T(r, "title"),
			})
		}),
		adminPage("/denied", func(w http.ResponseWriter, r *http.Request) {
			err := HostOf(r.Context()).Audit.Write(r.Context(), "tried", nil)
			_, _ = fmt.Fprint(w, KindOf(err) == Denied, " ", err)
		}),
		adminPage("/log", func(_ http.ResponseWriter, _ *http.Request) { slog.Warn("careful", "n", 7) }),
		adminPage("/wait", func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			slog.Info("released")
		}),
		adminPage("/panic", func(http.ResponseWriter, *http.Request) { panic("boom") }),
		adminPage("/big", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }),
	)
	module.Manifest = testManifest(`, "grants": [{"name": "session.switch", "why": "Test."}], "capabilities": ["greet"]`)
	module.Contributions.Navbar = []NavbarItem{
		{ID: "a", LabelKey: "title", Icon: "x", Areas: []Area{AdminArea}, Action: OpenModal("/echo"), Visible: All(
			Any(Administrator(), HasCapability("greet")), Not(SessionSwitched()), SettingEquals("on", "true"), InArea(AdminArea))},
		{ID: "b", LabelKey: "title", Areas: []Area{PortalArea}, Attention: true, Action: RestoreSession()},
	}
	module.Contributions.SettingsPages = []SettingsPage{{
		TitleKey: "title",
		Fields:   []SettingField{{Key: "on", Kind: BoolSetting, LabelKey: "title", Default: "true"}},
		Notes:    []SettingNote{{TextKey: "title", When: SettingEquals("on", "true")}},
	}}
	module.Contributions.ActionLinks = []ActionLink{{LabelKey: "title"}, {LabelKey: "title", Page: "/echo"}}
	module.Contributions.AccountActions = []AccountAction{{LabelKey: "title", Page: "/echo", Modal: true, Kinds: []AccountKind{Staff, Contact}}}
	module.DecideSwitch = func(_ context.Context, q SwitchQuestion) (SwitchDecision, error) {
		switch q.Reason {
		case "panic":
			panic("boom")
		case "denied":
			return SwitchDecision{}, Errorf(Denied, "not today")
		case "":
			return RefuseSwitch("refused"), nil
		}
		return AllowSwitch(time.Duration(q.Target.Key.ID)*time.Minute, Full), nil
	}
	module.ValidateSettings = func(_ context.Context, settings Settings) (map[string]string, error) {
		if on, _ := settings.Bool("on"); !on {
			return map[string]string{"on": "refused"}, nil
		}
		return nil, nil
	}
	return module
}

// hostStub is the host's side: one directory, and an audit that isn't granted.
type hostStub struct {
	modulev1.UnimplementedDirectoryServiceServer
	modulev1.UnimplementedAuditServiceServer
	modulev1.UnimplementedLanguageServiceServer
	asked chan *modulev1.SearchAccountsRequest
}

func (h *hostStub) SearchAccounts(_ context.Context, request *modulev1.SearchAccountsRequest) (*modulev1.SearchAccountsResponse, error) {
	h.asked <- request
	return &modulev1.SearchAccountsResponse{NextPageToken: "next", Results: []*modulev1.SearchResult{{
		Account:           &modulev1.Account{Key: &modulev1.AccountKey{Kind: modulev1.AccountKind_ACCOUNT_KIND_CONTACT, Id: 7}, Name: "Jane"},
		SwitchRefusalCode: "more_rights",
	}}, CompaniesWithoutContact: []*modulev1.CompanyWithoutContact{{CustomerId: 12, Company: "Janeway", CustomerActive: true}}}, nil
}

func (h *hostStub) WriteEntry(context.Context, *modulev1.WriteEntryRequest) (*modulev1.WriteEntryResponse, error) {
	return nil, status.Error(codes.PermissionDenied, "no grant")
}

func (h *hostStub) ListLanguages(context.Context, *modulev1.ListLanguagesRequest) (*modulev1.ListLanguagesResponse, error) {
	return &modulev1.ListLanguagesResponse{Revision: 3, Languages: []*modulev1.Language{{Tag: "es", Messages: map[string]string{"title": "Título"}}}}, nil
}

// hostPlugin is the host's half of the go-plugin pair.
type hostPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	stub *hostStub
}

type moduleClients struct {
	broker   *plugin.GRPCBroker
	module   modulev1.ModuleServiceClient
	page     modulev1.PageServiceClient
	settings modulev1.SettingsServiceClient
	decide   modulev1.SessionSwitchServiceClient
}

func (p *hostPlugin) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return errors.New("host") }

func (p *hostPlugin) GRPCClient(_ context.Context, broker *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return &moduleClients{
		broker: broker, module: modulev1.NewModuleServiceClient(conn), page: modulev1.NewPageServiceClient(conn),
		settings: modulev1.NewSettingsServiceClient(conn), decide: modulev1.NewSessionSwitchServiceClient(conn),
	}, nil
}

// startProcess starts the test module as a real process under AutoMTLS and activates it.
func startProcess(t *testing.T) (*moduleClients, *hostStub, *plugin.Client, *syncBuffer) {
	t.Helper()
	stub, logged := &hostStub{asked: make(chan *modulev1.SearchAccountsRequest, 1)}, &syncBuffer{}
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), roleKey+"=module")
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{MagicCookieKey: proto.HandshakeCookieKey, MagicCookieValue: proto.HandshakeCookieValue},
		VersionedPlugins: map[int]plugin.PluginSet{
			proto.ProtocolVersion: {proto.PluginName: &hostPlugin{stub: stub}},
		},
		Cmd: command, AutoMTLS: true, AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		GRPCDialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(proto.MaxMessageBytes), grpc.MaxCallSendMsgSize(proto.MaxMessageBytes))},
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: logged, JSONFormat: true}),
	})
	t.Cleanup(client.Kill)
	protocol, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	dispensed, err := protocol.Dispense(proto.PluginName)
	if err != nil {
		t.Fatal(err)
	}
	clients, ok := dispensed.(*moduleClients)
	if !ok {
		t.Fatalf("dispensed %T", dispensed)
	}
	id := clients.broker.NextId()
	go clients.broker.AcceptAndServe(id, func(options []grpc.ServerOption) *grpc.Server {
		server := grpc.NewServer(options...)
		modulev1.RegisterDirectoryServiceServer(server, stub)
		modulev1.RegisterAuditServiceServer(server, stub)
		modulev1.RegisterLanguageServiceServer(server, stub)
		return server
	})
	_, err = clients.module.Activate(t.Context(), &modulev1.ActivateRequest{
		HostServicesBrokerId: id, Settings: map[string]string{"on": "true"}, HostVersion: "3.1.0",
	})
	if err != nil {
		t.Fatal(err)
	}
	return clients, stub, client, logged
}

func serve(t *testing.T, clients *moduleClients, request *modulev1.ServeRequest) (*modulev1.ResponseHead, []byte, error) {
	t.Helper()
	if request.Viewer == nil {
		request.Viewer = &modulev1.Viewer{Area: modulev1.Area_AREA_ADMIN}
	}
	stream, err := clients.page.Serve(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	var head *modulev1.ResponseHead
	var body []byte
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return head, body, nil
		}
		if err != nil {
			return head, body, err
		}
		if part.GetHead() != nil {
			head = part.GetHead()
		}
		if len(part.GetChunk()) > proto.MaxChunkBytes {
			t.Errorf("a chunk of %d bytes", len(part.GetChunk()))
		}
		body = append(body, part.GetChunk()...)
	}
}

func TestModuleAsAProcess(t *testing.T) {
	clients, stub, _, logged := startProcess(t)

	t.Run("describes itself", func(t *testing.T) {
		said, err := clients.module.Describe(t.Context(), &modulev1.DescribeRequest{})
		if err != nil {
			t.Fatal(err)
		}
		c := said.GetContributions()
		if said.GetId() != "test" || said.GetVersion() != "1.0.0" || len(said.GetHooks()) != 2 || len(c.GetPages()) != 6 {
			t.Errorf("%v", said)
		}
		rules := c.GetNavbarItems()[0].GetVisible().GetAll().GetRules()
		if len(rules) != 4 || !rules[0].GetAny().GetRules()[0].GetAdministrator() || rules[0].GetAny().GetRules()[1].GetCapability() != "greet" ||
			!rules[1].GetNot().GetSessionSwitched() || rules[2].GetSettingEquals().GetValue() != "true" || rules[3].GetArea() != modulev1.Area_AREA_ADMIN {
			t.Errorf("rules: %v", rules)
		}
		if c.GetNavbarItems()[1].GetRestore() == nil || c.GetNavbarItems()[1].GetVisible() != nil || c.GetNavbarItems()[0].GetOpenModal() != "/echo" {
			t.Errorf("navbar: %v", c.GetNavbarItems())
		}
		if c.GetActionLinks()[0].GetSettings() == nil || c.GetActionLinks()[1].GetPage() != "/echo" || len(c.GetAccountActions()[0].GetKinds()) != 2 {
			t.Errorf("links: %v %v", c.GetActionLinks(), c.GetAccountActions())
		}
		if c.GetPages()[0].GetUnsafeClass() != modulev1.RouteClass_ROUTE_CLASS_SENSITIVE || c.GetSettingsPages()[0].GetNotes()[0].GetWhen() == nil {
			t.Errorf("pages: %v", c.GetPages())
		}
	})

	t.Run("gets the whole request and asks the host", func(t *testing.T) {
		started := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		head, body, err := serve(t, clients, &modulev1.ServeRequest{
			Method: "POST", Path: "/echo", Query: "a=b&c=d", Header: map[string]string{"Accept": "text/x"}, Body: []byte("hi"),
			RequestId: "r1", Modal: true,
			Viewer: &modulev1.Viewer{
				Actor:    &modulev1.Account{Key: &modulev1.AccountKey{Kind: modulev1.AccountKind_ACCOUNT_KIND_STAFF, Id: 2}, Name: "Ben", Capabilities: []string{"greet"}},
				Subject:  &modulev1.Account{Key: &modulev1.AccountKey{Kind: modulev1.AccountKind_ACCOUNT_KIND_CONTACT, Id: 9}, Company: "Acme", CustomerId: 4, Active: true},
				Language: "es-MX", Area: modulev1.Area_AREA_ADMIN, TimeZone: "Europe/Madrid", FormToken: "tok", BasePath: "/admin/m/test",
				SitePath: "/crm", LanguagesRevision: 3, SessionSwitch: &modulev1.SessionSwitch{Id: 5, StartedAt: timestamppb.New(started)},
			},
		})
		if err != nil || head.GetStatus() != http.StatusTeapot {
			t.Fatalf("%v %v %s", head, err, body)
		}
		var said struct {
			Method, URL, Accept, Body, Error, Message string
			Viewer                                    Viewer
			Page                                      AccountPage
		}
		if err := json.Unmarshal(body, &said); err != nil {
			t.Fatal(err)
		}
		if said.Method != http.MethodPost || said.URL != "/echo?a=b&c=d" || said.Accept != "text/x" || said.Body != "hi" || said.Error != "<nil>" {
			t.Errorf("request: %+v", said)
		}
		if said.Message != "Título" {
			t.Errorf("the host's language file was not taken: %q", said.Message)
		}
		v := said.Viewer
		if v.Actor.Key.String() != "staff:2" || v.Subject.Key.String() != "contact:9" || v.Subject.CustomerID != 4 || !v.Switched() ||
			v.Switch == nil || !v.Switch.StartedAt.Equal(started) || !v.Switch.EndedAt.IsZero() || v.SitePath != "/crm" || !v.Modal ||
			v.RequestID != "r1" || v.Location().String() != "Europe/Madrid" || v.FormToken != "tok" {
			t.Errorf("viewer: %+v", v)
		}
		if len(said.Page.Results) != 1 || said.Page.Next != "next" || said.Page.Results[0].SwitchRefusalCode != "more_rights" || said.Page.Results[0].Key.String() != "contact:7" {
			t.Errorf("results: %+v", said.Page)
		}
		if without := said.Page.WithoutContact; len(without) != 1 || without[0] != (CompanyWithoutContact{CustomerID: 12, Company: "Janeway", Active: true}) {
			t.Errorf("companies without contact: %+v", without)
		}
		asked := <-stub.asked
		if asked.GetTerm() != "jane" || asked.GetLimit() != 3 || !asked.GetActiveOnly() || asked.GetAsTargetOf().GetId() != 2 || asked.GetKind() != modulev1.AccountKind_ACCOUNT_KIND_CONTACT {
			t.Errorf("asked: %v", asked)
		}
	})

	t.Run("learns what the host denies and lacks", func(t *testing.T) {
		if _, body, err := serve(t, clients, &modulev1.ServeRequest{Method: "GET", Path: "/denied"}); err != nil || string(body) != "true write audit entry: no grant" {
			t.Errorf("%s %v", body, err)
		}
	})

	t.Run("survives a panic", func(t *testing.T) {
		if head, _, err := serve(t, clients, &modulev1.ServeRequest{Method: "GET", Path: "/panic"}); err != nil || head.GetStatus() != 500 {
			t.Errorf("%v %v", head, err)
		}
		_, err := clients.decide.Decide(t.Context(), &modulev1.DecideRequest{Reason: "panic"})
		if status.Code(err) != codes.Internal {
			t.Errorf("decide: %v", err)
		}
	})

	t.Run("decides", func(t *testing.T) {
		target := &modulev1.Account{Key: &modulev1.AccountKey{Kind: modulev1.AccountKind_ACCOUNT_KIND_STAFF, Id: 30}}
		said, err := clients.decide.Decide(t.Context(), &modulev1.DecideRequest{Reason: "please", Target: target})
		if err != nil || !said.GetAllowed() || said.GetLimit().AsDuration() != 30*time.Minute || said.GetMode() != modulev1.SwitchMode_SWITCH_MODE_FULL {
			t.Errorf("%v %v", said, err)
		}
		if said, err = clients.decide.Decide(t.Context(), &modulev1.DecideRequest{}); err != nil || said.GetAllowed() || said.GetRefusalKey() != "refused" {
			t.Errorf("%v %v", said, err)
		}
		if _, err = clients.decide.Decide(t.Context(), &modulev1.DecideRequest{Reason: "denied"}); status.Code(err) != codes.PermissionDenied {
			t.Errorf("%v", err)
		}
		checked, err := clients.settings.Validate(t.Context(), &modulev1.ValidateRequest{Settings: map[string]string{"on": "false"}})
		if err != nil || checked.GetRefusals()["on"] != "refused" {
			t.Errorf("%v %v", checked, err)
		}
	})

	t.Run("takes and gives the largest body", func(t *testing.T) {
		sent := bytes.Repeat([]byte("x"), proto.MaxBodyBytes)
		if _, got, err := serve(t, clients, &modulev1.ServeRequest{Method: "POST", Path: "/big", Body: sent}); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})

	t.Run("lets a handler go when the host hangs up", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		stream, err := clients.page.Serve(ctx, &modulev1.ServeRequest{Method: "GET", Path: "/wait", Viewer: &modulev1.Viewer{Area: modulev1.Area_AREA_ADMIN}})
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("%v", err)
		}
		logged.waitFor(t, `"@message":"released"`)
	})

	t.Run("logs with level and fields", func(t *testing.T) {
		if _, _, err := serve(t, clients, &modulev1.ServeRequest{Method: "GET", Path: "/log"}); err != nil {
			t.Fatal(err)
		}
		line := logged.waitFor(t, `"@message":"careful"`)
		if !strings.Contains(line, `"@level":"warn"`) || !strings.Contains(line, `"n":7`) {
			t.Errorf("logged %s", line)
		}
	})

	t.Run("is activated once", func(t *testing.T) {
		id := clients.broker.NextId()
		go clients.broker.AcceptAndServe(id, func(options []grpc.ServerOption) *grpc.Server { return grpc.NewServer(options...) })
		_, err := clients.module.Activate(t.Context(), &modulev1.ActivateRequest{HostServicesBrokerId: id})
		if status.Code(err) != codes.FailedPrecondition {
			t.Errorf("%v", err)
		}
	})

	if _, err := clients.module.Deactivate(t.Context(), &modulev1.DeactivateRequest{}); err != nil {
		t.Error(err)
	}
}

func TestOrphanEnds(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), roleKey+"=parent")
	out, err := parent.StdoutPipe()
	if err == nil {
		err = parent.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var child, bars int
	if _, err := fmt.Fscan(out, &child, &bars); err != nil || bars < 4 {
		t.Fatalf("child %d, handshake with %d bars, %v", child, bars, err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if gone(child) {
			return
		}
	}
	t.Errorf("process %d outlives its parent", child)
}

// gone reports whether a process has ended; one that nobody has waited for yet counts.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

func TestStartedByHandSaysSo(t *testing.T) {
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), roleKey+"=module", proto.HandshakeCookieKey+"=")
	said, err := command.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(said), "Test 1.0.0 is a module of the CRM") {
		t.Errorf("%v: %s", err, said)
	}
}

func TestErrorsCrossTheWireBothWays(t *testing.T) {
	for _, kind := range []ErrorKind{Unknown, Invalid, Denied, NotFound, Conflict, Unavailable, TooLarge} {
		if got := KindOf(fromStatus("step", toStatus(Errorf(kind, "text")))); got != kind {
			t.Errorf("%d became %d", kind, got)
		}
	}
	late := fromStatus("step", toStatus(context.DeadlineExceeded))
	if KindOf(late) != Unavailable || !errors.Is(late, context.DeadlineExceeded) {
		t.Errorf("%v", late)
	}
	if toStatus(nil) != nil || fromStatus("step", nil) != nil {
		t.Error("nil became an error")
	}
}

// syncBuffer collects log lines of another process.
type syncBuffer struct {
	mu    sync.Mutex
	lines []string
}

func (b *syncBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, string(text))
	return len(text), nil
}

func (b *syncBuffer) waitFor(t *testing.T, part string) string {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		b.mu.Lock()
		for _, line := range b.lines {
			if strings.Contains(line, part) {
				b.mu.Unlock()
				return line
			}
		}
		b.mu.Unlock()
	}
	t.Fatalf("never logged %s", part)
	return ""
}
