package web

import (
	"strconv"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// customersView is the list of customers.
type customersView struct {
	*Page
	List *list
	Rows []crm.Customer
}

func (v *visit) customers() error {
	found, err := v.app.Customers(v.r.Context(), v.who, v.query("active"))
	if err != nil {
		return err
	}
	p := v.newPage(v.text("nav_customers"))
	l := p.newList(v.text("search_customers"), found.Next, len(found.Rows), p.activeFilter()).emptyText("empty_customers")
	return v.show("customers", customersView{Page: p, List: l, Rows: found.Rows})
}

// customerView is one customer with its contacts.
type customerView struct {
	*Page
	Customer crm.Customer
	Rows     []contactRow
	List     *list
	Blocked  string // why it can't be changed just now
	Primary  string // the primary contact, for whom Actions are
	Actions  []actionLink

	ShowCompany bool
}

func (v *visit) customer() error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	c, err := v.app.Customer(v.r.Context(), v.who, id)
	if err != nil {
		return err
	}
	contacts, err := v.app.Contacts(v.r.Context(), v.who, id, v.query("active"))
	if err != nil {
		return err
	}
	p := v.newPage(c.Company)
	l := p.newList(v.text("search_contacts"), contacts.Next, len(contacts.Rows), p.activeFilter()).emptyText("empty_customer_contacts")
	view := customerView{Page: p, Customer: c, Rows: v.contactRows(contacts.Rows), List: l, Blocked: p.Blocked("write")}
	if err := v.addPrimary(&view); err != nil {
		return err
	}
	return v.show("customer", view)
}

// addPrimary puts beside the customer's name what modules offer for its primary contact.
func (v *visit) addPrimary(view *customerView) error {
	actions := v.accountActions(crm.Contact)
	if len(actions) == 0 || !view.Customer.Active {
		return nil
	}
	c, err := v.app.PrimaryContact(v.r.Context(), v.who, view.Customer.ID)
	if crm.KindOf(err) == crm.NotFound || (err == nil && !c.Active) {
		return nil
	}
	view.Primary, view.Actions = c.Name, v.accountLinks(actions, c.Key())
	return err
}

// formView is a page that is one form.
type formView struct {
	*Page
	Form  *form
	Notes []string
}

func (v *visit) showForm(p *Page, f *form) error {
	return v.render(f.Status, "form", formView{Page: p, Form: f})
}

func (v *visit) newCustomer() error { return v.showCustomer(crm.Customer{Active: true}, nil) }

func (v *visit) editCustomer() error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	c, err := v.app.Customer(v.r.Context(), v.who, id)
	if err != nil {
		return err
	}
	return v.showCustomer(c, nil)
}

// showCustomer draws the form of a customer, with what was typed when cause says what was wrong.
func (v *visit) showCustomer(c crm.Customer, cause error) error {
	title, local, back := v.text("title_new_customer"), "/admin/customers/new", "/admin/customers"
	if c.ID != 0 {
		back = "/admin/customers/" + strconv.FormatInt(c.ID, 10)
		title, local = v.text("title_edit_customer", "Company", c.Company), back+"/edit"
	}
	p := v.newPage(title)
	f := p.newForm(local, "write", v.text("save"), p.companyFields(c)...)
	f.Fields = append(f.Fields, p.languageField(c.Language, "language_from_browser"))
	f.Back = v.path(back)
	if cause != nil {
		if err := f.keep(v).refuse(cause); err != nil {
			return err
		}
	}
	return v.showForm(p, f)
}

// companyFields are what is known of a company, in both areas.
func (p *Page) companyFields(c crm.Customer) []field {
	return []field{
		{Name: "company", Kind: "text", Label: p.T("field_company"), Value: c.Company, Required: true, Autocomplete: "organization"},
		{Name: "phone", Kind: "tel", Label: p.T("field_phone"), Value: c.Phone, Autocomplete: "tel"},
		{Name: "website", Kind: "text", Label: p.T("field_website"), Value: c.Website, Autocomplete: "url"},
		{Name: "address", Kind: "textarea", Label: p.T("field_address"), Value: c.Address, Autocomplete: "street-address"},
		{Name: "city", Kind: "text", Label: p.T("field_city"), Value: c.City, Autocomplete: "address-level2"},
		{Name: "country", Kind: "text", Label: p.T("field_country"), Value: c.Country, Autocomplete: "country-name"},
		{Name: "vat", Kind: "text", Label: p.T("field_vat"), Value: c.VAT},
	}
}

func (v *visit) postedCompany(c crm.Customer) crm.Customer {
	c.Company, c.Phone, c.Website, c.Address = v.value("company"), v.value("phone"), v.value("website"), v.value("address")
	c.City, c.Country, c.VAT = v.value("city"), v.value("country"), v.value("vat")
	return c
}

func (v *visit) saveCustomer() error {
	c := crm.Customer{Active: true}
	if v.r.PathValue("id") != "" {
		id, err := v.id("id")
		if err != nil {
			return err
		}
		if c, err = v.app.Customer(v.r.Context(), v.who, id); err != nil {
			return err
		}
	}
	shown := c
	c = v.postedCompany(c)
	c.Language = v.value("language")
	id, err := v.app.SaveCustomer(v.r.Context(), v.who, c)
	if err != nil {
		return v.showCustomer(shown, err)
	}
	return v.done("/admin/customers/"+strconv.FormatInt(id, 10), "flash_saved", "Name", c.Company)
}

func (v *visit) setCustomerActive() error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	active := v.checked("active")
	if err := v.app.SetCustomerActive(v.r.Context(), v.who, id, active); err != nil {
		return err
	}
	return v.done("/admin/customers/"+strconv.FormatInt(id, 10), activeFlash(active))
}

func activeFlash(active bool) string {
	if active {
		return "flash_activated"
	}
	return "flash_deactivated"
}

func (v *visit) askDeleteCustomer() error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	c, err := v.app.Customer(v.r.Context(), v.who, id)
	if err != nil {
		return err
	}
	return v.confirm("write", v.text("title_delete", "Name", c.Company), v.text("delete"), "/admin/customers/"+strconv.FormatInt(id, 10),
		v.text("delete_customer_what", "Count", c.Contacts), v.text("cannot_be_undone"))
}

func (v *visit) deleteCustomer() error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	if err := v.app.DeleteCustomer(v.r.Context(), v.who, id); err != nil {
		return err
	}
	return v.done("/admin/customers", "flash_deleted")
}
