package module

import (
	"context"

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
	for _, key := range s.running.manifest.Capabilities {
		capabilities = append(capabilities, crm.ModuleCapability(s.running.manifest.ID, key))
	}
	w, err := s.app.EndSwitchByForce(ctx, asking.who, q.GetId(), capabilities...)
	if err != nil {
		return nil, err
	}
	return &modulev1.EndSessionSwitchResponse{SessionSwitch: switchToWire(w)}, nil
}

// RecheckSessionSwitches has every switch decided again.
func (s *hostServices) RecheckSessionSwitches(ctx context.Context, _ *modulev1.RecheckSessionSwitchesRequest) (*modulev1.RecheckSessionSwitchesResponse, error) {
	return &modulev1.RecheckSessionSwitchesResponse{}, s.app.RecheckSwitches(ctx)
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
