package store

import (
	"strconv"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// where gathers conditions; "?" stands for the next argument.
type where struct {
	conditions []string
	args       []any
}

func (w *where) and(condition string, args ...any) {
	for _, a := range args {
		w.args = append(w.args, a)
		condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(w.args)), 1)
	}
	w.conditions = append(w.conditions, condition)
}

// words asks that every word of term stands in one of the columns, which hold searchText.
func (w *where) words(term string, columns ...string) {
	for word := range strings.FieldsSeq(searchText(term)) {
		pattern := "%" + likeEscape.Replace(word) + "%"
		var either []string
		var args []any
		for _, c := range columns {
			either = append(either, c+` LIKE ? ESCAPE '\'`)
			args = append(args, pattern)
		}
		w.and("("+strings.Join(either, " OR ")+")", args...)
	}
}

var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func (w *where) between(column string, from, until time.Time) {
	if !from.IsZero() {
		w.and(column+" >= ?", millis(from))
	}
	if !until.IsZero() {
		w.and(column+" < ?", millis(until))
	}
}

// beforeID continues a list that runs from the newest id down.
func (w *where) beforeID(column, after string) error {
	if after == "" {
		return nil
	}
	id, err := strconv.ParseInt(after, 10, 64)
	if err != nil {
		return badPage()
	}
	w.and(column+" < ?", id)
	return nil
}

// parseBookmark reads where a page of a list by (sort, id) ended.
func parseBookmark(after string) (bookmark, error) {
	if after == "" {
		return bookmark{}, nil
	}
	id, sort, found := strings.Cut(after, "_")
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || !found || n <= 0 {
		return bookmark{}, badPage()
	}
	return bookmark{sort, n}, nil
}

func badPage() error { return crm.Refuse(crm.Invalid, "page_token_invalid") }

// last is the place of the last argument.
func (w *where) last() string { return "$" + strconv.Itoa(len(w.args)) }

func (w *where) text() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return "WHERE " + strings.Join(w.conditions, " AND ")
}

// bounded gives a limit between 1 and most, the usual one when none is asked.
func bounded(limit, usual, most int) int {
	if limit <= 0 {
		return usual
	}
	return min(limit, most)
}

// paged cuts the row that only told that there is more.
func paged[T any](list []T, limit int, position func(T) string) crm.Page[T] {
	if len(list) <= limit {
		return crm.Page[T]{Rows: list}
	}
	return crm.Page[T]{Rows: list[:limit], Next: position(list[limit-1])}
}

func sortPosition(id int64, name string) string {
	return strconv.FormatInt(id, 10) + "_" + sortText(name)
}

// sortText is what names are ordered by; searchText is what words are looked for in. Both are made
// here, so that the two engines agree about letters beyond ASCII.
func sortText(name string) string { return strings.ToLower(name) }

func searchText(parts ...string) string { return strings.ToLower(strings.Join(parts, " ")) }

// active applies the filter "active", "yes" or "no".
func (w *where) active(column string, q crm.Query) {
	switch q.Filter["active"] {
	case "yes":
		w.and(column)
	case "no":
		w.and("NOT " + column)
	}
}
