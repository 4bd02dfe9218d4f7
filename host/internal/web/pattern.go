package web

import (
	"fmt"
	"strings"
)

// pattern is a sentence with gaps, cut up: names[i] goes between parts[i] and parts[i+1].
type pattern struct{ parts, names []string }

// cutPattern cuts a sentence whose gaps are plain, {{.Name}}; false when it has others.
func cutPattern(sentence string) (p pattern, plain bool) {
	for {
		before, rest, more := strings.Cut(sentence, "{{")
		p.parts = append(p.parts, before)
		if !more {
			return p, true
		}
		gap, after, closed := strings.Cut(rest, "}}")
		name, is := strings.CutPrefix(strings.TrimSpace(gap), ".")
		if !closed || !is || name == "" || strings.ContainsAny(name, " .|()-") {
			return p, false
		}
		p.names, sentence = append(p.names, name), after
	}
}

// fill puts the arguments in; false when one is missing.
func (p pattern) fill(tag string, args map[string]any) (string, bool) {
	var text strings.Builder
	for i, part := range p.parts {
		text.WriteString(part)
		if i == len(p.names) {
			break
		}
		switch value := readable(tag, args[p.names[i]]).(type) {
		case nil:
			return "", false
		case string:
			text.WriteString(value)
		default:
			fmt.Fprint(&text, value)
		}
	}
	return text.String(), true
}
