package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// DefaultChain is the chain of entries where one replica writes.
const DefaultChain = "main"

// NameChain says whose entries this store's are, where several replicas write: a chain is one lock.
// Call it before the first Write.
func (s *Store) NameChain(name string) { s.chain = name }

// AuditHead is the end of a chain of entries, and where it begins: at the first entry, or after
// those that were dropped for their age.
type AuditHead struct {
	Chain          string // empty for what was written before there were chains: Seq entries, up to the id FromSeq
	Seq, FromSeq   int64
	Seal, FromSeal string
}

// SealedEntry is an entry as it is stored, with what its chain says of it.
type SealedEntry struct {
	ID, Seq int64
	Seal    string
	At      time.Time
	body    []any // as it was sealed
}

// Follows is the seal the entry must have, if the one before it in its chain has this one.
func (e SealedEntry) Follows(chain, before string) string { return seal(chain, e.Seq, before, e.body) }

// seal is the SHA-256, in hex, of the JSON list of the seal before, the place in the chain and what
// the entry says.
func seal(chain string, seq int64, before string, body []any) string {
	text, _ := json.Marshal(append([]any{before, chain, seq}, body...)) // numbers and strings: it can't fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// sealAudits writes a transaction's entries, sealed, as its last act: the chain is a lock, and who
// takes it last can't be waited for by somebody who holds it.
func (t Tx) sealAudits(ctx context.Context) error {
	if len(*t.audits) == 0 {
		return nil
	}
	head, err := one(ctx, t, "extend audit chain", func(row scanner) (h AuditHead, err error) { return h, row.Scan(&h.Seq, &h.Seal) },
		`INSERT INTO audit_chains (chain, seq, seal, from_seq, from_seal) VALUES ($1, CAST($2 AS BIGINT), '', 0, '')
		ON CONFLICT (chain) DO UPDATE SET seq = audit_chains.seq + CAST($2 AS BIGINT) RETURNING seq, seal`, t.chain, len(*t.audits))
	if err != nil {
		return err
	}
	seq, last := head.Seq-int64(len(*t.audits)), head.Seal
	for _, e := range *t.audits {
		seq++
		if last, err = t.insertSealed(ctx, e, seq, last); err != nil {
			return err
		}
	}
	return t.exec(ctx, "close audit chain", `UPDATE audit_chains SET seal = $1 WHERE chain = $2`, last, t.chain)
}

func (t Tx) insertSealed(ctx context.Context, e crm.AuditEntry, seq int64, before string) (string, error) {
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		return "", failed("write audit detail", err)
	}
	body := []any{
		millis(e.At), string(e.Actor.Kind), e.Actor.ID, e.ActorName, string(e.Subject.Kind), e.Subject.ID, e.SubjectName, e.SwitchID,
		e.Action, e.Object, string(detail), e.IP, e.RequestID,
	}
	sealed := seal(t.chain, seq, before, body)
	return sealed, t.exec(ctx, "insert audit entry", `INSERT INTO audit_entries (at, actor_kind, actor_id, actor_name, subject_kind, subject_id, subject_name, switch_id,
		action, object, detail, ip, request_id, search, chain, seq, seal) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		append(body, auditText(e), t.chain, seq, sealed)...)
}

// AuditHeads lists the chains; the one without a name comes first.
func (t Tx) AuditHeads(ctx context.Context) ([]AuditHead, error) {
	return all(ctx, t, "list audit chains", func(row scanner) (h AuditHead, err error) {
		err = row.Scan(&h.Chain, &h.Seq, &h.Seal, &h.FromSeq, &h.FromSeal)
		return h, err
	}, `SELECT chain, seq, seal, from_seq, from_seal FROM audit_chains ORDER BY chain`)
}

// SealedEntries lists a chain's entries in order.
func (t Tx) SealedEntries(ctx context.Context, chain string, after int64, limit int) ([]SealedEntry, error) {
	return all(ctx, t, "read audit chain", func(row scanner) (SealedEntry, error) {
		var (
			e                                                                          SealedEntry
			when, actor, subject, switchID                                             int64
			actorKind, actorName, subjectKind, subjectName, action, object, detail, ip string
			request                                                                    string
		)
		err := row.Scan(&e.ID, &e.Seq, &e.Seal, &when, &actorKind, &actor, &actorName, &subjectKind, &subject, &subjectName, &switchID, &action, &object, &detail, &ip, &request)
		e.At = at(when)
		e.body = []any{when, actorKind, actor, actorName, subjectKind, subject, subjectName, switchID, action, object, detail, ip, request}
		return e, err
	}, `SELECT id, seq, seal, at, actor_kind, actor_id, actor_name, subject_kind, subject_id, subject_name, switch_id, action, object, detail, ip, request_id
		FROM audit_entries WHERE chain = $1 AND seq > $2 ORDER BY seq, id LIMIT $3`, chain, after, limit)
}

// SealedCount is how many entries of a chain have a place from one after a number up to another.
func (t Tx) SealedCount(ctx context.Context, chain string, after, until int64) (int64, error) {
	return t.count(ctx, `SELECT COUNT(*) FROM audit_entries WHERE chain = $1 AND seq > $2 AND seq <= $3`, chain, after, until)
}

// UnsealedEntries counts the entries without a chain, and those of them that came after there were
// chains.
func (t Tx) UnsealedEntries(ctx context.Context, lastID int64) (count, late int64, err error) {
	if count, err = t.count(ctx, `SELECT COUNT(*) FROM audit_entries WHERE chain = ''`); err != nil {
		return 0, 0, err
	}
	late, err = t.count(ctx, `SELECT COUNT(*) FROM audit_entries WHERE chain = '' AND id > $1`, lastID)
	return count, late, err
}

// StrayEntry finds an entry that stands before the beginning or after the end of its chain, or in a
// chain there is none of; 0 when there is no such entry.
func (t Tx) StrayEntry(ctx context.Context) (int64, error) {
	return t.count(ctx, `SELECT COALESCE(MIN(e.id), 0) FROM audit_entries e LEFT JOIN audit_chains c ON c.chain = e.chain
		WHERE e.chain <> '' AND (c.chain IS NULL OR e.seq > c.seq OR e.seq <= c.from_seq)`)
}

// DropAudits removes the beginning of a chain up to an entry, and keeps its seal: the rest can be
// checked as before.
func (t Tx) DropAudits(ctx context.Context, chain string, last SealedEntry) error {
	if err := t.exec(ctx, "drop audit entries", `DELETE FROM audit_entries WHERE chain = $1 AND seq <= $2`, chain, last.Seq); err != nil {
		return err
	}
	return t.exec(ctx, "shorten audit chain", `UPDATE audit_chains SET from_seq = $1, from_seal = $2 WHERE chain = $3`, last.Seq, last.Seal, chain)
}

// DropUnsealed removes entries from before there were chains, if they are older than a time, and
// says how many there were.
func (t Tx) DropUnsealed(ctx context.Context, before time.Time) (int64, error) {
	n, err := t.count(ctx, `SELECT COUNT(*) FROM audit_entries WHERE chain = '' AND at < $1`, millis(before))
	if err != nil || n == 0 {
		return 0, err
	}
	if err := t.exec(ctx, "drop audit entries", `DELETE FROM audit_entries WHERE chain = '' AND at < $1`, millis(before)); err != nil {
		return 0, err
	}
	return n, t.exec(ctx, "count audit entries", `UPDATE audit_chains SET seq = seq - $1 WHERE chain = ''`, n)
}
