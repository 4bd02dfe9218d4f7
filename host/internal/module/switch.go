package module

import (
	"context"
	"fmt"
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

// maxSwitchNotices bounds whom one module may name to be told of a switch.
const maxSwitchNotices = 8

// DecideSwitch asks every module that decides session switches. All must allow; the shortest limit,
// the strictest mode and the freshest password count, and everybody any of them names is told. Denied, with the module's own sentence, when one refuses.
// Unavailable when none runs, when one that decides is activated but doesn't run, when one fails,
// is silent for its two seconds or allows without a limit: anything but a clear yes is a no. They
// are asked with the settings of the question's revision or later ones.
func (m *Manager) DecideSwitch(ctx context.Context, q crm.SwitchQuestion) (crm.SwitchDecision, error) {
	deciders, err := m.deciders(ctx, q.Revision)
	if err == nil {
		err = m.CatchUp(ctx, q.Revision)
	}
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
		if one.PasswordWithin > 0 && (decision.PasswordWithin == 0 || one.PasswordWithin < decision.PasswordWithin) {
			decision.PasswordWithin = one.PasswordWithin
		}
		decision.Notices = append(decision.Notices, one.Notices...)
	}
	return decision, nil
}

// deciders are the running modules that decide, by id, as the database says at a revision: a module
// that was deactivated, upgraded or lost its grant before it, maybe in another process, is not asked
// any more. One that would decide but doesn't run can't be passed over: it might have refused.
func (m *Manager) deciders(ctx context.Context, revision int64) ([]*running, error) {
	rows, err := m.deciding(ctx, revision)
	if err != nil {
		return nil, err
	}
	var deciders []*running
	for _, row := range rows {
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

// decidingAt is which modules are activated and granted to decide, as they were at a revision or later.
type decidingAt struct {
	revision int64
	rows     []crm.Module
}

// deciding reads which modules may decide, once for each revision: every change of a module's row
// raises it. Revision 0 knows none, and reads.
func (m *Manager) deciding(ctx context.Context, revision int64) ([]crm.Module, error) {
	known := m.decidingRows.Load()
	if known != nil && revision != 0 && known.revision == revision {
		return known.rows, nil
	}
	all, err := m.app.Modules(ctx)
	if err != nil {
		return nil, err
	}
	now := &decidingAt{revision: revision}
	for _, row := range all {
		if row.Activated && slices.Contains(row.Grants, manifest.GrantSessionSwitch) {
			now.rows = append(now.rows, row)
		}
	}
	if known == nil || known.revision < revision {
		m.decidingRows.CompareAndSwap(known, now) // else another has read as much
	}
	return now.rows, nil
}

var moments = map[crm.SwitchMoment]modulev1.DecideMoment{
	crm.SwitchStart:   modulev1.DecideMoment_DECIDE_MOMENT_START,
	crm.SwitchRecheck: modulev1.DecideMoment_DECIDE_MOMENT_RECHECK,
	crm.SwitchExtend:  modulev1.DecideMoment_DECIDE_MOMENT_EXTEND,
	crm.SwitchElevate: modulev1.DecideMoment_DECIDE_MOMENT_ELEVATE,
}

// decide asks one module.
func (r *running) decide(ctx context.Context, q crm.SwitchQuestion) (crm.SwitchDecision, error) {
	var answer *modulev1.DecideResponse
	err := r.gate.call(ctx, callDecideSwitch, r.timing.hook, func(ctx context.Context) (err error) {
		answer, err = r.switches.Decide(ctx, r.questionToWire(q))
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
	decision := crm.SwitchDecision{Limit: limit, Mode: modeFromWire(answer.GetMode()), Notices: r.switchNotices(answer.GetNotices())}
	if answer.GetPasswordWithin() != nil {
		// One that makes no sense still asks for the password, now.
		decision.PasswordWithin = max(answer.GetPasswordWithin().AsDuration(), time.Second)
	}
	return decision, nil
}

func (r *running) questionToWire(q crm.SwitchQuestion) *modulev1.DecideRequest {
	wire := &modulev1.DecideRequest{
		Moment: moments[q.Moment], Actor: r.account(q.Actor), Target: r.account(q.Target),
		Reason: strings.ToValidUTF8(q.Reason, "?"), Ticket: strings.ToValidUTF8(q.Ticket, "?"), RecentTargets: int32(min(q.RecentTargets, 1<<30)),
		Settings: *r.values.Load(),
	}
	if q.Switch != nil {
		wire.SessionSwitch = switchToWire(*q.Switch)
	}
	return wire
}

// switchNotices takes the notices that can be told. One that can't is noted in the module's log: it
// is no reason to refuse, for a refusal would tell nobody either.
func (r *running) switchNotices(list []*modulev1.SwitchNotice) []crm.SwitchNotice {
	var notices []crm.SwitchNotice
	for _, n := range list {
		moment, audience := n.GetMoment(), n.GetAudience()
		if len(notices) == maxSwitchNotices || moment == modulev1.SwitchNoticeMoment_SWITCH_NOTICE_MOMENT_UNSPECIFIED ||
			audience == modulev1.NoticeAudience_NOTICE_AUDIENCE_UNSPECIFIED || len(n.GetTextKey()) > maxRefusalKey || !r.texts.Load().has(n.GetTextKey()) || !r.added.Load().hasPage(n.GetPage()) {
			r.log.add("error", fmt.Sprintf("decide switch: the notice %q can't be told: it needs a moment, an audience, a message and a declared page or none, and at most %d are told", printable(n.GetTextKey()), maxSwitchNotices), "")
			continue
		}
		notices = append(notices, crm.SwitchNotice{
			Module: r.manifest.ID, AtEnd: moment == modulev1.SwitchNoticeMoment_SWITCH_NOTICE_MOMENT_END,
			ToAdministrators: audience == modulev1.NoticeAudience_NOTICE_AUDIENCE_ADMINISTRATORS,
			TextKey:          n.GetTextKey(), Page: n.GetPage(), Mail: n.GetMail(),
		})
	}
	return notices
}

// refusal is the module's sentence, or one of the host's when the module has none such.
func (r *running) refusal(key string) error {
	if key == "" || len(key) > maxRefusalKey || !r.texts.Load().has(key) {
		return crm.Refuse(crm.Denied, "switch_refused", "Module", r.manifest.Name)
	}
	return &crm.Error{Kind: crm.Denied, Key: key, Module: r.manifest.ID}
}
