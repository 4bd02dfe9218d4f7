package main

import (
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

const (
	// passwordAge is how long ago the own password may have been given, where it is asked for.
	passwordAge = 15 * time.Minute
	// hurriedPasswordAge is the same for somebody who becomes unusually many.
	hurriedPasswordAge = time.Minute
)

// facts is all that a decision is made of: what was asked, and what is known about it.
type facts struct {
	moment   sdk.SwitchMoment
	settings sdk.Settings
	actor    sdk.Account
	kind     sdk.AccountKind
	// target is nil where only its kind is asked about.
	target         *sdk.Account
	reason, ticket string
	running        *sdk.SessionSwitch
	recent         int
	consent        consent
	approval       approval
	now            time.Time
}

// rule is one condition of impersonating: what it asks, whether it holds, and the sentence when it
// does not.
type rule struct {
	text    string // message key, empty for a rule that asks something of this one request
	holds   bool
	refusal string // message key
	fix     fix
}

// fix says where a rule that does not hold is changed.
type fix string

// The places.
const (
	fixNowhere  fix = ""
	fixSettings fix = "settings"
	fixActor    fix = "actor"
	fixApproval fix = "approval"
	fixCustomer fix = "customer"
)

// rules are all conditions of what is asked; every one must hold. Deciding and explaining read this
// one list.
func rules(f facts) []rule {
	p, readable := policyOf(f.settings)
	all := standing(f, p, readable)
	switch f.moment {
	case sdk.SwitchStart:
		return append(append(all, given(f, p)...), approved(f, p)...)
	case sdk.SwitchRecheck:
		return append(all, runs(f), unpromoted(f, p))
	case sdk.SwitchExtend:
		return append(append(all, runs(f), unpromoted(f, p)), extends(f, p)...)
	case sdk.SwitchElevate:
		return append(append(all, runs(f), unpromoted(f, p)), elevates(f, p)...)
	}
	return append(all, rule{refusal: "refused_moment"})
}

// standing are the rules that must hold before an impersonation and as long as it lasts. Each
// setting only ever takes away: "Disable Impersonation" from all but administrators, "Enable for …"
// from everybody. A setting that can't be read takes away from everybody.
func standing(f facts, p policy, readable bool) []rule {
	disabled, disabledErr := f.settings.Bool(disableImpersonation)
	enabled, enabledErr := f.settings.Bool(enabledBy(f.kind))
	switchedOn, switchedOff, permission, missing := "rule_staff_on", "refused_staff_off", "rule_staff_permission", "refused_no_staff_permission"
	if f.kind == sdk.Contact {
		switchedOn, switchedOff, permission, missing = "rule_customers_on", "refused_customers_off", "rule_customers_permission", "refused_no_customers_permission"
	}
	return append([]rule{
		{"", f.actor.Key.Kind == sdk.Staff && (f.kind == sdk.Staff || f.kind == sdk.Contact), "refused_kind", fixNowhere},
		{"rule_settings", readable && disabledErr == nil && enabledErr == nil, "refused_settings", fixSettings},
		{"rule_active", f.actor.Active, "refused_inactive", fixActor},
		{switchedOn, enabled, switchedOff, fixSettings},
		{"rule_not_disabled", !disabled || f.actor.Administrator, "refused_disabled", fixSettings},
		{permission, f.actor.Administrator || f.actor.Can(capabilityFor(f.kind)), missing, fixActor},
	}, allowed(f, p)...)
}

// allowed is what the target's customer has a say in.
func allowed(f facts, p policy) []rule {
	if f.target == nil || f.kind != sdk.Contact || !p.customersDecide {
		return nil
	}
	return []rule{{"rule_customer_allows", f.consent.allows(p, f.now), f.consent.refusal(p), fixCustomer}}
}

// given is what a start must come with.
func given(f facts, p policy) []rule {
	return []rule{
		{"", p.reason != required || f.reason != "", "refused_no_reason", fixNowhere},
		{"", p.ticket != required || f.ticket != "", "refused_no_ticket", fixNowhere},
	}
}

// approved comes last: who is asked to approve need not look at what would be refused anyway.
func approved(f facts, p policy) []rule {
	if !needsApproval(f, p) {
		return nil
	}
	return []rule{{"rule_approved", f.approval == approvalGiven, f.approval.refusal(), fixApproval}}
}

// needsApproval tells the starts another administrator must approve.
func needsApproval(f facts, p policy) bool {
	return p.fourEyes && f.moment == sdk.SwitchStart && f.kind == sdk.Staff && f.target != nil && f.target.Administrator
}

func runs(f facts) rule {
	holds := f.running != nil && f.running.Outcome() == sdk.OutcomeActive && lasts(f) > 0
	return rule{refusal: "refused_moment", holds: holds}
}

// administratorDetail is how the record says that somebody was an administrator when it began.
const administratorDetail = "Administrator"

// unpromoted keeps four eyes on whom somebody is already: to take an administrator's rights away for
// the moment of the start would need no approval.
func unpromoted(f facts, p policy) rule {
	watched := p.fourEyes && f.kind == sdk.Staff && f.target != nil && f.target.Administrator
	return rule{refusal: "refused_promoted", holds: !watched || (f.running != nil && f.running.SubjectDetail == administratorDetail)}
}

// extends comes after runs, but every rule is looked at, so each must bear a switch that isn't there.
func extends(f facts, p policy) []rule {
	return []rule{
		{"", f.reason != "", "refused_no_reason", fixNowhere},
		{"", lasts(f) < p.cap, "refused_hard_cap", fixNowhere},
		{"", extended(f, p) > lasts(f), "refused_time_left", fixNowhere},
	}
}

func elevates(f facts, p policy) []rule {
	return []rule{
		{"", p.readOnly, "refused_not_read_only", fixNowhere},
		{"", f.running != nil && f.running.Mode == sdk.ReadOnly, "refused_elevated", fixNowhere},
		{"", f.reason != "", "refused_no_reason", fixNowhere},
	}
}

// lasts is how long the switch that runs was allowed to last, from its start.
func lasts(f facts) time.Duration {
	if f.running == nil || f.running.ExpiresAt.IsZero() {
		return 0
	}
	return f.running.ExpiresAt.Sub(f.running.StartedAt)
}

// extended is how long it would last with one more time limit from now on.
func extended(f facts, p policy) time.Duration {
	if f.running == nil {
		return 0
	}
	return within(f, p, min(max(f.now.Sub(f.running.StartedAt), 0)+p.limit, p.cap), f.running.StartedAt)
}

// mode keeps what the switch that runs was allowed: more than reading only to who was allowed it,
// by elevation or because reading only is not asked for.
func mode(f facts, p policy) sdk.SwitchMode {
	if f.running.Mode == sdk.Full && (!f.running.ElevatedAt.IsZero() || !p.readOnly) {
		return sdk.Full
	}
	return sdk.ReadOnly
}

// refusal returns the message key of the first rule that refuses, empty when none does.
func refusal(f facts) string {
	for _, r := range rules(f) {
		if !r.holds {
			return r.refusal
		}
	}
	return ""
}

// decide answers the host's question.
func decide(f facts) sdk.SwitchDecision {
	if why := refusal(f); why != "" {
		return sdk.RefuseSwitch(why)
	}
	p, _ := policyOf(f.settings)
	switch f.moment {
	case sdk.SwitchStart:
		return starts(f, p)
	case sdk.SwitchExtend:
		return sdk.AllowSwitch(extended(f, p), mode(f, p))
	case sdk.SwitchElevate:
		return sdk.AllowSwitch(within(f, p, min(lasts(f), p.cap), f.running.StartedAt), sdk.Full)
	}
	// Never longer than it was given: only an extension adds time.
	return sdk.AllowSwitch(within(f, p, min(lasts(f), p.cap), f.running.StartedAt), mode(f, p))
}

// within cuts what would last longer than the customer's window is open. Rules have seen that it is.
func within(f facts, p policy, lasts time.Duration, start time.Time) time.Duration {
	if f.kind != sdk.Contact || !p.customersDecide || f.consent.Choice != choseAsk {
		return lasts
	}
	return min(lasts, max(f.consent.Until.Sub(start), time.Second))
}

// starts is what an impersonation that may start is given.
func starts(f facts, p policy) sdk.SwitchDecision {
	decision := sdk.AllowSwitch(within(f, p, p.limit, f.now), sdk.Full)
	if p.readOnly {
		decision.Mode = sdk.ReadOnly
	}
	if p.ownPassword {
		decision.PasswordWithin = passwordAge
	}
	if p.targets > 0 && f.recent+1 > p.targets {
		decision.PasswordWithin = hurriedPasswordAge
		decision.Notices = append(decision.Notices, sdk.SwitchNotice{ToAdministrators: true, TextKey: "notice_many_targets", Page: "/active", Mail: true})
	}
	if p.tell != tellNobody {
		decision.Notices = append(decision.Notices, tellAfterwards(f, p))
	}
	return decision
}

func tellAfterwards(f facts, p policy) sdk.SwitchNotice {
	notice := sdk.SwitchNotice{AtEnd: true, TextKey: "notice_subject", Mail: p.tell == tellMail}
	if f.reason != "" {
		notice.TextKey = "notice_subject_reason"
	}
	if f.target != nil && f.kind == sdk.Contact && f.target.Can(mayAccess) {
		notice.Page = "/access"
	}
	return notice
}

// kindRefusal says why actor may become nobody of a kind, empty when that depends on who it is.
func kindRefusal(settings sdk.Settings, actor sdk.Account, kind sdk.AccountKind) string {
	f := facts{settings: settings, actor: actor, kind: kind}
	p, readable := policyOf(settings)
	for _, r := range standing(f, p, readable) {
		if !r.holds {
			return r.refusal
		}
	}
	return ""
}

// allowedKinds returns the kinds of account actor may become, staff first.
func allowedKinds(settings sdk.Settings, actor sdk.Account) []sdk.AccountKind {
	var kinds []sdk.AccountKind
	for _, kind := range []sdk.AccountKind{sdk.Staff, sdk.Contact} {
		if kindRefusal(settings, actor, kind) == "" {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// whyNone returns the message key that says why actor may become nobody at all.
func whyNone(settings sdk.Settings, actor sdk.Account) string {
	staff, contact := kindRefusal(settings, actor, sdk.Staff), kindRefusal(settings, actor, sdk.Contact)
	switch {
	case staff == contact:
		return staff
	case staff == "refused_staff_off" && contact == "refused_customers_off":
		return "refused_both_off"
	}
	return "refused_none_left"
}

func enabledBy(kind sdk.AccountKind) string {
	if kind == sdk.Contact {
		return enableCustomers
	}
	return enableAdmins
}

func capabilityFor(kind sdk.AccountKind) string {
	if kind == sdk.Contact {
		return mayCustomers
	}
	return mayStaff
}
