package module

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/understudy-crm/understudy/host/internal/crm"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// Every method the host offers has its line in the table; nothing else is let through.
func TestEveryHostMethodSaysWhatItNeeds(t *testing.T) {
	seen := map[string]bool{}
	services := modulev1.File_understudy_module_v1_host_proto.Services()
	for i := range services.Len() {
		methods := services.Get(i).Methods()
		for j := range methods.Len() {
			name := fullName(services.Get(i), methods.Get(j))
			seen[name] = true
			grant, ok := methodGrants[name]
			if !ok {
				t.Errorf("%s has no line: it is refused to everyone", name)
				continue
			}
			err := permit(name, nil)
			if grant == noGrant && err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if grant != noGrant && (status.Code(err) != codes.PermissionDenied || permit(name, []string{grant}) != nil) {
				t.Errorf("%s needs %s: %v", name, grant, err)
			}
		}
	}
	for name := range methodGrants {
		if !seen[name] {
			t.Errorf("%s is in the table but not in the contract", name)
		}
	}
	for _, name := range []string{"", "/x/Y", "/understudy.module.v1.DirectoryService/DeleteEverything", "/understudy.module.v1.ModuleService/Activate"} {
		if status.Code(permit(name, []string{"directory.read", "session.switch", "audit.write"})) != codes.PermissionDenied {
			t.Errorf("%q is let through", name)
		}
	}
}

func fullName(s protoreflect.ServiceDescriptor, m protoreflect.MethodDescriptor) string {
	return "/" + string(s.FullName()) + "/" + string(m.Name())
}

func TestWhatIsNotGrantedIsNotReachable(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{grants: `[{ "name": "session.switch", "why": "To decide." }]`})
	for _, path := range []string{"/find", "/audit"} {
		if answer, text := s.get(path); answer.Status != http.StatusForbidden {
			t.Errorf("%s: %d %q", path, answer.Status, text)
		}
	}
}

// The directory alone doesn't say who acts as whom.
func TestWhoActsIsSaidToWhomReadsTheRecord(t *testing.T) {
	s := newStage(t, nil)
	s.active(kit{})
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	s.site.SignIn(t, "ben@example.com").Become("jane@acme.example")
	services := &hostServices{running: r, app: s.site.App}
	acting := func() []string {
		t.Helper()
		found, err := services.SearchAccounts(t.Context(), &modulev1.SearchAccountsRequest{
			Kind: modulev1.AccountKind_ACCOUNT_KIND_CONTACT, Term: "jane", AsTargetOf: keyToWire(s.site.Key(t, "admin@example.com")),
		})
		if err != nil || len(found.GetResults()) != 1 {
			t.Fatalf("%+v %v", found, err)
		}
		return found.GetResults()[0].GetActingNames()
	}
	if got := acting(); len(got) != 1 || got[0] != "Ben Ortiz" {
		t.Errorf("with both grants: %q", got)
	}
	r.narrow([]string{"directory.read"})
	if got := acting(); len(got) != 0 {
		t.Errorf("with the directory's alone: %q", got)
	}
}

func TestWhatIsGrantedIs(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	if answer, text := s.get("/find?q=ben"); answer.Status != 200 || text != "Ben Ortiz [staff customers]\n" {
		t.Errorf("find: %d %q", answer.Status, text)
	}
	if _, text := s.get("/find?q=cleo"); text != "Cleo Park []\n" {
		t.Errorf("find: %q", text)
	}
	if _, text := s.get("/store"); text != "v <nil>" {
		t.Errorf("store: %q", text)
	}
	if answer, text := s.get("/audit"); answer.Status != 200 {
		t.Errorf("audit: %d %q", answer.Status, text)
	}
	entries := s.site.Audit(t, "module_entry")
	if len(entries) != 1 || entries[0].ActorName != "Ann Lee" || entries[0].Object != "module:sample" || entries[0].Detail["action"] != "looked" {
		t.Errorf("entries: %+v", entries)
	}
}

func TestRolesAndRulesAreSaidToTheModule(t *testing.T) {
	s := newStage(t, nil)
	s.active(kit{})
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	services := &hostServices{running: r, app: s.site.App}
	s.site.Exec(t, "UPDATE staff SET active = FALSE WHERE email = 'ben@example.com'")
	roles, err := services.ListRoles(t.Context(), &modulev1.ListRolesRequest{})
	if err != nil || len(roles.GetRoles()) != 2 {
		t.Fatalf("%+v %v", roles, err)
	}
	sales, support := roles.GetRoles()[0], roles.GetRoles()[1]
	if sales.GetName() != "Sales" || len(sales.GetCapabilities()) != 0 || sales.GetMembers() == 0 {
		t.Errorf("%+v", sales)
	}
	if support.GetName() != "Support" || strings.Join(support.GetCapabilities(), " ") != "staff customers" || support.GetMembers() != 0 {
		t.Errorf("%+v, whose only member can't sign in", support)
	}
	rules, err := services.ExplainSwitch(t.Context(), &modulev1.ExplainSwitchRequest{
		Actor: keyToWire(s.site.Key(t, "cleo@example.com")), Target: keyToWire(s.site.Key(t, "ben@example.com")),
	})
	if err != nil || len(rules.GetRules()) != 5 || rules.GetRules()[2].GetHolds() || rules.GetRules()[2].GetCode() != "switch_inactive" || len(rules.GetRules()[4].GetMissing()) == 0 {
		t.Errorf("%+v %v", rules, err)
	}
	if _, err := services.ExplainSwitch(t.Context(), &modulev1.ExplainSwitchRequest{}); crm.KindOf(err) != crm.Invalid {
		t.Errorf("nobody: %v", err)
	}
	found, err := services.SearchAccounts(t.Context(), &modulev1.SearchAccountsRequest{
		Kind: modulev1.AccountKind_ACCOUNT_KIND_STAFF, Term: "cleo", AsTargetOf: keyToWire(s.site.Key(t, "admin@example.com")),
	})
	s.site.SignIn(t, "cleo@example.com")
	again, err2 := services.SearchAccounts(t.Context(), &modulev1.SearchAccountsRequest{
		Kind: modulev1.AccountKind_ACCOUNT_KIND_STAFF, Term: "cleo", AsTargetOf: keyToWire(s.site.Key(t, "admin@example.com")),
	})
	if err != nil || err2 != nil || found.GetResults()[0].GetOnline() || !again.GetResults()[0].GetOnline() {
		t.Errorf("%+v %v; %+v %v", found, err, again, err2)
	}
}

