// Package app holds the use cases: everything a person or a module can do to the CRM. Permission
// check, transaction, hook and audit happen here and only here, whichever door the wish came by.
package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// SwitchPolicy is who is asked before a session switch, and again whenever rights have changed.
type SwitchPolicy interface {
	// DecideSwitch allows the switch by a nil error. Denied says why not, in words of the module that
	// refused; Unavailable that nobody could decide. Anything but a nil error refuses.
	DecideSwitch(ctx context.Context, q crm.SwitchQuestion) (crm.SwitchDecision, error)
}

// Options are what an App is made of.
type Options struct {
	Store   *store.Store
	Now     func() time.Time // nil for the real clock
	Version string           // the host's own, a semantic version
	Log     *slog.Logger     // nil for the default one
	LogKept LogKept          // of every module's log
}

// App is the CRM's use cases over one database. Its methods may be called from any goroutine.
type App struct {
	store     *store.Store
	now       func() time.Time
	version   string
	log       *slog.Logger
	policy    SwitchPolicy
	passwords passwords
	logKept   LogKept
	logTrims  logTrims
	mail      bool
	sent      sentNotices
	pages     notedPages
	observer  SwitchObserver
	wayBack   func(context.Context) error
	clock     clockWatch
	replica   atomic.Pointer[crm.Replica] // nil until it joined
	joined    atomic.Int64                // how often: what it said before is forgotten by then
}

// New makes an App. Until SetSwitchPolicy is called every switch is refused.
func New(o Options) *App {
	a := &App{store: o.Store, now: o.Now, version: o.Version, log: o.Log, policy: nobodyDecides{}, passwords: newPasswords(), logKept: o.LogKept}
	if a.now == nil {
		a.now = time.Now
	}
	if a.log == nil {
		a.log = slog.Default()
	}
	a.clock.start()
	return a
}

// SetSwitchPolicy says who decides session switches. Call it before the first request.
func (a *App) SetSwitchPolicy(p SwitchPolicy) { a.policy = p }

// UseMail has notices that ask for it go out by mail, too. Call it before the first request, and have
// somebody send what DueMail gives.
func (a *App) UseMail() { a.mail = true }

// Version is the host's own version.
func (a *App) Version() string { return a.version }

// Now is the App's time.
func (a *App) Now() time.Time { return a.now().UTC() }

// nobodyDecides is the policy of a host without modules.
type nobodyDecides struct{}

func (nobodyDecides) DecideSwitch(context.Context, crm.SwitchQuestion) (crm.SwitchDecision, error) {
	return crm.SwitchDecision{}, crm.Refuse(crm.Unavailable, "switch_module_off")
}

// allow says whether who may do a thing of this class that needs one of these capabilities; none
// named means any signed-in account. It is asked by every use case, behind every door.
func (a *App) allow(who crm.Who, class crm.RouteClass, anyOf ...crm.Capability) error {
	if !who.SignedIn() {
		return crm.Refuse(crm.SignedOut, "signed_out")
	}
	if err := a.CheckClass(who, class); err != nil {
		return err
	}
	if len(anyOf) == 0 {
		return nil
	}
	for _, c := range anyOf {
		if who.Can(c) {
			return nil
		}
	}
	return crm.Refuse(crm.Denied, "not_permitted", "Capability", string(anyOf[0]))
}

// allowAdministrator says whether who may do what only administrators may.
func (a *App) allowAdministrator(who crm.Who, class crm.RouteClass) error {
	if err := a.allow(who, class); err != nil {
		return err
	}
	if !who.Subject.Administrator {
		return crm.Refuse(crm.Denied, "administrators_only")
	}
	return nil
}

// audit appends an entry in the transaction of the change it tells of. The actor is accountable;
// the subject is named beside it.
func (a *App) audit(tx store.Tx, who crm.Who, action, object string, detail map[string]string) error {
	e := crm.AuditEntry{
		At: a.Now(), Actor: who.Actor.Key, ActorName: who.Actor.Name, Subject: who.Subject.Key, SubjectName: who.Subject.Name,
		SwitchID: who.Session.SwitchID, Action: action, Object: object, Detail: detail, IP: who.Client.IP, RequestID: who.Client.RequestID,
	}
	a.observe(tx, who, action, detail)
	return tx.InsertAudit(e)
}

// change runs a use case's transaction: do's change and the audit entry commit together.
func (a *App) change(ctx context.Context, who crm.Who, action string, do func(store.Tx) (object string, detail map[string]string, err error)) error {
	return a.store.Write(ctx, func(tx store.Tx) error {
		if err := a.stands(ctx, tx, who); err != nil {
			return err
		}
		object, detail, err := do(tx)
		if err != nil {
			return err
		}
		return a.audit(tx, who, action, object, detail)
	})
}

// changeRights is change for what decides who may do what. Such changes go one at a time, so that
// what one reads of others' rights still holds when it commits.
func (a *App) changeRights(ctx context.Context, who crm.Who, action string, do func(store.Tx) (object string, detail map[string]string, err error)) error {
	return a.change(ctx, who, action, func(tx store.Tx) (string, map[string]string, error) {
		if err := tx.LockRights(ctx); err != nil {
			return "", nil, err
		}
		return do(tx)
	})
}

// stands says whether who is still who it was when the request was resolved: a slow request must
// not act for a session that has switched, returned, ended or lost its rights meanwhile. Conflict
// session_changed otherwise. Whoever has no session (the command line, a link's holder) stands.
func (a *App) stands(ctx context.Context, tx store.Tx, who crm.Who) error {
	if who.Session.ID == 0 {
		return nil
	}
	r, err := tx.ResolveAgain(ctx, who.Session.ID)
	if crm.KindOf(err) == crm.NotFound {
		return crm.Refuse(crm.Conflict, "session_changed")
	}
	if err != nil {
		return err
	}
	now, is := a.Now(), whoOf(r, who.Client)
	same := r.Session.Version == who.Session.Version && now.Before(r.Session.ExpiresAt) && is.Actor.Active && is.Switched() == who.Switched()
	if same && is.Switched() {
		// After any change of rights the hook must be asked again, and that is the next request's to do.
		same = is.Subject.Active && now.Before(is.Switch.ExpiresAt) && is.Switch.Mode == who.Switch.Mode && r.Revision == who.Revision
	}
	if same && r.Revision != who.Revision {
		same = is.Actor.Administrator == who.Actor.Administrator && is.Actor.Primary == who.Actor.Primary && is.Actor.Capabilities.String() == who.Actor.Capabilities.String()
	}
	if !same {
		return crm.Refuse(crm.Conflict, "session_changed")
	}
	return nil
}

// found gives a NotFound its own sentence and passes other errors on.
func found(err error, key string) error {
	if crm.KindOf(err) == crm.NotFound {
		return &crm.Error{Kind: crm.NotFound, Key: key, Err: err}
	}
	return err
}

// newSecret makes a random secret of 256 bits and its hash; only the hash is ever kept.
func newSecret() (secret string, hash []byte) {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: the program ends instead
	secret = base64.RawURLEncoding.EncodeToString(b)
	return secret, hashSecret(secret)
}

func hashSecret(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// asError reads a crm.Error out of a chain, nil when there is none.
func asError(err error) *crm.Error {
	e, _ := errors.AsType[*crm.Error](err)
	return e
}
