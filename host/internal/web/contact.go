package web

import (
	"strconv"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// contactsView is the list of all contacts.
type contactsView struct {
	*Page
	List        *list
	Rows        []contactRow
	ShowCompany bool
}

// contactRow is a contact with what modules offer for it.
type contactRow struct {
	crm.ContactPerson
	Actions []actionLink
}

func (v *visit) contactRows(people []crm.ContactPerson) []contactRow {
	actions := v.accountActions(crm.Contact)
	rows := make([]contactRow, 0, len(people))
	for _, c := range people {
		row := contactRow{ContactPerson: c}
		if c.Active {
			row.Actions = v.accountLinks(actions, c.Key())
		}
		rows = append(rows, row)
	}
	return rows
}

func (v *visit) contacts() error {
	found, err := v.app.Contacts(v.r.Context(), v.who, 0, v.query("active"))
	if err != nil {
		return err
	}
	p := v.newPage(v.text("title_contacts"))
	l := p.newList(v.text("search_contacts"), found.Next, len(found.Rows), p.activeFilter()).emptyText("empty_contacts")
	return v.show("contacts", contactsView{Page: p, List: l, Rows: v.contactRows(found.Rows), ShowCompany: true})
}

// personView is the form of a contact or a staff member, with what can be done to the account.
type personView struct {
	*Page
	Form       *form
	Table      *capabilityTable // nil for a contact while no module brings rights of contacts
	Key        crm.AccountKey
	Existing   bool
	Active     bool
	Base       string // address of the person, for the account's own actions
	Actions    []actionLink
	Blocked    string // why the account can't be changed just now
	Link       string // a set-password link, shown this once
	LinkFor    string
	LastSignIn string
	CanDelete  bool
}

func (v *visit) newContact() error {
	customer, err := v.id("customer")
	if err != nil {
		return err
	}
	company, err := v.app.Customer(v.r.Context(), v.who, customer)
	if err != nil {
		return err
	}
	return v.showContact(crm.ContactPerson{CustomerID: customer, Company: company.Company, Active: true}, "", nil)
}

func (v *visit) editContact() error {
	c, err := v.contactInAddress()
	if err != nil {
		return err
	}
	return v.showContact(c, "", nil)
}

func (v *visit) contactInAddress() (crm.ContactPerson, error) {
	id, err := v.id("id")
	if err != nil {
		return crm.ContactPerson{}, err
	}
	return v.app.ContactPerson(v.r.Context(), v.who, id)
}

func contactAddress(id int64) string { return "/admin/contacts/" + strconv.FormatInt(id, 10) }

func customerAddress(id int64) string { return "/admin/customers/" + strconv.FormatInt(id, 10) }

// showContact draws the form of a contact; link is a password link to hand over.
func (v *visit) showContact(c crm.ContactPerson, link string, cause error) error {
	title, local := v.text("title_new_contact", "Company", c.Company), customerAddress(c.CustomerID)+"/contacts/new"
	if c.ID != 0 {
		title, local = c.Name, contactAddress(c.ID)
	}
	p := v.newPage(title)
	f := p.newForm(local, "sensitive", v.text("save"), p.contactFields(c)...)
	f.Back = v.path(customerAddress(c.CustomerID))
	held := c.Capabilities
	if cause != nil {
		held = v.postedCapabilities()
		if err := f.keep(v).refuse(cause); err != nil {
			return err
		}
	}
	if !v.who.Can(crm.CustomersEdit) && c.ID != 0 {
		f.Blocked = v.sentence(crm.Refuse(crm.Denied, "not_permitted", "Capability", string(crm.CustomersEdit)))
	}
	view := personView{
		Page: p, Form: f, Key: c.Key(), Existing: c.ID != 0, Active: c.Active, Base: v.path(contactAddress(c.ID)), Blocked: f.Blocked,
		Link: link, LinkFor: c.Name, LastSignIn: p.Time(c.LastSignIn), CanDelete: v.who.Can(crm.CustomersDelete),
		Table: v.contactTable(c.Primary, held),
	}
	if c.ID != 0 && c.Active {
		view.Actions = v.accountLinks(v.accountActions(crm.Contact), c.Key())
	}
	return v.render(f.Status, "person", view)
}

func (p *Page) contactFields(c crm.ContactPerson) []field {
	return []field{
		{Name: "name", Kind: "text", Label: p.T("field_name"), Value: c.Name, Required: true},
		{Name: "email", Kind: "email", Label: p.T("field_email"), Value: c.Email, Required: true},
		{Name: "phone", Kind: "tel", Label: p.T("field_phone"), Value: c.Phone},
		{Name: "position", Kind: "text", Label: p.T("field_position"), Value: c.Position},
		yesNo("primary", p.T("field_primary"), c.Primary, p.T("help_primary")),
		p.languageField(c.Language, "language_from_customer"),
	}
}

// contactTable lists what running modules let contacts do; nil when that is nothing. A primary
// contact may do all of it, which no box changes.
func (v *visit) contactTable(primary bool, held crm.Capabilities) *capabilityTable {
	features := v.modules.Surface().ContactRights(v.moduleLanguage())
	if len(features) == 0 {
		return nil
	}
	table := &capabilityTable{Help: v.text("help_contact_capabilities")}
	if primary {
		table.Fixed = v.text("primary_holds_all")
	}
	for _, feature := range features {
		row := capabilityRow{Label: feature.Label, Module: feature.Module}
		for _, c := range feature.Capabilities {
			row.Boxes = append(row.Boxes, capabilityBox{Name: string(c.Capability), Label: c.Label, Held: primary || held.Has(c.Capability)})
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}

// shownContactRights are the boxes the form had, as far as a running module still brings them.
func (v *visit) shownContactRights() crm.Capabilities {
	shown, known := v.shownCapabilities(), crm.Capabilities{}
	for _, feature := range v.modules.Surface().ContactRights(v.moduleLanguage()) {
		for _, c := range feature.Capabilities {
			known[c.Capability] = shown.Has(c.Capability)
		}
	}
	return known
}

func (v *visit) saveContact() error {
	c := crm.ContactPerson{Active: true}
	if v.r.PathValue("id") != "" {
		var err error
		if c, err = v.contactInAddress(); err != nil {
			return err
		}
	} else {
		customer, err := v.id("customer")
		if err != nil {
			return err
		}
		company, err := v.app.Customer(v.r.Context(), v.who, customer)
		if err != nil {
			return err
		}
		c.CustomerID, c.Company = customer, company.Company
	}
	shown := c
	c.Name, c.Email, c.Phone, c.Position = v.value("name"), v.value("email"), v.value("phone"), v.value("position")
	c.Primary, c.Language = v.checked("primary"), v.value("language")
	c.Capabilities = v.postedCapabilities()
	id, err := v.app.SaveContact(v.r.Context(), v.who, app.ContactForm{ContactPerson: c, Shown: v.shownContactRights()})
	if err != nil {
		return v.showContact(shown, "", err)
	}
	if c.ID == 0 {
		return v.done(contactAddress(id), "flash_created_contact", "Name", c.Name)
	}
	return v.done(customerAddress(c.CustomerID), "flash_saved", "Name", c.Name)
}

func (v *visit) setContactActive() error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	active := v.checked("active")
	if err := v.app.SetContactActive(v.r.Context(), v.who, id, active); err != nil {
		return err
	}
	return v.done(contactAddress(id), activeFlash(active))
}

// contactPasswordLink makes a link for the contact to set a password with, and shows it once.
func (v *visit) contactPasswordLink() error {
	c, err := v.contactInAddress()
	if err != nil {
		return err
	}
	link, err := v.makePasswordLink(c.Key())
	if err != nil {
		return err
	}
	return v.showContact(c, link, nil)
}

// makePasswordLink is the whole address, to be copied and handed over.
func (v *visit) makePasswordLink(key crm.AccountKey) (string, error) {
	token, err := v.app.PasswordLink(v.r.Context(), v.who, key)
	if err != nil {
		return "", err
	}
	scheme := "http"
	if v.secureCookies(v.r) {
		scheme = "https"
	}
	return scheme + "://" + v.r.Host + v.path("/password/"+token), nil
}

func (v *visit) askDeleteContact() error {
	c, err := v.contactInAddress()
	if err != nil {
		return err
	}
	return v.confirm("sensitive", v.text("title_delete", "Name", c.Name), v.text("delete"), contactAddress(c.ID), v.text("delete_contact_what"), v.text("cannot_be_undone"))
}

func (v *visit) deleteContact() error {
	c, err := v.contactInAddress()
	if err != nil {
		return err
	}
	if err := v.app.DeleteContact(v.r.Context(), v.who, c.ID); err != nil {
		return err
	}
	return v.done(customerAddress(c.CustomerID), "flash_deleted")
}
