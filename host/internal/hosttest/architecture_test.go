package hosttest

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rules of the house, as README's map tells them: who may import whom. What isn't in the
// table is forbidden; adding to it is a decision, made here and explained in the commit.
//
//	crm ← store ← app ← module ← web ← host     proto ← sdk ← plugins/*
//	              app ← mail ← host             crm ← trace ← store, module, web, host
//
// A file may have a line of its own, which then replaces its package's.
var mayImport = map[string]struct {
	ours   string // packages of this repository, "host/internal/*" for all below
	others string // of the packages in `guarded`, those it may use
}{
	"host":                          {"host/internal/crm host/internal/store host/internal/trace host/internal/app host/internal/mail host/internal/module host/internal/web sdk/manifest", "os syscall log log/slog net net/http golang.org/x/sys"},
	"host/internal/crm":             {"", ""},
	"host/internal/store/bound.go":  {"", "database/sql net github.com/jackc/pgx"}, // how long a far database is waited for
	"host/internal/store":           {"host/internal/crm host/internal/trace", "database/sql os log/slog modernc.org/sqlite github.com/jackc/pgx github.com/pressly/goose"},
	"host/internal/app":             {"host/internal/crm host/internal/store", "log/slog"},
	"host/internal/mail":            {"host/internal/crm host/internal/app", "log/slog net github.com/wneessen/go-mail"},
	"host/internal/module":          {"host/internal/crm host/internal/app host/internal/trace host/internal/module/fragment host/internal/module/launcher host/internal/module/zipfile proto proto/understudy/module/v1 sdk/manifest", "os os/exec syscall unsafe log/slog net net/http golang.org/x/sys github.com/hashicorp/go-plugin github.com/hashicorp/go-hclog google.golang.org/grpc google.golang.org/protobuf github.com/landlock-lsm github.com/prometheus"},
	"host/internal/trace":           {"host/internal/crm", "log/slog go.opentelemetry.io/otel"},
	"host/internal/module/zipfile":  {"", ""},
	"host/internal/module/fragment": {"host/internal/crm sdk/markup", ""},
	"host/internal/module/launcher": {"", "syscall unsafe golang.org/x/sys"},
	"host/internal/web":             {"host/internal/crm host/internal/app host/internal/module host/internal/trace", "os log/slog net net/http html/template github.com/gorilla/sessions github.com/prometheus"},
	"host/internal/e2e":             {"host/internal/app host/internal/hosttest", "database/sql os os/exec net/http"},
	"host/internal/hosttest":        {"host/internal/* sdk sdk/manifest sdk/sdktest", "database/sql os os/exec syscall log/slog net net/http github.com/jackc/pgx github.com/chromedp"},

	// Measures, in its tests alone; the baselines in bench/ are Go modules of their own.
	"host/internal/bench": {"", ""},
	"bench/grafana":       {"", "os os/exec github.com/hashicorp/go-plugin github.com/hashicorp/go-hclog"},

	"proto":                      {"", ""},
	"proto/understudy/module/v1": {"", "unsafe google.golang.org/grpc google.golang.org/protobuf"},
	"sdk":                        {"sdk/manifest", "log/slog net/http html/template"},
	"sdk/wire.go":                {"sdk/manifest proto proto/understudy/module/v1", "log/slog net/http google.golang.org/grpc google.golang.org/protobuf"},
	"sdk/wire_contribution.go":   {"sdk/manifest proto/understudy/module/v1", ""},
	"sdk/wire_host.go":           {"sdk/manifest proto/understudy/module/v1", "google.golang.org/grpc"},
	"sdk/wire_span.go":           {"proto proto/understudy/module/v1", "google.golang.org/grpc google.golang.org/protobuf"},
	"sdk/serve.go":               {"sdk/manifest proto proto/understudy/module/v1", "os os/exec log/slog net net/http github.com/hashicorp/go-plugin github.com/hashicorp/go-hclog google.golang.org/grpc google.golang.org/protobuf"},
	"sdk/manifest":               {"", ""},
	"sdk/markup":                 {"", ""},
	"sdk/sdktest":                {"sdk sdk/manifest", "os log/slog net/http"},
	"plugins/impersonation":      {"sdk", "log/slog net/http html/template"},
}

