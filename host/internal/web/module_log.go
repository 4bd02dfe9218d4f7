package web

import (
	"bufio"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// tailRows is how many new lines a page that follows the log is given at a time.
const tailRows = 200

// moduleLogView is what a module wrote, and what the host wrote about it.
type moduleLogView struct {
	*Page
	Name     string
	List     *list
	Rows     []crm.ModuleLogLine
	Kept     []string // how long lines stay, in sentences
	Download string   // the address of all these lines as a file
	Follow   bool     // new lines would stand above these
	Gap      bool     // there are more new lines than are shown
}

// Second writes a moment to the second: lines come fast.
func (v moduleLogView) Second(t time.Time) string {
	return t.In(v.visit.zone()).Format("2006-01-02 15:04:05")
}

// Level is a level in words.
func (v moduleLogView) Level(name string) string { return v.T("level_" + name) }

// logFilters are what narrows a module's log.
var logFilters = []string{"level", "request", "from", "until", "since"}

func (v *visit) moduleLog() error {
	id, q := v.r.PathValue("module"), v.query(logFilters...)
	tail := q.Filter["since"] != ""
	if tail {
		q.Limit = tailRows
	}
	found, err := v.modules.Log(v.r.Context(), v.who, id, q)
	if err != nil {
		return err
	}
	name := v.modules.Surface().Name(id)
	p := v.newPage(v.text("title_module_log", "Name", name))
	level := field{Name: "level", Kind: "select", Label: v.text("filter_level"), Choices: []choice{{"", v.text("filter_all")}}}
	for _, each := range []string{"debug", "info", "warn", "error"} {
		level.Choices = append(level.Choices, choice{each, v.text("level_" + each)})
	}
	l := p.newList(v.text("search_log"), found.Next, len(found.Rows), level, field{Name: "request", Kind: "text", Label: v.text("filter_request")},
		field{Name: "from", Kind: "date", Label: v.text("filter_from")}, field{Name: "until", Kind: "date", Label: v.text("filter_until")})
	return v.show("module_log", moduleLogView{
		Page: p, Name: name, List: l.emptyText("empty_module_log"), Rows: found.Rows, Kept: v.logKept(),
		Download: v.logDownload(id), Follow: q.After == "", Gap: tail && found.Next != "",
	})
}

// logKept says how long lines stay.
func (v *visit) logKept() []string {
	var lines []string
	kept := v.app.LogKept()
	if kept.Lines > 0 {
		lines = append(lines, v.text("log_kept_lines", "Count", kept.Lines))
	}
	if kept.Days > 0 {
		lines = append(lines, v.text("log_kept_days", "Count", kept.Days))
	}
	return lines
}

// logDownload is the address of the file, with the page's filters.
func (v *visit) logDownload(id string) string {
	asked, kept := v.r.URL.Query(), url.Values{}
	for _, name := range append([]string{"q"}, logFilters...) {
		if value := asked.Get(name); value != "" && name != "since" {
			kept.Set(name, value)
		}
	}
	address := url.URL{Path: v.path("/admin/modules/" + id + "/log/download"), RawQuery: kept.Encode()}
	return address.String()
}

// downloadModuleLog sends what the page lists, all pages of it, as a text file, oldest first.
func (v *visit) downloadModuleLog() error {
	id := v.r.PathValue("module")
	file := &attachment{visit: v, name: id + "-log-" + v.app.Now().Format(time.DateOnly) + ".txt", kind: "text/plain; charset=utf-8"}
	out := bufio.NewWriter(file)
	err := v.modules.ReadLog(v.r.Context(), v.who, id, v.query(logFilters...), func(l crm.ModuleLogLine) error { return writeLogLine(out, l) })
	if err == nil {
		err = out.Flush()
	}
	return file.end(err)
}

// writeLogLine writes a line as one: what continues it on further lines is indented, so that nothing
// a module writes can pose as a line of its own.
func writeLogLine(out *bufio.Writer, l crm.ModuleLogLine) error {
	request := l.RequestID
	if request == "" {
		request = "-"
	}
	_, err := fmt.Fprintf(out, "%s %-5s %s %s\n", l.At.UTC().Format("2006-01-02T15:04:05.000Z"), strings.ToUpper(l.Level), oneLine(request), strings.ReplaceAll(l.Text, "\n", "\n    "))
	return err
}

func oneLine(text string) string {
	return strings.Join(strings.Fields(text), "_")
}
