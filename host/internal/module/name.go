package module

import (
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// checkName says which rule a path breaks, empty when none. What it lets through means the same
// file on every system.
func checkName(name string) string {
	switch {
	case name == "" || len(name) > maxPath:
		return "long"
	case !utf8.ValidString(name):
		return "characters"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "control"
	case strings.ContainsFunc(name, unseen):
		return "invisible"
	case windowsPath(name):
		return "windows"
	case strings.ContainsAny(name, ":*?\"<>|"):
		return "characters"
	case strings.HasPrefix(name, "/"):
		return "absolute"
	case strings.Count(name, "/") >= maxDepth:
		return "deep"
	}
	for part := range strings.SplitSeq(name, "/") {
		if rule := checkPart(part); rule != "" {
			return rule
		}
	}
	return ""
}

// windowsPath tells paths that mean something on Windows alone: of a share, from a drive, by backslashes.
func windowsPath(name string) bool {
	drive := len(name) > 1 && name[1] == ':' && unicode.IsLetter(rune(name[0]))
	return drive || strings.HasPrefix(name, "//") || strings.Contains(name, "\\")
}

func checkPart(part string) string {
	switch {
	case part == "..":
		return "parent"
	case part == "" || part == ".":
		return "unclean"
	case strings.HasSuffix(part, ".") || strings.HasSuffix(part, " ") || strings.HasPrefix(part, " "):
		return "unclean"
	case device(part):
		return "reserved"
	}
	return ""
}

// device tells the names Windows keeps for devices, whatever their extension.
func device(part string) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(norm.NFKC.String(part)), ".") // COM¹ is COM1 to it
	stem = strings.TrimRight(stem, " ")
	if slices.Contains([]string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}, stem) {
		return true
	}
	return len(stem) == 4 && (strings.HasPrefix(stem, "COM") || strings.HasPrefix(stem, "LPT")) && stem[3] >= '0' && stem[3] <= '9'
}

// invisible are characters by which a name can look like another: controls, marks that turn the
// direction, zero-width ones.
func invisible(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || r == utf8.RuneError
}

// unseen are characters that a name can have more of without looking any different.
func unseen(r rune) bool {
	return invisible(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// printable makes a hostile name fit for a sentence.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if invisible(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(name, "?"))
	if len(name) > 100 {
		name = strings.ToValidUTF8(name[:100], "") + "…"
	}
	return name
}

// names refuses two entries that could land on one file: equal, equal but for case or Unicode
// form, or one the folder of the other.
type names struct{ seen map[string]nameUse }

type nameUse struct {
	name   string
	folder bool
	entry  bool // stands in the zip itself, not only as somebody's parent
}

func newNames() *names { return &names{seen: map[string]nameUse{}} }

func (n *names) add(name string, folder bool) error {
	if err := n.put(name, folder, true); err != nil {
		return err
	}
	for parent := path.Dir(name); parent != "."; parent = path.Dir(parent) {
		if err := n.put(parent, true, false); err != nil {
			return err
		}
	}
	return nil
}

func (n *names) put(name string, folder, entry bool) error {
	key := fold(name)
	was, taken := n.seen[key]
	switch {
	case !taken:
	case was.name != name:
		return badEntry(name, "case")
	case was.folder != folder:
		return badEntry(name, "folder")
	case was.entry && entry:
		return badEntry(name, "twice")
	}
	n.seen[key] = nameUse{name, folder, entry || was.entry}
	return nil
}

// fold makes equal what some file system takes for one name.
func fold(name string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(name)))
}

// Plain takes from a text what could pose as something else on a terminal or screen: controls, line
// breaks included, and marks that turn the direction.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}
