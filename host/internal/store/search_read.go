package store

import (
	"context"
	"slices"
	"sort"
	"strconv"
	"strings"
)

const (
	// mostAtOnce is how many entries are read by one statement.
	mostAtOnce = 64
	// fewSegments are looked up one by one rather than by reading all of a piece's blocks.
	fewSegments = 48
)

// blocksAt reads the blocks at these places, as far as there are any.
func (t Tx) blocksAt(ctx context.Context, places []int64) (map[int64][]byte, error) {
	blocks := make(map[int64][]byte, len(places))
	for part := range slices.Chunk(places, mostAtOnce) {
		if err := t.intoBlocks(ctx, blocks, `SELECT place, slots FROM search_blocks WHERE place IN (`+marks(len(part))+`)`, padded(part)...); err != nil {
			return nil, err
		}
	}
	return blocks, nil
}

// blocksOf reads all blocks of a piece, about as many as told.
func (f *finding) blocksOf(ctx context.Context, g gram, about int) (map[int64][]byte, error) {
	blocks := make(map[int64][]byte, about)
	return blocks, f.intoBlocks(ctx, blocks, `SELECT place, slots FROM search_blocks WHERE place >= $1 AND place < $2`, blockPlace(f.q.kind, g, 0), blockPlace(f.q.kind, g+1, 0))
}

func (t Tx) intoBlocks(ctx context.Context, blocks map[int64][]byte, query string, args ...any) error {
	_, err := all(ctx, t, "read search blocks", func(row scanner) (none struct{}, err error) {
		var place int64
		var slots []byte
		err = row.Scan(&place, &slots)
		blocks[place] = slots
		return none, err
	}, query, args...)
	return err
}

// marks is a list of places for n values or a few more, so that there are few different statements;
// padded fills them.
func marks(n int) string {
	list := make([]string, roundedUp(n))
	for i := range list {
		list[i] = "$" + strconv.Itoa(i+1)
	}
	return strings.Join(list, ", ")
}

func roundedUp(n int) int {
	size := 1
	for size < n {
		size *= 2
	}
	return size
}

func padded(values []int64) []any {
	args := make([]any, roundedUp(len(values)))
	for i, value := range pad(values) {
		args[i] = value
	}
	return args
}

// pad repeats the last value up to the number of places that marks makes.
func pad(values []int64) []int64 {
	all := make([]int64, roundedUp(len(values)))
	for i := range all {
		all[i] = values[min(i, len(values)-1)]
	}
	return all
}

// entry is a row as the index has it.
type entry struct {
	place, id  int64
	sort, text string
}

func (e entry) mark() bookmark { return bookmark{e.sort, e.id} }

func (e entry) segment() int64 { return e.place / segmentSlots }

func (e entry) slot() uint16 { return uint16(e.place % segmentSlots) }

func scanEntry(row scanner) (e entry, err error) {
	err = row.Scan(&e.place, &e.id, &e.sort, &e.text)
	return e, err
}

const entryColumns = `SELECT place, id, sort, text FROM search_entries `

// compare reads entries, and adds those that are asked for, by name.
func (f *finding) compare(ctx context.Context, places []int64) error {
	list, err := all(ctx, f.Tx, "read search entries", scanEntry, entryColumns+`WHERE place IN (`+marks(len(places))+`)`, padded(places)...)
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b entry) int { return a.mark().compare(b.mark()) })
	for _, e := range list {
		if f.q.matches(e) {
			f.ids = append(f.ids, e.id)
		}
	}
	return nil
}

func (q search) matches(e entry) bool {
	if e.id == q.except || (q.after.id != 0 && e.mark().compare(q.after) <= 0) {
		return false
	}
	for _, word := range q.words {
		if !strings.Contains(e.text, word) {
			return false
		}
	}
	return true
}

// compareSome compares the first candidates, by name, takes them off the list, and says how many they
// were.
func (f *finding) compareSome(ctx context.Context, c *cutting) (int, error) {
	var places []int64
	if c.list[0].count > mostAtOnce {
		var err error
		if places, err = f.someOf(ctx, c.list[0]); err != nil {
			return 0, err
		}
	}
	for len(c.list) > 0 && len(places)+c.list[0].count <= mostAtOnce && len(places) < mostAtOnce/2 {
		for _, slot := range c.list[0].slots.list() {
			places = append(places, entryPlace(c.list[0].segment, slot))
		}
		c.list = c.list[1:]
	}
	if len(places) == 0 {
		return 0, nil
	}
	return len(places), f.compare(ctx, places)
}

// someOf takes the first candidates by name out of a segment with many.
func (f *finding) someOf(ctx context.Context, c *candidates) (places []int64, err error) {
	if c.order == nil {
		if c.order, err = f.order(ctx, c.segment); err != nil {
			return nil, err
		}
		if f.q.after.id != 0 {
			from, err := f.position(ctx, c.segment, c.order, f.q.after)
			if err != nil {
				return nil, err
			}
			c.pass(from)
		}
	}
	passed := 0
	for passed < len(c.order) && len(places) < mostAtOnce/2 {
		if slot := c.order[passed]; c.slots.has(slot) {
			places = append(places, entryPlace(c.segment, slot))
		}
		passed++
	}
	c.pass(passed)
	return places, nil
}

// pass leaves out the first ones by name.
func (c *candidates) pass(n int) {
	for _, slot := range c.order[:n] {
		c.slots.drop(slot)
	}
	if c.order = c.order[n:]; len(c.order) == 0 {
		c.slots = slotSet{}
	}
	c.count = c.slots.count()
}

// order gives a segment's slots by name.
func (t Tx) order(ctx context.Context, segment int64) ([]uint16, error) {
	return one(ctx, t, "read segment", func(row scanner) ([]uint16, error) {
		var text []byte
		err := row.Scan(&text)
		return parseSlots(text), err
	}, `SELECT slots FROM search_segments WHERE id = $1`, segment)
}

// position is where in a segment's order something belongs: after all that come before it by name.
func (t Tx) position(ctx context.Context, segment int64, order []uint16, at bookmark) (int, error) {
	var failure error
	n := sort.Search(len(order), func(i int) bool {
		if failure != nil {
			return true
		}
		var e entry
		if e, failure = one(ctx, t, "read search entry", scanEntry, entryColumns+`WHERE place = $1`, entryPlace(segment, order[i])); failure != nil {
			return true
		}
		return e.mark().compare(at) >= 0
	})
	return n, failure
}
