package main

import (
	"net/http"

	"github.com/understudy-crm/understudy/sdk"
)

const maxReason = 500

// maxTicket is the longest number of a ticket.
const maxTicket = 100

// everyone is the user type that searches staff and contacts together.
const everyone = sdk.AccountKind("all")

// startView is the form that starts an impersonation.
type startView struct {
	view
	Action               string
	Kinds                []choice
	Kind                 string
	OneKind              bool
	Users                []choice
	Pinned               []choice
	Refused              string
	Reason, Ticket       bool // whether they are asked for
	NeedReason           bool
	NeedTicket           bool
	MaxReason, MaxTicket int
	Typed, TypedTicket   string // what stood in the form that is drawn again
	Happens              []string
}

// choice is one entry of a select.
type choice struct {
	Value, Text, Detail string
	Selected, Disabled  bool
}

// start shows the form. The host itself answers it: what stands here decides nothing.
func (p *pages) start(w http.ResponseWriter, r *http.Request) error {
	pick, err := p.picker(r)
	if err != nil {
		return err
	}
	kind, err := pick.wanted(r)
	if err != nil {
		return err
	}
	v := startView{
		view: viewOf(r), Action: sdk.ViewerFrom(r).SitePath + "/session/switch",
		Kind: string(kind), OneKind: len(pick.kinds) == 1, MaxReason: maxReason, MaxTicket: maxTicket,
		Reason: pick.policy.reason != off, NeedReason: pick.policy.reason == required,
		Ticket: pick.policy.ticket != off, NeedTicket: pick.policy.ticket == required,
		Happens: whatHappens(pick.words, pick.policy), Typed: r.PostFormValue("reason"), TypedTicket: r.PostFormValue("ticket"),
	}
	for _, each := range pick.types() {
		v.Kinds = append(v.Kinds, choice{Value: string(each), Text: kindWord(pick.words, each), Selected: each == kind})
	}
	if err := v.offer(r, pick, kind); err != nil {
		return err
	}
	return render(w, http.StatusOK, "start.html", v)
}

// offer fills in who can be chosen, the one the address names first.
func (v *startView) offer(r *http.Request, pick *picker, kind sdk.AccountKind) error {
	preset, err := pick.preset(r, kind)
	if err != nil {
		return err
	}
	results, err := pick.offered(kind, term(r.FormValue("q")))
	if err != nil {
		return err
	}
	if preset != nil {
		if v.Refused = preset.Reason; v.Refused == "" {
			v.Users = append(v.Users, preset.choice())
			v.Users[0].Selected = true
		}
	}
	for _, result := range results {
		if preset == nil || preset.Disabled || result.Value != preset.Value {
			v.Users = append(v.Users, result.choice())
		}
	}
	for _, key := range pick.pinned {
		account, err := pick.account(key)
		if err != nil {
			return err
		}
		if account != nil && pick.kindAllowed(key.Kind) {
			v.Pinned = append(v.Pinned, choice{Value: key.String(), Text: pick.found(*account).Text})
		}
	}
	return nil
}

// whatHappens says what an impersonation will be like, by the settings.
func whatHappens(words sdk.Words, p policy) []string {
	says := []string{words.T("what_happens", "minutes", int(p.limit.Minutes()))}
	if p.readOnly {
		says = append(says, words.T("happens_read_only"))
	} else {
		says = append(says, words.T("happens_full"))
	}
	switch p.tell {
	case tellPortal:
		says = append(says, words.T("happens_told"))
	case tellMail:
		says = append(says, words.T("happens_told_mail"))
	}
	if p.ownPassword {
		says = append(says, words.T("happens_password"))
	}
	return says
}

// search answers the picker's question while somebody types.
func (p *pages) search(w http.ResponseWriter, r *http.Request) error {
	pick, err := p.picker(r)
	if err != nil {
		return err
	}
	kind, err := pick.wanted(r)
	if err != nil {
		return err
	}
	results, err := pick.offered(kind, term(r.FormValue("q")))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"results": results})
}

func kindWord(words sdk.Words, kind sdk.AccountKind) string {
	switch kind {
	case sdk.Contact:
		return words.T("kind_contact")
	case everyone:
		return words.T("kind_everyone")
	}
	return words.T("kind_staff")
}