// guarded are the packages that belong to someone: everything else of the standard library and
// of go.mod is free. A name stands for itself and all below it; the longest that fits counts.
var guarded = strings.Fields(`
	os os/exec os/signal syscall unsafe plugin log log/slog net net/http net/netip net/mail net/url html/template database/sql
	golang.org/x/sys github.com/hashicorp/go-plugin github.com/hashicorp/go-hclog google.golang.org/grpc google.golang.org/protobuf
	modernc.org/sqlite github.com/jackc/pgx github.com/pressly/goose github.com/gorilla/sessions github.com/landlock-lsm github.com/chromedp github.com/prometheus github.com/wneessen/go-mail go.opentelemetry.io/otel`)

// free are parts of guarded packages that touch nothing outside the program.
var free = []string{"net/netip", "net/mail", "net/url", "os/signal"}

const modulePath = "github.com/understudy-crm/understudy"

func TestImportsFollowTheMap(t *testing.T) {
	root := Root(t)
	for _, file := range goFiles(t, root) {
		line, known := mayImport[file]
		if !known {
			line, known = mayImport[path.Dir(file)]
		}
		if !known {
			t.Errorf("%s: its package has no line in mayImport", file)
			continue
		}
		for _, imported := range imports(t, root, file) {
			if ours, is := strings.CutPrefix(imported, modulePath+"/"); is {
				if !listed(line.ours, ours) {
					t.Errorf("%s imports %s", file, ours)
				}
			} else if owned := guardedBy(imported); owned != "" && !listed(line.others, owned) {
				t.Errorf("%s imports %s", file, imported)
			}
		}
	}
}

func TestPackagesHaveNamesThatSaySomething(t *testing.T) {
	vague := strings.Fields("util utils common helper helpers base types models shared misc")
	for _, file := range goFiles(t, Root(t)) {
		for _, part := range strings.Split(path.Dir(file), "/") {
			if slices.Contains(vague, part) {
				t.Errorf("%s: a package called %s says nothing about what is in it", file, part)
			}
		}
	}
}

func TestTopFolderHoldsWhatTheMapShows(t *testing.T) {
	entries, err := os.ReadDir(Root(t))
	if err != nil {
		t.Fatal(err)
	}
	tracked := strings.Fields("bench host plugins proto sdk modules go.mod go.sum buf.yaml README.md Makefile LICENSE CHANGELOG.md")
	ignored := strings.Fields("bin dist data")
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, ".") && !slices.Contains(tracked, name) && !slices.Contains(ignored, name) {
			t.Errorf("%s has no place in the top folder", name)
		}
	}
}

// The feature is a module: nothing of the host, the sdk or the contract knows its name.
func TestHostDoesNotKnowTheFeature(t *testing.T) {
	root := Root(t)
	for _, folder := range []string{"host", "sdk", "proto"} {
		for _, file := range filesBelow(t, root, folder) {
			if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, ".md") || strings.HasPrefix(file, "host/internal/hosttest/") || strings.HasPrefix(file, "host/internal/e2e/") {
				continue
			}
			text, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				t.Fatal(err)
			}
			if at := bytes.Index(bytes.ToLower(text), []byte("impersonat")); at >= 0 {
				t.Errorf("%s:%d names the feature", file, 1+bytes.Count(text[:at], []byte("\n")))
			}
		}
	}
}

// goFiles are the sources that aren't tests, of every platform and build tag.
func goFiles(t *testing.T, root string) []string {
	t.Helper()
	var files []string
	for _, file := range filesBelow(t, root, ".") {
		if strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") {
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		t.Fatal("no sources found")
	}
	return files
}

// filesBelow leaves out what isn't ours: copies, builds, installed modules, test data.
func filesBelow(t *testing.T, root, folder string) []string {
	t.Helper()
	notOurs := strings.Fields("bin dist data modules host/internal/web/assets/vendor")
	var files []string
	err := filepath.WalkDir(filepath.Join(root, folder), func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		inside = filepath.ToSlash(inside)
		if entry.IsDir() {
			if inside != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules" || entry.Name() == "testdata" || slices.Contains(notOurs, inside)) {
				return filepath.SkipDir
			}
			return nil
		}
		files = append(files, inside)
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return files
}

func imports(t *testing.T, root, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, imported)
	}
	return all
}

// guardedBy is the entry of guarded that covers the package, "" when none does.
func guardedBy(imported string) string {
	var owner string
	for _, name := range guarded {
		if (imported == name || strings.HasPrefix(imported, name+"/")) && len(name) > len(owner) {
			owner = name
		}
	}
	if slices.Contains(free, owner) {
		return ""
	}
	return owner
}

func listed(list, name string) bool {
	for _, allowed := range strings.Fields(list) {
		if allowed == name {
			return true
		}
		if below, all := strings.CutSuffix(allowed, "*"); all && strings.HasPrefix(name, below) {
			return true
		}
	}
	return false
}
