package main

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/understudy-crm/understudy/sdk"
)

// approvalsView is who asks to become an administrator.
type approvalsView struct {
	view
	FourEyes bool // whether anybody needs an approval
	Switched bool
	Rows     []approvalRow
	Done     string
}

// approvalRow is one ask that can be answered.
type approvalRow struct {
	Who, AsWhom, Reason, Ticket string
	Actor, Target, Version      string
	Between                     string
	Own                         bool
}

func (p *pages) approvals(w http.ResponseWriter, r *http.Request) error {
	ctx, viewer := r.Context(), sdk.ViewerFrom(r)
	settings, err := sdk.HostOf(ctx).Settings.All(ctx)
	if err != nil {
		return err
	}
	policy, _ := policyOf(settings)
	v := approvalsView{view: viewOf(r), FourEyes: policy.fourEyes, Switched: viewer.Switched()}
	switch r.FormValue("answered") {
	case "yes":
		v.Done = v.T("approval_given", "minutes", int(approvalAge.Minutes()))
	case "no":
		v.Done = v.T("approval_refused")
	}
	keys, err := storedKeys(ctx, asks)
	if err != nil {
		return err
	}
	for _, key := range keys {
		actor, target, err := pairOf(key)
		if err != nil {
			continue
		}
		asked, err := stored[ask](ctx, key)
		if err != nil {
			return err
		}
		if asked.open(p.now()) {
			v.Rows = append(v.Rows, approvalRow{
				Who: asked.Actor, AsWhom: asked.Target, Reason: asked.Reason, Ticket: asked.Ticket,
				Actor: actor.String(), Target: target.String(), Version: asked.version(),
				Between: v.T("approval_between", "from", timeWord(asked.At, viewer.Location()), "until", timeWord(asked.At.Add(approvalAge), viewer.Location())),
				Own:     actor == viewer.Actor.Key,
			})
		}
	}
	slices.SortStableFunc(v.Rows, func(a, b approvalRow) int { return cmp.Compare(b.Between, a.Between) })
	return render(w, http.StatusOK, "approvals.html", v)
}

func (p *pages) answerApproval(w http.ResponseWriter, r *http.Request) error {
	viewer := sdk.ViewerFrom(r)
	if !viewer.Actor.Administrator {
		return sentence{http.StatusForbidden, "error_administrators"}
	}
	actor, actorErr := sdk.ParseAccountKey(r.PostFormValue("actor"))
	target, targetErr := sdk.ParseAccountKey(r.PostFormValue("target"))
	if actorErr != nil || targetErr != nil {
		return sentence{http.StatusNotFound, "error_account"}
	}
	answered := r.PostFormValue("answer")
	if answered != "yes" && answered != "no" {
		return sentence{http.StatusUnprocessableEntity, "error_answer"}
	}
	if err := p.answerAsk(r.Context(), viewer.Actor, actor, target, r.PostFormValue("version"), answered == "yes"); err != nil {
		return err
	}
	back(w, r, "/approvals?answered="+answered)
	return nil
}
