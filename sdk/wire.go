package sdk

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/understudy-crm/understudy/proto"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// The lengths page.go keeps must be the contract's.
const (
	_ = uint(maxBodyBytes - proto.MaxBodyBytes)
	_ = uint(proto.MaxBodyBytes - maxBodyBytes)
	_ = uint(maxChunkBytes - proto.MaxChunkBytes)
	_ = uint(proto.MaxChunkBytes - maxChunkBytes)
)

var statusByKind = map[ErrorKind]codes.Code{
	Unknown:     codes.Internal,
	Invalid:     codes.InvalidArgument,
	Denied:      codes.PermissionDenied,
	NotFound:    codes.NotFound,
	Conflict:    codes.FailedPrecondition,
	Unavailable: codes.Unavailable,
	TooLarge:    codes.ResourceExhausted,
}

// toStatus makes what the host understands of an error of the module.
func toStatus(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return status.FromContextError(err).Err()
	}
	return status.Error(statusByKind[KindOf(err)], err.Error())
}

// fromStatus makes an Error of what the host answered.
func fromStatus(step string, err error) error {
	if err == nil {
		return nil
	}
	said := status.Convert(err)
	kind := Unknown
	switch said.Code() {
	case codes.InvalidArgument:
		kind = Invalid
	case codes.PermissionDenied, codes.Unauthenticated:
		kind = Denied
	case codes.NotFound:
		kind = NotFound
	case codes.FailedPrecondition, codes.AlreadyExists, codes.Aborted:
		kind = Conflict
	case codes.ResourceExhausted:
		kind = TooLarge
	case codes.DeadlineExceeded:
		return Errorf(Unavailable, "%s: %s: %w", step, said.Message(), context.DeadlineExceeded)
	case codes.Canceled:
		return Errorf(Unavailable, "%s: %s: %w", step, said.Message(), context.Canceled)
	case codes.Unavailable, codes.Unimplemented:
		kind = Unavailable
	}
	return Errorf(kind, "%s: %s", step, said.Message())
}

// Accounts, areas and switches.

var kindToWire = map[AccountKind]modulev1.AccountKind{
	Staff:   modulev1.AccountKind_ACCOUNT_KIND_STAFF,
	Contact: modulev1.AccountKind_ACCOUNT_KIND_CONTACT,
}

var areaToWire = map[Area]modulev1.Area{
	AdminArea:  modulev1.Area_AREA_ADMIN,
	PortalArea: modulev1.Area_AREA_PORTAL,
}

var outcomeToWire = map[SwitchOutcome]modulev1.SwitchOutcome{
	OutcomeActive:  modulev1.SwitchOutcome_SWITCH_OUTCOME_ACTIVE,
	OutcomeEnded:   modulev1.SwitchOutcome_SWITCH_OUTCOME_ENDED,
	OutcomeRefused: modulev1.SwitchOutcome_SWITCH_OUTCOME_REFUSED,
}

var endFromWire = map[modulev1.SwitchEnd]SwitchEnd{
	modulev1.SwitchEnd_SWITCH_END_STOPPED:          EndStopped,
	modulev1.SwitchEnd_SWITCH_END_EXPIRED:          EndExpired,
	modulev1.SwitchEnd_SWITCH_END_SIGNED_OUT:       EndSignedOut,
	modulev1.SwitchEnd_SWITCH_END_ACTOR_INACTIVE:   EndActorInactive,
	modulev1.SwitchEnd_SWITCH_END_TARGET_INACTIVE:  EndTargetInactive,
	modulev1.SwitchEnd_SWITCH_END_NOT_ALLOWED:      EndNotAllowed,
	modulev1.SwitchEnd_SWITCH_END_MODULE_OFF:       EndModuleOff,
	modulev1.SwitchEnd_SWITCH_END_BY_ADMINISTRATOR: EndByAdministrator,
	modulev1.SwitchEnd_SWITCH_END_SESSION_LOST:     EndSessionLost,
}

func modeToWire(mode SwitchMode) modulev1.SwitchMode {
	if mode == Full {
		return modulev1.SwitchMode_SWITCH_MODE_FULL
	}
	return modulev1.SwitchMode_SWITCH_MODE_READ_ONLY
}

func modeFromWire(mode modulev1.SwitchMode) SwitchMode {
	if mode == modulev1.SwitchMode_SWITCH_MODE_FULL {
		return Full
	}
	return ReadOnly
}

