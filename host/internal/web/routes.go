package web

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// route is one line of the table: what an address is, who may use it, and who answers.
type route struct {
	method  string // HEAD goes with GET
	pattern string
	area    crm.Area       // whose address it is; empty for both
	class   crm.RouteClass // what it does, for switched sessions; without one it is refused
	need    need
	handle  func(*visit) error
}

// need is what a route asks of who comes.
type need struct {
	static        bool           // nobody is asked for: no session is even looked up
	public        bool           // signed in or not; its forms carry no token, for there is nothing to bind one to
	administrator bool           // the subject is one
	capability    crm.Capability // the subject holds it
	perPage       bool           // a module's own page: its declaration says who and which class
}

var (
	static        = need{static: true}
	public        = need{public: true}
	signedIn      = need{}
	administrator = need{administrator: true}
	perPage       = need{perPage: true}
)

func can(c crm.Capability) need { return need{capability: c} }

const (
	admin  = crm.Admin
	portal = crm.Portal
	both   = crm.Area("")

	get  = http.MethodGet
	post = http.MethodPost

	open      = crm.Open
	read      = crm.ReadRoute
	write     = crm.WriteRoute
	sensitive = crm.SensitiveRoute

	uploadPattern = "/admin/modules/upload" // takes larger bodies than others
)

// routes is the whole table, part by part. GET changes nothing, anywhere.
func routes() []route {
	return slices.Concat(openRoutes(), adminRoutes(), peopleRoutes(), moduleRoutes(), portalRoutes(), modulePageRoutes())
}

// openRoutes are for everybody, signed in or not, and for the programs that look after this one.
func openRoutes() []route {
	return []route{
		{get, "/healthz", both, open, static, (*visit).healthy},
		{get, "/readyz", both, open, static, (*visit).ready},
		{get, "/metrics", both, open, static, (*visit).metrics},
		{get, "/assets/{version}/{file...}", both, open, static, (*visit).asset},
		{get, "/favicon.ico", both, open, static, (*visit).favicon},

		{get, "/admin/login", both, open, public, (*visit).staffLogin},
		{post, "/admin/login", both, open, public, (*visit).signInStaff},
		{get, "/login", both, open, public, (*visit).contactLogin},
		{post, "/login", both, open, public, (*visit).signInContact},
		{get, "/password/{token}", both, open, public, (*visit).passwordLink},
		{post, "/password/{token}", both, open, public, (*visit).setPassword},
		{get, "/setup/{token}", both, open, public, (*visit).setup},
		{post, "/setup/{token}", both, open, public, (*visit).createFirstAdministrator},

		{get, "/session", both, open, public, (*visit).sessionPage},
		{post, "/session/switch", both, open, signedIn, (*visit).switchSession}, // the app refuses and records: switched already, a contact, the ceiling
		{post, "/session/restore", both, open, signedIn, (*visit).restoreSession},
		{get, "/session/extend", both, open, signedIn, (*visit).askMoreTime}, // these four are about the switch itself: the app asks the hook
		{post, "/session/extend", both, open, signedIn, (*visit).extendSwitch},
		{get, "/session/elevate", both, open, signedIn, (*visit).askMoreRights},
		{post, "/session/elevate", both, open, signedIn, (*visit).elevateSwitch},
		{get, "/logout", both, open, public, (*visit).askLogout},
		{post, "/logout", both, open, signedIn, (*visit).logout},
		{post, "/preferences", both, write, signedIn, (*visit).savePreferences},
		{post, "/notices/{id}/dismiss", both, sensitive, signedIn, (*visit).dismissNotice}, // a borrowed name leaves no read mark
		{post, "/notices/dismiss", both, sensitive, signedIn, (*visit).dismissNotices},
	}
}

// adminRoutes are the admin area but for people and modules.
func adminRoutes() []route {
	return []route{
		{get, "/admin", admin, read, signedIn, (*visit).dashboard},
		{get, "/admin/activity", admin, read, can(crm.ActivityView), (*visit).activity},

		{post, "/admin/activity/export", admin, sensitive, can(crm.ActivityView), (*visit).exportActivity}, // takes it all away as a file

		{get, "/admin/activity/check", admin, read, administrator, (*visit).checkAudit},

		{get, "/admin/settings", admin, read, can(crm.SettingsEdit), (*visit).settings},
		{get, "/admin/settings/{section}", admin, read, can(crm.SettingsEdit), (*visit).settingsSection},
		{post, "/admin/settings/{section}", admin, sensitive, can(crm.SettingsEdit), (*visit).saveSettings},

		{get, "/admin/profile", admin, read, signedIn, (*visit).profile},
		{post, "/admin/profile", admin, write, signedIn, (*visit).saveProfile},
		{post, "/admin/profile/password", admin, sensitive, signedIn, (*visit).changePassword},
		{post, "/admin/profile/sessions/{id}/revoke", admin, sensitive, signedIn, (*visit).revokeSession},
		{post, "/admin/profile/sessions/revoke-others", admin, sensitive, signedIn, (*visit).revokeOtherSessions},
	}
}

