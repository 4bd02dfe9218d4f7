package web

import "github.com/understudy-crm/understudy/host/internal/crm"

// moduleLogView is what a module wrote, and what the host wrote about it.
type moduleLogView struct {
	*Page
	Name string
	List *list
	Rows []crm.ModuleLogLine
}

func (v *visit) moduleLog() error {
	id := v.r.PathValue("module")
	found, err := v.modules.Log(v.r.Context(), v.who, id, v.query("level"))
	if err != nil {
		return err
	}
	name := v.modules.Surface().Name(id)
	p := v.newPage(v.text("title_module_log", "Name", name))
	level := field{Name: "level", Kind: "select", Label: v.text("filter_level"), Choices: []choice{{"", v.text("filter_all")}}}
	for _, each := range []string{"debug", "info", "warn", "error"} {
		level.Choices = append(level.Choices, choice{each, v.text("level_" + each)})
	}
	l := p.newList(v.text("search_log"), found.Next, len(found.Rows), level).emptyText("empty_module_log")
	return v.show("module_log", moduleLogView{Page: p, Name: name, List: l, Rows: found.Rows})
}
