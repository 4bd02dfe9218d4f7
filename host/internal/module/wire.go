package module

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/understudy-crm/understudy/host/internal/crm"
	modulev1 "github.com/understudy-crm/understudy/proto/understudy/module/v1"
)

// areas, accountKinds and the rest are the closed lists of the contract in the words of package crm.
var areas = map[modulev1.Area]crm.Area{
	modulev1.Area_AREA_ADMIN: crm.Admin, modulev1.Area_AREA_PORTAL: crm.Portal,
}

var accountKinds = map[modulev1.AccountKind]crm.AccountKind{
	modulev1.AccountKind_ACCOUNT_KIND_STAFF: crm.Staff, modulev1.AccountKind_ACCOUNT_KIND_CONTACT: crm.Contact,
}

var switchEnds = map[crm.EndCause]modulev1.SwitchEnd{
	crm.EndStopped:         modulev1.SwitchEnd_SWITCH_END_STOPPED,
	crm.EndExpired:         modulev1.SwitchEnd_SWITCH_END_EXPIRED,
	crm.EndSignedOut:       modulev1.SwitchEnd_SWITCH_END_SIGNED_OUT,
	crm.EndActorInactive:   modulev1.SwitchEnd_SWITCH_END_ACTOR_INACTIVE,
	crm.EndTargetInactive:  modulev1.SwitchEnd_SWITCH_END_TARGET_INACTIVE,
	crm.EndNotAllowed:      modulev1.SwitchEnd_SWITCH_END_NOT_ALLOWED,
	crm.EndModuleOff:       modulev1.SwitchEnd_SWITCH_END_MODULE_OFF,
	crm.EndByAdministrator: modulev1.SwitchEnd_SWITCH_END_BY_ADMINISTRATOR,
	crm.EndSessionLost:     modulev1.SwitchEnd_SWITCH_END_SESSION_LOST,
	crm.EndBySubject:       modulev1.SwitchEnd_SWITCH_END_BY_SUBJECT,
}

var outcomes = map[modulev1.SwitchOutcome]string{
	modulev1.SwitchOutcome_SWITCH_OUTCOME_ACTIVE:  "active",
	modulev1.SwitchOutcome_SWITCH_OUTCOME_ENDED:   "ended",
	modulev1.SwitchOutcome_SWITCH_OUTCOME_REFUSED: "refused",
}

func areaToWire(a crm.Area) modulev1.Area {
	for wire, area := range areas {
		if area == a {
			return wire
		}
	}
	return modulev1.Area_AREA_UNSPECIFIED
}

func kindToWire(k crm.AccountKind) modulev1.AccountKind {
	for wire, kind := range accountKinds {
		if kind == k {
			return wire
		}
	}
	return modulev1.AccountKind_ACCOUNT_KIND_UNSPECIFIED
}

func keyToWire(k crm.AccountKey) *modulev1.AccountKey {
	return &modulev1.AccountKey{Kind: kindToWire(k.Kind), Id: k.ID}
}

// keyFromWire is Invalid for a key that names nobody.
func keyFromWire(k *modulev1.AccountKey) (crm.AccountKey, error) {
	kind, ok := accountKinds[k.GetKind()]
	if !ok || k.GetId() <= 0 {
		return crm.AccountKey{}, crm.Refuse(crm.Invalid, "account_key_invalid")
	}
	return crm.AccountKey{Kind: kind, ID: k.GetId()}, nil
}

// account shows the module an account: of the capabilities only the module's own, of those all that
// accounts of its kind can hold for an administrator and a primary contact.
func (r *running) account(a crm.Account) *modulev1.Account {
	wire := &modulev1.Account{
		Key: keyToWire(a.Key), Name: a.Name, Email: a.Email, Active: a.Active, Administrator: a.Administrator,
		Role: a.Role, Company: a.Company, CustomerId: a.CustomerID, Language: a.Language, Primary: a.Primary,
	}
	for _, c := range r.added.Load().capabilities {
		if a.Can(c.Capability) {
			wire.Capabilities = append(wire.Capabilities, keyOf(c.Capability))
		}
	}
	return wire
}

// keyOf is a capability's name without the module's.
func keyOf(c crm.Capability) string {
	return string(c[strings.IndexAny(string(c), "/@")+1:])
}

func companyToWire(c crm.Customer) *modulev1.CompanyWithoutContact {
	return &modulev1.CompanyWithoutContact{CustomerId: c.ID, Company: c.Company, CustomerActive: c.Active}
}

func modeToWire(m crm.SwitchMode) modulev1.SwitchMode {
	if m == crm.Full {
		return modulev1.SwitchMode_SWITCH_MODE_FULL
	}
	return modulev1.SwitchMode_SWITCH_MODE_READ_ONLY
}

// modeFromWire takes whatever it doesn't know as read-only.
func modeFromWire(m modulev1.SwitchMode) crm.SwitchMode {
	if m == modulev1.SwitchMode_SWITCH_MODE_FULL {
		return crm.Full
	}
	return crm.ReadOnly
}

func timeToWire(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func timeFromWire(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func switchToWire(s crm.Switch) *modulev1.SessionSwitch {
	return &modulev1.SessionSwitch{
		Id: s.ID, Actor: keyToWire(s.Actor), ActorName: s.ActorName, ActorRole: s.ActorRole,
		Subject: keyToWire(s.Subject), SubjectName: s.SubjectName, SubjectDetail: s.SubjectDetail,
		StartedAt: timeToWire(s.StartedAt), ExpiresAt: timeToWire(s.ExpiresAt), EndedAt: timeToWire(s.EndedAt),
		End: switchEnds[s.End], Reason: s.Reason, Ip: s.IP, Browser: s.Browser, Mode: modeToWire(s.Mode), RefusalCode: s.Refusal,
		Ticket: s.Ticket, ElevatedAt: timeToWire(s.ElevatedAt), Extensions: int32(min(s.Extensions, 1<<30)),
		EndedBy: s.EndedBy, SubjectCustomerId: s.CustomerID,
	}
}

// rightToLeft tells by its tag whether a language is written from right to left.
func rightToLeft(tag string) bool {
	base, _, _ := strings.Cut(tag, "-")
	switch base {
	case "ar", "he", "fa", "ur", "ps", "sd", "ug", "yi", "dv", "ckb":
		return !strings.Contains(tag, "Latn")
	}
	return false
}