func TestTheRecordIsReadByAccount(t *testing.T) {
	s := newStage(t, nil)
	s.active(kit{})
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	services, site := &hostServices{running: r, app: s.site.App}, s.site
	for _, pair := range [][2]string{{"admin", "jane@acme.example"}, {"admin", "rosa@globex.example"}, {"ben", "jane@acme.example"}, {"ben", "omar@acme.example"}, {"admin", "cleo@example.com"}} {
		site.SignIn(t, pair[0]+"@example.com").Become(pair[1])
	}
	list := func(q *modulev1.ListSessionSwitchesRequest) (found string) {
		t.Helper()
		answer, err := services.ListSessionSwitches(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range answer.GetSessionSwitches() {
			found += w.GetActorName()[:3] + "→" + w.GetSubjectName()[:4] + " "
			one, err := services.GetSessionSwitch(t.Context(), &modulev1.GetSessionSwitchRequest{Id: w.GetId()})
			if err != nil || !proto.Equal(one.GetSessionSwitch(), w) {
				t.Errorf("read alone: %v %v", one, err)
			}
		}
		return found
	}
	ann, jane := keyToWire(site.Key(t, "admin@example.com")), keyToWire(site.Key(t, "jane@acme.example"))
	for name, c := range map[string]struct {
		by   *modulev1.ListSessionSwitchesRequest
		want string
	}{
		"actor":             {&modulev1.ListSessionSwitchesRequest{Actor: ann}, "Ann→Cleo Ann→Rosa Ann→Jane "},
		"subject":           {&modulev1.ListSessionSwitchesRequest{Subject: jane}, "Ben→Jane Ann→Jane "},
		"both":              {&modulev1.ListSessionSwitchesRequest{Actor: ann, Subject: jane}, "Ann→Jane "},
		"customer":          {&modulev1.ListSessionSwitchesRequest{CustomerId: 1}, "Ben→Omar Ben→Jane Ann→Jane "},
		"a page of those":   {&modulev1.ListSessionSwitchesRequest{CustomerId: 1, Limit: 1}, "Ben→Omar "},
		"a staff's number":  {&modulev1.ListSessionSwitchesRequest{Subject: keyToWire(crm.AccountKey{Kind: crm.Staff, ID: jane.GetId()})}, ""},
		"a key of nobody":   {&modulev1.ListSessionSwitchesRequest{Actor: &modulev1.AccountKey{Id: ann.GetId()}}, ""},
		"an empty key":      {&modulev1.ListSessionSwitchesRequest{Subject: &modulev1.AccountKey{}}, ""},
		"no such customer":  {&modulev1.ListSessionSwitchesRequest{CustomerId: 99}, ""},
		"those of nobody's": {&modulev1.ListSessionSwitchesRequest{CustomerId: -1}, ""},
	} {
		if got := list(c.by); got != c.want {
			t.Errorf("by %s: %q, want %q", name, got, c.want)
		}
	}
	if _, err := services.GetSessionSwitch(t.Context(), &modulev1.GetSessionSwitchRequest{Id: 99}); crm.KindOf(err) != crm.NotFound {
		t.Errorf("none: %v", err)
	}
}

func TestALanguageIsUploadedByAPostOnly(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	if answer, _ := s.get("/language?tag=fr"); answer.Status == 200 {
		t.Error("a GET changed something")
	}
	answer, text := s.ask(http.MethodPost, "/language?tag=FR", `{"item": "Modelo", "bogus": "x"}`)
	if answer.Status != 200 || text != "1 unknown" {
		t.Fatalf("%d %q", answer.Status, text)
	}
	if got := s.m.Surface().Text("sample", "fr", "item", nil); got != "Modelo" {
		t.Errorf("the screen says %q", got)
	}
	if answer, text := s.ask(http.MethodPost, "/language?tag=nonsense!", `{}`); answer.Status != http.StatusUnprocessableEntity {
		t.Errorf("%d %q", answer.Status, text)
	}
}

func TestPrintsAreInTheLog(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	s.get("/print")
	eventually(t, "both lines are there", func() bool {
		page, err := s.m.Log(t.Context(), s.ann.Who(), "sample", crm.Query{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, line := range page.Rows {
			all.WriteString(line.Level + " " + line.Text + "\n")
		}
		return strings.Contains(all.String(), "info a plain print") && strings.Contains(all.String(), "a complaint")
	})
}

// A panic while a module is answered stays with that answer: the host goes on.
func TestAPanicInAHostServiceStaysWithTheCall(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	services := &hostServices{running: r, app: s.site.App}
	info := &grpc.UnaryServerInfo{FullMethod: modulev1.StorageService_GetValue_FullMethodName}
	_, err = services.intercept(t.Context(), nil, info, func(context.Context, any) (any, error) { panic("secret") })
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") {
		t.Errorf("the module is told: %v", err)
	}
}
