package web

import (
	"strconv"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// staffView is the list of staff members.
type staffView struct {
	*Page
	List *list
	Rows []staffRow
}

type staffRow struct {
	crm.StaffMember
	Actions []actionLink
}

func (v *visit) staff() error {
	found, err := v.app.StaffList(v.r.Context(), v.who, v.query("active"))
	if err != nil {
		return err
	}
	actions := v.accountActions(crm.Staff)
	rows := make([]staffRow, 0, len(found.Rows))
	for _, s := range found.Rows {
		row := staffRow{StaffMember: s}
		if s.Active && s.Key() != v.who.Subject.Key {
			row.Actions = v.accountLinks(actions, s.Key())
		}
		rows = append(rows, row)
	}
	p := v.newPage(v.text("nav_staff"))
	l := p.newList(v.text("search_staff"), found.Next, len(rows), p.activeFilter()).emptyText("empty_staff")
	return v.show("staff", staffView{Page: p, List: l, Rows: rows})
}

func (v *visit) newStaffMember() error {
	return v.showStaffMember(crm.StaffMember{Active: true}, "", nil)
}

func (v *visit) editStaffMember() error {
	s, err := v.staffInAddress()
	if err != nil {
		return err
	}
	return v.showStaffMember(s, "", nil)
}

func (v *visit) staffInAddress() (crm.StaffMember, error) {
	id, err := v.id("id")
	if err != nil {
		return crm.StaffMember{}, err
	}
	return v.app.StaffMember(v.r.Context(), v.who, id)
}

func staffAddress(id int64) string {
	if id == 0 {
		return "/admin/staff/new"
	}
	return "/admin/staff/" + strconv.FormatInt(id, 10)
}

// showStaffMember draws the form of a staff member with the table of capabilities.
func (v *visit) showStaffMember(s crm.StaffMember, link string, cause error) error {
	title := s.Name
	if s.ID == 0 {
		title = v.text("title_new_staff")
	}
	p := v.newPage(title)
	fields, inherited, err := v.staffFields(p, s)
	if err != nil {
		return err
	}
	f := p.newForm(staffAddress(s.ID), "sensitive", v.text("save"), fields...)
	f.Back = v.path("/admin/staff")
	held := s.Capabilities
	if cause != nil {
		held = v.postedCapabilities()
		if err := f.keep(v).refuse(cause); err != nil {
			return err
		}
	}
	if !v.who.Can(crm.StaffEdit) && s.ID != 0 {
		f.Blocked = v.sentence(crm.Refuse(crm.Denied, "not_permitted", "Capability", string(crm.StaffEdit)))
	}
	view := personView{
		Page: p, Form: f, Key: s.Key(), Existing: s.ID != 0, Active: s.Active, Base: v.path(staffAddress(s.ID)), Blocked: f.Blocked,
		Link: link, LinkFor: s.Name, LastSignIn: p.Time(s.LastSignIn), Table: v.capabilityTable(held, inherited),
	}
	view.Table.Help = v.text("help_staff_capabilities")
	if s.ID != 0 && s.Active && s.Key() != v.who.Subject.Key {
		view.Actions = v.accountLinks(v.accountActions(crm.Staff), s.Key())
	}
	return v.render(f.Status, "person", view)
}

// staffFields are the fields of a staff member, and what the role gives already.
func (v *visit) staffFields(p *Page, s crm.StaffMember) ([]field, crm.Capabilities, error) {
	roles, err := v.app.Roles(v.r.Context(), v.who)
	if crm.KindOf(err) == crm.Denied && s.Role != "" {
		roles, err = []crm.Role{{ID: s.RoleID, Name: s.Role}}, nil // who may not see roles may still see this one
	} else if crm.KindOf(err) == crm.Denied {
		err = nil
	}
	if err != nil {
		return nil, nil, err
	}
	role := field{Name: "role", Kind: "select", Label: p.T("field_role"), Value: strconv.FormatInt(s.RoleID, 10), Choices: []choice{{"0", p.T("no_role")}}}
	var inherited crm.Capabilities
	for _, r := range roles {
		role.Choices = append(role.Choices, choice{strconv.FormatInt(r.ID, 10), r.Name})
		if r.ID == s.RoleID {
			inherited = r.Capabilities
		}
	}
	administrator := yesNo("administrator", p.T("field_administrator"), s.Administrator, p.T("help_administrator"))
	if !v.who.Subject.Administrator {
		administrator.Fixed = p.T("error_administrators_only")
	}
	return []field{
		{Name: "name", Kind: "text", Label: p.T("field_name"), Value: s.Name, Required: true},
		{Name: "email", Kind: "email", Label: p.T("field_email"), Value: s.Email, Required: true},
		role, administrator, p.languageField(s.Language, "language_from_browser"),
	}, inherited, nil
}

func (v *visit) saveStaffMember() error {
	s := crm.StaffMember{Active: true}
	if v.r.PathValue("id") != "" {
		var err error
		if s, err = v.staffInAddress(); err != nil {
			return err
		}
	}
	role, err := strconv.ParseInt(v.value("role"), 10, 64)
	if err != nil {
		role = s.RoleID
	}
	f := app.StaffForm{
		ID: s.ID, Name: v.value("name"), Email: v.value("email"), Active: s.Active, Administrator: s.Administrator,
		RoleID: role, Language: v.value("language"), Capabilities: v.postedCapabilities(), Shown: v.shownCapabilities(),
	}
	if v.r.PostForm.Has("administrator") {
		f.Administrator = v.checked("administrator")
	}
	id, err := v.app.SaveStaff(v.r.Context(), v.who, f)
	if err != nil {
		return v.showStaffMember(s, "", err)
	}
	if s.ID == 0 {
		return v.done(staffAddress(id), "flash_created_staff", "Name", f.Name)
	}
	return v.done("/admin/staff", "flash_saved", "Name", f.Name)
}

func (v *visit) setStaffActive() error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	active := v.checked("active")
	if err := v.app.SetStaffActive(v.r.Context(), v.who, id, active); err != nil {
		return err
	}
	return v.done(staffAddress(id), activeFlash(active))
}

// staffPasswordLink makes a link for the staff member to set a password with, and shows it once.
func (v *visit) staffPasswordLink() error {
	s, err := v.staffInAddress()
	if err != nil {
		return err
	}
	link, err := v.makePasswordLink(s.Key())
	if err != nil {
		return err
	}
	return v.showStaffMember(s, link, nil)
}
