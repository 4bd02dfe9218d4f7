package module

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// What a module that decides session switches can ask about them.

// ListSessionSwitches reads the record of switches.
func (s *hostServices) ListSessionSwitches(ctx context.Context, q *modulev1.ListSessionSwitchesRequest) (*modulev1.ListSessionSwitchesResponse, error) {
	page, err := s.app.Switches(ctx, app.SwitchQuery{
		From: timeFromWire(q.GetFrom()), Until: timeFromWire(q.GetUntil()), ActorTerm: q.GetActorTerm(), SubjectTerm: q.GetSubjectTerm(),
		SubjectKind: accountKinds[q.GetSubjectKind()], Outcome: outcomes[q.GetOutcome()], Limit: bounded(q.GetLimit(), 25, 500), After: q.GetPageToken(),
		Actor: keyOrNone(q.GetActor()), Subject: keyOrNone(q.GetSubject()), CustomerID: q.GetCustomerId(),
	})
	if err != nil {
		return nil, err
	}
	answer := &modulev1.ListSessionSwitchesResponse{NextPageToken: page.Next}
	for _, row := range page.Rows {
		answer.SessionSwitches = append(answer.SessionSwitches, switchToWire(row))
	}
	return answer, nil
}

// keyOrNone reads a filter; a key that names nobody filters by nobody, which finds nothing.
func keyOrNone(k *modulev1.AccountKey) crm.AccountKey {
	if k == nil {
		return crm.AccountKey{}
	}
	key, err := keyFromWire(k)
	if err != nil {
		return crm.AccountKey{Kind: "nobody", ID: -1}
	}
	return key
}

// GetSessionSwitch reads one.
func (s *hostServices) GetSessionSwitch(ctx context.Context, q *modulev1.GetSessionSwitchRequest) (*modulev1.GetSessionSwitchResponse, error) {
	w, err := s.app.Switch(ctx, q.GetId())
	if err != nil {
		return nil, err
	}
	return &modulev1.GetSessionSwitchResponse{SessionSwitch: switchToWire(w)}, nil
}

// EndSessionSwitch ends one, in the name of who asked for the page.
func (s *hostServices) EndSessionSwitch(ctx context.Context, q *modulev1.EndSessionSwitchRequest) (*modulev1.EndSessionSwitchResponse, error) {
	asking, ok := s.running.asks(q.GetRequestId())
	if !ok || !asking.unsafe {
		return nil, status.Error(codes.FailedPrecondition, "no request of this id that may change something is in flight")
	}
	var capabilities []crm.Capability
	for _, c := range s.running.added.Load().capabilities {
		capabilities = append(capabilities, c.Capability)
	}
	w, err := s.app.EndSwitchByForce(ctx, asking.who, q.GetId(), capabilities...)
	if err != nil {
		return nil, err
	}
	return &modulev1.EndSessionSwitchResponse{SessionSwitch: switchToWire(w)}, nil
}

// recheckEvery bounds how often a module has switches decided again: each time, everybody who is under
// one waits for the hook, and what they were about to save is asked for anew.
const recheckEvery = time.Second

// RecheckSessionSwitches has every switch decided again. Those who ask within a second of the last time
// wait for the next one, together: none of them is forgotten.
func (s *hostServices) RecheckSessionSwitches(ctx context.Context, _ *modulev1.RecheckSessionSwitchesRequest) (*modulev1.RecheckSessionSwitchesResponse, error) {
	return &modulev1.RecheckSessionSwitchesResponse{}, s.recheck.do(ctx, recheckEvery, s.app.RecheckSwitches)
}

// ExplainSwitch holds a pair against the host's rules, by the code that decides.
func (s *hostServices) ExplainSwitch(ctx context.Context, q *modulev1.ExplainSwitchRequest) (*modulev1.ExplainSwitchResponse, error) {
	actor, err := keyFromWire(q.GetActor())
	if err != nil {
		return nil, err
	}
	target, err := keyFromWire(q.GetTarget())
	if err != nil {
		return nil, err
	}
	rules, err := s.app.ExplainSwitch(ctx, actor, target)
	if err != nil {
		return nil, err
	}
	answer := &modulev1.ExplainSwitchResponse{}
	for _, rule := range rules {
		wire := &modulev1.SwitchRule{Code: rule.Code, Holds: rule.Holds}
		for _, c := range rule.Missing {
			wire.Missing = append(wire.Missing, string(c))
		}
		answer.Rules = append(answer.Rules, wire)
	}
	return answer, nil
}

var eventKinds = map[crm.SwitchEventKind]modulev1.SwitchEventKind{
	crm.SwitchStarted:  modulev1.SwitchEventKind_SWITCH_EVENT_KIND_STARTED,
	crm.SwitchPage:     modulev1.SwitchEventKind_SWITCH_EVENT_KIND_PAGE,
	crm.SwitchChange:   modulev1.SwitchEventKind_SWITCH_EVENT_KIND_CHANGE,
	crm.SwitchRefusal:  modulev1.SwitchEventKind_SWITCH_EVENT_KIND_REFUSED,
	crm.SwitchExtended: modulev1.SwitchEventKind_SWITCH_EVENT_KIND_EXTENDED,
	crm.SwitchElevated: modulev1.SwitchEventKind_SWITCH_EVENT_KIND_ELEVATED,
	crm.SwitchEnded:    modulev1.SwitchEventKind_SWITCH_EVENT_KIND_ENDED,
}

// ListSwitchEvents reads what happened during one, in words of the asked language.
func (s *hostServices) ListSwitchEvents(ctx context.Context, q *modulev1.ListSwitchEventsRequest) (*modulev1.ListSwitchEventsResponse, error) {
	page, err := s.app.SwitchEvents(ctx, q.GetId(), q.GetPageToken(), bounded(q.GetLimit(), 100, 500))
	if err != nil {
		return nil, err
	}
	answer := &modulev1.ListSwitchEventsResponse{NextPageToken: page.Next}
	for _, e := range page.Rows {
		answer.Events = append(answer.Events, s.eventToWire(q.GetLanguage(), e))
	}
	return answer, nil
}

func (s *hostServices) eventToWire(language string, e crm.SwitchEvent) *modulev1.SwitchEvent {
	wire := &modulev1.SwitchEvent{At: timeToWire(e.At), Kind: eventKinds[e.Kind], RefusalCode: e.Code}
	if e.Kind != crm.SwitchPage {
		words := s.running.manager.words
		wire.Text, wire.Object, wire.Detail = words.Action(language, e.Entry.Action), e.Entry.Object, map[string]string{}
		for name, value := range e.Entry.Detail {
			name, value = words.Detail(language, name, value)
			wire.Detail[name] = value
		}
		return wire
	}
	wire.Text, wire.Object = e.Page.Title, e.Page.Path
	if e.Page.Status != http.StatusOK {
		wire.Detail = map[string]string{"status": strconv.Itoa(e.Page.Status)}
	}
	if e.More > 0 { // stands for pages that were too many to be kept
		wire.Detail = map[string]string{"more": strconv.FormatInt(e.More, 10)}
	}
	return wire
}

// CheckSwitching looks whether switching works.
func (s *hostServices) CheckSwitching(ctx context.Context, _ *modulev1.CheckSwitchingRequest) (*modulev1.CheckSwitchingResponse, error) {
	answer := &modulev1.CheckSwitchingResponse{}
	for _, c := range s.app.CheckSwitching(ctx) {
		answer.Checks = append(answer.Checks, &modulev1.SwitchingCheck{Code: c.Name, Ok: c.OK, Detail: c.Detail})
	}
	return answer, nil
}
