package store

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// InsertNotice writes what an account is told on its next pages.
func (t Tx) InsertNotice(ctx context.Context, n crm.AccountNotice) (int64, error) {
	return t.id(ctx, "insert notice", `INSERT INTO account_notices (account_kind, account_id, module_id, text_key, args, page, at, read_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0) RETURNING id`, n.To.Kind, n.To.ID, n.Module, n.TextKey, noticeArgs(n.Args), n.Page, millis(n.At))
}

func noticeArgs(args map[string]string) string {
	text, err := json.Marshal(args)
	if err != nil {
		return "{}" // a map of strings always marshals
	}
	return string(text)
}

// parseNoticeArgs reads what noticeArgs wrote. What can't be read is a sentence with gaps, never a list
// that can't be read.
func parseNoticeArgs(text string) (args map[string]string) {
	_ = json.Unmarshal([]byte(text), &args)
	return args
}

func scanNotice(row scanner) (crm.AccountNotice, error) {
	var (
		n    crm.AccountNotice
		when int64
		args string
	)
	err := row.Scan(&n.ID, &n.To.Kind, &n.To.ID, &n.Module, &n.TextKey, &args, &n.Page, &when)
	n.At, n.Args = at(when), parseNoticeArgs(args)
	return n, err
}

// UnreadNotices lists what an account has not dismissed, newest first.
func (t Tx) UnreadNotices(ctx context.Context, to crm.AccountKey, limit int) ([]crm.AccountNotice, error) {
	return all(ctx, t, "list unread notices", scanNotice, `SELECT id, account_kind, account_id, module_id, text_key, args, page, at FROM account_notices
		WHERE account_kind = $1 AND account_id = $2 AND read_at = 0 ORDER BY id DESC LIMIT `+strconv.Itoa(limit), to.Kind, to.ID)
}

// HasUnreadNotice tells whether an account has not dismissed a notice with this sentence.
func (t Tx) HasUnreadNotice(ctx context.Context, to crm.AccountKey, module, key string) (bool, error) {
	n, err := t.count(ctx, `SELECT COUNT(*) FROM account_notices WHERE account_kind = $1 AND account_id = $2 AND read_at = 0 AND module_id = $3 AND text_key = $4`,
		to.Kind, to.ID, module, key)
	return n > 0, err
}

// ReadNotice dismisses a notice of an account; false when it has no such notice any more.
func (t Tx) ReadNotice(ctx context.Context, to crm.AccountKey, id int64, now time.Time) (bool, error) {
	return t.changed(ctx, "dismiss notice", `UPDATE account_notices SET read_at = $1 WHERE id = $2 AND account_kind = $3 AND account_id = $4 AND read_at = 0`,
		millis(now), id, to.Kind, to.ID)
}

// ReadNotices dismisses every notice of an account up to the one with this id.
func (t Tx) ReadNotices(ctx context.Context, to crm.AccountKey, last int64, now time.Time) error {
	return t.exec(ctx, "dismiss notices", `UPDATE account_notices SET read_at = $1 WHERE account_kind = $2 AND account_id = $3 AND id <= $4 AND read_at = 0`,
		millis(now), to.Kind, to.ID, last)
}

// DeleteNotices removes every notice of an account.
func (t Tx) DeleteNotices(ctx context.Context, to crm.AccountKey) error {
	return t.exec(ctx, "delete notices", `DELETE FROM account_notices WHERE account_kind = $1 AND account_id = $2`, to.Kind, to.ID)
}

// SweepNotices drops notices from before a time, read or not.
func (t Tx) SweepNotices(ctx context.Context, before time.Time) error {
	return t.exec(ctx, "sweep notices", `DELETE FROM account_notices WHERE at < $1`, millis(before))
}
