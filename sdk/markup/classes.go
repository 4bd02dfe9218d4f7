package markup

import (
	"slices"
	"strings"
)

// Classes are the classes a page may use, sorted: those of Tabler (tabler.io) for layout and look,
// and no-script, shown only where the browser runs no script, and pre-line, which keeps line breaks.
// None of them takes an element out of its place in the page. The list is exact; it grows on request.
var Classes = classes()

const (
	colors = "primary secondary success info warning danger"
	sides  = "mt mb ms me mx my m pt pb ps pe px py p"
	widths = "sm md lg xl xxl"
)

var classFamilies = []struct{ stems, ends string }{
	{"col row-cols", "auto 1 2 3 4 5 6"},
	{"col", "7 8 9 10 11 12"},
	{"col-sm col-md col-lg col-xl col-xxl", "auto 1 2 3 4 5 6 7 8 9 10 11 12"},
	{"col", widths},
	{"row-cols-sm row-cols-md row-cols-lg row-cols-xl", "1 2 3 4 5 6"},
	{"g gx gy gap row-gap column-gap " + sides, "0 1 2 3 4 5"},
	{"m mt mb ms me mx my", "auto"},
	{"d d-sm d-md d-lg d-xl d-xxl", "none inline inline-block block flex inline-flex grid table-cell"},
	{"d-print", "none block"},
	{"flex flex-sm flex-md flex-lg", "row column wrap nowrap fill"},
	{"flex", "grow-0 grow-1 shrink-0 shrink-1"},
	{"justify-content", "start end center between around evenly"},
	{"align-items align-self", "start end center baseline stretch"},
	{"align", "baseline top middle bottom"},
	{"w", "25 50 75 100 auto"},
	{"text", "start center end break nowrap wrap truncate uppercase lowercase capitalize body muted reset " + colors},
	{"text-decoration", "none underline line-through"},
	{"fw", "light normal medium semibold bold"},
	{"fs", "1 2 3 4 5 6"},
	{"lh", "1 sm base lg"},
	{"border rounded", "0 top bottom start end"},
	{"border", colors},
	{"bg", "azure-lt blue-lt cyan-lt danger-lt green-lt indigo-lt info-lt lime-lt muted-lt orange-lt pink-lt primary-lt purple-lt red-lt " +
		"secondary-lt success-lt teal-lt warning-lt yellow-lt"},
	{"card", "actions body borderless footer header link lg md sm subtitle table text title"},
	{"table", "active borderless bordered danger hover info nowrap responsive secondary sm striped success vcenter warning"},
	{"table-responsive", widths},
	{"btn btn-outline btn-ghost alert", colors},
	{"btn", "lg link list pill sm square"},
	{"alert", "description heading link"},
	{"badge", "outline pill sm lg"},
	{"form", "check check-description check-inline check-input check-label control control-lg control-plaintext control-sm fieldset footer " +
		"hint label label-description range select select-lg select-sm switch text"},
	{"input-group", "flat lg sm text"},
	{"list-group", "flush item item-action numbered"},
	{"list", "group inline inline-item separated unstyled"},
	{"empty", "action header subtitle title"},
	{"datagrid", "title"},
	{"status", colors},
	{"avatar", "lg md rounded sm xl xs"},
	{"progress", "sm lg"},
	{"", "alert avatar badge blockquote border btn card clearfix col datagrid empty fst-italic fst-normal font-monospace h1 h2 h3 h4 h5 h6 " +
		"hr-text hstack input-group invalid-feedback is-invalid is-valid lead markdown mw-100 no-script pre-line progress rounded row " +
		"row-cards row-deck shadow-none shadow-sm small status status-dot subheader table valid-feedback visually-hidden vr vstack"},
}

func classes() []string {
	var all []string
	for _, family := range classFamilies {
		for _, end := range strings.Fields(family.ends) {
			if family.stems == "" {
				all = append(all, end)
			}
			for _, stem := range strings.Fields(family.stems) {
				all = append(all, stem+"-"+end)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
