package store

import (
	"context"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// Presence is what a page of accounts of one kind shows of who is there, by id.
type Presence struct {
	Online map[int64]bool     // has used a session of its own of late
	Acting map[int64][]string // who acts as the account just now, by name, oldest switch first
}

// Presence tells of the accounts with these ids who has used a session of its own since a moment, and
// who is acting as whom. Two queries, however many there are.
func (t Tx) Presence(ctx context.Context, kind crm.AccountKind, ids []int64, now, since time.Time) (Presence, error) {
	p := Presence{map[int64]bool{}, map[int64][]string{}}
	if len(ids) == 0 {
		return p, nil
	}
	var own, as where
	own.and("s.actor_kind = ?", kind)
	own.in("s.actor_id", ids)
	own.and("s.switch_id = 0 AND s.seen_at > ? AND s.expires_at > ?", millis(since), millis(now))
	online, err := all(ctx, t, "list who is online", func(row scanner) (id int64, err error) { return id, row.Scan(&id) },
		`SELECT DISTINCT s.actor_id FROM sessions s `+own.text(), own.args...)
	if err != nil {
		return p, err
	}
	for _, id := range online {
		p.Online[id] = true
	}
	as.and("w.ended_at = 0 AND w.expires_at > ? AND s.expires_at > ?", millis(now), millis(now))
	as.and("w.subject_kind = ?", kind)
	as.in("w.subject_id", ids)
	type acting struct {
		id   int64
		name string
	}
	list, err := all(ctx, t, "list who is acting", func(row scanner) (a acting, err error) { return a, row.Scan(&a.id, &a.name) },
		`SELECT w.subject_id, w.actor_name FROM session_switches w JOIN sessions s ON s.id = w.session_id AND s.switch_id = w.id `+as.text()+` ORDER BY w.id`, as.args...)
	for _, a := range list {
		p.Acting[a.id] = append(p.Acting[a.id], a.name)
	}
	return p, err
}

// in asks that a column holds one of the ids, of which there is at least one.
func (w *where) in(column string, ids []int64) {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	w.and(column+" IN (?"+strings.Repeat(", ?", len(ids)-1)+")", args...)
}
