package store

import (
	"context"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// The Activity Log is searched by the same index as people: an entry's segment and slot are its id.
// Entries are never changed, and written where every microsecond counts, so whole segments are indexed
// later on, by a sweep; what is newer is looked through.

const searchAudits searchKind = 4

// settled is how long ago the first entry after a segment must have been written: whoever took an id in
// the segment has committed by then, or never will.
const settled = 5 * time.Minute

// actionGram is the piece by which an action is found, as if it were a flag.
func actionGram(action string) gram {
	h := fnv.New32a()
	_, _ = h.Write([]byte(action)) // it never fails
	return gram(h.Sum32()) | 1<<31
}

// IndexAudits indexes the next segment of the Activity Log, if there is one that is settled; false when
// there is none.
func (t Tx) IndexAudits(ctx context.Context, now time.Time) (bool, error) {
	if err := t.lockSearch(ctx); err != nil {
		return false, err
	}
	edge, err := t.auditEdge(ctx)
	if err != nil {
		return false, err
	}
	// The next entry there is, for segments may be empty; and the first after its segment.
	next, err := t.count(ctx, `SELECT COALESCE(MIN(id), 0) FROM audit_entries WHERE id >= $1`, edge)
	if err != nil || next == 0 {
		return false, err
	}
	segment := next / segmentSlots
	ripe, err := t.count(ctx, `SELECT COALESCE((SELECT at FROM audit_entries WHERE id >= $1 ORDER BY id LIMIT 1), $2)`, (segment+1)*segmentSlots, millis(now))
	if err != nil || ripe > millis(now.Add(-settled)) {
		return false, err
	}
	return true, t.indexAuditSegment(ctx, segment)
}

// auditEdge is the id from which on entries aren't indexed.
func (t Tx) auditEdge(ctx context.Context) (int64, error) {
	return t.count(ctx, `SELECT (COALESCE(MAX(segment), -1) + 1) * `+strconv.Itoa(segmentSlots)+` FROM audit_segments`)
}

func (t Tx) indexAuditSegment(ctx context.Context, segment int64) error {
	var first, last int64
	list, err := all(ctx, t, "read audit entries", func(row scanner) (s searched, err error) {
		var when int64
		var action string
		err = row.Scan(&s.id, &when, &action, &s.text)
		if first == 0 || when < first {
			first = when
		}
		last = max(last, when)
		s.flags = []gram{actionGram(action)}
		return s, err
	}, `SELECT id, at, action, search FROM audit_entries WHERE id >= $1 AND id < $2 ORDER BY id`, segment*segmentSlots, (segment+1)*segmentSlots)
	if err != nil {
		return err
	}
	b := building{Tx: t, kind: searchAudits, rows: blocksFor(searchAudits, segment, list, func(i int) uint16 { return uint16(list[i].id % segmentSlots) })}
	if err := b.flush(ctx); err != nil {
		return err
	}
	return t.exec(ctx, "insert audit segment", `INSERT INTO audit_segments (segment, first_at, last_at) VALUES ($1, $2, $3)`, segment, first, last)
}

// DropAuditIndex forgets segments all of whose entries were dropped for their age.
func (t Tx) DropAuditIndex(ctx context.Context) error {
	oldest, err := t.count(ctx, `SELECT COALESCE(MIN(id), 0) / `+strconv.Itoa(segmentSlots)+` FROM audit_entries`)
	if err != nil {
		return err
	}
	gone, err := t.count(ctx, `SELECT COUNT(*) FROM audit_segments WHERE segment < $1`, oldest)
	if err != nil || gone == 0 {
		return err
	}
	if err := t.lockSearch(ctx); err != nil {
		return err
	}
	if err := t.exec(ctx, "drop audit blocks", `DELETE FROM search_blocks WHERE place >= $1 AND place < $2 AND place % 16777216 < $3`,
		blockPlace(searchAudits, 0, 0), blockPlace(searchAudits+1, 0, 0), oldest); err != nil {
		return err
	}
	return t.exec(ctx, "drop audit segments", `DELETE FROM audit_segments WHERE segment < $1`, oldest)
}

// auditSearch is one question to the Activity Log under way.
type auditSearch struct {
	finding
	query AuditQuery
	limit int
	list  []crm.AuditEntry
}

// searchAudits lists the entries that match, newest first: those that aren't indexed, then the others.
func (t Tx) searchAudits(ctx context.Context, q AuditQuery, limit int) (list []crm.AuditEntry, err error) {
	err = t.snapshot(ctx, func(t Tx) error {
		s := auditSearch{query: q, limit: limit}
		s.Tx, s.q = t, search{kind: searchAudits, words: termWords(q.Term)}
		if q.Action != "" {
			s.q.flags = []gram{actionGram(q.Action)}
		}
		s.pieces = s.q.pieces(nil)
		err := s.run(ctx)
		list = s.list
		return err
	})
	return list, err
}

func (s *auditSearch) run(ctx context.Context) error {
	edge, err := s.auditEdge(ctx)
	if err != nil {
		return err
	}
	if err := s.plain(ctx, edge, 0); err != nil {
		return err
	}
	for _, n := range segmentsAtOnce {
		if len(s.list) >= s.limit {
			return nil
		}
		segments, err := s.segments(ctx, edge/segmentSlots, n)
		if err != nil {
			return err
		}
		if err := s.in(ctx, segments); err != nil {
			return err
		}
		if len(segments) < n {
			return nil
		}
		edge = segments[len(segments)-1].id * segmentSlots
	}
	return nil
}

// plain looks through the entries from an id up to another, 0 for no bound.
func (s *auditSearch) plain(ctx context.Context, from, below int64) error {
	w, err := s.query.where()
	if err != nil {
		return err
	}
	if w.and("e.id >= ?", from); below != 0 {
		w.and("e.id < ?", below)
	}
	return s.add(ctx, w)
}

func (s *auditSearch) add(ctx context.Context, w *where) error {
	list, err := all(ctx, s.Tx, "list audit entries", scanAudit, `SELECT `+auditColumns+` FROM audit_entries e `+w.text()+` ORDER BY e.id DESC LIMIT `+strconv.Itoa(s.limit-len(s.list)), w.args...)
	s.list = append(s.list, list...)
	return err
}

// segments lists indexed ones that may have what is asked for, the newest first.
func (s *auditSearch) segments(ctx context.Context, below int64, most int) ([]segment, error) {
	var w where
	w.and("segment < ?", below)
	if at, err := strconv.ParseInt(s.query.After, 10, 64); err == nil {
		w.and("segment <= ?", at/segmentSlots)
	}
	if !s.query.From.IsZero() {
		w.and("last_at >= ?", millis(s.query.From))
	}
	if !s.query.Until.IsZero() {
		w.and("first_at < ?", millis(s.query.Until))
	}
	w.args = append(w.args, most)
	return all(ctx, s.Tx, "list audit segments", func(row scanner) (found segment, err error) { return found, row.Scan(&found.id) },
		`SELECT segment FROM audit_segments `+w.text()+` ORDER BY segment DESC LIMIT `+w.last(), w.args...)
}

// in looks for entries in these segments.
func (s *auditSearch) in(ctx context.Context, segments []segment) error {
	if !s.q.narrows() {
		for _, here := range segments {
			if err := s.plain(ctx, here.id*segmentSlots, (here.id+1)*segmentSlots); err != nil || len(s.list) >= s.limit {
				return err
			}
		}
		return nil
	}
	c, rest, err := s.begin(ctx, segments)
	if err != nil {
		return err
	}
	if after, err := strconv.ParseInt(s.query.After, 10, 64); err == nil {
		c.below(after)
	}
	for len(c.list) > 0 && len(s.list) < s.limit {
		ids, before := c.newest(mostAtOnce), len(s.list)
		if err := s.compare(ctx, ids); err != nil {
			return err
		}
		for (len(s.list)-before)*2 < len(ids) && c.total() > mostAtOnce && len(rest) > 0 {
			if err := s.cut(ctx, c, rest[0], segments); err != nil {
				return err
			}
			rest = rest[1:]
		}
	}
	return nil
}

// below leaves out the candidates from an id on.
func (c *cutting) below(id int64) {
	c.list = slices.DeleteFunc(c.list, func(here *candidates) bool {
		for slot := max(id-here.segment*segmentSlots, 0); slot < segmentSlots; slot++ {
			here.slots.drop(uint16(slot))
		}
		here.count = here.slots.count()
		return here.count == 0
	})
}

// newest takes the candidates with the greatest ids off the list.
func (c *cutting) newest(most int) (ids []int64) {
	for len(c.list) > 0 && len(ids) < most {
		here := c.list[0]
		slots := here.slots.list()
		take := slots[max(0, len(slots)-(most-len(ids))):]
		for _, slot := range slices.Backward(take) {
			ids = append(ids, entryPlace(here.segment, slot))
			here.slots.drop(slot)
		}
		if here.count -= len(take); here.count == 0 {
			c.list = c.list[1:]
		}
	}
	return ids
}

// compare reads entries, and keeps those that are asked for.
func (s *auditSearch) compare(ctx context.Context, ids []int64) error {
	w, err := s.query.where()
	if err != nil {
		return err
	}
	w.in("e.id", pad(ids))
	return s.add(ctx, w)
}
