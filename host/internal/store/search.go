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

// pieces are those that every row asked for has.
func (q search) pieces() (list []gram) {
	for _, word := range q.words {
		list = append(list, gramsFor(word)...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// The first segments are looked at by themselves: a frequent term finds enough there.
var segmentsAtOnce = []int{2, 14, math.MaxInt}

// found lists the ids of the first rows that match, by name; false when the index has to be made
// anew first. Call it within a snapshot.
func (t Tx) found(ctx context.Context, q search) (ids []int64, indexed bool, err error) {
	if version, err := t.searchVersion(ctx); err != nil || version != searchVersion {
		return nil, false, err
	}
	f := finding{Tx: t, q: q, pieces: q.pieces()}
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
	pieces []gram // the rarest first, once that is known
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

// candidates are the slots of a segment that have all the pieces.
type candidates struct {
	segment int64
	slots   slotSet
	count   int
}

// in looks for more rows in these segments, which follow each other.
func (f *finding) in(ctx context.Context, segments []segment) error {
	list, err := f.candidates(ctx, segments)
	if err != nil {
		return err
	}
	for len(list) > 0 && len(f.ids) < f.q.limit {
		if list[0].count > mostAtOnce {
			if err := f.inOrder(ctx, list[0]); err != nil {
				return err
			}
			list = list[1:]
			continue
		}
		var places []int64
		for len(list) > 0 && len(places)+list[0].count <= mostAtOnce && len(places) < mostAtOnce/2 {
			for _, slot := range list[0].slots.list() {
				places = append(places, entryPlace(list[0].segment, slot))
			}
			list = list[1:]
		}
		if err := f.compare(ctx, places); err != nil {
			return err
		}
	}
	return nil
}

// candidates cuts the sets of the pieces, the rarest first, until few are left; and those of the flags,
// which the texts don't tell of.
func (f *finding) candidates(ctx context.Context, segments []segment) ([]candidates, error) {
	if len(segments) <= segmentsAtOnce[0] {
		return f.closely(ctx, segments)
	}
	var c cutting
	for _, g := range f.pieces {
		if c.begun && c.total() <= fewCandidates {
			break
		}
		if err := f.cut(ctx, &c, g, segments); err != nil {
			return nil, err
		}
	}
	for _, g := range f.q.flags {
		if err := f.cut(ctx, &c, g, segments); err != nil {
			return nil, err
		}
	}
	return c.list, nil
}

// closely cuts all sets in a few segments, and learns which piece is rare.
func (f *finding) closely(ctx context.Context, segments []segment) ([]candidates, error) {
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
	slices.SortStableFunc(f.pieces, func(a, b gram) int { return cmp.Compare(frequency[a], frequency[b]) })
	return c.list, nil
}

// cut reads a piece's blocks, those of the segments still in question only where these are few.
func (f *finding) cut(ctx context.Context, c *cutting, g gram, segments []segment) (err error) {
	if c.begun {
		segments = slices.DeleteFunc(slices.Clone(segments), func(s segment) bool {
			return !slices.ContainsFunc(c.list, func(c candidates) bool { return c.segment == s.id })
		})
	}
	var blocks map[int64][]byte
	if len(segments) <= fewSegments {
		var places []int64
		for _, s := range segments {
			places = append(places, blockPlace(f.q.kind, g, s.id))
		}
		blocks, err = f.blocksAt(ctx, places)
	} else {
		blocks, err = f.blocksOf(ctx, g)
	}
	c.cut(f.q.kind, g, segments, blocks)
	return err
}

// cutting is what is left in each segment, in their order.
type cutting struct {
	begun bool
	list  []candidates
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
		for _, s := range segments {
			if block := blocks[blockPlace(kind, g, s.id)]; len(block) > 0 {
				set := parseSet(block)
				c.list = append(c.list, candidates{s.id, set, set.count()})
			}
		}
		return
	}
	left := c.list[:0]
	for i := range c.list {
		here := &c.list[i]
		here.slots.keep(blocks[blockPlace(kind, g, here.segment)])
		if here.count = here.slots.count(); here.count > 0 {
			left = append(left, *here)
		}
	}
	c.list = left
}