// peopleRoutes are about customers, contacts, staff and roles.
func peopleRoutes() []route {
	return []route{
		{get, "/admin/customers", admin, read, can(crm.CustomersView), (*visit).customers},
		{get, "/admin/customers/new", admin, read, can(crm.CustomersCreate), (*visit).newCustomer},
		{post, "/admin/customers/new", admin, write, can(crm.CustomersCreate), (*visit).saveCustomer},
		{get, "/admin/customers/{id}", admin, read, can(crm.CustomersView), (*visit).customer},
		{get, "/admin/customers/{id}/edit", admin, read, can(crm.CustomersEdit), (*visit).editCustomer},
		{post, "/admin/customers/{id}/edit", admin, write, can(crm.CustomersEdit), (*visit).saveCustomer},
		{post, "/admin/customers/{id}/active", admin, write, can(crm.CustomersEdit), (*visit).setCustomerActive},
		{get, "/admin/customers/{id}/delete", admin, read, can(crm.CustomersDelete), (*visit).askDeleteCustomer},
		{post, "/admin/customers/{id}/delete", admin, write, can(crm.CustomersDelete), (*visit).deleteCustomer},

		{get, "/admin/contacts", admin, read, can(crm.CustomersView), (*visit).contacts},
		{get, "/admin/customers/{customer}/contacts/new", admin, read, can(crm.CustomersEdit), (*visit).newContact},
		{post, "/admin/customers/{customer}/contacts/new", admin, sensitive, can(crm.CustomersEdit), (*visit).saveContact},
		{get, "/admin/contacts/{id}", admin, read, can(crm.CustomersView), (*visit).editContact},
		{post, "/admin/contacts/{id}", admin, sensitive, can(crm.CustomersEdit), (*visit).saveContact},
		{post, "/admin/contacts/{id}/active", admin, sensitive, can(crm.CustomersEdit), (*visit).setContactActive},
		{post, "/admin/contacts/{id}/password-link", admin, sensitive, can(crm.CustomersEdit), (*visit).contactPasswordLink},
		{get, "/admin/contacts/{id}/delete", admin, read, can(crm.CustomersDelete), (*visit).askDeleteContact},
		{post, "/admin/contacts/{id}/delete", admin, sensitive, can(crm.CustomersDelete), (*visit).deleteContact},

		{get, "/admin/staff", admin, read, can(crm.StaffView), (*visit).staff},
		{get, "/admin/staff/new", admin, read, can(crm.StaffCreate), (*visit).newStaffMember},
		{post, "/admin/staff/new", admin, sensitive, can(crm.StaffCreate), (*visit).saveStaffMember},
		{get, "/admin/staff/{id}", admin, read, can(crm.StaffView), (*visit).editStaffMember},
		{post, "/admin/staff/{id}", admin, sensitive, can(crm.StaffEdit), (*visit).saveStaffMember},
		{post, "/admin/staff/{id}/active", admin, sensitive, can(crm.StaffEdit), (*visit).setStaffActive},
		{post, "/admin/staff/{id}/password-link", admin, sensitive, can(crm.StaffEdit), (*visit).staffPasswordLink},

		{get, "/admin/roles", admin, read, can(crm.RolesView), (*visit).roles},
		{get, "/admin/roles/new", admin, read, can(crm.RolesEdit), (*visit).newRole},
		{post, "/admin/roles/new", admin, sensitive, can(crm.RolesEdit), (*visit).saveRole},
		{get, "/admin/roles/{id}", admin, read, can(crm.RolesView), (*visit).editRole},
		{post, "/admin/roles/{id}", admin, sensitive, can(crm.RolesEdit), (*visit).saveRole},
		{get, "/admin/roles/{id}/delete", admin, read, can(crm.RolesEdit), (*visit).askDeleteRole},
		{post, "/admin/roles/{id}/delete", admin, sensitive, can(crm.RolesEdit), (*visit).deleteRole},
	}
}

