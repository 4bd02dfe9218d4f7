package web

import (
	"strconv"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// activityView is the Activity Log.
type activityView struct {
	*Page
	List    *list
	Check   string // where the record is checked, empty for who may not
	Export  string // where these entries are exported
	Kept    []field
	Blocked string // why they can't be exported just now
	Rows    []activityRow
}

// activityRow is an entry in words.
type activityRow struct {
	crm.AuditEntry
	Text    string
	By      []namePart
	Details []string
	All     string // the address of everything of the same session switch, empty outside of one
}

// namePart is a piece of a sentence about people: a name, which keeps to its own direction, or what
// stands around it.
type namePart struct {
	Text string
	Name bool
}

// activityActions are the actions one can filter by.
var activityActions = []string{
	"signed_in", "signed_out", "sign_in_failed", "switch_started", "switch_ended", "switch_refused", "switch_extended", "switch_extension_refused", "switch_elevated", "switch_elevation_refused", "switch_forced", "refused", "module_form_sent",
	"staff_created", "staff_changed", "role_saved", "role_deleted", "customer_created", "customer_changed", "customer_deleted",
	"contact_created", "contact_changed", "contact_deleted", "company_changed", "profile_changed", "password_changed", "settings_changed",
	"activity_exported", "activity_dropped", "backup_made", "module_uploaded", "module_installed", "module_activated", "module_deactivated", "module_uninstalled", "module_exported", "module_data_deleted",
	"module_upload_refused", "module_review_cancelled", "module_retried", "module_rolled_back", "module_state", "module_step_failed",
	"module_language_uploaded", "module_language_deleted",
	"safe_mode_entered", "safe_mode_left", "module_held", "module_grants_accepted", "module_grants_refused", "module_grants_changed", "trusted_key_added", "trusted_key_removed",
}

func (v *visit) activity() error {
	found, err := v.app.Activity(v.r.Context(), v.who, v.query(activityFilters...))
	if err != nil {
		return err
	}
	p := v.newPage(v.text("nav_activity"))
	action := field{Name: "action", Kind: "select", Label: v.text("filter_action"), Choices: []choice{{"", v.text("filter_all")}}}
	for _, name := range activityActions {
		action.Choices = append(action.Choices, choice{name, v.text("action_" + name)})
	}
	filters := []field{action, {Name: "from", Kind: "date", Label: v.text("filter_from")}, {Name: "until", Kind: "date", Label: v.text("filter_until")}}
	if v.r.URL.Query().Get("switch") != "" {
		filters = append(filters, field{Name: "switch", Kind: "text", Label: v.text("filter_switch")})
	}
	l := p.newList(v.text("search_activity"), found.Next, len(found.Rows), filters...)
	view := activityView{Page: p, List: l.emptyText("empty_activity"), Rows: v.activityRows(found.Rows), Export: v.path("/admin/activity/export"), Blocked: p.Blocked("sensitive")}
	for _, name := range append([]string{"q"}, activityFilters...) {
		view.Kept = append(view.Kept, field{Name: name, Value: v.r.URL.Query().Get(name)})
	}
	if v.who.Subject.Administrator {
		view.Check = v.path("/admin/activity/check")
	}
	return v.show("activity", view)
}

func (v *visit) activityRows(entries []crm.AuditEntry) []activityRow {
	rows := make([]activityRow, 0, len(entries))
	for _, e := range entries {
		row := activityRow{AuditEntry: e, Text: v.actionText(e.Action), By: v.byWhom(e), Details: v.detailLines(e)}
		if e.SwitchID != 0 && v.r.URL.Query().Get("switch") == "" {
			row.All = v.path("/admin/activity?switch=" + strconv.FormatInt(e.SwitchID, 10))
		}
		rows = append(rows, row)
	}
	return rows
}

// byWhom says who did it: "(actor) as (subject)" for what was done under a borrowed name.
func (v *visit) byWhom(e crm.AuditEntry) []namePart {
	if e.ActorName == "" {
		return []namePart{{Text: v.text("by_system")}}
	}
	if e.Subject == e.Actor || e.SubjectName == "" {
		return []namePart{{e.ActorName, true}}
	}
	// Names go in where the sentence has these marks, which no name holds.
	const actor, subject = "\x01", "\x02"
	names := map[string]string{actor: e.ActorName, subject: e.SubjectName}
	var parts []namePart
	sentence := isolates.Replace(v.text("activity_as", "Actor", actor, "Subject", subject))
	for sentence != "" {
		at := strings.IndexAny(sentence, actor+subject)
		switch at {
		case -1:
			parts, sentence = append(parts, namePart{Text: sentence}), ""
		case 0:
			parts, sentence = append(parts, namePart{names[sentence[:1]], true}), sentence[1:]
		default:
			parts, sentence = append(parts, namePart{Text: sentence[:at]}), sentence[at:]
		}
	}
	return parts
}

// isolates are the marks around what fills a sentence that runs from right to left; an element
// stands for them here.
var isolates = strings.NewReplacer("\u2068", "", "\u2069", "")
