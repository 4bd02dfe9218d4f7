package main

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

// accessRows is how many impersonations one page of Support access shows.
const accessRows = 25

// accessView is what a customer sees of those who worked as its contacts, and what it allows.
type accessView struct {
	view
	Now         string // what is allowed now, in words
	Chosen      string // who chose it and when
	Decides     bool   // whether it is the customer's to choose
	Asks        bool
	Open        bool // a window is open
	Choices     []choice
	Windows     []choice
	Switched    bool
	Hidden      bool // the list is not for the person behind the borrowed name
	Rows        []accessRow
	First, Next string
	Done        string
}

// accessRow is one impersonation of one of the customer's contacts.
type accessRow struct {
	logRow
	ID      string
	Running bool
	Entry   string
}

// customerOf returns the customer whose page this is: always the viewer's own, never one that a
// request names.
func customerOf(r *http.Request) (int64, error) {
	viewer := sdk.ViewerFrom(r)
	if viewer.Subject.Key.Kind != sdk.Contact || viewer.Subject.CustomerID <= 0 || !viewer.Subject.Can(mayAccess) {
		return 0, sentence{http.StatusForbidden, "error_access"}
	}
	return viewer.Subject.CustomerID, nil
}

// hidden reports whether a borrowed name would show somebody what their own rights don't.
func hidden(viewer sdk.Viewer) bool {
	return viewer.Switched() && !viewer.Actor.Administrator && !viewer.Actor.Can(mayViewLog)
}

func (p *pages) access(w http.ResponseWriter, r *http.Request) error {
	customer, err := customerOf(r)
	if err != nil {
		return err
	}
	ctx, viewer := r.Context(), sdk.ViewerFrom(r)
	v := accessView{view: viewOf(r), Switched: viewer.Switched(), Hidden: hidden(viewer)}
	if err := v.allows(r, p, customer); err != nil {
		return err
	}
	switch r.FormValue("done") {
	case "chosen":
		v.Done = v.T("access_chosen")
	case "ended":
		v.Done = v.T("access_ended")
	}
	if v.Hidden {
		return render(w, http.StatusOK, "access.html", v)
	}
	filter := sdk.SwitchFilter{CustomerID: customer, Limit: accessRows, After: r.FormValue("after")}
	list, next, err := records(ctx, filter, func(record sdk.SessionSwitch) bool { return belongs(record, customer) })
	if err != nil {
		return err
	}
	for _, record := range list {
		row := accessRow{logRow: p.row(v.Words, viewer.Location(), record), ID: strconv.FormatInt(record.ID, 10), Running: record.Outcome() == sdk.OutcomeActive}
		row.Entry = viewer.BasePath + "/access/entry?id=" + row.ID
		v.Rows = append(v.Rows, row)
	}
	if filter.After != "" {
		v.First = viewer.BasePath + "/access"
	}
	if next != "" {
		v.Next = viewer.BasePath + "/access?after=" + url.QueryEscape(next)
	}
	return render(w, http.StatusOK, "access.html", v)
}

// belongs reports whether a record is one of the customer's to see: as one of its contacts, and not
// an attempt that was refused.
func belongs(record sdk.SessionSwitch, customer int64) bool {
	return record.CustomerID == customer && record.Subject.Kind == sdk.Contact && record.Outcome() != sdk.OutcomeRefused
}

// allows says what the customer allows now, and what it may choose.
func (v *accessView) allows(r *http.Request, p *pages, customer int64) error {
	ctx, viewer, now := r.Context(), sdk.ViewerFrom(r), p.now()
	settings, err := sdk.HostOf(ctx).Settings.All(ctx)
	if err != nil {
		return err
	}
	policy, _ := policyOf(settings)
	chosen, err := consentOf(ctx, customer)
	if err != nil {
		return err
	}
	v.Decides, v.Open = policy.customersDecide, chosen.Choice == choseAsk && chosen.open(now)
	v.Now = v.allowed(policy, chosen, now, viewer.Location())
	if !v.Decides {
		return nil
	}
	if chosen.By != "" {
		v.Chosen = v.T("access_by", "name", chosen.By, "time", timeWord(chosen.At, viewer.Location()))
	}
	selected := chosen.Choice
	if selected == choseNothing {
		if selected = choseAlways; policy.consentRequired {
			selected = choseAsk
		}
	}
	v.Asks = selected == choseAsk
	for value, key := range map[string]string{choseAlways: "access_always", choseAsk: "access_ask", choseNever: "access_never"} {
		v.Choices = append(v.Choices, choice{Value: value, Text: v.T(key), Selected: value == selected})
	}
	slices.SortFunc(v.Choices, func(a, b choice) int { return slices.Index(choiceOrder, a.Value) - slices.Index(choiceOrder, b.Value) })
	for _, hours := range windows {
		v.Windows = append(v.Windows, choice{Value: strconv.Itoa(hours), Text: v.T("window_" + windowNames[hours])})
	}
	return nil
}

