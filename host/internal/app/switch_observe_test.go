package app_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/understudy-crm/understudy/host/internal/app"
)

// uncounted are keys of errors about switches by which no rule refuses one: what was asked for isn't
// there, or is so already.
var uncounted = []string{"switch_not_found", "switch_number_invalid", "switch_has_ended", "switch_full_already"}

// A rule that isn't in the closed list would be counted as a module's.
func TestEveryRuleOfTheHostIsCountedByItsOwnCode(t *testing.T) {
	t.Parallel()
	var found []string
	for _, pattern := range []string{"*.go", "../crm/*.go", "../module/switch*.go", "../web/*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if !strings.HasSuffix(name, "_test.go") {
				found = append(found, refusedBy(t, name)...)
			}
		}
	}
	if !slices.Contains(found, "refused_read_only") || !slices.Contains(found, "switch_module_silent") {
		t.Fatalf("the reading is wrong: it found only %q", found)
	}
	for _, key := range found {
		if counted := slices.Contains(app.RefusalCodes(), key); counted == slices.Contains(uncounted, key) {
			t.Errorf("%s: put it into refusalCodes or, when it is no rule, into uncounted", key)
		}
	}
}

// refusedBy lists the keys of refusals of switches in a source file.
func refusedBy(t *testing.T, name string) (keys []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 2 || !strings.HasSuffix(nameOf(call.Fun), "Refuse") {
			return true
		}
		literal, ok := call.Args[1].(*ast.BasicLit)
		if !ok {
			return true
		}
		key, err := strconv.Unquote(literal.Value)
		if err == nil && (strings.HasPrefix(key, "switch_") || strings.HasPrefix(key, "refused_")) {
			keys = append(keys, key)
		}
		return true
	})
	return keys
}

func nameOf(fun ast.Expr) string {
	switch f := fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	default:
		return ""
	}
}
