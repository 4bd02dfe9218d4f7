// Package web turns HTTP requests into use cases and their results into pages. routes.go is the
// whole table of addresses; handler.go is the one way every request goes; page.go says what stands
// around a page; the other files are one noun each.
package web
