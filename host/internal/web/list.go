package web

import (
	"net/url"
)

// pageSize is how many rows a list shows at once.
const pageSize = 25

// list is what every list shows around its rows: the search, the filters, the way to the next page.
type list struct {
	Page    *Page
	Action  string // where the search goes
	Term    string
	Search  string // the label of the search field
	Filters []field
	First   string // address of the first page; empty when this is it
	Next    string // address of the next page; empty on the last
	Empty   string // what it means that there are no rows, and what to do next
	Count   int
	Active  bool // a search or filter is set
}

// newList reads search and filters back from the address.
func (p *Page) newList(search string, next string, count int, filters ...field) *list {
	values := p.visit.r.URL.Query()
	l := &list{Page: p, Action: p.Path(p.visit.r.URL.Path), Term: values.Get("q"), Search: search, Filters: filters, Count: count}
	l.Active = l.Term != ""
	for i := range l.Filters {
		l.Filters[i].Value = values.Get(l.Filters[i].Name)
		l.Active = l.Active || l.Filters[i].Value != ""
	}
	if values.Get("after") != "" {
		l.First = l.address(values, "")
	}
	if next != "" {
		l.Next = l.address(values, next)
	}
	return l
}

// address is the list's own with another place to begin; search and filters stay.
func (l *list) address(values url.Values, after string) string {
	kept := url.Values{}
	for name := range values {
		if value := values.Get(name); value != "" && name != "after" {
			kept.Set(name, value)
		}
	}
	if after != "" {
		kept.Set("after", after)
	}
	if len(kept) == 0 {
		return l.Action
	}
	return l.Action + "?" + kept.Encode()
}

// emptyText says what an empty list means: nothing found, or nothing there yet.
func (l *list) emptyText(key string) *list {
	l.Empty = l.Page.T(key)
	if l.Active {
		l.Empty = l.Page.T("empty_search")
	}
	return l
}

// activeFilter is the filter "active, inactive or all".
func (p *Page) activeFilter() field {
	return field{Name: "active", Kind: "select", Label: p.T("filter_status"), Choices: []choice{
		{"", p.T("filter_all")}, {"yes", p.T("status_active")}, {"no", p.T("status_inactive")},
	}}
}
