package store

import (
	"context"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// InsertMail puts a mail into the outbox, due at once.
func (t Tx) InsertMail(ctx context.Context, m crm.Mail) error {
	return t.exec(ctx, "insert mail", `INSERT INTO mail_outbox (message_id, name, address, language, module_id, text_key, args, page, actor_name, at, attempts, due_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $10)`,
		m.MessageID, m.Name, m.Address, m.Language, m.Module, m.TextKey, noticeArgs(m.Args), m.Page, m.Actor, millis(m.At))
}

func scanMail(row scanner) (crm.Mail, error) {
	var (
		m    crm.Mail
		when int64
		args string
	)
	err := row.Scan(&m.ID, &m.MessageID, &m.Name, &m.Address, &m.Language, &m.Module, &m.TextKey, &args, &m.Page, &m.Actor, &when, &m.Attempts)
	m.At, m.Args = at(when), parseNoticeArgs(args)
	return m, err
}

// DueMail lists some mails that are due, the longest first.
func (t Tx) DueMail(ctx context.Context, now time.Time) ([]crm.Mail, error) {
	return all(ctx, t, "list due mail", scanMail, `SELECT id, message_id, name, address, language, module_id, text_key, args, page, actor_name, at, attempts
		FROM mail_outbox WHERE due_at <= $1 ORDER BY due_at, id LIMIT 20`, millis(now))
}

// ClaimMail keeps a due mail from others until a time, by compare-and-swap on its attempts: false
// when another was faster.
func (t Tx) ClaimMail(ctx context.Context, m crm.Mail, until time.Time) (bool, error) {
	return t.changed(ctx, "claim mail", `UPDATE mail_outbox SET attempts = attempts + 1, due_at = $1 WHERE id = $2 AND attempts = $3`, millis(until), m.ID, m.Attempts)
}

// DelayMail makes a claimed mail due at a time; false when another has claimed it meanwhile.
func (t Tx) DelayMail(ctx context.Context, m crm.Mail, due time.Time) (bool, error) {
	return t.changed(ctx, "delay mail", `UPDATE mail_outbox SET due_at = $1 WHERE id = $2 AND attempts = $3`, millis(due), m.ID, m.Attempts)
}

// DeleteMail takes a mail out of the outbox; false when it is gone already.
func (t Tx) DeleteMail(ctx context.Context, id int64) (bool, error) {
	return t.changed(ctx, "delete mail", `DELETE FROM mail_outbox WHERE id = $1`, id)
}

// SweepMail drops mail from before a time, which nobody sent.
func (t Tx) SweepMail(ctx context.Context, before time.Time) error {
	return t.exec(ctx, "sweep mail", `DELETE FROM mail_outbox WHERE at < $1`, millis(before))
}
