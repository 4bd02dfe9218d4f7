package crm

// Query narrows and pages a list. Zero values mean no narrowing and the first page.
type Query struct {
	Term   string // words that must each stand in one of the searched columns
	Limit  int
	After  string // where the page before ended, as Page.Next gave it
	Filter map[string]string
}

// Page is a piece of a list.
type Page[T any] struct {
	Rows []T
	Next string // empty on the last page
}
