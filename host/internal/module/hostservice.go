package module

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

// hostServices is what one module may ask of the host. Which module asks is known by the
// connection, which is that module's alone; no message says it.
type hostServices struct {
	modulev1.UnimplementedDirectoryServiceServer
	modulev1.UnimplementedSessionSwitchLogServiceServer
	modulev1.UnimplementedOwnSettingsServiceServer
	modulev1.UnimplementedStorageServiceServer
	modulev1.UnimplementedAuditServiceServer
	modulev1.UnimplementedLanguageServiceServer
	modulev1.UnimplementedContributionServiceServer
	modulev1.UnimplementedNoticeServiceServer
	running *running
	app     *app.App
	asks    throttle
	recheck together
}

func (s *hostServices) register(server *grpc.Server) {
	modulev1.RegisterDirectoryServiceServer(server, s)
	modulev1.RegisterSessionSwitchLogServiceServer(server, s)
	modulev1.RegisterOwnSettingsServiceServer(server, s)
	modulev1.RegisterStorageServiceServer(server, s)
	modulev1.RegisterAuditServiceServer(server, s)
	modulev1.RegisterLanguageServiceServer(server, s)
	modulev1.RegisterContributionServiceServer(server, s)
	modulev1.RegisterNoticeServiceServer(server, s)
}

// noGrant marks methods that every module may use: they reach nothing but the module's own.
const noGrant = ""

// methodGrants is the whole table of what may be asked, and by whom. A method that isn't in it is
// refused.
var methodGrants = map[string]string{
	modulev1.DirectoryService_SearchAccounts_FullMethodName:                manifest.GrantDirectoryRead,
	modulev1.DirectoryService_GetAccount_FullMethodName:                    manifest.GrantDirectoryRead,
	modulev1.DirectoryService_ListRoles_FullMethodName:                     manifest.GrantDirectoryRead,
	modulev1.SessionSwitchLogService_ListSessionSwitches_FullMethodName:    manifest.GrantSessionSwitch,
	modulev1.SessionSwitchLogService_GetSessionSwitch_FullMethodName:       manifest.GrantSessionSwitch,
	modulev1.SessionSwitchLogService_EndSessionSwitch_FullMethodName:       manifest.GrantSessionSwitch,
	modulev1.SessionSwitchLogService_RecheckSessionSwitches_FullMethodName: manifest.GrantSessionSwitch,
	modulev1.SessionSwitchLogService_ListSwitchEvents_FullMethodName:       manifest.GrantSessionSwitch,
	modulev1.SessionSwitchLogService_ExplainSwitch_FullMethodName:          manifest.GrantSessionSwitch,
	modulev1.SessionSwitchLogService_CheckSwitching_FullMethodName:         manifest.GrantSessionSwitch,
	modulev1.NoticeService_SendNotice_FullMethodName:                       manifest.GrantNoticeSend,
	modulev1.OwnSettingsService_GetSettings_FullMethodName:                 noGrant,
	modulev1.StorageService_GetValue_FullMethodName:                        noGrant,
	modulev1.StorageService_PutValue_FullMethodName:                        noGrant,
	modulev1.StorageService_DeleteValue_FullMethodName:                     noGrant,
	modulev1.StorageService_ListKeys_FullMethodName:                        noGrant,
	modulev1.AuditService_WriteEntry_FullMethodName:                        manifest.GrantAuditWrite,
	modulev1.LanguageService_ListLanguages_FullMethodName:                  noGrant,
	modulev1.LanguageService_PutLanguage_FullMethodName:                    noGrant,
	modulev1.LanguageService_DeleteLanguage_FullMethodName:                 noGrant,
	modulev1.ContributionService_Publish_FullMethodName:                    noGrant,
}

// permit says whether a module that holds these grants may call a method.
func permit(method string, grants []string) error {
	grant, known := methodGrants[method]
	if !known {
		return status.Errorf(codes.PermissionDenied, "%s is not offered to modules", method)
	}
	if grant != noGrant && !slices.Contains(grants, grant) {
		return status.Errorf(codes.PermissionDenied, "%s needs the grant %s", method, grant)
	}
	return nil
}

// hostCallLimit bounds what a module's call may cost the host.
const hostCallLimit = 10 * time.Second

// intercept stands before every method: the grant is checked, time is bounded, a panic stays with
// the call, and an error becomes what the contract says.
func (s *hostServices) intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
	if err := permit(info.FullMethod, s.running.holds()); err != nil {
		s.running.log.add("warn", "refused: "+status.Convert(err).Message(), "")
		return nil, err
	}
	if err := s.running.own.checkTrial(info.FullMethod); err != nil {
		s.running.log.add("warn", "refused: "+status.Convert(err).Message(), "")
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, hostCallLimit)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			s.running.log.host.Error("host service: panic", "method", info.FullMethod, "panic", p, "stack", string(debug.Stack()))
			answer, err = nil, status.Error(codes.Internal, "internal error")
		}
	}()
	ctx, span := s.running.process.spans.asked(ctx, info.FullMethod)
	answer, err = handle(ctx, request)
	span.End(err)
	return answer, s.toStatus(info.FullMethod, err)
}

