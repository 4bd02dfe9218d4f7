package store

import (
	"context"
	"strconv"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// AppendModuleLog adds a line.
func (t Tx) AppendModuleLog(ctx context.Context, module string, l crm.ModuleLogLine) error {
	return t.exec(ctx, "append module log", `INSERT INTO module_log (module_id, at, level, text, request_id) VALUES ($1, $2, $3, $4, $5)`, module, millis(l.At), l.Level, l.Text, l.RequestID)
}

// TrimModuleLog keeps a module's newest lines. It reads as many as it keeps.
func (t Tx) TrimModuleLog(ctx context.Context, module string, keep int) error {
	return t.exec(ctx, "trim module log", `DELETE FROM module_log WHERE module_id = $1 AND id <= (SELECT COALESCE(MAX(id), 0) FROM
		(SELECT id FROM module_log WHERE module_id = $1 ORDER BY id DESC LIMIT 1 OFFSET `+strconv.Itoa(keep)+`) old)`, module)
}

// ExpireModuleLog drops a module's lines from before a time. When its oldest line is younger, that
// line is all it reads.
func (t Tx) ExpireModuleLog(ctx context.Context, module string, before time.Time) error {
	oldest, err := t.count(ctx, `SELECT COALESCE((SELECT at FROM module_log WHERE module_id = $1 ORDER BY id LIMIT 1), $2)`, module, millis(before))
	if err != nil || oldest >= millis(before) {
		return err
	}
	return t.exec(ctx, "expire module log", `DELETE FROM module_log WHERE module_id = $1 AND at < $2`, module, millis(before))
}

// LoggedModules lists the modules that have lines, uninstalled ones included. It jumps from one to
// the next, however many lines there are.
func (t Tx) LoggedModules(ctx context.Context) ([]string, error) {
	var ids []string
	for last := ""; ; {
		next, err := one(ctx, t, "list logged modules", func(row scanner) (id string, err error) { return id, row.Scan(&id) },
			`SELECT COALESCE(MIN(module_id), '') FROM module_log WHERE module_id > $1`, last)
		if err != nil || next == "" {
			return ids, err
		}
		ids, last = append(ids, next), next
	}
}

// ModuleLogQuery narrows and pages a module's log.
type ModuleLogQuery struct {
	Term        string
	Level       string // that level and those above
	RequestID   string
	From, Until time.Time
	Since       int64  // only lines with a greater id
	After       string // where the last page ended; of lists that run from the newest down
	Limit       int
}

func (q ModuleLogQuery) where(module string) (w where) {
	w.and("l.module_id = ?", module)
	switch q.Level {
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
	if q.RequestID != "" {
		w.and("l.request_id = ?", q.RequestID)
	}
	w.between("l.at", q.From, q.Until)
	if q.Since > 0 {
		w.and("l.id > ?", q.Since)
	}
	return w
}

const moduleLogColumns = `SELECT l.id, l.at, l.level, l.text, l.request_id FROM module_log l `

func scanModuleLog(row scanner) (l crm.ModuleLogLine, err error) {
	var when int64
	err = row.Scan(&l.ID, &when, &l.Level, &l.Text, &l.RequestID)
	l.At = at(when)
	return l, err
}

// ModuleLog lists a module's lines, newest first.
func (t Tx) ModuleLog(ctx context.Context, module string, q ModuleLogQuery) (crm.Page[crm.ModuleLogLine], error) {
	w := q.where(module)
	if err := w.beforeID("l.id", q.After); err != nil {
		return crm.Page[crm.ModuleLogLine]{}, err
	}
	limit := bounded(q.Limit, 100, 1000)
	list, err := all(ctx, t, "list module log", scanModuleLog, moduleLogColumns+w.text()+` ORDER BY l.id DESC LIMIT `+strconv.Itoa(limit+1), w.args...)
	return paged(list, limit, func(l crm.ModuleLogLine) string { return strconv.FormatInt(l.ID, 10) }), err
}

// ModuleLogOnward lists a module's lines, oldest first.
func (t Tx) ModuleLogOnward(ctx context.Context, module string, q ModuleLogQuery) ([]crm.ModuleLogLine, error) {
	w := q.where(module)
	return all(ctx, t, "read module log", scanModuleLog, moduleLogColumns+w.text()+` ORDER BY l.id LIMIT `+strconv.Itoa(bounded(q.Limit, 100, 1000)), w.args...)
}

// LastModuleLog is the id of a module's newest line, 0 when there is none.
func (t Tx) LastModuleLog(ctx context.Context, module string) (int64, error) {
	return t.count(ctx, `SELECT COALESCE(MAX(id), 0) FROM module_log WHERE module_id = $1`, module)
}
