package store

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// How people and companies are found, the same on both engines and never by sorting all that match.
// All rows of a kind stand in segments of neighbours by name, each row in a slot of its segment. For
// each piece of one to three letters there is a block by segment: the set of the slots whose text has
// the piece. A term's pieces are looked up, their sets cut with each other segment by segment, from
// the first name on, until enough rows are found; what is left is compared with the text itself.

// searchVersion says what the index is made of. When the database holds another, searches go without
// the index, and the next start makes it anew: whoever changes people by SQL sets search_state to 0.
const searchVersion = 1

// searchKind is a kind of rows that can be searched.
type searchKind int64

const (
	searchStaff searchKind = iota + 1
	searchContacts
	searchCustomers
)

func searchKindOf(kind crm.AccountKind) searchKind {
	if kind == crm.Staff {
		return searchStaff
	}
	return searchContacts
}

// Where a block and an entry are kept. Segments are numbered up to 2^24.
func blockPlace(kind searchKind, g gram, segment int64) int64 {
	return int64(kind)<<56 | int64(g)<<24 | segment
}

func entryPlace(segment int64, slot uint16) int64 { return segment*segmentSlots + int64(slot) }

// search is one question to the index.
type search struct {
	kind   searchKind
	words  []string
	flags  []gram
	except int64 // a row to leave out, 0 for none
	after  bookmark
	limit  int
}

// bookmark is where a page of a list by name ended; id 0 at the beginning.
type bookmark struct {
	sort string
	id   int64
}

func (b bookmark) compare(other bookmark) int {
	return cmp.Or(cmp.Compare(b.sort, other.sort), cmp.Compare(b.id, other.id))
}

// termWords is what a term asks for: texts that have each of these.
func termWords(term string) []string { return strings.Fields(searchText(term)) }

// narrows tells whether the question is about less than everything: that is a plain list.
func (q search) narrows() bool { return len(q.words)+len(q.flags) > 0 }

// pieces are those that every row asked for has. When it is known how frequent they are, each word's
// rarest comes first: the others of the same word say little more.
func (q search) pieces(frequency map[gram]int) (list []gram) {
	rank := map[gram]int{}
	for _, word := range q.words {
		grams := gramsFor(word)
		slices.SortStableFunc(grams, func(a, b gram) int { return cmp.Compare(frequency[a], frequency[b]) })
		for i, g := range slices.Compact(grams) {
			if at, there := rank[g]; !there || i < at {
				rank[g] = i
			}
		}
	}
	for g := range rank {
		list = append(list, g)
	}
	slices.SortFunc(list, func(a, b gram) int {
		return cmp.Or(cmp.Compare(rank[a], rank[b]), cmp.Compare(frequency[a], frequency[b]), cmp.Compare(a, b))
	})
	return list
}

// The first segments are looked at by themselves: a frequent term finds enough there.
var segmentsAtOnce = []int{2, 14, 48, math.MaxInt}

