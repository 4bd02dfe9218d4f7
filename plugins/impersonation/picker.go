package main

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

const (
	pickerRows = 20
	recentRows = 5
)

// picker finds whom somebody may choose. It is made for one request and remembers what it has read.
type picker struct {
	ctx      context.Context
	words    sdk.Words
	actor    sdk.Account
	settings sdk.Settings
	policy   policy
	kinds    []sdk.AccountKind // those the actor may become
	now      time.Time
	pinned   []sdk.AccountKey
	read     map[sdk.AccountKey]*sdk.FoundAccount
	consents map[int64]consent
}

// picker returns the sentence that says why the viewer may become nobody, if so.
func (p *pages) picker(r *http.Request) (*picker, error) {
	ctx, viewer := r.Context(), sdk.ViewerFrom(r)
	if viewer.Switched() {
		return nil, sentence{http.StatusConflict, "refused_switched"}
	}
	settings, err := sdk.HostOf(ctx).Settings.All(ctx)
	if err != nil {
		return nil, err
	}
	pick := &picker{
		ctx: ctx, words: sdk.WordsFrom(r), actor: viewer.Actor, settings: settings, now: p.now(),
		kinds: allowedKinds(settings, viewer.Actor), read: map[sdk.AccountKey]*sdk.FoundAccount{}, consents: map[int64]consent{},
	}
	pick.policy, _ = policyOf(settings)
	if len(pick.kinds) == 0 {
		return nil, sentence{http.StatusForbidden, whyNone(settings, viewer.Actor)}
	}
	pick.pinned, err = pinsOf(ctx, viewer.Actor.Key)
	return pick, err
}

func (k *picker) kindAllowed(kind sdk.AccountKind) bool { return slices.Contains(k.kinds, kind) }

// types are the user types to choose from; everyone stands last, where there is more than one kind.
func (k *picker) types() []sdk.AccountKind {
	if len(k.kinds) < 2 {
		return k.kinds
	}
	return append(slices.Clone(k.kinds), everyone)
}

// wanted returns the user type the address names, the first allowed one when it names none.
func (k *picker) wanted(r *http.Request) (sdk.AccountKind, error) {
	switch asked := sdk.AccountKind(r.FormValue("kind")); {
	case asked == "":
		return k.kinds[0], nil
	case asked == everyone, k.kindAllowed(asked):
		return asked, nil
	case asked == sdk.Staff, asked == sdk.Contact:
		return "", sentence{http.StatusForbidden, kindRefusal(k.settings, k.actor, asked)}
	}
	return "", sentence{http.StatusNotFound, "error_kind"}
}

// of returns the kinds of account a user type stands for.
func (k *picker) of(kind sdk.AccountKind) []sdk.AccountKind {
	if kind == everyone {
		return k.kinds
	}
	return []sdk.AccountKind{kind}
}

// offered is the list for a term. Without one, pinned accounts come first, then those the actor was
// last. With one, those whom nobody can become now come last, so that who looks for them learns why.
func (k *picker) offered(kind sdk.AccountKind, asked string) ([]found, error) {
	list, err := k.search(kind, asked, true)
	if err != nil {
		return nil, err
	}
	if asked == "" {
		first, err := k.first(kind)
		if err != nil {
			return nil, err
		}
		return merge(first, list), nil
	}
	if len(list) < pickerRows {
		rest, err := k.search(kind, asked, false)
		if err != nil {
			return nil, err
		}
		list = merge(list, rest)
	}
	return list, nil
}

// merge appends those of more that are not there yet, up to a page.
func merge(list, more []found) []found {
	for _, each := range more {
		known := slices.ContainsFunc(list, func(f found) bool { return f.Value == each.Value })
		if !known && len(list) < pickerRows {
			list = append(list, each)
		}
	}
	return list
}