var (
	choiceOrder = []string{choseAlways, choseAsk, choseNever}
	windowNames = map[int]string{1: "hour", 24: "day", 7 * 24: "week"}
)

func (v *accessView) allowed(p policy, chosen consent, now time.Time, zone *time.Location) string {
	switch {
	case !p.customersDecide:
		return v.T("access_not_asked")
	case chosen.Choice == choseAsk && chosen.open(now):
		return v.T("access_open", "until", timeWord(chosen.Until, zone))
	case chosen.allows(p, now):
		return v.T("access_allowed")
	case chosen.Choice == choseNever:
		return v.T("access_forbidden")
	}
	return v.T("access_closed")
}

// chooseAccess keeps what the customer chooses.
func (p *pages) chooseAccess(w http.ResponseWriter, r *http.Request) error {
	customer, err := customerOf(r)
	if err != nil {
		return err
	}
	ctx, viewer := r.Context(), sdk.ViewerFrom(r)
	settings, err := sdk.HostOf(ctx).Settings.All(ctx)
	if err != nil {
		return err
	}
	if policy, _ := policyOf(settings); !policy.customersDecide {
		return sentence{http.StatusConflict, "error_not_asked"}
	}
	c := consent{Choice: r.PostFormValue("choice"), By: viewer.Actor.Name, At: p.now()}
	if !slices.Contains(choiceOrder, c.Choice) {
		return sentence{http.StatusUnprocessableEntity, "error_choice"}
	}
	if hours := r.PostFormValue("hours"); hours != "" {
		n, err := strconv.Atoi(hours)
		if err != nil || c.Choice != choseAsk || !slices.Contains(windows, n) {
			return sentence{http.StatusUnprocessableEntity, "error_choice"}
		}
		c.Until = p.now().Add(time.Duration(n) * time.Hour)
	} else if c.Choice == choseAsk && r.PostFormValue("withdraw") == "" {
		// Choosing it once more doesn't close a window that is open.
		before, err := consentOf(ctx, customer)
		if err != nil {
			return err
		}
		c.Until = before.Until
	}
	if err := choose(ctx, customer, c); err != nil {
		return err
	}
	back(w, r, "/access?done=chosen")
	return nil
}

// ownRecord returns the record a request names, as if there were none when it is not the customer's.
func ownRecord(r *http.Request) (sdk.SessionSwitch, error) {
	customer, err := customerOf(r)
	if err != nil {
		return sdk.SessionSwitch{}, err
	}
	if hidden(sdk.ViewerFrom(r)) {
		return sdk.SessionSwitch{}, sentence{http.StatusForbidden, "access_hidden"}
	}
	record, err := recordFrom(r)
	if err == nil && !belongs(record, customer) {
		err = sentence{http.StatusNotFound, "error_entry"}
	}
	return record, err
}

// accessEntryView is what was changed during one impersonation.
type accessEntryView struct {
	view
	logRow
	At          string // when it began, within a sentence
	Events      []eventRow
	Failed      bool // what happened can't be read now
	First, Next string
}

// accessEntry shows changes only: pages seen are between the provider and its own log.
func (p *pages) accessEntry(w http.ResponseWriter, r *http.Request) error {
	record, err := ownRecord(r)
	if err != nil {
		return err
	}
	viewer, after := sdk.ViewerFrom(r), r.FormValue("after")
	list, next, err := changes(r.Context(), record.ID, viewer.Language, after)
	failed, err := unread(r, record, err)
	if err != nil {
		return err
	}
	v := accessEntryView{view: viewOf(r), Failed: failed}
	v.logRow, v.At = p.row(v.Words, viewer.Location(), record), timeWord(record.StartedAt, viewer.Location())
	for _, event := range list {
		v.Events = append(v.Events, eventRowOf(v.Words, viewer.Location(), event))
	}
	here := viewer.BasePath + "/access/entry?id=" + strconv.FormatInt(record.ID, 10)
	if after != "" {
		v.First = here
	}
	if next != "" {
		v.Next = here + "&after=" + url.QueryEscape(next)
	}
	return render(w, http.StatusOK, "access_entry.html", v)
}

// endAccess ends what somebody does as one of the customer's contacts, at once.
func (p *pages) endAccess(w http.ResponseWriter, r *http.Request) error {
	record, err := ownRecord(r)
	if err != nil {
		return err
	}
	if err := end(r, record); err != nil {
		return err
	}
	back(w, r, "/access?done=ended")
	return nil
}