func kindFromWire(kind modulev1.AccountKind) AccountKind {
	switch kind {
	case modulev1.AccountKind_ACCOUNT_KIND_STAFF:
		return Staff
	case modulev1.AccountKind_ACCOUNT_KIND_CONTACT:
		return Contact
	}
	return ""
}

func areaFromWire(area modulev1.Area) Area {
	switch area {
	case modulev1.Area_AREA_ADMIN:
		return AdminArea
	case modulev1.Area_AREA_PORTAL:
		return PortalArea
	}
	return ""
}

func keyFromWire(key *modulev1.AccountKey) AccountKey {
	return AccountKey{Kind: kindFromWire(key.GetKind()), ID: key.GetId()}
}

// keyToWire returns nil for the zero key: an unset field, not a key of nobody.
func keyToWire(key AccountKey) *modulev1.AccountKey {
	if key == (AccountKey{}) {
		return nil
	}
	return &modulev1.AccountKey{Kind: kindToWire[key.Kind], Id: key.ID}
}

func accountFromWire(account *modulev1.Account) Account {
	return Account{
		Key:           keyFromWire(account.GetKey()),
		Name:          account.GetName(),
		Email:         account.GetEmail(),
		Active:        account.GetActive(),
		Administrator: account.GetAdministrator(),
		Role:          account.GetRole(),
		Company:       account.GetCompany(),
		CustomerID:    account.GetCustomerId(),
		Language:      account.GetLanguage(),
		Capabilities:  account.GetCapabilities(),
	}
}

func switchFromWire(record *modulev1.SessionSwitch) SessionSwitch {
	return SessionSwitch{
		ID:            record.GetId(),
		Actor:         keyFromWire(record.GetActor()),
		ActorName:     record.GetActorName(),
		ActorRole:     record.GetActorRole(),
		Subject:       keyFromWire(record.GetSubject()),
		SubjectName:   record.GetSubjectName(),
		SubjectDetail: record.GetSubjectDetail(),
		StartedAt:     timeFromWire(record.GetStartedAt()),
		ExpiresAt:     timeFromWire(record.GetExpiresAt()),
		EndedAt:       timeFromWire(record.GetEndedAt()),
		End:           endFromWire[record.GetEnd()],
		Reason:        record.GetReason(),
		IP:            record.GetIp(),
		Browser:       record.GetBrowser(),
		Mode:          modeFromWire(record.GetMode()),
		RefusalCode:   record.GetRefusalCode(),
	}
}

func timeFromWire(stamp *timestamppb.Timestamp) time.Time {
	if stamp == nil {
		return time.Time{}
	}
	return stamp.AsTime()
}

