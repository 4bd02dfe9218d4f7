package markup

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the lists into README.md")

// The README holds the very lists the host goes by: `go test ./sdk/markup -update` writes them anew.
func TestTheReadmeHoldsTheLists(t *testing.T) {
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	const mark = "<!-- the lists, from markup.go and classes.go -->\n"
	prose, _, found := strings.Cut(string(raw), mark)
	if !found {
		t.Fatal("README.md has no place for the lists")
	}
	want := prose + mark + lists()
	if *update {
		if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(raw) != want {
		t.Error("README.md is not what the lists are: go test ./sdk/markup -update")
	}
}

func lists() string {
	var s strings.Builder
	s.WriteString("\n## Elements\n| element | its own attributes |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(Elements)) {
		fmt.Fprintf(&s, "| `%s` | %s |\n", name, described(Elements[name]))
	}
	s.WriteString("\n## Attributes of every element\n" + described(Everywhere) + ", and any `data-m-…`\n")
	s.WriteString("\n## Left out with all they hold\n`" + strings.Join(DroppedWhole, "` `") + "`\n")
	s.WriteString("\n## Classes\n```\n" + wrapped(Classes) + "```\n")
	return s.String()
}

func described(attributes map[string]Attribute) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		text := "`" + name + "`"
		if a.Value == OneOf {
			text += " (" + strings.Join(a.Words, " ") + ")"
		} else if said := valueWords[a.Value]; said != "" {
			text += " (" + said + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

var valueWords = map[Value]string{
	Number: "number", Span: "1 to 100", ClassNames: "from the list", Name: "name", Names: "names", FieldName: "field name", Date: "date", Language: "language tag",
	Link: "this site", Image: "own page or asset", Form: "own page", Own: "own page",
}

func wrapped(words []string) string {
	var s strings.Builder
	length := 0
	for _, word := range words {
		if length > 0 && length+1+len(word) > 118 {
			s.WriteString("\n")
			length = 0
		}
		if length > 0 {
			s.WriteString(" ")
			length++
		}
		s.WriteString(word)
		length += len(word)
	}
	return s.String() + "\n"
}
