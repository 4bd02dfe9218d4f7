package web

import (
	"maps"
	"slices"

	"github.com/understudy-crm/understudy/host/internal/module"
)

// replicaView is how a module does on one of several replicas.
type replicaView struct {
	Name, State, Tone string
	Version           string // where it is another one than installed
	Since             string
	Why               string // what is wrong there, empty when nothing is
}

// tone is the colour of a state.
func tone(state module.State) string {
	switch state {
	case module.Active:
		return "green"
	case module.Failed:
		return "red"
	case module.Starting, module.Restarting, module.Withheld:
		return "yellow"
	default:
		return "secondary"
	}
}

// addReplicas says on a row how the module does on each replica, and on the row's own badge on how many
// it is active.
func (v *visit) addReplicas(r *moduleRow) {
	active := 0
	for _, on := range r.Row.Replicas {
		view := replicaView{Name: on.Replica, State: v.text("module_" + string(on.State)), Tone: tone(on.State)}
		if !on.Since.IsZero() {
			view.Since = v.text("module_since", "When", v.timeText(on.Since))
		}
		if on.Version != "" && on.Version != r.Version {
			view.Version = v.text("module_runs_version", "Version", on.Version)
		}
		if on.Problem != nil {
			view.Why = v.sentence(on.Problem)
		}
		if on.State == module.Active {
			active++
		}
		r.Uneven = r.Uneven || on.State != r.State || view.Version != "" || (on.Problem != nil && r.Row.Problem == nil)
		r.FailedOn = r.FailedOn || on.State == module.Failed
		r.On = append(r.On, view)
	}
	if n := len(r.On); n > 0 && (r.Active || active > 0) {
		r.StateText = v.text("module_active_on", "Count", active, "Of", n)
		if r.Uneven && r.Tone == "green" {
			r.Tone = "yellow"
		}
	}
}

// withheldOn names the replicas in safe mode.
func withheldOn(rows []module.Row) []string {
	names := map[string]bool{}
	for _, row := range rows {
		for _, on := range row.Replicas {
			if on.State == module.Withheld {
				names[on.Replica] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}
