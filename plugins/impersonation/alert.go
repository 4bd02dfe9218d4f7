package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

const (
	// alertEvery is how often administrators are told of one person's haste at most.
	alertEvery = time.Hour
	// alertSlack is how far the record of a start may be from the decision to tell of it.
	alertSlack = 10 * time.Second
)

// alert is the last decision to tell administrators that somebody becomes unusually many.
type alert struct {
	Target string    `json:"target"`
	At     time.Time `json:"at"`
}

// calm leaves administrators alone who were told of this person within the hour: one start after the
// other would bury what they must read. In doubt they are told.
func (p *pages) calm(ctx context.Context, f facts, decision sdk.SwitchDecision) sdk.SwitchDecision {
	toAll := func(n sdk.SwitchNotice) bool { return n.ToAdministrators }
	if !slices.ContainsFunc(decision.Notices, toAll) {
		return decision
	}
	key := "alert/" + f.actor.Key.String()
	last, err := stored[alert](ctx, key)
	told := false
	if err == nil && f.now.Sub(last.At) < alertEvery {
		told, err = tookPlace(ctx, f.actor.Key, last)
	}
	if err == nil && told {
		decision.Notices = slices.DeleteFunc(decision.Notices, toAll)
		return decision
	}
	if err = errors.Join(err, store(ctx, key, alert{Target: f.target.Key.String(), At: f.now})); err != nil {
		slog.WarnContext(ctx, "administrators may be told again", "error", err)
	}
	return decision
}

// tookPlace reports whether the start was made that administrators were to be told of: the own
// password may never have been given.
func tookPlace(ctx context.Context, actor sdk.AccountKey, last alert) (bool, error) {
	target, err := sdk.ParseAccountKey(last.Target)
	if err != nil {
		return false, err
	}
	return started(ctx, sdk.SwitchFilter{Actor: actor, Subject: target, From: last.At.Add(-alertSlack), Until: last.At.Add(alertSlack)})
}
