package main

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

// What a customer may have chosen.
const (
	choseNothing = ""
	choseAlways  = "always"
	choseAsk     = "ask"
	choseNever   = "never"
)

// windows are for how many hours a customer may allow it.
var windows = []int{1, 24, 7 * 24}

// consent is what a customer has chosen about support access; zero for one who has chosen nothing.
type consent struct {
	Choice string    `json:"choice"`
	Until  time.Time `json:"until,omitzero"` // of the window, with choseAsk
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// open reports whether the customer has opened a window that is not over.
func (c consent) open(now time.Time) bool { return now.Before(c.Until) }

// allows reports whether the customer's contacts may be impersonated now.
func (c consent) allows(p policy, now time.Time) bool {
	switch c.Choice {
	case choseNothing:
		return !p.consentRequired
	case choseAlways:
		return true
	case choseAsk:
		return c.open(now)
	}
	return false
}

func (c consent) refusal(p policy) string {
	switch {
	case c.Choice == choseAsk:
		return "refused_customer_ask"
	case c.Choice == choseNothing && p.consentRequired:
		return "refused_customer_silent"
	}
	return "refused_customer_never"
}

func consentKey(customer int64) string { return "customer/" + strconv.FormatInt(customer, 10) }

// consentOf returns what a customer has chosen.
func consentOf(ctx context.Context, customer int64) (consent, error) {
	return stored[consent](ctx, consentKey(customer))
}

// choose keeps a customer's choice and has every running impersonation decided again. It is in the
// Activity Log before it counts.
func choose(ctx context.Context, customer int64, c consent) error {
	detail := map[string]string{"customer": strconv.FormatInt(customer, 10), "choice": c.Choice}
	if !c.Until.IsZero() {
		detail["until"] = c.Until.UTC().Format(time.RFC3339)
	}
	host := sdk.HostOf(ctx)
	if err := host.Audit.Write(ctx, "support access chosen", detail); err != nil {
		return err
	}
	if err := store(ctx, consentKey(customer), c); err != nil {
		return err
	}
	return host.SwitchLog.Recheck(ctx)
}

// stored returns what the module has stored under a key, the zero value when there is nothing. What
// can't be read is an error: nobody may be allowed anything for want of the record that forbids it.
func stored[T any](ctx context.Context, key string) (value T, err error) {
	text, err := sdk.HostOf(ctx).Storage.Value(ctx, key)
	if sdk.KindOf(err) == sdk.NotFound {
		return value, nil
	}
	if err != nil {
		return value, err
	}
	if err := json.Unmarshal(text, &value); err != nil {
		return value, sdk.Errorf(sdk.Unknown, "stored %s: %w", key, err)
	}
	return value, nil
}

func store(ctx context.Context, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return sdk.HostOf(ctx).Storage.Put(ctx, key, text)
}

// storedKeys returns every key that begins so.
func storedKeys(ctx context.Context, prefix string) ([]string, error) {
	const page = 500
	var all []string
	for after := ""; ; {
		keys, err := sdk.HostOf(ctx).Storage.Keys(ctx, prefix, after, page)
		if err != nil {
			return nil, err
		}
		all = append(all, keys...)
		if len(keys) < page {
			return all, nil
		}
		after = keys[len(keys)-1]
	}
}
