package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// copying says what becomes of a table when a database is copied.
type copying int

const (
	copied    copying = iota // every row
	derived                  // made again, by who opens the copy, from the rows it is derived from
	ofProcess                // says what processes do now: it means nothing elsewhere, and is left out
	ofSchema                 // kept by the migrations
)

// tables are all there are, each after those it refers to. A new one without a line here fails
// TestTheListOfTablesIsTheSchema: whether it is copied is a decision, made here.
var tables = []listedTable{
	{"roles", copied},
	{"staff", copied},
	{"customers", copied},
	{"contacts", copied},
	{"session_switches", copied},
	{"sessions", copied},
	{"session_confirmations", copied},
	{"sign_in_failures", copied},
	{"account_links", copied},
	{"audit_entries", copied},
	{"audit_chains", copied},
	{"settings", copied},
	{"modules", copied},
	{"module_packages", copied},
	{"waiting_modules", copied},
	{"module_versions", copied},
	{"module_crashes", copied},
	{"staged_packages", copied},
	{"module_values", copied},
	{"module_languages", copied},
	{"module_log", copied},
	{"trusted_keys", copied},
	{"account_notices", copied},
	{"mail_outbox", copied},
	{"switch_pages", copied},
	{"switch_page_counts", copied},
	{"authority", copied},
	{"search_state", derived},
	{"search_segments", derived},
	{"search_entries", derived},
	{"search_blocks", derived},
	{"audit_segments", derived},
	{"replicas", ofProcess},
	{"module_replicas", ofProcess},
	{"goose_db_version", ofSchema},
	{"schema_least", ofSchema},
}

type listedTable struct {
	name string
	copying
}

// born are the rows a database has from its migrations, by table; the copy's own replace them.
var born = map[string]string{
	"authority":    `id = 1 AND revision = 1`,
	"audit_chains": `chain = '' AND seq = 0`,
}

// stale has what is derived made again when the copy is opened first.
var stale = map[string]string{
	"search_state": `UPDATE search_state SET version = 0`,
}

// unfinished is a table that stands in a database while it is the target of a copy, and goes in the
// transaction that makes the copy whole. Where it stands, nobody serves.
const unfinished = "unfinished_copy"

// listTables names a database's tables; those in which SQLite keeps its own books are left out.
func listTables(ctx context.Context, db handle, engine Engine) ([]string, error) {
	return all(ctx, Tx{db: db, engine: engine}, "list tables", func(row scanner) (name string, err error) { return name, row.Scan(&name) }, tablesQuery(engine))
}

func tablesQuery(engine Engine) string {
	query := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name`
	if engine == PostgreSQL {
		query = `SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename`
	}
	return query
}

func isOfProcess(name string) bool {
	return slices.Contains(tables, listedTable{name, ofProcess})
}

// unlisted are the tables among these that aren't the CRM's.
func unlisted(names []string) (foreign []string) {
	for _, name := range names {
		if name != unfinished && !slices.ContainsFunc(tables, func(t listedTable) bool { return t.name == name }) {
			foreign = append(foreign, name)
		}
	}
	return foreign
}

// kind is how a column's values travel between the engines.
type kind byte

const (
	numbers kind = 'n'
	texts   kind = 't'
	blobs   kind = 'b'
	truths  kind = 'y'
)

var kinds = map[string]kind{
	"BIGINT": numbers, "INTEGER": numbers, "INT8": numbers,
	"TEXT":  texts,
	"BYTEA": blobs,
	"BOOL":  truths, "BOOLEAN": truths,
}

type column struct {
	name string
	kind kind
}

// columns are a table's, by name.
func columns(ctx context.Context, db handle, table string) ([]column, error) {
	rows, err := db.QueryContext(ctx, `SELECT * FROM `+table+` LIMIT 0`)
	if err != nil {
		return nil, failed("read columns", err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, failed("read columns", err)
	}
	list := make([]column, len(types))
	for i, t := range types {
		list[i] = column{t.Name(), kinds[t.DatabaseTypeName()]}
		if list[i].kind == 0 {
			return nil, fmt.Errorf("column %s of %s is of a type that isn't copied: %s", t.Name(), table, t.DatabaseTypeName())
		}
	}
	slices.SortFunc(list, func(a, b column) int { return strings.Compare(a.name, b.name) })
	return list, failed("read columns", rows.Err())
}

func columnNames(list []column) []string {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.name
	}
	return names
}
