package web

import (
	"slices"
	"strconv"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// rolesView is the list of roles.
type rolesView struct {
	*Page
	Rows    []crm.Role
	Blocked string
}

func (v *visit) roles() error {
	roles, err := v.app.Roles(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	p := v.newPage(v.text("nav_roles"))
	return v.show("roles", rolesView{Page: p, Rows: roles, Blocked: p.Blocked("sensitive")})
}

// roleView is the form of a role.
type roleView struct {
	*Page
	Form   *form
	Table  *capabilityTable
	Delete string
}

func (v *visit) newRole() error { return v.showRole(crm.Role{}, nil) }

func (v *visit) editRole() error {
	r, err := v.roleInAddress()
	if err != nil {
		return err
	}
	return v.showRole(r, nil)
}

func (v *visit) roleInAddress() (crm.Role, error) {
	id, err := v.id("id")
	if err != nil {
		return crm.Role{}, err
	}
	return v.app.Role(v.r.Context(), v.who, id)
}

func (v *visit) showRole(r crm.Role, cause error) error {
	title, local := v.text("title_new_role"), "/admin/roles/new"
	if r.ID != 0 {
		title, local = r.Name, "/admin/roles/"+strconv.FormatInt(r.ID, 10)
	}
	p := v.newPage(title)
	f := p.newForm(local, "sensitive", v.text("save"), field{Name: "name", Kind: "text", Label: v.text("field_role_name"), Value: r.Name, Required: true})
	f.Back = v.path("/admin/roles")
	held := r.Capabilities
	if cause != nil {
		held = v.postedCapabilities()
		if err := f.keep(v).refuse(cause); err != nil {
			return err
		}
	}
	view := roleView{Page: p, Form: f, Table: v.capabilityTable(held, nil)}
	view.Table.Help = v.text("help_role_capabilities")
	if !v.who.Can(crm.RolesEdit) {
		f.Blocked = v.sentence(crm.Refuse(crm.Denied, "not_permitted", "Capability", string(crm.RolesEdit)))
	} else if r.ID != 0 {
		view.Delete = v.path(local + "/delete")
	}
	return v.render(f.Status, "role", view)
}

func (v *visit) saveRole() error {
	r := crm.Role{}
	if v.r.PathValue("id") != "" {
		var err error
		if r, err = v.roleInAddress(); err != nil {
			return err
		}
	}
	f := app.RoleForm{ID: r.ID, Name: v.value("name"), Capabilities: v.postedCapabilities(), Shown: v.shownCapabilities()}
	if _, err := v.app.SaveRole(v.r.Context(), v.who, f); err != nil {
		return v.showRole(r, err)
	}
	return v.done("/admin/roles", "flash_saved", "Name", f.Name)
}

func (v *visit) askDeleteRole() error {
	r, err := v.roleInAddress()
	if err != nil {
		return err
	}
	return v.confirm("sensitive", v.text("title_delete", "Name", r.Name), v.text("delete"), "/admin/roles/"+strconv.FormatInt(r.ID, 10),
		v.text("delete_role_what", "Count", r.Members), v.text("cannot_be_undone"))
}

func (v *visit) deleteRole() error {
	r, err := v.roleInAddress()
	if err != nil {
		return err
	}
	if err := v.app.DeleteRole(v.r.Context(), v.who, r.ID); err != nil {
		return err
	}
	return v.done("/admin/roles", "flash_deleted")
}

// capabilityTable is the table of features and capabilities on a role and on a person.
type capabilityTable struct {
	Help  string
	Fixed string // why no box can be changed; the boxes are disabled and say so
	Rows  []capabilityRow
}

type capabilityRow struct {
	Label  string
	Module string // the name of the module that brings it, empty for the host's own
	Boxes  []capabilityBox
}

type capabilityBox struct {
	Name      string
	Label     string
	Held      bool
	Inherited bool // the role gives it already
}

// capabilityTable lists the host's features, then those of the running modules.
func (v *visit) capabilityTable(held, inherited crm.Capabilities) *capabilityTable {
	table := &capabilityTable{}
	for _, feature := range crm.Features() {
		row := capabilityRow{Label: v.text(feature.Label)}
		for _, c := range feature.Capabilities {
			row.Boxes = append(row.Boxes, capabilityBox{string(c.Capability), v.text(c.Label), held.Has(c.Capability), inherited.Has(c.Capability)})
		}
		table.Rows = append(table.Rows, row)
	}
	for _, feature := range v.modules.Surface().Features(v.moduleLanguage()) {
		row := capabilityRow{Label: feature.Label, Module: feature.Module}
		for _, c := range feature.Capabilities {
			row.Boxes = append(row.Boxes, capabilityBox{string(c.Capability), c.Label, held.Has(c.Capability), inherited.Has(c.Capability)})
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}

// capabilityName is what a person calls a capability: "Customers: Edit".
func (v *visit) capabilityName(language string, c crm.Capability) string {
	for _, feature := range crm.Features() {
		for _, each := range feature.Capabilities {
			if each.Capability == c {
				return v.languages.text(language, feature.Label) + ": " + v.languages.text(language, each.Label)
			}
		}
	}
	surface := v.modules.Surface()
	for _, feature := range slices.Concat(surface.Features(language), surface.ContactRights(language)) {
		for _, each := range feature.Capabilities {
			if each.Capability == c {
				return feature.Label + ": " + each.Label
			}
		}
	}
	return strings.NewReplacer("/", ": ", "@", ": ").Replace(string(c))
}

// postedCapabilities are the ticked boxes, shownCapabilities all boxes the form had: what a form
// didn't show is not changed by it.
func (v *visit) postedCapabilities() crm.Capabilities { return v.capabilitiesIn("capability") }
func (v *visit) shownCapabilities() crm.Capabilities  { return v.capabilitiesIn("shown") }

func (v *visit) capabilitiesIn(name string) crm.Capabilities {
	set := crm.Capabilities{}
	for _, c := range v.r.PostForm[name] {
		if len(c) < 200 && strings.ContainsAny(c, "./@") && !strings.ContainsAny(c, " \t\r\n") {
			set[crm.Capability(c)] = true
		}
	}
	return set
}
