package main

import (
	"context"
	"log/slog"
	"strings"

	"github.com/understudy-crm/understudy/sdk"
)

// decideSwitch answers the host: it gathers what policy needs to know and, where an approval is all
// that is missing, asks for it. What can't be known refuses.
func (p *pages) decideSwitch(ctx context.Context, question sdk.SwitchQuestion) (sdk.SwitchDecision, error) {
	f := facts{
		moment: question.Moment, settings: question.Settings, actor: question.Actor,
		kind: question.Target.Key.Kind, target: &question.Target,
		reason: strings.TrimSpace(question.Reason), ticket: strings.TrimSpace(question.Ticket),
		running: question.Switch, recent: question.RecentTargets,
	}
	if err := p.know(ctx, &f); err != nil {
		slog.ErrorContext(ctx, "a switch is refused for want of what it depends on", "error", err)
		return sdk.RefuseSwitch("refused_storage"), nil
	}
	decision := decide(f)
	if decision.RefusalKey != approvalMissing.refusal() {
		return p.calm(ctx, f, decision), nil
	}
	if err := p.askForApproval(ctx, f); err != nil {
		slog.ErrorContext(ctx, "an approval could not be asked for", "error", err)
		return sdk.RefuseSwitch("refused_storage"), nil
	}
	return decision, nil
}

// know adds what the module has stored about a pair, as far as the settings ask for it.
func (p *pages) know(ctx context.Context, f *facts) (err error) {
	f.now = p.now()
	settings, readable := policyOf(f.settings)
	if !readable || f.target == nil {
		return nil
	}
	if settings.customersDecide && f.kind == sdk.Contact {
		if f.consent, err = consentOf(ctx, f.target.CustomerID); err != nil {
			return err
		}
	}
	if needsApproval(*f, settings) {
		f.approval, err = p.approvalOf(ctx, f.actor.Key, f.target.Key)
	}
	return err
}
