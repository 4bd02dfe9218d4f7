package bench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"
)

// row is a line of the table.
type row struct{ What, Ours, Baseline, Ratio, Target, Met string }

// target is what a ratio, or a figure, must be.
type target struct {
	least, most float64 // one of them is 0
	text        string  // how it is written where the bare number says too little
}

func atLeast(x float64) target { return target{least: x, text: fmt.Sprintf("≥ %.4g ×", x)} }
func atMost(x float64) target  { return target{most: x, text: fmt.Sprintf("≤ %.4g ×", x)} }

// met judges. A figure within the last digit the table shows is met.
func (t target) met(x float64) string {
	const shown = 0.005
	switch {
	case t.least != 0 && x < t.least-shown*min(t.least, 1):
		return fmt.Sprintf("no, by %.0f %%", 100*(t.least-x)/t.least)
	case t.most != 0 && x > t.most+shown*min(t.most, 1):
		return fmt.Sprintf("no, by %.0f %%", 100*(x-t.most)/t.most)
	}
	return "yes"
}

// compared is a row judged by its ratio.
func compared(what, ours, baseline string, ratio float64, t target) row {
	return row{what, ours, baseline, fmt.Sprintf("%.2f", ratio), t.text, t.met(ratio)}
}

// told is a row nobody is judged by.
func told(what, ours, baseline string) row { return row{what, ours, baseline, "", "", ""} }

// absent is a row whose baseline can't be had here.
func absent(what, ours, why string, t target) row {
	return row{what, ours, "not here: " + why, "", t.text, "not measured"}
}

// duration is written with the unit a person would choose.
func duration(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.1f µs", d.Seconds()*1e6)
}

func perSecond(x float64) string { return fmt.Sprintf("%.0f/s", x) }

// section is rows below a title.
type section struct {
	Title string
	Rows  []row
	Notes []string
}

// format lays the sections out as a text of columns.
func format(sections []section) string {
	head := row{"what", "ours", "baseline, same run", "ratio", "target", "met"}
	width := make([]int, 6)
	for _, s := range sections {
		for _, r := range append(s.Rows, head) {
			for i, cell := range r.cells() {
				width[i] = max(width[i], utf8.RuneCountInString(cell))
			}
		}
	}
	var out strings.Builder
	line := func(r row) {
		var cells strings.Builder
		for i, cell := range r.cells() {
			cells.WriteString(cell + strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell)+2))
		}
		out.WriteString(strings.TrimRight(cells.String(), " ") + "\n")
	}
	line(head)
	for _, s := range sections {
		out.WriteString("\n" + strings.ToUpper(s.Title) + "\n")
		for _, r := range s.Rows {
			line(r)
		}
		for _, note := range s.Notes {
			out.WriteString("  · " + note + "\n")
		}
	}
	return out.String()
}

func (r row) cells() [6]string {
	return [6]string{r.What, r.Ours, r.Baseline, r.Ratio, r.Target, r.Met}
}

// machine says where the figures are from.
func machine(quick bool) string {
	say := func(name string, args ...string) string {
		out, err := exec.Command(name, args...).Output()
		if err != nil {
			return name + " is not here"
		}
		return strings.TrimSpace(string(out))
	}
	model := "processor unknown"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	idle := "load unknown"
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		idle = "load before " + strings.Join(strings.Fields(string(load))[:3], " ")
	}
	kind := "make bench"
	if quick {
		kind = "a quick look, with too few turns to quote"
	}
	return fmt.Sprintf("%s, %s, commit %s\n%d × %s, %s/%s %s, %s\n%s, node %s, %s\n", kind, time.Now().UTC().Format("2006-01-02 15:04 UTC"), say("git", "describe", "--always", "--dirty"),
		runtime.NumCPU(), model, runtime.GOOS, runtime.GOARCH, say("uname", "-r"), idle, runtime.Version(), say("node", "--version"), postgresVersion())
}
