package store

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// pagesAtOnce is how many pages one statement writes.
const pagesAtOnce = 100

// KeepSwitchPages adds pages that were seen during a switch, up to most of them in all, and counts
// those that are too many, dropped ones included.
func (t Tx) KeepSwitchPages(ctx context.Context, switchID int64, pages []crm.SeenPage, dropped int64, droppedAt time.Time, most int64) error {
	kept, err := t.count(ctx, `INSERT INTO switch_page_counts (switch_id, kept, dropped, dropped_at) VALUES ($1, $2, 0, 0)
		ON CONFLICT (switch_id) DO UPDATE SET kept = switch_page_counts.kept + excluded.kept RETURNING kept`, switchID, int64(len(pages)))
	if err != nil {
		return err
	}
	over := min(max(kept-most, 0), int64(len(pages)))
	if over > 0 {
		droppedAt = pages[len(pages)-1].At
		pages = pages[:int64(len(pages))-over]
	}
	for first := 0; first < len(pages); first += pagesAtOnce {
		if err := t.insertSwitchPages(ctx, switchID, pages[first:min(first+pagesAtOnce, len(pages))]); err != nil {
			return err
		}
	}
	if over+dropped == 0 {
		return nil
	}
	return t.exec(ctx, "count pages", `UPDATE switch_page_counts SET kept = kept - $2, dropped = dropped + $3, dropped_at = $4 WHERE switch_id = $1`,
		switchID, over, over+dropped, millis(droppedAt))
}

func (t Tx) insertSwitchPages(ctx context.Context, switchID int64, pages []crm.SeenPage) error {
	var rows []string
	var args []any
	for _, p := range pages {
		var places []string
		for _, arg := range []any{switchID, millis(p.At), p.Method, p.Path, p.Title, p.Status} {
			args = append(args, arg)
			places = append(places, "$"+strconv.Itoa(len(args)))
		}
		rows = append(rows, "("+strings.Join(places, ", ")+")")
	}
	return t.exec(ctx, "insert pages", `INSERT INTO switch_pages (switch_id, at, method, path, title, status) VALUES `+strings.Join(rows, ", "), args...)
}

// DropSwitchPages forgets the pages of switches that ended before a time.
func (t Tx) DropSwitchPages(ctx context.Context, before time.Time) error {
	for _, table := range []string{"switch_pages", "switch_page_counts"} {
		err := t.exec(ctx, "drop pages", `DELETE FROM `+table+` WHERE switch_id IN (SELECT w.id FROM session_switches w WHERE w.ended_at <> 0 AND w.ended_at < $1)`, millis(before))
		if err != nil {
			return err
		}
	}
	return nil
}

// Where an event stands among those of the same moment: what was seen comes before what was done there.
const (
	rankPage = 1
	rankRest = 2
)

// eventAt is when an entry stands in the timeline of its switch: the start before all else, even when
// the clock was set back since.
const eventAt = `CASE WHEN e.action = 'switch_started' THEN 0 ELSE e.at END`

// position is where a page of a timeline ended.
type position struct {
	at   int64
	rank int
	id   int64
}

func (p position) String() string {
	return strconv.FormatInt(p.at, 10) + "_" + strconv.Itoa(p.rank) + "_" + strconv.FormatInt(p.id, 10)
}

func parsePosition(text string) (p position, err error) {
	if text == "" {
		return position{rank: -1}, nil
	}
	parts := strings.Split(text, "_")
	if len(parts) != 3 {
		return p, badPage()
	}
	at, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return p, badPage()
	}
	rank, err := strconv.ParseInt(parts[1], 10, 8)
	if err != nil {
		return p, badPage()
	}
	id, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return p, badPage()
	}
	return position{at, int(rank), id}, nil
}

func (p position) before(other position) bool {
	if p.at != other.at {
		return p.at < other.at
	}
	if p.rank != other.rank {
		return p.rank < other.rank
	}
	return p.id < other.id
}

// SwitchEvents lists what happened during a switch, oldest first.
func (t Tx) SwitchEvents(ctx context.Context, switchID int64, after string, limit int) (crm.Page[crm.SwitchEvent], error) {
	var page crm.Page[crm.SwitchEvent]
	from, err := parsePosition(after)
	if err != nil {
		return page, err
	}
	limit = bounded(limit, 100, 500)
	entries, err := t.switchEntries(ctx, switchID, from, limit+1)
	if err != nil {
		return page, err
	}
	pages, err := t.switchPages(ctx, switchID, from, limit+1)
	if err != nil {
		return page, err
	}
	return paged(merge(entries, pages), limit, func(e crm.SwitchEvent) string { return positionOf(e).String() }), nil
}

func merge(entries, pages []crm.SwitchEvent) []crm.SwitchEvent {
	merged := make([]crm.SwitchEvent, 0, len(entries)+len(pages))
	for len(entries) > 0 || len(pages) > 0 {
		if len(pages) == 0 || len(entries) > 0 && positionOf(entries[0]).before(positionOf(pages[0])) {
			merged, entries = append(merged, entries[0]), entries[1:]
		} else {
			merged, pages = append(merged, pages[0]), pages[1:]
		}
	}
	return merged
}

func positionOf(e crm.SwitchEvent) position {
	switch e.Kind {
	case crm.SwitchStarted:
		return position{0, rankRest, e.ID}
	case crm.SwitchPage:
		return position{millis(e.At), rankPage, e.ID}
	default:
		return position{millis(e.At), rankRest, e.ID}
	}
}

func (t Tx) switchEntries(ctx context.Context, switchID int64, from position, limit int) ([]crm.SwitchEvent, error) {
	return all(ctx, t, "list a switch's entries", func(row scanner) (crm.SwitchEvent, error) {
		e, err := scanAudit(row)
		return crm.EventOf(e), err
	}, `SELECT `+auditColumns+` FROM audit_entries e WHERE e.switch_id = $1
		AND (`+eventAt+`, 2, e.id) > ($2, $3, $4) ORDER BY `+eventAt+`, e.id LIMIT $5`, switchID, from.at, from.rank, from.id, limit)
}

// switchPages lists the pages, and what there was too much of as one more, where it was counted last.
func (t Tx) switchPages(ctx context.Context, switchID int64, from position, limit int) ([]crm.SwitchEvent, error) {
	return all(ctx, t, "list a switch's pages", func(row scanner) (crm.SwitchEvent, error) {
		var when int64
		e := crm.SwitchEvent{Kind: crm.SwitchPage}
		err := row.Scan(&e.ID, &when, &e.Page.Method, &e.Page.Path, &e.Page.Title, &e.Page.Status, &e.More)
		e.At = at(when)
		e.Page.At = e.At
		return e, err
	}, `SELECT p.id, p.at, p.method, p.path, p.title, p.status, p.more FROM (
			SELECT id, at, method, path, title, status, 0 AS more FROM switch_pages WHERE switch_id = $1
			UNION ALL SELECT 9223372036854775807, dropped_at, '', '', '', 0, dropped FROM switch_page_counts WHERE switch_id = $1 AND dropped > 0) p
		WHERE (p.at, 1, p.id) > ($2, $3, $4) ORDER BY p.at, p.id LIMIT $5`, switchID, from.at, from.rank, from.id, limit)
}
