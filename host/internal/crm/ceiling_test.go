package crm_test

import (
	"slices"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// people are accounts of every sort, active and not, with rights of their own kind and of the other.
func people() []crm.Account {
	var list []crm.Account
	sets := []crm.Capabilities{
		nil, crm.NewCapabilities(crm.CustomersView, crm.CustomersEdit), crm.NewCapabilities(crm.CustomersView, crm.CustomersEdit, "m/do"),
		crm.NewCapabilities("m/do", "m@see"), crm.NewCapabilities("m@see"),
	}
	for _, kind := range []crm.AccountKind{crm.Staff, crm.Contact} {
		for _, caps := range sets {
			for flags := range 4 { // each kind's own flag, and the other's, which must mean nothing
				list = append(list, crm.Account{
					Key: crm.AccountKey{Kind: kind, ID: int64(len(list) + 1)}, Active: true, Administrator: flags&1 != 0, Primary: flags&2 != 0, Capabilities: caps,
				})
				gone := list[len(list)-1]
				gone.Active, gone.Key.ID = false, gone.Key.ID+1
				list = append(list, gone)
			}
		}
	}
	return list
}

func TestNobodyHoldsARightOfTheOtherKind(t *testing.T) {
	staffRight, contactRight := crm.ModuleCapability("m", "do"), crm.ContactCapability("m", "see")
	if staffRight.Holders() != crm.Staff || contactRight.Holders() != crm.Contact || crm.StaffEdit.Holders() != crm.Staff || crm.ContactCapability("m", "do") == staffRight {
		t.Fatalf("%s, %s", staffRight, contactRight)
	}
	for _, a := range append(people(), crm.Account{Active: true, Administrator: true, Primary: true, Capabilities: crm.NewCapabilities(staffRight, contactRight)}) {
		staff, contact := a.Active && a.Key.Kind == crm.Staff, a.Active && a.Key.Kind == crm.Contact
		if got, want := a.Can(staffRight), staff && (a.Administrator || a.Capabilities[staffRight]); got != want {
			t.Errorf("%+v can %s: %v", a, staffRight, got)
		}
		if got, want := a.Can(contactRight), contact && (a.Primary || a.Capabilities[contactRight]); got != want {
			t.Errorf("%+v can %s: %v", a, contactRight, got)
		}
	}
	of := crm.NewCapabilities(staffRight, contactRight, crm.StaffEdit)
	if of.Of(crm.Contact).String() != "m@see" || of.Of(crm.Staff).String() != "m/do staff.edit" {
		t.Errorf("%s; %s", of.Of(crm.Contact), of.Of(crm.Staff))
	}
}

// What is explained is what is decided, for every pair.
func TestTheExplanationIsTheDecision(t *testing.T) {
	codes := []string{"switch_not_staff", "switch_self", "switch_inactive", "switch_not_administrator", "switch_more_rights"}
	refused := map[string]int{}
	for _, actor := range people() {
		for _, target := range people() {
			decided, first := crm.KeyOf(crm.CheckCeiling(actor, target)), ""
			var order []string
			for _, rule := range crm.ExplainCeiling(actor, target) {
				order = append(order, rule.Code)
				if !rule.Holds && first == "" {
					first = rule.Code
				}
				if len(rule.Missing) > 0 && (rule.Holds || rule.Code != "switch_more_rights") {
					t.Fatalf("%+v to %+v: %+v", actor, target, rule)
				}
			}
			if decided != first || !slices.Equal(order, codes) {
				t.Fatalf("%+v to %+v: decided %q, explained %q by %v", actor, target, decided, first, order)
			}
			refused[decided]++
		}
	}
	for _, code := range append(codes, "") {
		if refused[code] == 0 {
			t.Errorf("no pair for %q", code)
		}
	}
}

func TestTheExplanationNamesWhatIsMissing(t *testing.T) {
	ben := crm.Account{Key: crm.AccountKey{Kind: crm.Staff, ID: 1}, Active: true, Capabilities: crm.NewCapabilities(crm.CustomersView)}
	eve := crm.Account{Key: crm.AccountKey{Kind: crm.Staff, ID: 2}, Active: true, Capabilities: crm.NewCapabilities("m/do", crm.CustomersView, crm.StaffEdit)}
	jane := crm.Account{Key: crm.AccountKey{Kind: crm.Contact, ID: 1}, Active: true, Primary: true, Capabilities: crm.NewCapabilities("m@see")}
	missing := func(actor, target crm.Account) []crm.Capability { return crm.ExplainCeiling(actor, target)[4].Missing }
	if got := missing(ben, eve); !slices.Equal(got, []crm.Capability{"m/do", crm.StaffEdit}) {
		t.Errorf("as Eve: %v", got)
	}
	if got := missing(ben, jane); !slices.Equal(got, []crm.Capability{crm.CustomersEdit}) {
		t.Errorf("as Jane: %v", got)
	}
}