// search asks the directory, for everyone once per kind.
func (k *picker) search(kind sdk.AccountKind, asked string, activeOnly bool) ([]found, error) {
	list := []found{}
	for _, each := range k.of(kind) {
		page, err := sdk.HostOf(k.ctx).Directory.Search(k.ctx, sdk.AccountSearch{
			Kind: each, Term: asked, Limit: pickerRows, ActiveOnly: activeOnly, AsTargetOf: k.actor.Key,
		})
		if err != nil {
			return nil, err
		}
		for _, account := range page.Results {
			k.read[account.Key] = &account
			if err := k.readConsent(account.Account); err != nil {
				return nil, err
			}
			list = append(list, k.found(account))
		}
		if !activeOnly {
			for _, company := range page.WithoutContact {
				list = append(list, withoutContact(k.words, company))
			}
		}
	}
	if kind == everyone {
		slices.SortStableFunc(list, func(a, b found) int { return cmp.Compare(strings.ToLower(a.Text), strings.ToLower(b.Text)) })
		list = list[:min(len(list), pickerRows)]
	}
	return list, nil
}

// first is the pinned accounts, then those the actor was last.
func (k *picker) first(kind sdk.AccountKind) ([]found, error) {
	keys := slices.Clone(k.pinned)
	page, err := sdk.HostOf(k.ctx).SwitchLog.List(k.ctx, sdk.SwitchFilter{Actor: k.actor.Key, Outcome: sdk.OutcomeEnded, Limit: pickerRows})
	if err != nil {
		return nil, err
	}
	recent := 0
	for _, record := range page.Switches {
		if !slices.Contains(keys, record.Subject) && recent < recentRows {
			keys = append(keys, record.Subject)
			recent++
		}
	}
	list := []found{}
	for _, key := range keys {
		if !slices.Contains(k.of(kind), key.Kind) {
			continue
		}
		account, err := k.account(key)
		if err != nil {
			return nil, err
		}
		if account != nil {
			list = append(list, k.found(*account))
		}
	}
	return list, nil
}

// account returns one account as a target of the actor, nil when there is none any more. Only a
// search says whether the host would refuse it, so it is found by its address.
func (k *picker) account(key sdk.AccountKey) (*sdk.FoundAccount, error) {
	if known := k.read[key]; known != nil {
		return known, nil
	}
	directory := sdk.HostOf(k.ctx).Directory
	account, err := directory.Account(k.ctx, key)
	if sdk.KindOf(err) == sdk.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	result := sdk.FoundAccount{Account: account}
	if key == k.actor.Key {
		result.SwitchRefusalCode = "self"
	} else {
		page, err := directory.Search(k.ctx, sdk.AccountSearch{Kind: key.Kind, Term: account.Email, Limit: pickerRows, AsTargetOf: k.actor.Key})
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(page.Results, func(f sdk.FoundAccount) bool { return f.Key == key }); i >= 0 {
			result = page.Results[i]
		}
	}
	k.read[key] = &result
	return &result, k.readConsent(result.Account)
}

// readConsent remembers what the customer of a contact has chosen.
func (k *picker) readConsent(account sdk.Account) (err error) {
	_, known := k.consents[account.CustomerID]
	if account.Key.Kind == sdk.Contact && k.policy.customersDecide && !known {
		k.consents[account.CustomerID], err = consentOf(k.ctx, account.CustomerID)
	}
	return err
}

// preset returns the account that ?kind=&id= names, nil when it names none.
func (k *picker) preset(r *http.Request, kind sdk.AccountKind) (*found, error) {
	digits := r.FormValue("id")
	if digits == "" {
		return nil, nil
	}
	key, err := sdk.ParseAccountKey(string(kind) + ":" + digits)
	if err != nil {
		return nil, sentence{http.StatusNotFound, "error_account"}
	}
	account, err := k.account(key)
	if err != nil {
		return nil, err
	}
	if account == nil {
		return nil, sentence{http.StatusNotFound, "error_account"}
	}
	f := k.found(*account)
	return &f, nil
}
