package store

import (
	"context"
	"strconv"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// AppendModuleLog adds a line.
func (t Tx) AppendModuleLog(ctx context.Context, module string, l crm.ModuleLogLine) error {
	return t.exec(ctx, "append module log", `INSERT INTO module_log (module_id, at, level, text, request_id) VALUES ($1, $2, $3, $4, $5)`, module, millis(l.At), l.Level, l.Text, l.RequestID)
}

// TrimModuleLog keeps a module's newest lines.
func (t Tx) TrimModuleLog(ctx context.Context, module string, keep int) error {
	return t.exec(ctx, "trim module log", `DELETE FROM module_log WHERE module_id = $1 AND id <= (SELECT COALESCE(MAX(id), 0) FROM
		(SELECT id FROM module_log WHERE module_id = $1 ORDER BY id DESC LIMIT 1 OFFSET `+strconv.Itoa(keep)+`) old)`, module)
}

// ModuleLog lists a module's lines, newest first. Filter "level" keeps that level and those above.
func (t Tx) ModuleLog(ctx context.Context, module string, q crm.Query) (crm.Page[crm.ModuleLogLine], error) {
	var w where
	w.and("l.module_id = ?", module)
	switch q.Filter["level"] {
	case "info":
		w.and("l.level <> 'debug'")
	case "warn":
		w.and("l.level IN ('warn', 'error')")
	case "error":
		w.and("l.level = 'error'")
	}
	if q.Term != "" {
		w.and(`LOWER(l.text) LIKE ? ESCAPE '\'`, "%"+likeEscape.Replace(searchText(q.Term))+"%")
	}
	if err := w.beforeID("l.id", q.After); err != nil {
		return crm.Page[crm.ModuleLogLine]{}, err
	}
	limit := bounded(q.Limit, 100, 1000)
	list, err := all(ctx, t, "list module log", func(row scanner) (l crm.ModuleLogLine, err error) {
		var when int64
		err = row.Scan(&l.ID, &when, &l.Level, &l.Text, &l.RequestID)
		l.At = at(when)
		return l, err
	}, `SELECT l.id, l.at, l.level, l.text, l.request_id FROM module_log l `+w.text()+` ORDER BY l.id DESC LIMIT `+strconv.Itoa(limit+1), w.args...)
	return paged(list, limit, func(l crm.ModuleLogLine) string { return strconv.FormatInt(l.ID, 10) }), err
}