func timeToWire(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func pageRequestFromWire(request *modulev1.ServeRequest) PageRequest {
	v := request.GetViewer()
	viewer := Viewer{
		Actor:             accountFromWire(v.GetActor()),
		Subject:           accountFromWire(v.GetSubject()),
		Language:          v.GetLanguage(),
		RightToLeft:       v.GetRightToLeft(),
		Area:              areaFromWire(v.GetArea()),
		TimeZone:          v.GetTimeZone(),
		FormToken:         v.GetFormToken(),
		BasePath:          v.GetBasePath(),
		SitePath:          v.GetSitePath(),
		RequestID:         request.GetRequestId(),
		Modal:             request.GetModal(),
		LanguagesRevision: v.GetLanguagesRevision(),
	}
	if v.GetSessionSwitch() != nil {
		current := switchFromWire(v.GetSessionSwitch())
		viewer.Switch = &current
	}
	return PageRequest{
		Method: request.GetMethod(), Path: request.GetPath(), Query: request.GetQuery(),
		Header: request.GetHeader(), Body: request.GetBody(), Viewer: viewer,
	}
}

func pagePartToWire(part PagePart) *modulev1.ServeResponse {
	if part.Head != nil {
		head := &modulev1.ResponseHead{Status: int32(part.Head.Status), Header: part.Head.Header}
		return &modulev1.ServeResponse{Part: &modulev1.ServeResponse_Head{Head: head}}
	}
	return &modulev1.ServeResponse{Part: &modulev1.ServeResponse_Chunk{Chunk: part.Chunk}}
}

func questionFromWire(request *modulev1.DecideRequest) SwitchQuestion {
	return SwitchQuestion{
		Recheck:  request.GetMoment() == modulev1.DecideMoment_DECIDE_MOMENT_RECHECK,
		Actor:    accountFromWire(request.GetActor()),
		Target:   accountFromWire(request.GetTarget()),
		Reason:   request.GetReason(),
		Settings: request.GetSettings(),
	}
}

func decisionToWire(decision SwitchDecision) *modulev1.DecideResponse {
	if !decision.Allowed {
		return &modulev1.DecideResponse{RefusalKey: decision.RefusalKey}
	}
	return &modulev1.DecideResponse{
		Allowed: true, Limit: durationpb.New(decision.Limit), Mode: modeToWire(decision.Mode),
	}
}

// Contributions.

func each[From, To any](list []From, convert func(From) To) []To {
	converted := make([]To, 0, len(list))
	for _, entry := range list {
		converted = append(converted, convert(entry))
	}
	return converted
}

func contributionsToWire(c Contributions) *modulev1.Contributions {
	return &modulev1.Contributions{
		FeatureLabelKey: c.FeatureLabelKey,
		NavbarItems:     each(c.Navbar, navbarItemToWire),
		SettingsPages:   each(c.SettingsPages, settingsPageToWire),
		Pages:           each(c.Pages, pageToWire),
		ActionLinks:     each(c.ActionLinks, actionLinkToWire),
		AccountActions:  each(c.AccountActions, accountActionToWire),
		Capabilities: each(c.Capabilities, func(capability Capability) *modulev1.Capability {
			return &modulev1.Capability{Key: capability.Key, LabelKey: capability.LabelKey}
		}),
	}
}

func areasToWire(areas []Area) []modulev1.Area {
	return each(areas, func(area Area) modulev1.Area { return areaToWire[area] })
}

func navbarItemToWire(item NavbarItem) *modulev1.NavbarItem {
	wire := &modulev1.NavbarItem{
		Id: item.ID, LabelKey: item.LabelKey, Icon: item.Icon, Areas: areasToWire(item.Areas),
		Style: modulev1.NavbarStyle_NAVBAR_STYLE_PLAIN, Visible: ruleToWire(item.Visible),
	}
	if item.Attention {
		wire.Style = modulev1.NavbarStyle_NAVBAR_STYLE_ATTENTION
	}
	switch {
	case item.Action.Restore:
		wire.Action = &modulev1.NavbarItem_Restore{Restore: &modulev1.Restore{}}
	case item.Action.Modal:
		wire.Action = &modulev1.NavbarItem_OpenModal{OpenModal: item.Action.Page}
	default:
		wire.Action = &modulev1.NavbarItem_GoToPage{GoToPage: item.Action.Page}
	}
	return wire
}

var settingKindToWire = map[SettingKind]modulev1.SettingKind{
	BoolSetting:   modulev1.SettingKind_SETTING_KIND_BOOL,
	TextSetting:   modulev1.SettingKind_SETTING_KIND_TEXT,
	NumberSetting: modulev1.SettingKind_SETTING_KIND_NUMBER,
	ChoiceSetting: modulev1.SettingKind_SETTING_KIND_CHOICE,
}

func settingsPageToWire(page SettingsPage) *modulev1.SettingsPage {
	return &modulev1.SettingsPage{
		TitleKey: page.TitleKey,
		Fields: each(page.Fields, func(field SettingField) *modulev1.SettingField {
			return &modulev1.SettingField{
				Key: field.Key, Kind: settingKindToWire[field.Kind], LabelKey: field.LabelKey,
				HelpKey: field.HelpKey, DefaultValue: field.Default, Min: field.Min, Max: field.Max,
				Choices: each(field.Choices, func(choice SettingChoice) *modulev1.SettingChoice {
					return &modulev1.SettingChoice{Value: choice.Value, LabelKey: choice.LabelKey}
				}),
			}
		}),
		Notes: each(page.Notes, func(note SettingNote) *modulev1.SettingNote {
			return &modulev1.SettingNote{TextKey: note.TextKey, When: ruleToWire(note.When)}
		}),
		Links: each(page.Links, actionLinkToWire),
	}
}

var unsafeClassToWire = map[UnsafeClass]modulev1.RouteClass{
	Sensitive: modulev1.RouteClass_ROUTE_CLASS_SENSITIVE,
	Write:     modulev1.RouteClass_ROUTE_CLASS_WRITE,
	Read:      modulev1.RouteClass_ROUTE_CLASS_READ,
}

func pageToWire(page Page) *modulev1.Page {
	return &modulev1.Page{
		Path: page.Path, TitleKey: page.TitleKey, Areas: areasToWire(page.Areas),
		Visible: ruleToWire(page.Visible), UnsafeClass: unsafeClassToWire[page.UnsafeClass],
	}
}

func actionLinkToWire(link ActionLink) *modulev1.ActionLink {
	wire := &modulev1.ActionLink{LabelKey: link.LabelKey}
	if link.Page == "" {
		wire.Target = &modulev1.ActionLink_Settings{Settings: &modulev1.SettingsLink{}}
	} else {
		wire.Target = &modulev1.ActionLink_Page{Page: link.Page}
	}
	return wire
}

func accountActionToWire(action AccountAction) *modulev1.AccountAction {
	return &modulev1.AccountAction{
		LabelKey: action.LabelKey, Icon: action.Icon, Page: action.Page, Modal: action.Modal,
		Kinds:   each(action.Kinds, func(kind AccountKind) modulev1.AccountKind { return kindToWire[kind] }),
		Visible: ruleToWire(action.Visible),
	}
}

// ruleToWire returns nil for the unset rule.
func ruleToWire(rule VisibilityRule) *modulev1.VisibilityRule {
	rules := func() *modulev1.VisibilityRules {
		return &modulev1.VisibilityRules{Rules: each(rule.rules, ruleToWire)}
	}
	switch rule.op {
	case ruleAll:
		return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_All{All: rules()}}
	case ruleAny:
		return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_Any{Any: rules()}}
	case ruleNot:
		return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_Not{Not: ruleToWire(rule.rules[0])}}
	case ruleAdministrator:
		return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_Administrator{Administrator: true}}
	case ruleCapability:
		return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_Capability{Capability: rule.name}}
	case ruleSetting:
		equals := &modulev1.SettingEquals{Key: rule.name, Value: rule.value}
		return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_SettingEquals{SettingEquals: equals}}
	case ruleSwitched:
		return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_SessionSwitched{SessionSwitched: true}}
	case ruleArea:
		return &modulev1.VisibilityRule{Rule: &modulev1.VisibilityRule_Area{Area: areaToWire[Area(rule.name)]}}
	}
	return nil
}

