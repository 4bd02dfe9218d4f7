package main

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/understudy-crm/understudy/sdk"
)

// maxPins is how many accounts one person may pin: each is looked up when the list is opened.
const maxPins = 10

func pinPrefix(actor sdk.AccountKey) string { return "pin/" + actor.String() + "/" }

// pinsOf returns whom actor has pinned.
func pinsOf(ctx context.Context, actor sdk.AccountKey) ([]sdk.AccountKey, error) {
	names, err := sdk.HostOf(ctx).Storage.Keys(ctx, pinPrefix(actor), "", maxPins)
	if err != nil {
		return nil, err
	}
	var pins []sdk.AccountKey
	for _, name := range names {
		if key, err := sdk.ParseAccountKey(strings.TrimPrefix(name, pinPrefix(actor))); err == nil {
			pins = append(pins, key)
		}
	}
	return pins, nil
}

// pin keeps an account at the top of the viewer's list, or takes it away from there, and shows the
// form again with it chosen.
func (p *pages) pin(w http.ResponseWriter, r *http.Request) error {
	ctx, viewer := r.Context(), sdk.ViewerFrom(r)
	key, err := sdk.ParseAccountKey(r.PostFormValue("target"))
	if err != nil {
		return sentence{http.StatusUnprocessableEntity, "error_pin_nobody"}
	}
	pick, err := p.picker(r)
	if err != nil {
		return err
	}
	if !pick.kindAllowed(key.Kind) {
		return sentence{http.StatusForbidden, kindRefusal(pick.settings, viewer.Actor, key.Kind)}
	}
	storage, name := sdk.HostOf(ctx).Storage, pinPrefix(viewer.Actor.Key)+key.String()
	if r.PostFormValue("pin") == "no" {
		err = storage.Delete(ctx, name)
	} else {
		err = addPin(ctx, pick, key, name)
	}
	if err != nil {
		return err
	}
	id := strconv.FormatInt(key.ID, 10)
	if viewer.Modal {
		// The modal stays open: the form is drawn again in it.
		r.Form.Set("kind", string(key.Kind))
		r.Form.Set("id", id)
		return p.start(w, r)
	}
	back(w, r, "/start?kind="+string(key.Kind)+"&id="+id)
	return nil
}

func addPin(ctx context.Context, pick *picker, key sdk.AccountKey, name string) error {
	account, err := pick.account(key)
	switch {
	case err != nil:
		return err
	case account == nil:
		return sentence{http.StatusNotFound, "error_account"}
	case len(pick.pinned) >= maxPins:
		return sentence{http.StatusConflict, "error_pins"}
	}
	return store(ctx, name, map[string]string{})
}
