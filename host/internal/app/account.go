package app

import (
	"context"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
	"github.com/understudy-crm/understudy/host/internal/store"
)

// LinkLife is how long a set-password link is good for.
const LinkLife = 24 * time.Hour

// What a link lets its holder do.
const (
	purposePassword = "set_password"
	purposeFirst    = "first_administrator"
)

// Account reads one account, NotFound when there is none. It asks nobody's rights.
func (a *App) Account(ctx context.Context, key crm.AccountKey) (crm.Account, error) {
	account, err := a.store.Read().Account(ctx, key)
	return account, found(err, "account_not_found")
}

// AccountQuery narrows and pages a search over the accounts of one kind.
type AccountQuery struct {
	Kind       crm.AccountKind
	Term       string
	Limit      int
	After      string
	ActiveOnly bool
	// TargetOf, when set, is left out itself, and each match says whether it could become it.
	TargetOf crm.AccountKey
}

// AccountMatch is a found account and, with TargetOf, what whoever chooses wants to know.
type AccountMatch struct {
	crm.Account
	Refusal string   // the key of the rule that would refuse the switch
	Online  bool     // it has used a session of its own within onlineFor
	Acting  []string // who acts as it just now, by name
}

// onlineFor is how long after their last request people count as online.
const onlineFor = 5 * time.Minute

// SearchAccounts finds accounts by name, for modules with the grant to.
func (a *App) SearchAccounts(ctx context.Context, q AccountQuery) (crm.Page[AccountMatch], error) {
	page, err := a.store.Read().SearchAccounts(ctx, store.AccountQuery{Kind: q.Kind, Term: q.Term, Limit: q.Limit, After: q.After, ActiveOnly: q.ActiveOnly, Except: q.TargetOf})
	if err != nil {
		return crm.Page[AccountMatch]{}, err
	}
	matches := crm.Page[AccountMatch]{Next: page.Next}
	for _, account := range page.Rows {
		matches.Rows = append(matches.Rows, AccountMatch{Account: account})
	}
	if q.TargetOf.ID == 0 {
		return matches, nil
	}
	return matches, a.asTargets(ctx, q, matches.Rows)
}

// asTargets tells of each match whether it could be switched to, and who is there already.
func (a *App) asTargets(ctx context.Context, q AccountQuery, matches []AccountMatch) error {
	actor, err := a.Account(ctx, q.TargetOf)
	if err != nil {
		return err
	}
	ids := make([]int64, len(matches))
	for i, m := range matches {
		ids[i] = m.Key.ID
	}
	now := a.Now()
	there, err := a.store.Read().Presence(ctx, q.Kind, ids, now, now.Add(-onlineFor))
	if err != nil {
		return err
	}
	for i := range matches {
		m := &matches[i]
		m.Refusal = crm.KeyOf(crm.CheckCeiling(actor, m.Account))
		m.Online, m.Acting = there.Online[m.Key.ID], there.Acting[m.Key.ID]
	}
	return nil
}

// ExplainSwitch holds a pair of accounts against every rule of the host's own for a switch, in the
// order SwitchSession asks them. NotFound when there is no such account. For modules: it asks
// nobody's rights.
func (a *App) ExplainSwitch(ctx context.Context, actor, target crm.AccountKey) ([]crm.SwitchRule, error) {
	from, err := a.Account(ctx, actor)
	if err != nil {
		return nil, err
	}
	to, err := a.Account(ctx, target)
	if err != nil {
		return nil, err
	}
	return crm.ExplainCeiling(from, to), nil
}

// mostCompanies is how many companies stand beside the contacts that a search finds.
const mostCompanies = 5

// CompaniesWithoutContact lists the first customers a term finds and whose contacts can't sign in, so
// that who searches for them learns why SearchAccounts finds nobody; none without a term.
func (a *App) CompaniesWithoutContact(ctx context.Context, term string) ([]crm.Customer, error) {
	if strings.TrimSpace(term) == "" {
		return nil, nil
	}
	return a.store.Read().CompaniesWithoutContact(ctx, term, mostCompanies)
}

