package web

import (
	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/crm"
)

// dashboardView is the staff's first page.
type dashboardView struct {
	*Page
	Counts app.Counts
	Recent []activityRow
}

func (v *visit) dashboard() error {
	counts, err := v.app.Counts(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	return v.show("dashboard", dashboardView{Page: v.newPage(v.text("nav_dashboard")), Counts: counts, Recent: v.activityRows(counts.Recent)})
}

// portalView is the contact's first page.
type portalView struct {
	*Page
	Person  crm.ContactPerson
	Company crm.Customer
}

func (v *visit) portalHome() error {
	person, err := v.app.OwnContact(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	company, err := v.app.OwnCompany(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	p := v.newPage(v.text("nav_home"))
	p.Heading = v.text("welcome", "Name", person.Name)
	return v.show("portal", portalView{Page: p, Person: person, Company: company})
}

// company is the contact's own company, which its contacts may edit.
func (v *visit) company() error { return v.showCompany(nil) }

func (v *visit) showCompany(cause error) error {
	company, err := v.app.OwnCompany(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	p := v.newPage(v.text("nav_company"))
	f := p.newForm("/company", "write", v.text("save"), p.companyFields(company)...)
	if cause != nil {
		if err := f.keep(v).refuse(cause); err != nil {
			return err
		}
	}
	return v.showForm(p, f)
}

func (v *visit) saveCompany() error {
	company, err := v.app.OwnCompany(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	company = v.postedCompany(company)
	if err := v.app.SaveOwnCompany(v.r.Context(), v.who, company); err != nil {
		return v.showCompany(err)
	}
	return v.done("/company", "flash_saved", "Name", company.Company)
}
