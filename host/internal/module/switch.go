package module

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
	"github.com/understudy-crm/understudy/sdk/manifest"
)

var _ app.SwitchPolicy = (*Manager)(nil)

// maxRefusalKey bounds what a module may name as its sentence.
const maxRefusalKey = 64

// DecideSwitch asks every module that decides session switches. All must allow; the shortest limit
// and the strictest mode count. Denied, with the module's own sentence, when one refuses.
// Unavailable when none runs, when one that decides is activated but doesn't run, when one fails,
// is silent for its two seconds or allows without a limit: anything but a clear yes is a no.
func (m *Manager) DecideSwitch(ctx context.Context, q crm.SwitchQuestion) (crm.SwitchDecision, error) {
	deciders, err := m.deciders(ctx)
	if err != nil {
		return crm.SwitchDecision{}, err
	}
	decision := crm.SwitchDecision{Limit: time.Duration(1<<63 - 1), Mode: crm.Full}
	for _, r := range deciders {
		one, err := r.decide(ctx, q)
		if err != nil {
			return crm.SwitchDecision{}, err
		}
		decision.Limit = min(decision.Limit, one.Limit)
		if one.Mode == crm.ReadOnly {
			decision.Mode = crm.ReadOnly
		}
	}
	return decision, nil
}

// deciders are the running modules that decide, by id. The database says who should: a module that
// was deactivated, upgraded or lost its grant a moment ago, maybe in another process, is not asked
// any more. One that would decide but doesn't run can't be passed over: it might have refused.
func (m *Manager) deciders(ctx context.Context) ([]*running, error) {
	rows, err := m.app.Modules(ctx)
	if err != nil {
		return nil, err
	}
	var deciders []*running
	for _, row := range rows {
		if !row.Activated || !slices.Contains(row.Grants, manifest.GrantSessionSwitch) {
			continue
		}
		var r *running
		if u := m.known(row.ID); u != nil {
			r = u.current.Load()
		}
		if r == nil {
			if !manifestOf(row).Asks(manifest.GrantSessionSwitch) {
				continue
			}
			return nil, crm.Refuse(crm.Unavailable, "switch_module_off")
		}
		if r.decides {
			deciders = append(deciders, r)
		}
	}
	if len(deciders) == 0 {
		return nil, crm.Refuse(crm.Unavailable, "switch_module_off")
	}
	return deciders, nil
}

// decide asks one module.
func (r *running) decide(ctx context.Context, q crm.SwitchQuestion) (crm.SwitchDecision, error) {
	moment := modulev1.DecideMoment_DECIDE_MOMENT_START
	if q.Recheck {
		moment = modulev1.DecideMoment_DECIDE_MOMENT_RECHECK
	}
	var answer *modulev1.DecideResponse
	err := r.gate.call(ctx, callDecideSwitch, r.timing.hook, func(ctx context.Context) (err error) {
		answer, err = r.switches.Decide(ctx, &modulev1.DecideRequest{
			Moment: moment, Actor: r.account(q.Actor), Target: r.account(q.Target),
			Reason: strings.ToValidUTF8(q.Reason, "?"), Settings: *r.values.Load(),
		})
		return err
	})
	if err != nil {
		// Whatever code it failed with, it is no decision of the module's.
		return crm.SwitchDecision{}, &crm.Error{Kind: crm.Unavailable, Key: "switch_module_silent", Args: map[string]any{"Module": r.manifest.Name}, Err: err}
	}
	if !answer.GetAllowed() {
		return crm.SwitchDecision{}, r.refusal(answer.GetRefusalKey())
	}
	limit := answer.GetLimit().AsDuration()
	if answer.GetLimit() == nil || answer.GetLimit().CheckValid() != nil || limit <= 0 {
		r.log.add("error", "decide switch: allowed without a limit above zero", "")
		return crm.SwitchDecision{}, crm.Refuse(crm.Unavailable, "switch_module_silent", "Module", r.manifest.Name)
	}
	return crm.SwitchDecision{Limit: limit, Mode: modeFromWire(answer.GetMode())}, nil
}

// refusal is the module's sentence, or one of the host's when the module has none such.
func (r *running) refusal(key string) error {
	if key == "" || len(key) > maxRefusalKey || !r.texts.Load().has(key) {
		return crm.Refuse(crm.Denied, "switch_refused", "Module", r.manifest.Name)
	}
	return &crm.Error{Kind: crm.Denied, Key: key, Module: r.manifest.ID}
}
