package module

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/understudy-crm/understudy/host/internal/crm"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

func TestTheStrictestDecisionCounts(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{id: "one"})
	s.active(kit{id: "two"})
	ctx, who := t.Context(), s.ann.Who()
	for id, values := range map[string]map[string]string{"one": {"minutes": "30"}, "two": {"minutes": "45", "mode": "read"}} {
		if err := s.m.SaveSettings(ctx, who, id, values); err != nil {
			t.Fatal(err)
		}
	}
	d, err := s.m.DecideSwitch(ctx, crm.SwitchQuestion{Actor: who.Actor, Target: who.Actor})
	if err != nil || d.Limit != 30*time.Minute || d.Mode != crm.ReadOnly {
		t.Errorf("got %+v, %v", d, err)
	}
	if err := s.m.SaveSettings(ctx, who, "two", map[string]string{"closed": "true"}); err != nil {
		t.Fatal(err)
	}
	_, err = s.m.DecideSwitch(ctx, crm.SwitchQuestion{})
	wantKey(t, err, crm.Denied, "refused")
	if e := asProblem(err); e.Module != "two" {
		t.Errorf("refused by %q", e.Module)
	}
}

func TestWithoutADecidingModuleNobodySwitches(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	_, err := s.m.DecideSwitch(t.Context(), crm.SwitchQuestion{})
	wantKey(t, err, crm.Unavailable, "switch_module_off")
	s.active(kit{grants: `[{ "name": "session.switch", "why": "a" }]`})
	if err := s.site.SignIn(t, "ben@example.com").TryBecome("cleo@example.com"); err != nil {
		t.Errorf("with it: %v", err)
	}
	if err := s.m.Deactivate(t.Context(), s.ann.Who(), "sample"); err != nil {
		t.Fatal(err)
	}
	err = s.site.SignIn(t, "ben@example.com").TryBecome("cleo@example.com")
	wantKey(t, err, crm.Unavailable, "switch_module_off")
}

// Who decides is read once for each revision, and anew for the next: what another process changed
// counts at once, though its own poll hasn't come yet.
func TestWhoDecidesIsKnownByRevision(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(q *timing) { q.poll = time.Hour })
	s.active(kit{id: "one"})
	s.active(kit{id: "two"})
	ctx, who := t.Context(), s.ann.Who()
	if err := s.m.SaveSettings(ctx, who, "two", map[string]string{"closed": "true"}); err != nil {
		t.Fatal(err)
	}
	ask := func() error {
		t.Helper()
		revision, err := s.site.App.Revision(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.m.DecideSwitch(ctx, crm.SwitchQuestion{Actor: who.Actor, Target: who.Actor, Revision: revision})
		return err
	}
	wantKey(t, ask(), crm.Denied, "refused")
	known := s.m.decidingRows.Load()
	if wantKey(t, ask(), crm.Denied, "refused"); s.m.decidingRows.Load() != known || known == nil {
		t.Error("the same revision is read again")
	}
	if err := s.site.App.DeactivateModule(ctx, s.ann.Who(), "two"); err != nil { // as another process does
		t.Fatal(err)
	}
	if err := ask(); err != nil {
		t.Errorf("a module that may not any more was asked: %v", err)
	}
	if err := s.site.App.DeactivateModule(ctx, s.ann.Who(), "one"); err != nil {
		t.Fatal(err)
	}
	wantKey(t, ask(), crm.Unavailable, "switch_module_off")
}

func TestASilentHookRefusesInTime(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(q *timing) { q.hook = time.Second / 2 })
	s.active(kit{mode: "hang-decide"})
	_, err := s.m.DecideSwitch(t.Context(), crm.SwitchQuestion{})
	wantKey(t, err, crm.Unavailable, "switch_module_silent")
}

// oddDecider answers what the SDK would never send.
type oddDecider struct {
	modulev1.SessionSwitchServiceClient
	answer *modulev1.DecideResponse
}

func (o oddDecider) Decide(context.Context, *modulev1.DecideRequest, ...grpc.CallOption) (*modulev1.DecideResponse, error) {
	return o.answer, nil
}

func TestOddDecisionsRefuse(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.active(kit{})
	r, err := s.m.active("sample")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		answer *modulev1.DecideResponse
		kind   crm.Kind
		key    string
	}{
		"nothing":        {&modulev1.DecideResponse{}, crm.Denied, "switch_refused"},
		"nil":            {nil, crm.Denied, "switch_refused"},
		"no limit":       {&modulev1.DecideResponse{Allowed: true}, crm.Unavailable, "switch_module_silent"},
		"zero limit":     {&modulev1.DecideResponse{Allowed: true, Limit: durationpb.New(0)}, crm.Unavailable, "switch_module_silent"},
		"negative limit": {&modulev1.DecideResponse{Allowed: true, Limit: durationpb.New(-time.Hour)}, crm.Unavailable, "switch_module_silent"},
		"absurd limit":   {&modulev1.DecideResponse{Allowed: true, Limit: &durationpb.Duration{Seconds: 1 << 62}}, crm.Unavailable, "switch_module_silent"},
		"unknown key":    {&modulev1.DecideResponse{RefusalKey: "<b>none</b>"}, crm.Denied, "switch_refused"},
	} {
		t.Run(name, func(t *testing.T) {
			r.switches = oddDecider{answer: c.answer}
			_, err := s.m.DecideSwitch(t.Context(), crm.SwitchQuestion{})
			wantKey(t, err, c.kind, c.key)
		})
	}
	r.switches = oddDecider{answer: &modulev1.DecideResponse{Allowed: true, Limit: durationpb.New(time.Hour), Mode: 99}}
	if d, err := s.m.DecideSwitch(t.Context(), crm.SwitchQuestion{}); err != nil || d.Mode != crm.ReadOnly {
		t.Errorf("an unknown mode: %+v %v", d, err)
	}
}