// moduleRoutes are about modules, their packages and whose they are.
func moduleRoutes() []route {
	return []route{
		{get, "/admin/modules", admin, read, administrator, (*visit).moduleList},
		{post, uploadPattern, admin, sensitive, administrator, (*visit).uploadModule},
		{get, "/admin/uploads/{staged}", admin, read, administrator, (*visit).reviewModule},
		{post, "/admin/uploads/{staged}/inner", admin, sensitive, administrator, (*visit).reviewInnerModule},
		{post, "/admin/uploads/{staged}/install", admin, sensitive, administrator, (*visit).installModule},
		{post, "/admin/uploads/{staged}/cancel", admin, sensitive, administrator, (*visit).dropReview},
		{post, "/admin/modules/{module}/activate", admin, sensitive, administrator, (*visit).activateModule},
		{post, "/admin/modules/{module}/deactivate", admin, sensitive, administrator, (*visit).deactivateModule},
		{post, "/admin/modules/{module}/retry", admin, sensitive, administrator, (*visit).retryModule},
		{get, "/admin/modules/{module}/uninstall", admin, read, administrator, (*visit).askUninstallModule},
		{post, "/admin/modules/{module}/uninstall", admin, sensitive, administrator, (*visit).uninstallModule},
		{post, "/admin/modules/{module}/export", admin, sensitive, administrator, (*visit).exportModule},
		{post, "/admin/modules/{module}/reset", admin, sensitive, administrator, (*visit).resetModule},
		{get, "/admin/modules/{module}/log", admin, read, administrator, (*visit).moduleLog},
		{get, "/admin/modules/{module}/log/download", admin, read, administrator, (*visit).downloadModuleLog},
		{get, "/admin/modules/{module}/grants", admin, read, administrator, (*visit).moduleGrants},
		{post, "/admin/modules/{module}/grants", admin, sensitive, administrator, (*visit).saveGrants},
		{get, "/admin/modules/{module}/versions", admin, read, administrator, (*visit).moduleVersions},
		{post, "/admin/modules/{module}/rollback", admin, sensitive, administrator, (*visit).rollBackModule},
		{post, "/admin/modules/{module}/accept", admin, sensitive, administrator, (*visit).acceptGrants},
		{post, "/admin/modules/{module}/drop", admin, sensitive, administrator, (*visit).dropWaiting},
		{post, "/admin/modules/start", admin, sensitive, administrator, (*visit).leaveSafeMode},
		{get, "/admin/modules/keys", admin, read, administrator, (*visit).trustedKeys},
		{post, "/admin/modules/keys", admin, sensitive, administrator, (*visit).addTrustedKey},
		{get, "/admin/modules/keys/{key}/remove", admin, read, administrator, (*visit).askRemoveTrustedKey},
		{post, "/admin/modules/keys/{key}/remove", admin, sensitive, administrator, (*visit).removeTrustedKey},
	}
}

// portalRoutes are the customer portal.
func portalRoutes() []route {
	return []route{
		{get, "/{$}", portal, read, signedIn, (*visit).portalHome},
		{get, "/profile", portal, read, signedIn, (*visit).profile},
		{post, "/profile", portal, write, signedIn, (*visit).saveProfile},
		{post, "/profile/password", portal, sensitive, signedIn, (*visit).changePassword},
		{post, "/profile/sessions/{id}/revoke", portal, sensitive, signedIn, (*visit).revokeSession},
		{post, "/profile/sessions/revoke-others", portal, sensitive, signedIn, (*visit).revokeOtherSessions},
		{get, "/company", portal, read, signedIn, (*visit).company},
		{post, "/company", portal, write, signedIn, (*visit).saveCompany},
	}
}

// modulePageRoutes are the addresses modules answer. What an unsafe method does there is declared
// with the page; sensitive stands for "until the declaration says less".
func modulePageRoutes() []route {
	var table []route
	for pattern, area := range map[string]crm.Area{"/admin/m/{module}/{path...}": admin, "/m/{module}/{path...}": portal} {
		table = append(table, route{get, pattern, area, read, perPage, (*visit).modulePage})
		for _, method := range []string{post, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			table = append(table, route{method, pattern, area, sensitive, perPage, (*visit).modulePage})
		}
	}
	return table
}

// router makes one dispatcher per pattern, so that a known address answers 405 to other methods and
// an unknown one 404, both inside the layout.
func (s *server) router(table []route) (*http.ServeMux, error) {
	byPattern := map[string]map[string]*route{}
	for i := range table {
		r := &table[i]
		if r.class < crm.Open || r.class > crm.SensitiveRoute {
			return nil, fmt.Errorf("route %s %s has no class", r.method, r.pattern)
		}
		if byPattern[r.pattern] == nil {
			byPattern[r.pattern] = map[string]*route{}
		}
		if byPattern[r.pattern][r.method] != nil {
			return nil, fmt.Errorf("route %s %s stands twice", r.method, r.pattern)
		}
		byPattern[r.pattern][r.method] = r
	}
	mux := http.NewServeMux()
	for pattern, methods := range byPattern {
		mux.HandleFunc(pattern, s.dispatch(methods))
	}
	mux.HandleFunc("/", s.dispatch(nil))
	return mux, nil
}

func (s *server) dispatch(methods map[string]*route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		s.serve(w, r, methods[method], func(v *visit) error { return v.run(methods) })
	}
}
