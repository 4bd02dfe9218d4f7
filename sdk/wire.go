package sdk

import (
	"context"
	"errors"
	"time"

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
	modulev1.SwitchEnd_SWITCH_END_BY_SUBJECT:       EndBySubject,
}

var momentFromWire = map[modulev1.DecideMoment]SwitchMoment{
	modulev1.DecideMoment_DECIDE_MOMENT_START:   SwitchStart,
	modulev1.DecideMoment_DECIDE_MOMENT_RECHECK: SwitchRecheck,
	modulev1.DecideMoment_DECIDE_MOMENT_EXTEND:  SwitchExtend,
	modulev1.DecideMoment_DECIDE_MOMENT_ELEVATE: SwitchElevate,
}

var eventFromWire = map[modulev1.SwitchEventKind]SwitchEventKind{
	modulev1.SwitchEventKind_SWITCH_EVENT_KIND_STARTED:  EventStarted,
	modulev1.SwitchEventKind_SWITCH_EVENT_KIND_PAGE:     EventPage,
	modulev1.SwitchEventKind_SWITCH_EVENT_KIND_CHANGE:   EventChange,
	modulev1.SwitchEventKind_SWITCH_EVENT_KIND_REFUSED:  EventRefused,
	modulev1.SwitchEventKind_SWITCH_EVENT_KIND_EXTENDED: EventExtended,
	modulev1.SwitchEventKind_SWITCH_EVENT_KIND_ELEVATED: EventElevated,
	modulev1.SwitchEventKind_SWITCH_EVENT_KIND_ENDED:    EventEnded,
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
		Primary:       account.GetPrimary(),
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
		Ticket:        record.GetTicket(),
		ElevatedAt:    timeFromWire(record.GetElevatedAt()),
		Extensions:    int(record.GetExtensions()),
		EndedBy:       record.GetEndedBy(),
		CustomerID:    record.GetSubjectCustomerId(),
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

func eventOfWire(event *modulev1.SwitchEvent) SwitchEvent {
	return SwitchEvent{
		At: timeFromWire(event.GetAt()), Kind: eventFromWire[event.GetKind()], Text: event.GetText(),
		Object: event.GetObject(), Detail: event.GetDetail(), RefusalCode: event.GetRefusalCode(),
	}
}

// questionFromWire takes a moment it doesn't know, of a newer host, as none: a module that isn't
// asked a question it knows refuses.
func questionFromWire(request *modulev1.DecideRequest) SwitchQuestion {
	question := SwitchQuestion{
		Moment:        momentFromWire[request.GetMoment()],
		Actor:         accountFromWire(request.GetActor()),
		Target:        accountFromWire(request.GetTarget()),
		Reason:        request.GetReason(),
		Ticket:        request.GetTicket(),
		RecentTargets: int(request.GetRecentTargets()),
		Settings:      request.GetSettings(),
	}
	if request.GetSessionSwitch() != nil {
		running := switchFromWire(request.GetSessionSwitch())
		question.Switch = &running
	}
	return question
}

func decisionToWire(decision SwitchDecision) *modulev1.DecideResponse {
	if !decision.Allowed {
		return &modulev1.DecideResponse{RefusalKey: decision.RefusalKey}
	}
	wire := &modulev1.DecideResponse{
		Allowed: true, Limit: durationpb.New(decision.Limit), Mode: modeToWire(decision.Mode),
		Notices: each(decision.Notices, switchNoticeToWire),
	}
	if decision.PasswordWithin > 0 {
		wire.PasswordWithin = durationpb.New(decision.PasswordWithin)
	}
	return wire
}

func switchNoticeToWire(notice SwitchNotice) *modulev1.SwitchNotice {
	wire := &modulev1.SwitchNotice{
		Moment: modulev1.SwitchNoticeMoment_SWITCH_NOTICE_MOMENT_START, Audience: modulev1.NoticeAudience_NOTICE_AUDIENCE_SUBJECT,
		TextKey: notice.TextKey, Page: notice.Page, Mail: notice.Mail,
	}
	if notice.AtEnd {
		wire.Moment = modulev1.SwitchNoticeMoment_SWITCH_NOTICE_MOMENT_END
	}
	if notice.ToAdministrators {
		wire.Audience = modulev1.NoticeAudience_NOTICE_AUDIENCE_ADMINISTRATORS
	}
	return wire
}
