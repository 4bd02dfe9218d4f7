package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
)

const (
	// segmentFill is how many entries a new segment gets; there is room left to add some.
	segmentFill = segmentSlots * 3 / 4
	// segmentsInMemory are made before their blocks are written: the more, the fewer pages are
	// written twice.
	segmentsInMemory = 96
)

// readySearch makes the index anew when it has to be.
func (s *Store) readySearch(ctx context.Context) error {
	if version, err := s.Read().searchVersion(ctx); err != nil || version == searchVersion {
		return err
	}
	return s.RebuildSearch(ctx)
}

// RebuildSearch makes the index of people and companies anew, in one transaction. Who searches
// meanwhile is answered without it, slowly. That of the Activity Log is left to [Tx.IndexAudits].
func (s *Store) RebuildSearch(ctx context.Context) error {
	ctx = Patient(ctx)
	if err := s.ExpectMany(ctx); err != nil {
		return err
	}
	return errors.Join(s.rebuildSearch(ctx), s.ExpectFew(context.WithoutCancel(ctx)))
}

func (s *Store) rebuildSearch(ctx context.Context) error {
	return s.Write(ctx, func(t Tx) error {
		if err := t.lockSearch(ctx); err != nil {
			return err
		}
		for _, table := range []string{"search_segments", "search_entries", "search_blocks", "audit_segments"} {
			if err := t.exec(ctx, "empty the search index", `DELETE FROM `+table); err != nil {
				return err
			}
		}
		for _, kind := range []searchKind{searchStaff, searchContacts, searchCustomers} {
			b := building{Tx: t, kind: kind}
			if err := b.build(ctx); err != nil {
				return err
			}
		}
		return t.setSearchVersion(ctx, searchVersion)
	})
}

func (t Tx) setSearchVersion(ctx context.Context, version int64) error {
	return t.exec(ctx, "set search version", `UPDATE search_state SET version = $1 WHERE id = 1`, version)
}

// StaleSearch says that many rows are about to change that won't be indexed one by one. Until
// RebuildSearch is called, or the database opened again, searches are slow.
func (t Tx) StaleSearch(ctx context.Context) error {
	if err := t.lockSearch(ctx); err != nil {
		return err
	}
	return t.setSearchVersion(ctx, 0)
}

// building makes the index of one kind.
type building struct {
	Tx
	kind     searchKind
	segments int
	rows     []blockRow // not written yet
}

func (b *building) build(ctx context.Context) error {
	var last bookmark
	for {
		list, err := all(ctx, b.Tx, "read rows to search", scanSearched(b.kind), searchedQuery[b.kind]+`WHERE (r.sort, r.id) > ($1, $2) ORDER BY r.sort, r.id LIMIT `+strconv.Itoa(min(segmentFill, b.full)),
			last.sort, last.id)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return b.flush(ctx)
		}
		if err := b.segment(ctx, list, last.id == 0); err != nil {
			return err
		}
		last = list[len(list)-1].mark()
	}
}

// segment makes a segment of rows that follow each other.
func (b *building) segment(ctx context.Context, list []searched, first bool) error {
	order := make([]uint16, len(list))
	for i := range order {
		order[i] = uint16(i)
	}
	begins := list[0].mark()
	if first {
		begins = bookmark{}
	}
	id, err := b.insertSegment(ctx, b.kind, begins, order)
	if err != nil {
		return err
	}
	rows := make(chan []blockRow, 1)
	go func() { rows <- blocksFor(b.kind, id, list, func(i int) uint16 { return uint16(i) }) }() // while the entries are written
	i := -1
	err = inRows(ctx, b.Tx, "insert search entries", "search_entries (place, kind, id, sort, text)", list, func(s searched) []any {
		i++
		return []any{entryPlace(id, uint16(i)), b.kind, s.id, s.sort, s.text}
	}, nil)
	if b.rows = append(b.rows, <-rows...); err != nil {
		return err
	}
	if b.segments++; b.segments%segmentsInMemory == 0 {
		return b.flush(ctx)
	}
	return nil
}

// blocksFor makes the blocks of a segment; the slots of the list's rows ascend.
func blocksFor(kind searchKind, segment int64, list []searched, slotOf func(int) uint16) []blockRow {
	slots := map[gram][]uint16{}
	for i, s := range list {
		slot := slotOf(i)
		mark := func(g gram) {
			if has := slots[g]; len(has) == 0 || has[len(has)-1] != slot {
				slots[g] = append(has, slot)
			}
		}
		eachGram(s.text, mark)
		for _, g := range s.flags {
			mark(g)
		}
	}
	rows := make([]blockRow, 0, len(slots))
	for g, has := range slots {
		rows = append(rows, blockRow{blockPlace(kind, g, segment), setText(has)})
	}
	return rows
}

// setText writes a set that is given one by one, in order.
func setText(slots []uint16) []byte {
	if len(slots) < bitsLength/2 {
		return slotsText(slots)
	}
	var set slotSet
	for _, slot := range slots {
		set.add(slot)
	}
	return set.text()
}

// flush writes the blocks in the order in which they are kept.
func (b *building) flush(ctx context.Context) error {
	slices.SortFunc(b.rows, func(a, b blockRow) int { return cmp.Compare(a.place, b.place) })
	err := inRows(ctx, b.Tx, "insert search blocks", "search_blocks (place, slots)", b.rows, func(r blockRow) []any { return []any{r.place, r.slots} }, nil)
	b.rows = b.rows[:0]
	return err
}
