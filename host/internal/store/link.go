package store

import (
	"context"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// Link is a one-time address that lets its holder do one thing.
type Link struct {
	Purpose string
	Account crm.AccountKey
	Maker   int64 // the staff member who made it, 0 for the program or the command line
	Expires time.Time
}

// InsertLink writes a link under its token's hash.
func (t Tx) InsertLink(ctx context.Context, hash []byte, l Link) error {
	return t.exec(ctx, "insert link", `INSERT INTO account_links (hash, purpose, account_kind, account_id, expires_at, maker_id) VALUES ($1, $2, $3, $4, $5, $6)`,
		hash, l.Purpose, l.Account.Kind, l.Account.ID, millis(l.Expires), l.Maker)
}

func scanLink(row scanner) (Link, error) {
	var (
		l       Link
		expires int64
	)
	err := row.Scan(&l.Purpose, &l.Account.Kind, &l.Account.ID, &expires, &l.Maker)
	l.Expires = at(expires)
	return l, err
}

// Link reads a link, NotFound when there is none.
func (t Tx) Link(ctx context.Context, hash []byte) (Link, error) {
	return one(ctx, t, "read link", scanLink, `SELECT purpose, account_kind, account_id, expires_at, maker_id FROM account_links WHERE hash = $1`, hash)
}

// DeleteLink uses up a link; false when it is used up already.
func (t Tx) DeleteLink(ctx context.Context, hash []byte) (bool, error) {
	return t.changed(ctx, "delete link", `DELETE FROM account_links WHERE hash = $1`, hash)
}

// DeleteLinks uses up every link of a purpose and account, and those past their time.
func (t Tx) DeleteLinks(ctx context.Context, purpose string, account crm.AccountKey, now time.Time) error {
	return t.exec(ctx, "delete links", `DELETE FROM account_links WHERE (purpose = $1 AND account_kind = $2 AND account_id = $3) OR expires_at <= $4`,
		purpose, account.Kind, account.ID, millis(now))
}