// PasswordLink makes a one-time address's token with which the account's holder sets a password; it
// is good for LinkLife, and the ones before it are dead. Whoever may edit the account may; for an
// administrator only an administrator.
func (a *App) PasswordLink(ctx context.Context, who crm.Who, key crm.AccountKey) (string, error) {
	if err := a.allow(who, crm.SensitiveRoute, linkCapability(key.Kind)); err != nil {
		return "", err
	}
	account, err := a.Account(ctx, key)
	if err != nil {
		return "", err
	}
	if err := mayManage(who, account); err != nil {
		return "", err
	}
	token, hash := newSecret()
	return token, a.change(ctx, who, "password_link_made", func(tx store.Tx) (string, map[string]string, error) {
		if err := tx.DeleteLinks(ctx, purposePassword, key, a.Now()); err != nil {
			return "", nil, err
		}
		return key.String(), nil, tx.InsertLink(ctx, hash, store.Link{Purpose: purposePassword, Account: key, Maker: who.Actor.Key.ID, Expires: a.Now().Add(LinkLife)})
	})
}

// mayManage keeps staff from taking over who may do more than they: whoever can set a password can
// become its owner.
func mayManage(who crm.Who, account crm.Account) error {
	if who.Subject.Administrator || account.Key == who.Subject.Key || account.Key.Kind == crm.Contact {
		return nil
	}
	if account.Administrator || !account.Capabilities.Within(who.Subject.Capabilities) {
		return crm.Refuse(crm.Denied, "account_has_more_rights", "Name", account.Name)
	}
	return nil
}

// OpenPasswordLink says whose password a link sets; NotFound link_invalid when it is used up, past
// its time or never was.
func (a *App) OpenPasswordLink(ctx context.Context, token string) (crm.Account, error) {
	l, err := a.link(ctx, a.store.Read(), token, purposePassword)
	if err != nil {
		return crm.Account{}, err
	}
	return a.Account(ctx, l.Account)
}

func (a *App) link(ctx context.Context, tx store.Tx, token, purpose string) (store.Link, error) {
	l, err := tx.Link(ctx, hashSecret(token))
	if err != nil {
		return l, found(err, "link_invalid")
	}
	if l.Purpose != purpose || !a.Now().Before(l.Expires) {
		return l, crm.Refuse(crm.NotFound, "link_invalid")
	}
	return l, nil
}

// SetPasswordByLink uses a link up: the account gets the password, and all its sessions end.
func (a *App) SetPasswordByLink(ctx context.Context, token, password string, client crm.Client) error {
	account, err := a.OpenPasswordLink(ctx, token)
	if err != nil {
		return err
	}
	hash, err := a.newPassword(ctx, account, password)
	if err != nil {
		return err
	}
	who := crm.Who{Actor: account, Subject: account, Client: client}
	return a.change(ctx, who, "password_set", func(tx store.Tx) (string, map[string]string, error) {
		if err := a.useLink(ctx, tx, token, account); err != nil {
			return "", nil, err
		}
		return account.Key.String(), nil, a.replacePassword(ctx, tx, account.Key, hash, 0)
	})
}

// useLink uses a link up, if whoever made it could still make it: a promotion since, or a dismissal,
// closes it.
func (a *App) useLink(ctx context.Context, tx store.Tx, token string, account crm.Account) error {
	l, err := a.link(ctx, tx, token, purposePassword)
	if err != nil {
		return err
	}
	if l.Maker != 0 {
		maker, err := tx.Account(ctx, crm.AccountKey{Kind: crm.Staff, ID: l.Maker})
		if err != nil {
			return found(err, "link_invalid")
		}
		if account, err = tx.Account(ctx, account.Key); err != nil {
			return found(err, "link_invalid")
		}
		who := crm.Who{Actor: maker, Subject: maker}
		if !who.Can(linkCapability(account.Key.Kind)) || mayManage(who, account) != nil {
			return crm.Refuse(crm.NotFound, "link_invalid")
		}
	}
	used, err := tx.DeleteLink(ctx, hashSecret(token))
	if err == nil && !used {
		err = crm.Refuse(crm.NotFound, "link_invalid")
	}
	return err
}

