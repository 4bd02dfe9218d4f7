package main

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

// approvalAge is how long an ask stands, and for how long an approval is good.
const approvalAge = 10 * time.Minute

// approval is how the approval of a start stands.
type approval int

// The states; the zero value is the stricter.
const (
	approvalMissing approval = iota
	approvalRefused
	approvalGiven
)

func (a approval) refusal() string {
	if a == approvalRefused {
		return "refused_approval_refused"
	}
	return "refused_approval_asked"
}

// ask is somebody's wish to become an administrator, and what another administrator said to it.
type ask struct {
	Actor      string    `json:"actor"` // names as they were
	Target     string    `json:"target"`
	Reason     string    `json:"reason,omitempty"`
	Ticket     string    `json:"ticket,omitempty"`
	At         time.Time `json:"at"`
	ToldAt     time.Time `json:"told_at,omitzero"` // when administrators were told
	By         string    `json:"by,omitempty"`     // the account that approved or refused
	AnsweredAt time.Time `json:"answered_at,omitzero"`
	Approved   bool      `json:"approved,omitempty"`
}

// open reports whether it can be answered.
func (a ask) open(now time.Time) bool {
	return !a.At.IsZero() && a.AnsweredAt.IsZero() && now.Sub(a.At) <= approvalAge
}

// version tells one ask from the next of the same pair.
func (a ask) version() string { return strconv.FormatInt(a.At.UnixNano(), 36) }

const asks = "ask/"

func askKey(actor, target sdk.AccountKey) string {
	return asks + actor.String() + "/" + target.String()
}

// pairOf reads what askKey wrote.
func pairOf(key string) (actor, target sdk.AccountKey, err error) {
	first, second, _ := strings.Cut(strings.TrimPrefix(key, asks), "/")
	if actor, err = sdk.ParseAccountKey(first); err == nil {
		target, err = sdk.ParseAccountKey(second)
	}
	return actor, target, err
}

// approvalOf says whether actor has an approval to become target: one of the last minutes, by
// another administrator who still is one, and not used up by a start since.
func (p *pages) approvalOf(ctx context.Context, actor, target sdk.AccountKey) (approval, error) {
	asked, err := stored[ask](ctx, askKey(actor, target))
	now := p.now()
	if err != nil || asked.AnsweredAt.IsZero() || now.Sub(asked.AnsweredAt) > approvalAge {
		return approvalMissing, err
	}
	used, err := startedSince(ctx, actor, target, asked.AnsweredAt)
	if err != nil || used {
		return approvalMissing, err
	}
	if !asked.Approved {
		return approvalRefused, nil
	}
	by, err := sdk.ParseAccountKey(asked.By)
	if err != nil || by == actor {
		return approvalMissing, err
	}
	approver, err := sdk.HostOf(ctx).Directory.Account(ctx, by)
	if sdk.KindOf(err) == sdk.NotFound {
		return approvalMissing, nil
	}
	if err != nil || !approver.Active || !approver.Administrator {
		return approvalMissing, err
	}
	return approvalGiven, nil
}

func startedSince(ctx context.Context, actor, target sdk.AccountKey, since time.Time) (bool, error) {
	// A record may be kept in whole seconds.
	return started(ctx, sdk.SwitchFilter{Actor: actor, Subject: target, From: since.Truncate(time.Second)})
}

// started asks for running and ended ones, each by itself: among all attempts, refused ones could
// push those that took place off the page.
func started(ctx context.Context, filter sdk.SwitchFilter) (bool, error) {
	filter.Limit = 1
	for _, filter.Outcome = range []sdk.SwitchOutcome{sdk.OutcomeActive, sdk.OutcomeEnded} {
		page, err := sdk.HostOf(ctx).SwitchLog.List(ctx, filter)
		if err != nil || len(page.Switches) > 0 {
			return true, err
		}
	}
	return false, nil
}

// askForApproval records that actor wants to become target, and tells administrators, though not of
// every attempt.
func (p *pages) askForApproval(ctx context.Context, f facts) error {
	key, now := askKey(f.actor.Key, f.target.Key), p.now()
	before, err := stored[ask](ctx, key)
	if err != nil {
		return err
	}
	asked := ask{Actor: f.actor.Name, Target: f.target.Name, Reason: f.reason, Ticket: f.ticket, At: now, ToldAt: before.ToldAt}
	tell := before.ToldAt.IsZero() || now.Sub(before.ToldAt) >= approvalAge || !before.AnsweredAt.IsZero()
	if tell {
		asked.ToldAt = now
	}
	if err := store(ctx, key, asked); err != nil {
		return err
	}
	if !tell {
		return nil
	}
	text := "notice_approval"
	if f.reason != "" {
		text = "notice_approval_reason"
	}
	err = sdk.HostOf(ctx).Notices.Send(ctx, sdk.Notice{
		To: f.actor.Key, ToAdministrators: true, TextKey: text, Page: "/approvals", Mail: true,
		Args: map[string]string{"actor": f.actor.Name, "target": f.target.Name, "reason": f.reason},
	})
	if err != nil {
		// The ask stands on the page all the same; the next attempt tells again.
		slog.WarnContext(ctx, "nobody was told of an ask for approval", "error", err)
		asked.ToldAt = time.Time{}
		return store(ctx, key, asked)
	}
	return nil
}

// answerAsk keeps what an administrator says to the ask of a version, which is the one that was
// seen. It is in the Activity Log before it counts, and the asker is told.
func (p *pages) answerAsk(ctx context.Context, by sdk.Account, actor, target sdk.AccountKey, version string, approve bool) error {
	if actor == by.Key {
		return sentence{http.StatusForbidden, "error_own_approval"}
	}
	asked, err := stored[ask](ctx, askKey(actor, target))
	if err != nil {
		return err
	}
	if !asked.open(p.now()) || asked.version() != version {
		return sentence{http.StatusConflict, "error_approval_over"}
	}
	action, told := "impersonation refused", "notice_approval_refused"
	if approve {
		action, told = "impersonation approved", "notice_approval_given"
	}
	host := sdk.HostOf(ctx)
	detail := map[string]string{"actor": actor.String(), "target": target.String()}
	for name, given := range map[string]string{"reason": asked.Reason, "ticket": asked.Ticket} {
		if given != "" {
			detail[name] = given
		}
	}
	if err := host.Audit.Write(ctx, action, detail); err != nil {
		return err
	}
	asked.By, asked.AnsweredAt, asked.Approved = by.Key.String(), p.now(), approve
	if err := store(ctx, askKey(actor, target), asked); err != nil {
		return err
	}
	err = host.Notices.Send(ctx, sdk.Notice{
		To: actor, TextKey: told, Page: "/start", Args: map[string]string{"target": asked.Target, "by": by.Name},
	})
	if err != nil {
		slog.WarnContext(ctx, "the asker was not told", "error", err)
	}
	return nil
}
