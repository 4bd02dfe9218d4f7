package store

import (
	"context"
	"slices"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// listing is a list by name, as it may be narrowed.
type listing[T any] struct {
	what  string
	scan  func(scanner) (T, error)
	query string // up to WHERE
	table string // of the rows, in query
	where where  // all that is asked, but for the page
	id    func(T) int64
}

// page reads the rows from a position on, with the one that tells that there is more: by the search
// index if q says what is asked and there is one, else by looking at each row.
func (l listing[T]) page(ctx context.Context, t Tx, q search, after string, limit int) ([]T, error) {
	position, err := parseBookmark(after)
	if err != nil {
		return nil, err
	}
	q.after, q.limit = position, limit+1
	if !q.narrows() {
		return l.plain(ctx, t, q)
	}
	var list []T
	err = t.snapshot(ctx, func(t Tx) error {
		ids, indexed, err := t.found(ctx, q)
		if err != nil {
			return err
		}
		if !indexed {
			list, err = l.plain(ctx, t, q)
			return err
		}
		list, err = l.byID(ctx, t, ids)
		return err
	})
	return list, err
}

func (l listing[T]) plain(ctx context.Context, t Tx, q search) ([]T, error) {
	w := l.where
	if q.after.id != 0 {
		w.and("("+l.table+".sort, "+l.table+".id) > (?, ?)", q.after.sort, q.after.id)
	}
	w.args = append(w.args, q.limit)
	return all(ctx, t, l.what, l.scan, l.query+w.text()+" ORDER BY "+l.table+".sort, "+l.table+".id LIMIT "+w.last(), w.args...)
}

// byID reads rows in the order of their ids.
func (l listing[T]) byID(ctx context.Context, t Tx, ids []int64) ([]T, error) {
	var list []T
	for part := range slices.Chunk(ids, mostAtOnce) {
		rows, err := all(ctx, t, l.what, l.scan, l.query+"WHERE "+l.table+".id IN ("+marks(len(part))+")", padded(part)...)
		if err != nil {
			return nil, err
		}
		by := map[int64]T{}
		for _, row := range rows {
			by[l.id(row)] = row
		}
		for _, id := range part {
			if row, there := by[id]; there {
				list = append(list, row)
			}
		}
	}
	return list, nil
}

// byActive asks for the filter "active".
func (q *search) byActive(filter crm.Query) {
	switch filter.Filter["active"] {
	case "yes":
		q.flags = append(q.flags, flagActive)
	case "no":
		q.flags = append(q.flags, flagInactive)
	}
}
