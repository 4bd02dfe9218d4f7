package web

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/crm"
)

// activityFilters are what narrows the Activity Log.
var activityFilters = []string{"action", "switch", "from", "until"}

// exportActivity sends the entries the page lists, all pages of them, as a file. It is a POST: that
// it was asked for is recorded.
func (v *visit) exportActivity() error {
	q := crm.Query{Term: strings.TrimSpace(clip(v.value("q"), 200)), Filter: map[string]string{}}
	for _, name := range activityFilters {
		q.Filter[name] = strings.TrimSpace(clip(v.value(name), 200))
	}
	format, kind := v.value("format"), "text/csv; charset=utf-8"
	switch format {
	case "csv":
	case "json":
		kind = "application/json"
	default:
		return crm.Refuse(crm.Invalid, "export_format_invalid")
	}
	file := &attachment{visit: v, name: "activity-" + v.app.Now().Format(time.DateOnly) + "." + format, kind: kind}
	out := bufio.NewWriter(file)
	write, end := v.activityCSV(out)
	if format == "json" {
		write, end = v.activityJSON(out)
	}
	err := v.app.ExportActivity(v.r.Context(), v.who, q, format, write)
	if err == nil {
		err = end()
	}
	if err == nil {
		err = out.Flush()
	}
	return file.end(err)
}

// activityColumns head the file; they are names for programs, the same in every language.
var activityColumns = []string{"time", "actor", "actor_account", "subject", "subject_account", "switch", "action", "text", "object", "details", "ip", "request"}

func (v *visit) activityCSV(out *bufio.Writer) (write func(crm.AuditEntry) error, end func() error) {
	table, begun := csv.NewWriter(out), false
	begin := func() error {
		if begun {
			return nil
		}
		begun = true
		return table.Write(activityColumns)
	}
	write = func(e crm.AuditEntry) error {
		if err := begin(); err != nil {
			return err
		}
		cells := []string{
			e.At.Format(time.RFC3339Nano), e.ActorName, accountText(e.Actor), e.SubjectName, accountText(e.Subject), numberText(e.SwitchID),
			e.Action, v.actionText(e.Action), e.Object, strings.Join(detailCodes(e), "; "), e.IP, e.RequestID,
		}
		for i := range cells {
			cells[i] = harmless(cells[i])
		}
		return table.Write(cells)
	}
	return write, func() error {
		if err := begin(); err != nil {
			return err
		}
		table.Flush()
		return table.Error()
	}
}

// activityLine is an entry in the JSON file.
type activityLine struct {
	Time           time.Time         `json:"time"`
	Actor          string            `json:"actor"`
	ActorAccount   string            `json:"actor_account"`
	Subject        string            `json:"subject"`
	SubjectAccount string            `json:"subject_account"`
	Switch         int64             `json:"switch,omitempty"`
	Action         string            `json:"action"`
	Text           string            `json:"text"`
	Object         string            `json:"object"`
	Details        map[string]string `json:"details"`
	IP             string            `json:"ip"`
	Request        string            `json:"request"`
}

// activityJSON writes one list, an entry a line.
func (v *visit) activityJSON(out *bufio.Writer) (write func(crm.AuditEntry) error, end func() error) {
	before := "[\n"
	write = func(e crm.AuditEntry) error {
		line, err := json.Marshal(activityLine{
			e.At, e.ActorName, accountText(e.Actor), e.SubjectName, accountText(e.Subject), e.SwitchID,
			e.Action, v.actionText(e.Action), e.Object, e.Detail, e.IP, e.RequestID,
		})
		if err != nil {
			return err
		}
		_, err = out.WriteString(before + string(line))
		before = ",\n"
		return err
	}
	return write, func() error {
		if before == "[\n" {
			_, err := out.WriteString("[]\n")
			return err
		}
		_, err := out.WriteString("\n]\n")
		return err
	}
}

// accountText names an account for programs, and the system and the command line, which have none,
// by nothing.
func accountText(key crm.AccountKey) string {
	if key.ID == 0 {
		return ""
	}
	return key.String()
}

func numberText(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// harmless keeps a spreadsheet from taking a cell for a formula. Some take the wide forms of the
// signs for the signs, and pass over what is empty before them.
func harmless(cell string) string {
	first := strings.TrimLeft(cell, " \u00a0\u3000")
	if strings.HasPrefix(cell, "\t") || strings.HasPrefix(cell, "\r") || strings.HasPrefix(cell, "\n") || strings.IndexAny(first, "=+-@＝＋－＠\t\r\n") == 0 {
		return "'" + cell
	}
	return cell
}