// linkCapability is what making a set-password link needs.
func linkCapability(kind crm.AccountKind) crm.Capability {
	if kind == crm.Contact {
		return crm.CustomersEdit
	}
	return crm.StaffEdit
}

// dropLinksOfOld closes an account's links when its address changes: they were handed to the old one.
func (a *App) dropLinksOfOld(ctx context.Context, tx store.Tx, key crm.AccountKey, before, after string) error {
	if before == after {
		return nil
	}
	return tx.DeleteLinks(ctx, purposePassword, key, a.Now())
}

// ChangeOwnPassword replaces the actor's password; the old one must be given. All one's other
// sessions end.
func (a *App) ChangeOwnPassword(ctx context.Context, who crm.Who, old, password string) error {
	if err := a.allow(who, crm.SensitiveRoute); err != nil {
		return err
	}
	c, _, err := a.checkOwnPassword(ctx, who, old)
	if err != nil {
		return err
	}
	hash, err := a.newPassword(ctx, c.Account, password)
	if err != nil {
		return err
	}
	return a.change(ctx, who, "password_changed", func(tx store.Tx) (string, map[string]string, error) {
		return c.Key.String(), nil, a.replacePassword(ctx, tx, c.Key, hash, who.Session.ID)
	})
}

// checkOwnPassword says whether this is the actor's password, counting failures as the sign-in does.
// Invalid password_wrong, or TooMany sign_in_locked.
func (a *App) checkOwnPassword(ctx context.Context, who crm.Who, password string) (store.Credentials, []lockSource, error) {
	c, err := a.store.Read().Credentials(ctx, who.Actor.Key)
	if err != nil {
		return c, nil, err
	}
	sources := lockSources(c.Key.Kind, c.Email, crm.Client{})
	if err := a.countAttempt(ctx, sources); err != nil {
		return c, nil, err
	}
	right, err := a.passwords.check(ctx, c.PasswordHash, password)
	if err != nil || right {
		return c, sources, err
	}
	if err := a.signInFailed(ctx, c.Account, c.Email, who.Client); crm.KeyOf(err) != "sign_in_wrong" {
		return c, nil, err
	}
	return c, nil, crm.Refuse(crm.Invalid, "password_wrong")
}

func (a *App) newPassword(ctx context.Context, account crm.Account, password string) (string, error) {
	if err := crm.CheckPassword(password, account); err != nil {
		return "", err
	}
	return a.passwords.hash(ctx, password)
}

// replacePassword writes a password's hash; every session of the account but one ends, every link
// to set it is dead, and nobody is locked out of it any more.
func (a *App) replacePassword(ctx context.Context, tx store.Tx, key crm.AccountKey, hash string, keep int64) error {
	if err := tx.SetPassword(ctx, key, hash); err != nil {
		return err
	}
	if _, err := a.dropSessions(ctx, tx, key, func(s crm.Session) bool { return s.ID != keep }); err != nil {
		return err
	}
	account, err := tx.Account(ctx, key)
	if err != nil {
		return err
	}
	if err := tx.ClearSignInFailures(ctx, lockSources(key.Kind, account.Email, crm.Client{})[0].name); err != nil {
		return err
	}
	return tx.DeleteLinks(ctx, purposePassword, key, a.Now())
}

// SetPassword sets an account's password from the command line.
func (a *App) SetPassword(ctx context.Context, who crm.Who, kind crm.AccountKind, email, password string) error {
	if err := a.allowAdministrator(who, crm.SensitiveRoute); err != nil {
		return err
	}
	email, err := crm.CleanEmail(email)
	if err != nil {
		return err
	}
	c, err := a.store.Read().CredentialsByEmail(ctx, kind, email)
	if err != nil {
		return found(err, "account_not_found")
	}
	hash, err := a.newPassword(ctx, c.Account, password)
	if err != nil {
		return err
	}
	return a.change(ctx, who, "password_set", func(tx store.Tx) (string, map[string]string, error) {
		return c.Key.String(), nil, a.replacePassword(ctx, tx, c.Key, hash, 0)
	})
}
