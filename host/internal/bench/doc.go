// Package bench measures the program against its targets and against what others do, in one run, and
// writes the table that bench/latest.txt keeps. `make bench` runs it, as a benchmark: no test has anything to skip.
// How each row is measured stands in bench/README.md.
package bench
