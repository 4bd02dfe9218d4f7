package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/sdk"
)

const exportRows = 500

// exporter writes records in one format.
type exporter interface {
	head(words sdk.Words)
	row(words sdk.Words, row logRow, record sdk.SessionSwitch)
	end()
}

// exportLog writes every filtered row. The export is recorded before it is given out: what cannot be
// recorded is not exported.
func (p *pages) exportLog(w http.ResponseWriter, r *http.Request) error {
	ctx, words, viewer, filter := r.Context(), sdk.WordsFrom(r), sdk.ViewerFrom(r), filterFrom(r)
	filter.After = ""
	format := r.PostFormValue("format")
	if format != "csv" && format != "json" {
		return sentence{http.StatusUnprocessableEntity, "error_format"}
	}
	ask, err := filter.ask(viewer.Location(), exportRows)
	if err != nil {
		return err
	}
	page, err := sdk.HostOf(ctx).SwitchLog.List(ctx, ask)
	if err != nil {
		return err
	}
	if err := sdk.HostOf(ctx).Audit.Write(ctx, "log exported", filter.detail(format)); err != nil {
		return err
	}
	w.Header().Set("Content-Disposition", `attachment; filename="impersonation-log-`+p.now().In(viewer.Location()).Format(dateLayout)+`.`+format+`"`)
	var out exporter = &jsonExport{w: w}
	w.Header().Set("Content-Type", "application/json")
	if format == "csv" {
		out = &csvExport{w: w, csv: csv.NewWriter(w)}
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	}
	out.head(words)
	for {
		for _, record := range page.Switches {
			if filter.keeps(record) {
				out.row(words, p.row(words, viewer.Location(), record), record)
			}
		}
		if page.Next == "" {
			break
		}
		ask.After = page.Next
		if page, err = sdk.HostOf(ctx).SwitchLog.List(ctx, ask); err != nil {
			breakOff()
		}
	}
	out.end()
	return nil
}

// breakOff ends a file in the middle: once something has been sent, only that tells that it is not
// whole.
func breakOff() { panic(http.ErrAbortHandler) }

// csvExport is for spreadsheets: in words, and with no cell that could be taken for a formula.
type csvExport struct {
	w   io.Writer
	csv *csv.Writer
}

func (e *csvExport) write(cells ...string) {
	for i, cell := range cells {
		cells[i] = harmless(cell)
	}
	if e.csv.Write(cells) != nil {
		breakOff()
	}
}

func (e *csvExport) head(words sdk.Words) {
	// Without the mark, spreadsheets take UTF-8 for something else.
	_, _ = e.w.Write([]byte("\xef\xbb\xbf"))
	e.write(words.T("who"), words.T("role"), words.T("account"), words.T("as_whom"), words.T("company_or_role"),
		words.T("account"), words.T("user_type"), words.T("start"), words.T("end"), words.T("duration_in_seconds"),
		words.T("outcome"), words.T("how_ended"), words.T("reason"), words.T("ip"), words.T("browser"),
		words.T("ticket"), words.T("mode"), words.T("extensions"), words.T("ended_by"))
}

func (e *csvExport) row(words sdk.Words, row logRow, record sdk.SessionSwitch) {
	e.write(row.Who, row.WhoDetail, record.Actor.String(), row.AsWhom, row.AsWhomDetail,
		record.Subject.String(), row.Kind, row.Start.Machine, row.End.Machine, seconds(record),
		words.T("outcome_"+string(row.Outcome)), row.How, row.Reason, row.IP, row.UserAgent,
		row.Ticket, row.Mode, fmt.Sprint(record.Extensions), row.EndedBy)
}

func (e *csvExport) end() {
	if e.csv.Flush(); e.csv.Error() != nil {
		breakOff()
	}
}

// jsonExport is for programs: one list, names and values as they are in every language.
type jsonExport struct {
	w    io.Writer
	some bool
}

// exported is one record of it.
type exported struct {
	ID            int64      `json:"id"`
	Actor         string     `json:"actor"`
	ActorName     string     `json:"actor_name"`
	ActorRole     string     `json:"actor_role"`
	Subject       string     `json:"subject"`
	SubjectName   string     `json:"subject_name"`
	SubjectDetail string     `json:"subject_detail"`
	StartedAt     time.Time  `json:"started_at"`
	ExpiresAt     *time.Time `json:"expires_at"`
	EndedAt       *time.Time `json:"ended_at"`
	Outcome       string     `json:"outcome"`
	End           string     `json:"end"`
	EndedBy       string     `json:"ended_by"`
	RefusalCode   string     `json:"refusal_code"`
	Reason        string     `json:"reason"`
	Ticket        string     `json:"ticket"`
	Mode          string     `json:"mode"`
	ElevatedAt    *time.Time `json:"elevated_at"`
	Extensions    int        `json:"extensions"`
	IP            string     `json:"ip"`
	Browser       string     `json:"browser"`
}

func (e *jsonExport) head(sdk.Words) { e.write([]byte("[")) }

func (e *jsonExport) row(_ sdk.Words, _ logRow, record sdk.SessionSwitch) {
	mode := "read_only"
	if record.Mode == sdk.Full {
		mode = "full"
	}
	text, err := json.Marshal(exported{
		ID: record.ID, Actor: record.Actor.String(), ActorName: record.ActorName, ActorRole: record.ActorRole,
		Subject: record.Subject.String(), SubjectName: record.SubjectName, SubjectDetail: record.SubjectDetail,
		StartedAt: record.StartedAt.UTC(), ExpiresAt: moment(record.ExpiresAt), EndedAt: moment(record.EndedAt),
		Outcome: string(record.Outcome()), End: string(record.End), EndedBy: record.EndedBy, RefusalCode: record.RefusalCode,
		Reason: record.Reason, Ticket: record.Ticket, Mode: mode, ElevatedAt: moment(record.ElevatedAt),
		Extensions: record.Extensions, IP: record.IP, Browser: record.Browser,
	})
	if err != nil {
		breakOff()
	}
	separator := "\n"
	if e.some {
		separator = ",\n"
	}
	e.some = true
	e.write([]byte(separator))
	e.write(text)
}

func (e *jsonExport) end() { e.write([]byte("\n]\n")) }

func (e *jsonExport) write(text []byte) {
	if _, err := e.w.Write(text); err != nil {
		breakOff()
	}
}

// moment is a time, or none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// detail is the filter for the Activity Log.
func (f logFilter) detail(format string) map[string]string {
	detail := f.values()
	detail["format"] = format
	for name, value := range detail {
		for len(value) > 512 {
			runes := []rune(value)
			value = string(runes[:len(runes)-1])
		}
		detail[name] = value
	}
	return detail
}

func seconds(record sdk.SessionSwitch) string {
	if record.EndedAt.IsZero() {
		return ""
	}
	return fmt.Sprint(int(record.EndedAt.Sub(record.StartedAt).Seconds()))
}

// inOrder takes away the marks that only a screen needs.
var inOrder = strings.NewReplacer("\u2066", "", "\u2069", "")

// harmless keeps a spreadsheet from taking a cell for a formula. Some take the wide forms of the signs
// for the signs, and pass over what is empty before them.
func harmless(cell string) string {
	cell = inOrder.Replace(cell)
	if strings.IndexAny(cell, "\t\r\n") == 0 || strings.IndexAny(strings.TrimLeft(cell, " \u00a0\u3000"), "=+-@＝＋－＠\t\r\n") == 0 {
		return "'" + cell
	}
	return cell
}