// refuseStream is there so that a streaming method added one day isn't open to all.
func refuseStream(_ any, _ grpc.ServerStream, info *grpc.StreamServerInfo, _ grpc.StreamHandler) error {
	return status.Errorf(codes.PermissionDenied, "%s is not offered to modules", info.FullMethod)
}

var kindCodes = map[crm.Kind]codes.Code{
	crm.Invalid: codes.InvalidArgument, crm.Denied: codes.PermissionDenied, crm.NotFound: codes.NotFound,
	crm.Conflict: codes.FailedPrecondition, crm.TooLarge: codes.ResourceExhausted, crm.TooMany: codes.ResourceExhausted,
	crm.Unavailable: codes.Unavailable, crm.SignedOut: codes.PermissionDenied,
}

// toStatus tells a module what went wrong, but nothing of the host's insides.
func (s *hostServices) toStatus(method string, err error) error {
	if err == nil {
		return nil
	}
	if _, is := status.FromError(err); is {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return status.FromContextError(err).Err()
	}
	code, known := kindCodes[crm.KindOf(err)]
	if !known {
		s.running.log.host.Error("host service", "method", method, "error", err)
		return status.Error(codes.Internal, "internal error")
	}
	var e *crm.Error
	errors.As(err, &e)
	return status.Error(code, fmt.Sprintf("%s %v", e.Key, e.Args))
}

// SearchAccounts finds accounts of one kind.
func (s *hostServices) SearchAccounts(ctx context.Context, q *modulev1.SearchAccountsRequest) (*modulev1.SearchAccountsResponse, error) {
	kind, ok := accountKinds[q.GetKind()]
	if !ok {
		return nil, status.Error(codes.InvalidArgument, "kind must be staff or contact")
	}
	query := app.AccountQuery{Kind: kind, Term: q.GetTerm(), Limit: bounded(q.GetLimit(), 20, 100), After: q.GetPageToken(), ActiveOnly: q.GetActiveOnly()}
	if q.GetAsTargetOf() != nil {
		key, err := keyFromWire(q.GetAsTargetOf())
		if err != nil {
			return nil, err
		}
		query.TargetOf = key
	}
	page, err := s.app.SearchAccounts(ctx, query)
	if err != nil {
		return nil, err
	}
	answer := &modulev1.SearchAccountsResponse{NextPageToken: page.Next}
	for _, match := range page.Rows {
		result := &modulev1.SearchResult{Account: s.running.account(match.Account), SwitchRefusalCode: match.Refusal, Online: match.Online}
		if slices.Contains(s.running.holds(), manifest.GrantSessionSwitch) { // it is of the record
			result.ActingNames = match.Acting
		}
		answer.Results = append(answer.Results, result)
	}
	if kind == crm.Contact && query.After == "" {
		companies, err := s.app.CompaniesWithoutContact(ctx, query.Term)
		if err != nil {
			return nil, err
		}
		for _, company := range companies {
			answer.CompaniesWithoutContact = append(answer.CompaniesWithoutContact, companyToWire(company))
		}
	}
	return answer, nil
}

// GetAccount reads one account.
func (s *hostServices) GetAccount(ctx context.Context, q *modulev1.GetAccountRequest) (*modulev1.GetAccountResponse, error) {
	key, err := keyFromWire(q.GetKey())
	if err != nil {
		return nil, err
	}
	account, err := s.app.Account(ctx, key)
	if err != nil {
		return nil, err
	}
	return &modulev1.GetAccountResponse{Account: s.running.account(account)}, nil
}

// ListRoles reads the roles of staff.
func (s *hostServices) ListRoles(ctx context.Context, _ *modulev1.ListRolesRequest) (*modulev1.ListRolesResponse, error) {
	roles, err := s.app.DirectoryRoles(ctx)
	if err != nil {
		return nil, err
	}
	answer := &modulev1.ListRolesResponse{}
	for _, role := range roles {
		wire := &modulev1.Role{Id: role.ID, Name: role.Name, Members: int32(role.ActiveMembers)}
		for _, c := range s.running.added.Load().capabilities {
			if role.Capabilities.Has(c.Capability) && c.Capability.Holders() == crm.Staff {
				wire.Capabilities = append(wire.Capabilities, keyOf(c.Capability))
			}
		}
		answer.Roles = append(answer.Roles, wire)
	}
	return answer, nil
}

// bounded reads a limit of a list.
func bounded(limit int32, usual, most int) int {
	if limit <= 0 {
		return usual
	}
	return min(int(limit), most)
}

// asker is who asked for the page in which a module calls, nobody when it names no request.
func (r *running) asker(request string) (crm.Who, error) {
	if request == "" {
		return crm.Who{}, nil
	}
	asking, ok := r.asks(request)
	if !ok {
		return crm.Who{}, status.Error(codes.FailedPrecondition, "no page request of this id is in flight")
	}
	return asking.who, nil
}

// WriteEntry appends to the Activity Log, in the name of whoever asked for the page it happened in.
func (s *hostServices) WriteEntry(ctx context.Context, q *modulev1.WriteEntryRequest) (*modulev1.WriteEntryResponse, error) {
	who, err := s.running.asker(q.GetRequestId())
	if err != nil {
		return nil, err
	}
	return &modulev1.WriteEntryResponse{}, s.running.own.write(ctx, who, q.GetAction(), q.GetDetail())
}
