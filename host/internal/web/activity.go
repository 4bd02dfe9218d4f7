package web

import (
	"maps"
	"slices"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// activityView is the Activity Log.
type activityView struct {
	*Page
	List  *list
	Check string // where the record is checked, empty for who may not
	Rows  []activityRow
}

// activityRow is an entry in words.
type activityRow struct {
	crm.AuditEntry
	Text    string
	By      string
	As      string // whose name it was done under, when not the actor's own
	Details []string
}

// activityActions are the actions one can filter by.
var activityActions = []string{
	"signed_in", "signed_out", "sign_in_failed", "switch_started", "switch_ended", "switch_refused", "refused",
	"staff_created", "staff_changed", "role_saved", "role_deleted", "customer_created", "customer_changed", "customer_deleted",
	"contact_created", "contact_changed", "contact_deleted", "company_changed", "profile_changed", "password_changed", "settings_changed",
	"activity_dropped", "module_uploaded", "module_installed", "module_activated", "module_deactivated", "module_uninstalled", "module_exported", "module_data_deleted",
	"module_upload_refused", "module_review_cancelled", "module_retried", "module_rolled_back", "module_state", "module_step_failed",
	"module_language_uploaded", "module_language_deleted",
	"safe_mode_entered", "safe_mode_left", "module_held", "module_grants_accepted", "module_grants_refused", "module_grants_changed", "trusted_key_added", "trusted_key_removed",
}

func (v *visit) activity() error {
	found, err := v.app.Activity(v.r.Context(), v.who, v.query("action", "from", "until"))
	if err != nil {
		return err
	}
	p := v.newPage(v.text("nav_activity"))
	action := field{Name: "action", Kind: "select", Label: v.text("filter_action"), Choices: []choice{{"", v.text("filter_all")}}}
	for _, name := range activityActions {
		action.Choices = append(action.Choices, choice{name, v.text("action_" + name)})
	}
	l := p.newList(v.text("search_activity"), found.Next, len(found.Rows), action,
		field{Name: "from", Kind: "date", Label: v.text("filter_from")}, field{Name: "until", Kind: "date", Label: v.text("filter_until")})
	view := activityView{Page: p, List: l.emptyText("empty_activity"), Rows: v.activityRows(found.Rows)}
	if v.who.Subject.Administrator {
		view.Check = v.path("/admin/activity/check")
	}
	return v.show("activity", view)
}

func (v *visit) activityRows(entries []crm.AuditEntry) []activityRow {
	rows := make([]activityRow, 0, len(entries))
	for _, e := range entries {
		row := activityRow{AuditEntry: e, Text: v.actionText(e.Action), By: e.ActorName}
		if row.By == "" {
			row.By = v.text("by_system")
		}
		if e.Subject != e.Actor && e.SubjectName != "" {
			row.As = e.SubjectName
		}
		for _, name := range slices.Sorted(maps.Keys(e.Detail)) {
			if e.Detail[name] != "" {
				row.Details = append(row.Details, name+": "+e.Detail[name])
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// actionText says an action in words: the host's own by its language files, a module's by the
// module's, under "module/key".
func (v *visit) actionText(action string) string {
	if id, key, ok := strings.Cut(action, "/"); ok {
		return v.modules.Surface().Name(id) + ": " + v.modules.Surface().Text(id, v.moduleLanguage(), key, nil)
	}
	if key := "action_" + action; v.languages.has(key) {
		return v.text(key)
	}
	return action
}
