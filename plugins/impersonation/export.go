package main

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"

	"github.com/understudy-crm/understudy/sdk"
)

const exportRows = 500

// exportLog writes every filtered row as CSV. The export is recorded before it is given out: what
// cannot be recorded is not exported.
func (p *pages) exportLog(w http.ResponseWriter, r *http.Request) error {
	ctx, words, viewer, filter := r.Context(), sdk.WordsFrom(r), sdk.ViewerFrom(r), filterFrom(r)
	filter.After = ""
	ask, err := filter.ask(viewer.Location(), exportRows)
	if err != nil {
		return err
	}
	page, err := sdk.HostOf(ctx).SwitchLog.List(ctx, ask)
	if err != nil {
		return err
	}
	if r.Method == http.MethodGet {
		if err := sdk.HostOf(ctx).Audit.Write(ctx, "log exported", filter.detail()); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="impersonation-log-`+p.now().In(viewer.Location()).Format(dateLayout)+`.csv"`)
	// Without the mark, spreadsheets take UTF-8 for something else.
	_, _ = w.Write([]byte("\xef\xbb\xbf"))
	out := csv.NewWriter(w)
	write := func(cells ...string) {
		for i, cell := range cells {
			cells[i] = harmless(cell)
		}
		// Once something has been sent, only breaking off tells that the file is not whole.
		if out.Write(cells) != nil {
			panic(http.ErrAbortHandler)
		}
	}
	write(words.T("who"), words.T("role"), words.T("account"), words.T("as_whom"), words.T("company_or_role"),
		words.T("account"), words.T("user_type"), words.T("start"), words.T("end"), words.T("duration_in_seconds"),
		words.T("outcome"), words.T("how_ended"), words.T("reason"), words.T("ip"), words.T("browser"))
	for {
		for _, record := range page.Switches {
			row := p.row(words, viewer.Location(), record)
			write(row.Who, row.WhoDetail, record.Actor.String(), row.AsWhom, row.AsWhomDetail,
				record.Subject.String(), row.Kind, row.Start.Machine, row.End.Machine, seconds(record),
				words.T("outcome_"+string(row.Outcome)), row.How, row.Reason, row.IP, row.UserAgent)
		}
		if page.Next == "" {
			break
		}
		ask.After = page.Next
		if page, err = sdk.HostOf(ctx).SwitchLog.List(ctx, ask); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	out.Flush()
	return nil
}

// detail is the filter for the Activity Log.
func (f logFilter) detail() map[string]string {
	detail := map[string]string{}
	for name, value := range map[string]string{
		"from": f.From, "until": f.Until, "actor": f.Actor, "target": f.Target, "kind": f.Kind, "outcome": f.Outcome,
	} {
		for len(value) > 512 {
			runes := []rune(value)
			value = string(runes[:len(runes)-1])
		}
		if value != "" {
			detail[name] = value
		}
	}
	return detail
}

func seconds(record sdk.SessionSwitch) string {
	if record.EndedAt.IsZero() {
		return ""
	}
	return fmt.Sprint(int(record.EndedAt.Sub(record.StartedAt).Seconds()))
}

// harmless keeps a spreadsheet from taking a cell for a formula.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