// The host's services over a connection.

func hostOver(conn grpc.ClientConnInterface) Host {
	return Host{
		Directory: directoryWire{modulev1.NewDirectoryServiceClient(conn)},
		SwitchLog: switchLogWire{modulev1.NewSessionSwitchLogServiceClient(conn)},
		Settings:  settingsWire{modulev1.NewOwnSettingsServiceClient(conn)},
		Storage:   storageWire{modulev1.NewStorageServiceClient(conn)},
		Audit:     auditWire{modulev1.NewAuditServiceClient(conn)},
		Languages: languagesWire{modulev1.NewLanguageServiceClient(conn)},
	}
}

type directoryWire struct {
	client modulev1.DirectoryServiceClient
}

func (w directoryWire) Search(ctx context.Context, search AccountSearch) (AccountPage, error) {
	answer, err := w.client.SearchAccounts(ctx, &modulev1.SearchAccountsRequest{
		Kind: kindToWire[search.Kind], Term: search.Term, Limit: int32(search.Limit), PageToken: search.After,
		ActiveOnly: search.ActiveOnly, AsTargetOf: keyToWire(search.AsTargetOf),
	})
	if err != nil {
		return AccountPage{}, fromStatus("search accounts", err)
	}
	found := each(answer.GetResults(), func(result *modulev1.SearchResult) FoundAccount {
		return FoundAccount{Account: accountFromWire(result.GetAccount()), SwitchRefusalCode: result.GetSwitchRefusalCode()}
	})
	without := each(answer.GetCompaniesWithoutContact(), func(company *modulev1.CompanyWithoutContact) CompanyWithoutContact {
		return CompanyWithoutContact{CustomerID: company.GetCustomerId(), Company: company.GetCompany(), Active: company.GetCustomerActive()}
	})
	return AccountPage{Results: found, Next: answer.GetNextPageToken(), WithoutContact: without}, nil
}

