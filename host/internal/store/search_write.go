package store

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// touched are the rows a transaction changed that are found by search.
type touched struct {
	rows      map[searchRow]bool
	customers map[int64]bool // all contacts of these
}

type searchRow struct {
	kind searchKind
	id   int64
}

// touch has a row indexed anew at the end of the transaction.
func (t Tx) touch(kind searchKind, id int64) {
	if t.touched.rows == nil {
		t.touched.rows = map[searchRow]bool{}
	}
	t.touched.rows[searchRow{kind, id}] = true
}

// touchContactsOf does so with all contacts of a customer.
func (t Tx) touchContactsOf(customer int64) {
	if t.touched.customers == nil {
		t.touched.customers = map[int64]bool{}
	}
	t.touched.customers[customer] = true
}

// lockSearch keeps others from changing the index until the transaction is over. Only the chain of
// the Activity Log is locked after it.
func (t Tx) lockSearch(ctx context.Context) error {
	if t.engine != PostgreSQL { // SQLite has one writer, and this is it
		return nil
	}
	return t.exec(ctx, "lock search", `SELECT pg_advisory_xact_lock(hashtextextended('search', 0))`)
}

// reindex writes what the transaction changed to the index, at its end: what others change meanwhile
// is seen once they are done. An index that has to be made anew is left alone.
func (t Tx) reindex(ctx context.Context) error {
	if len(t.touched.rows)+len(t.touched.customers) == 0 {
		return nil
	}
	if err := t.lockSearch(ctx); err != nil {
		return err
	}
	if version, err := t.searchVersion(ctx); err != nil || version != searchVersion {
		return err
	}
	for customer := range t.touched.customers {
		ids, err := all(ctx, t, "list contacts", func(row scanner) (id int64, err error) { return id, row.Scan(&id) }, `SELECT id FROM contacts WHERE customer_id = $1`, customer)
		if err != nil {
			return err
		}
		for _, id := range ids {
			t.touch(searchContacts, id)
		}
	}
	w := indexing{Tx: t, blocks: map[int64][]uint16{}}
	for _, row := range slices.SortedFunc(maps.Keys(t.touched.rows), func(a, b searchRow) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.id, b.id)) }) {
		if err := w.put(ctx, row); err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

// searched is a row as it should be found.
type searched struct {
	id         int64
	sort, text string
	flags      []gram
}

func (s searched) mark() bookmark { return bookmark{s.sort, s.id} }

// searchedQuery reads rows of each kind, with whether they are active, and usable or deserted.
var searchedQuery = map[searchKind]string{
	searchStaff:     `SELECT r.id, r.sort, r.search, r.active, FALSE FROM staff r `,
	searchContacts:  `SELECT r.id, r.sort, r.search || ' ' || u.search, r.active, r.active AND u.active FROM contacts r JOIN customers u ON u.id = r.customer_id `,
	searchCustomers: `SELECT r.id, r.sort, r.search, r.active, NOT r.active OR NOT EXISTS (SELECT 1 FROM contacts k WHERE k.customer_id = r.id AND k.active) FROM customers r `,
}

func scanSearched(kind searchKind) func(scanner) (searched, error) {
	return func(row scanner) (searched, error) {
		var s searched
		var active, besides bool
		err := row.Scan(&s.id, &s.sort, &s.text, &active, &besides)
		if active {
			s.flags = append(s.flags, flagActive)
		} else {
			s.flags = append(s.flags, flagInactive)
		}
		switch {
		case besides && kind == searchContacts:
			s.flags = append(s.flags, flagUsable)
		case besides:
			s.flags = append(s.flags, flagDeserted)
		}
		return s, err
	}
}

// dropping marks, in a block's changes, a slot that no longer belongs there.
const dropping uint16 = 1 << 15

// indexing changes the index in one transaction.
type indexing struct {
	Tx
	blocks map[int64][]uint16 // changes to blocks by place, in order, not written yet
}

// put brings a row's entry up to date, makes or removes it.
func (w *indexing) put(ctx context.Context, row searchRow) error {
	old, err := one(ctx, w.Tx, "read search entry", scanEntry, entryColumns+`WHERE kind = $1 AND id = $2`, row.kind, row.id)
	was := err == nil
	if !was && crm.KindOf(err) != crm.NotFound {
		return err
	}
	now, err := one(ctx, w.Tx, "read row to search", scanSearched(row.kind), searchedQuery[row.kind]+`WHERE r.id = $1`, row.id)
	is := err == nil
	if !is && crm.KindOf(err) != crm.NotFound {
		return err
	}
	switch {
	case was && is && old.sort == now.sort:
		return w.change(ctx, row.kind, old, now)
	case was && is:
		if err := w.remove(ctx, row.kind, old); err != nil {
			return err
		}
		return w.add(ctx, row.kind, now)
	case was:
		return w.remove(ctx, row.kind, old)
	case is:
		return w.add(ctx, row.kind, now)
	}
	return nil
}

// change updates an entry where it stands.
func (w *indexing) change(ctx context.Context, kind searchKind, old entry, now searched) error {
	w.flag(kind, old.place, now.flags)
	if old.text == now.text {
		return nil
	}
	before, after := gramsOf(old.text), gramsOf(now.text)
	for g := range before {
		if !after[g] {
			w.mark(kind, g, old.place, dropping)
		}
	}
	for g := range after {
		if !before[g] {
			w.mark(kind, g, old.place, 0)
		}
	}
	return w.exec(ctx, "change search entry", `UPDATE search_entries SET text = $1 WHERE place = $2`, now.text, old.place)
}

func (w *indexing) mark(kind searchKind, g gram, place int64, how uint16) {
	block := blockPlace(kind, g, place/segmentSlots)
	w.blocks[block] = append(w.blocks[block], uint16(place%segmentSlots)|how)
}

// flag gives a place these flags and no others.
func (w *indexing) flag(kind searchKind, place int64, flags []gram) {
	for _, g := range allFlags {
		if slices.Contains(flags, g) {
			w.mark(kind, g, place, 0)
		} else {
			w.mark(kind, g, place, dropping)
		}
	}
}

// unmark takes all pieces and flags of a text from a place.
func (w *indexing) unmark(kind searchKind, place int64, text string) {
	w.flag(kind, place, nil)
	for g := range gramsOf(text) {
		w.mark(kind, g, place, dropping)
	}
}

func (w *indexing) remove(ctx context.Context, kind searchKind, e entry) error {
	order, err := w.order(ctx, e.segment())
	if err != nil {
		return err
	}
	order = slices.DeleteFunc(order, func(slot uint16) bool { return slot == e.slot() })
	w.unmark(kind, e.place, e.text)
	if err := w.exec(ctx, "remove search entry", `DELETE FROM search_entries WHERE place = $1`, e.place); err != nil {
		return err
	}
	if len(order) == 0 {
		return w.exec(ctx, "remove segment", `DELETE FROM search_segments WHERE id = $1`, e.segment())
	}
	return w.reorder(ctx, e.segment(), order)
}

func (w *indexing) reorder(ctx context.Context, segment int64, order []uint16) error {
	return w.exec(ctx, "change segment", `UPDATE search_segments SET slots = $1, entries = $2 WHERE id = $3`, slotsText(order), len(order), segment)
}

// add makes an entry in the segment where it belongs.
func (w *indexing) add(ctx context.Context, kind searchKind, s searched) error {
	here, err := w.segmentOf(ctx, kind, s.mark())
	if err != nil {
		return err
	}
	if here.id == 0 {
		if here.id, err = w.insertSegment(ctx, kind, bookmark{}, nil); err != nil {
			return err
		}
	}
	order, err := w.order(ctx, here.id)
	if err != nil {
		return err
	}
	if len(order) >= w.full {
		if err := w.split(ctx, kind, here.id, order); err != nil {
			return err
		}
		return w.add(ctx, kind, s)
	}
	at, err := w.position(ctx, here.id, order, s.mark())
	if err != nil {
		return err
	}
	slot := freeSlot(order)
	place := entryPlace(here.id, slot)
	err = w.exec(ctx, "add search entry", `INSERT INTO search_entries (place, kind, id, sort, text) VALUES ($1, $2, $3, $4, $5)`, place, kind, s.id, s.sort, s.text)
	if err != nil {
		return err
	}
	w.flag(kind, place, s.flags)
	for g := range gramsOf(s.text) {
		w.mark(kind, g, place, 0)
	}
	return w.reorder(ctx, here.id, slices.Insert(order, at, slot))
}

func freeSlot(order []uint16) uint16 {
	var used slotSet
	for _, slot := range order {
		used.add(slot)
	}
	slot := uint16(0)
	for used.has(slot) {
		slot++
	}
	return slot
}

func (t Tx) insertSegment(ctx context.Context, kind searchKind, first bookmark, order []uint16) (int64, error) {
	return t.id(ctx, "insert segment", `INSERT INTO search_segments (kind, first_sort, first_id, entries, slots) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
		kind, first.sort, first.id, len(order), slotsText(order))
}

// split moves the second half of a full segment to a new one.
func (w *indexing) split(ctx context.Context, kind searchKind, from int64, order []uint16) error {
	if err := w.flush(ctx); err != nil {
		return err
	}
	flags, err := w.flagsIn(ctx, kind, from)
	if err != nil {
		return err
	}
	entries, err := all(ctx, w.Tx, "read segment's entries", scanEntry, entryColumns+`WHERE place >= $1 AND place < $2`, entryPlace(from, 0), entryPlace(from+1, 0))
	if err != nil {
		return err
	}
	bySlot := map[uint16]entry{}
	for _, e := range entries {
		bySlot[e.slot()] = e
	}
	stay, move := order[:len(order)/2], order[len(order)/2:]
	moved := make([]uint16, len(move))
	for i := range moved {
		moved[i] = uint16(i)
	}
	to, err := w.insertSegment(ctx, kind, bySlot[move[0]].mark(), moved)
	if err != nil {
		return err
	}
	for i, slot := range move {
		e, place := bySlot[slot], entryPlace(to, uint16(i))
		w.unmark(kind, e.place, e.text)
		for g := range gramsOf(e.text) {
			w.mark(kind, g, place, 0)
		}
		for g, set := range flags {
			if set.has(slot) {
				w.mark(kind, g, place, 0)
			}
		}
		if err := w.exec(ctx, "move search entry", `UPDATE search_entries SET place = $1 WHERE place = $2`, place, e.place); err != nil {
			return err
		}
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	return w.reorder(ctx, from, stay)
}

func (w *indexing) flagsIn(ctx context.Context, kind searchKind, segment int64) (map[gram]slotSet, error) {
	var places []int64
	for _, g := range allFlags {
		places = append(places, blockPlace(kind, g, segment))
	}
	blocks, err := w.blocksAt(ctx, places)
	sets := map[gram]slotSet{}
	for i, g := range allFlags {
		sets[g] = parseSet(blocks[places[i]])
	}
	return sets, err
}

// flush writes the changes to blocks.
func (w *indexing) flush(ctx context.Context) error {
	for places := range slices.Chunk(slices.Sorted(maps.Keys(w.blocks)), mostAtOnce) {
		blocks, err := w.blocksAt(ctx, places)
		if err != nil {
			return err
		}
		var gone []int64
		var rows []blockRow
		for _, place := range places {
			set := parseSet(blocks[place])
			for _, change := range w.blocks[place] {
				if change&dropping != 0 {
					set.drop(change &^ dropping)
				} else {
					set.add(change)
				}
			}
			switch text := set.text(); {
			case bytes.Equal(text, blocks[place]):
			case len(text) > 0:
				rows = append(rows, blockRow{place, text})
			default:
				gone = append(gone, place)
			}
		}
		if err := w.writeBlocks(ctx, rows, gone); err != nil {
			return err
		}
	}
	clear(w.blocks)
	return nil
}

// blockRow is a block to write.
type blockRow struct {
	place int64
	slots []byte
}

func (w *indexing) writeBlocks(ctx context.Context, rows []blockRow, gone []int64) error {
	if len(gone) > 0 {
		if err := w.exec(ctx, "remove search blocks", `DELETE FROM search_blocks WHERE place IN (`+marks(len(gone))+`)`, padded(gone)...); err != nil {
			return err
		}
	}
	for len(rows) > 0 {
		n := roundedUp(len(rows)+1) / 2 // the largest power of two there are rows for
		n = min(n, w.blocksPerInsert())
		var args []any
		for _, row := range rows[:n] {
			args = append(args, row.place, row.slots)
		}
		err := w.exec(ctx, "write search blocks", `INSERT INTO search_blocks (place, slots) VALUES `+places(n, 2)+` ON CONFLICT (place) DO UPDATE SET slots = excluded.slots`, args...)
		if err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func (t Tx) blocksPerInsert() int {
	if t.engine == PostgreSQL {
		return 64
	}
	return 16
}