// found lists the ids of the first rows that match, by name; false when the index has to be made
// anew first. Call it within a snapshot.
func (t Tx) found(ctx context.Context, q search) (ids []int64, indexed bool, err error) {
	if version, err := t.searchVersion(ctx); err != nil || version != searchVersion {
		return nil, false, err
	}
	f := finding{Tx: t, q: q, pieces: q.pieces(nil)}
	from, err := f.firstSegment(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, n := range segmentsAtOnce {
		segments, err := f.segments(ctx, from, n)
		if err != nil {
			return nil, false, err
		}
		if err := f.in(ctx, segments); err != nil {
			return nil, false, err
		}
		if len(f.ids) >= q.limit || len(segments) < n {
			break
		}
		from = segments[len(segments)-1].next()
	}
	return f.ids[:min(len(f.ids), q.limit)], true, nil
}

func (t Tx) searchVersion(ctx context.Context) (int64, error) {
	return t.count(ctx, `SELECT version FROM search_state WHERE id = 1`)
}

// finding is the answer to one question in the making.
type finding struct {
	Tx
	q      search
	pieces []gram // in the order in which to cut by them
	ids    []int64
}

// segment is one of them, by where it begins.
type segment struct {
	id    int64
	first bookmark
}

// next is where to go on after the segment.
func (s segment) next() bookmark { return bookmark{s.first.sort, s.first.id + 1} }

func scanSegment(row scanner) (s segment, err error) {
	err = row.Scan(&s.id, &s.first.sort, &s.first.id)
	return s, err
}

// firstSegment is the beginning of the segment in which the page begins.
func (f *finding) firstSegment(ctx context.Context) (bookmark, error) {
	if f.q.after.id == 0 {
		return bookmark{}, nil
	}
	s, err := f.segmentOf(ctx, f.q.kind, f.q.after)
	return s.first, err
}

// segmentOf is the segment with all that stands at a place by name; id 0 when there is none at all.
func (t Tx) segmentOf(ctx context.Context, kind searchKind, at bookmark) (segment, error) {
	s, err := one(ctx, t, "find segment", scanSegment, `SELECT id, first_sort, first_id FROM search_segments WHERE kind = $1 AND (first_sort, first_id) <= ($2, $3)
		ORDER BY first_sort DESC, first_id DESC LIMIT 1`, kind, at.sort, at.id)
	if crm.KindOf(err) != crm.NotFound {
		return s, err
	}
	s, err = one(ctx, t, "find first segment", scanSegment, `SELECT id, first_sort, first_id FROM search_segments WHERE kind = $1 ORDER BY first_sort, first_id LIMIT 1`, kind)
	if crm.KindOf(err) == crm.NotFound {
		return segment{}, nil
	}
	return s, err
}

func (f *finding) segments(ctx context.Context, from bookmark, most int) ([]segment, error) {
	return all(ctx, f.Tx, "list segments", scanSegment, `SELECT id, first_sort, first_id FROM search_segments WHERE kind = $1 AND (first_sort, first_id) >= ($2, $3)
		ORDER BY first_sort, first_id LIMIT $4`, f.q.kind, from.sort, from.id, most)
}

// candidates are the slots of a segment that have all the pieces cut by so far, and have not been
// compared yet.
type candidates struct {
	segment int64
	slots   slotSet
	count   int
	order   []uint16 // by name, what is left of it; only when there are many
}

// in looks for more rows in these segments, which follow each other. It cuts by one piece of each word,
// and by others only as long as most of what is left turns out not to be asked for.
func (f *finding) in(ctx context.Context, segments []segment) error {
	c, rest, err := f.begin(ctx, segments)
	if err != nil {
		return err
	}
	for len(c.list) > 0 && len(f.ids) < f.q.limit {
		before := len(f.ids)
		compared, err := f.compareSome(ctx, c)
		if err != nil {
			return err
		}
		for (len(f.ids)-before)*2 < compared && c.total() > mostAtOnce && len(rest) > 0 {
			if err := f.cut(ctx, c, rest[0], segments); err != nil {
				return err
			}
			rest = rest[1:]
		}
	}
	return nil
}

// begin cuts by the flags, which the texts don't tell of, and by the rarest piece of each word; rest are
// the other pieces.
func (f *finding) begin(ctx context.Context, segments []segment) (c *cutting, rest []gram, err error) {
	if len(segments) <= segmentsAtOnce[0] {
		c, err = f.closely(ctx, segments)
		return c, nil, err
	}
	c = &cutting{}
	firsts := min(len(f.q.words), len(f.pieces))
	for _, g := range slices.Concat(f.pieces[:firsts], f.q.flags) {
		if err := f.cut(ctx, c, g, segments); err != nil {
			return nil, nil, err
		}
	}
	return c, f.pieces[firsts:], nil
}

// closely cuts all sets in a few segments, and learns how frequent each piece is.
func (f *finding) closely(ctx context.Context, segments []segment) (*cutting, error) {
	var c cutting
	var places []int64
	grams := slices.Concat(f.pieces, f.q.flags)
	for _, g := range grams {
		for _, s := range segments {
			places = append(places, blockPlace(f.q.kind, g, s.id))
		}
	}
	blocks, err := f.blocksAt(ctx, places)
	if err != nil {
		return nil, err
	}
	frequency := map[gram]int{}
	for _, g := range grams {
		c.cut(f.q.kind, g, segments, blocks)
		for _, s := range segments {
			frequency[g] += len(blocks[blockPlace(f.q.kind, g, s.id)])
		}
	}
	f.pieces = f.q.pieces(frequency)
	return &c, nil
}

// cut reads a piece's blocks, one by one where few segments are still in question.
func (f *finding) cut(ctx context.Context, c *cutting, g gram, segments []segment) (err error) {
	var places []int64
	if c.begun {
		for _, left := range c.list {
			places = append(places, blockPlace(f.q.kind, g, left.segment))
		}
	} else {
		for _, s := range segments {
			places = append(places, blockPlace(f.q.kind, g, s.id))
		}
	}
	var blocks map[int64][]byte
	if len(places) <= fewSegments {
		blocks, err = f.blocksAt(ctx, places)
	} else {
		blocks, err = f.blocksOf(ctx, g, len(places))
	}
	c.cut(f.q.kind, g, segments, blocks)
	return err
}

// cutting is what is left in each segment, in their order.
type cutting struct {
	begun bool
	list  []*candidates
}

func (c *cutting) total() (n int) {
	for _, left := range c.list {
		n += left.count
	}
	return n
}

// cut leaves what has this piece as well.
func (c *cutting) cut(kind searchKind, g gram, segments []segment, blocks map[int64][]byte) {
	if !c.begun {
		c.begun = true
		c.list = make([]*candidates, 0, len(segments))
		room := make([]candidates, len(segments))
		for i, s := range segments {
			if block := blocks[blockPlace(kind, g, s.id)]; len(block) > 0 {
				here := &room[i]
				here.segment = s.id
				here.slots.parse(block)
				here.count = here.slots.count()
				c.list = append(c.list, here)
			}
		}
		return
	}
	c.list = slices.DeleteFunc(c.list, func(here *candidates) bool {
		here.slots.keep(blocks[blockPlace(kind, g, here.segment)])
		here.count = here.slots.count()
		return here.count == 0
	})
}