func (w directoryWire) Account(ctx context.Context, key AccountKey) (Account, error) {
	answer, err := w.client.GetAccount(ctx, &modulev1.GetAccountRequest{Key: keyToWire(key)})
	if err != nil {
		return Account{}, fromStatus("account", err)
	}
	return accountFromWire(answer.GetAccount()), nil
}

type switchLogWire struct {
	client modulev1.SessionSwitchLogServiceClient
}

func (w switchLogWire) List(ctx context.Context, filter SwitchFilter) (SwitchPage, error) {
	answer, err := w.client.ListSessionSwitches(ctx, &modulev1.ListSessionSwitchesRequest{
		From: timeToWire(filter.From), Until: timeToWire(filter.Until),
		ActorTerm: filter.ActorTerm, SubjectTerm: filter.SubjectTerm,
		SubjectKind: kindToWire[filter.SubjectKind], Outcome: outcomeToWire[filter.Outcome],
		Limit: int32(filter.Limit), PageToken: filter.After,
	})
	if err != nil {
		return SwitchPage{}, fromStatus("list session switches", err)
	}
	return SwitchPage{Switches: each(answer.GetSessionSwitches(), switchFromWire), Next: answer.GetNextPageToken()}, nil
}

type settingsWire struct {
	client modulev1.OwnSettingsServiceClient
}

func (w settingsWire) All(ctx context.Context) (Settings, error) {
	answer, err := w.client.GetSettings(ctx, &modulev1.GetSettingsRequest{})
	return answer.GetSettings(), fromStatus("settings", err)
}

type storageWire struct {
	client modulev1.StorageServiceClient
}

func (w storageWire) Value(ctx context.Context, key string) ([]byte, error) {
	answer, err := w.client.GetValue(ctx, &modulev1.GetValueRequest{Key: key})
	return answer.GetValue(), fromStatus("stored value", err)
}

func (w storageWire) Put(ctx context.Context, key string, value []byte) error {
	_, err := w.client.PutValue(ctx, &modulev1.PutValueRequest{Key: key, Value: value})
	return fromStatus("store value", err)
}

func (w storageWire) Delete(ctx context.Context, key string) error {
	_, err := w.client.DeleteValue(ctx, &modulev1.DeleteValueRequest{Key: key})
	return fromStatus("delete value", err)
}

func (w storageWire) Keys(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	answer, err := w.client.ListKeys(ctx, &modulev1.ListKeysRequest{Prefix: prefix, After: after, Limit: int32(limit)})
	return answer.GetKeys(), fromStatus("list keys", err)
}

type auditWire struct{ client modulev1.AuditServiceClient }

func (w auditWire) Write(ctx context.Context, action string, detail map[string]string) error {
	_, err := w.client.WriteEntry(ctx, &modulev1.WriteEntryRequest{
		Action: action, Detail: detail, RequestId: ViewerOf(ctx).RequestID,
	})
	return fromStatus("write audit entry", err)
}

type languagesWire struct {
	client modulev1.LanguageServiceClient
}

func (w languagesWire) List(ctx context.Context) ([]Language, uint64, error) {
	answer, err := w.client.ListLanguages(ctx, &modulev1.ListLanguagesRequest{})
	if err != nil {
		return nil, 0, fromStatus("list languages", err)
	}
	languages := each(answer.GetLanguages(), func(language *modulev1.Language) Language {
		return Language{
			Tag: language.GetTag(), Messages: language.GetMessages(),
			Uploaded: language.GetUploaded(), Complete: int(language.GetComplete()),
		}
	})
	return languages, answer.GetRevision(), nil
}

func (w languagesWire) Put(ctx context.Context, tag string, file []byte) (LanguageUpload, error) {
	answer, err := w.client.PutLanguage(ctx, &modulev1.PutLanguageRequest{
		Tag: tag, File: file, RequestId: ViewerOf(ctx).RequestID,
	})
	if err != nil {
		return LanguageUpload{}, fromStatus("put language", err)
	}
	return LanguageUpload{UnknownKeys: answer.GetUnknownKeys(), MissingKeys: answer.GetMissingKeys()}, nil
}

func (w languagesWire) Delete(ctx context.Context, tag string) error {
	_, err := w.client.DeleteLanguage(ctx, &modulev1.DeleteLanguageRequest{Tag: tag, RequestId: ViewerOf(ctx).RequestID})
	return fromStatus("delete language", err)
}
