package fragment

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// renamed are the elements the parser has special rules for that a stranger must not use, each parsed
// under the name of an ordinary element. Formatting elements that are left open are repeated at every
// paragraph that follows, so that 300 kB become gigabytes; within svg, math and noscript the parser reads
// tags where the tokenizer reads text.
var renamed = append(strings.Fields("svg math noscript"), formatting...)

var formatting = strings.Fields("a b big code em font i nobr s small strike strong tt u")

// ordinary is what stands before the name of a renamed element.
const ordinary = "x-"

// prepare renames, and with lines also gives every start tag an attribute with its line.
func prepare(source string, lines bool) string {
	var out strings.Builder
	out.Grow(len(source) + len(source)/8)
	line := 1
	z := html.NewTokenizer(strings.NewReader(source))
	for z.Next() != html.ErrorToken {
		raw := z.Raw()
		if begin, end := tagName(raw); end > 0 {
			writeTag(&out, raw, begin, end, line, lines)
		} else {
			out.Write(raw)
		}
		line += bytes.Count(raw, []byte("\n"))
	}
	out.Write(z.Raw())
	return out.String()
}

func writeTag(out *strings.Builder, raw []byte, begin, end, line int, lines bool) {
	name := strings.ToLower(string(raw[begin:end]))
	special := slices.Contains(renamed, name)
	out.Write(raw[:begin])
	if special {
		out.WriteString(ordinary)
	}
	out.WriteString(name)
	if lines && begin == 1 {
		fmt.Fprintf(out, " %s=%d", lineMark, line)
	}
	out.Write(raw[end:])
	if special && begin == 1 && bytes.HasSuffix(raw, []byte("/>")) && !slices.Contains(formatting, name) {
		out.WriteString("</" + ordinary + name + ">") // only there does the stroke close an element
	}
}

// tagName is where the name of a tag begins and ends, zeros for anything else.
func tagName(raw []byte) (begin, end int) {
	if begin = 1; bytes.HasPrefix(raw, []byte("</")) {
		begin = 2
	}
	if len(raw) <= begin || raw[0] != '<' || raw[begin]|0x20 < 'a' || raw[begin]|0x20 > 'z' {
		return 0, 0
	}
	length := bytes.IndexAny(raw[begin:], " \t\r\n\f/>")
	if length < 1 {
		return 0, 0
	}
	return begin, begin + length
}

// nameOf is the name of an element before it was renamed.
func nameOf(n *html.Node) string {
	if name, is := strings.CutPrefix(n.Data, ordinary); is && slices.Contains(renamed, name) {
		return name
	}
	return n.Data
}
