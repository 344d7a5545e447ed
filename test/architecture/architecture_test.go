// Package architecture keeps the structure of the code: who may import what, and how
// large a file may grow. It needs no more than the Go tool, so that the rules
// hold wherever the tests run.
package architecture

import (
	"bytes"
	"fmt"
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

const (
	module   = "github.com/eventpulse/eventpulse"
	root     = "../.."
	maxLines = 600
)

// source is one Go file.
type source struct {
	path    string // from the root of the module, with slashes
	dir     string // of path; "." is the root
	test    bool
	imports []string
	lines   int
}

// owners are the libraries that only some directories speak to, so that they
// can be exchanged in one place. A directory stands for what is under it too.
var owners = []struct {
	library string
	dirs    []string
	tests   bool // whether all tests may as well
	why     string
}{
	{"github.com/spf13/viper", []string{"pkg/config"}, false, "packages get a struct, not a place to look things up"},
	{"github.com/spf13/pflag", []string{"pkg/config", "cmd"}, false, "flags are made from the settings"},
	{"github.com/spf13/cobra", []string{"cmd"}, false, "commands live in cmd"},
	{"github.com/redis/rueidis", []string{"pkg/stream", "test"}, false, "pkg/stream speaks to Redis; end-to-end tests look at what it left there"},
	{"github.com/labstack/echo", []string{"pkg/httpserver"}, false, "pkg/httpserver owns HTTP"},
	{"github.com/uptrace/bun", []string{"pkg/store", "pkg/internal/pgsession", "test"}, false, "pkg/store owns SQL; test/servers makes databases, end-to-end tests read them"},
	{"modernc.org/sqlite", []string{"pkg/store", "test"}, false, "pkg/store owns SQL"},
	{"github.com/cenkalti/backoff", []string{"pkg/internal/retry"}, false, "one back-off for all"},
	{"github.com/alicebob/miniredis", []string{"pkg/app"}, true, "only the one-process mode goes without a real Redis"},
	{"github.com/HdrHistogram", []string{"pkg/bench", "test"}, false, "what a process measures of itself is a metric"},
	{"net/http/pprof", []string{"pkg/httpserver"}, false, "importing it publishes profiles on the default mux"},
}

// forTests are libraries that the program itself is not built with.
var forTests = []string{"github.com/coder/websocket", "github.com/stretchr/testify", "go.uber.org/goleak"}

func TestImports_PointDown(t *testing.T) {
	for _, f := range sources(t) {
		for _, imported := range f.imports {
			if imported == module {
				imported += "/."
			}
			if dir, ours := strings.CutPrefix(imported, module+"/"); ours {
				if why := forbid(f, dir); why != "" {
					t.Errorf("%s imports %s: %s", f.path, dir, why)
				}
				continue
			}
			for _, o := range owners {
				if o.tests && f.test {
					continue
				}
				if within(imported, o.library) && !slices.ContainsFunc(o.dirs, func(dir string) bool { return within(f.dir, dir) }) {
					t.Errorf("%s imports %s, which is for %s: %s", f.path, imported, strings.Join(o.dirs, " and "), o.why)
				}
			}
			if !f.test && !within(f.dir, "test") && slices.ContainsFunc(forTests, func(l string) bool { return within(imported, l) }) {
				t.Errorf("%s imports %s, which is for tests", f.path, imported)
			}
		}
	}
}

// layers are the packages of the program from the ground up. A package imports
// packages of the layers under its own and none beside it. A name stands for
// what is under it too; what is not named here needs a line.
var layers = [][]string{
	{"migrations", "pkg/fault", "pkg/logwriter", "pkg/internal"},
	{"pkg/event"},
	{"pkg/codec"},
	{"pkg/spool", "pkg/store", "pkg/stream", "pkg/bench"},
	{"pkg/ingest", "pkg/consumer", "pkg/persist", "pkg/deadletter", "pkg/doctor"},
	{"pkg/httpserver"},
	{"pkg/api"},
	{"pkg/config"},
	{"pkg/app"},
	{"cmd"},
	{"."},
}

// narrowed are packages that may import less than their layer would let them.
var narrowed = map[string][]string{
	"pkg/httpserver": {"pkg/event", "pkg/fault", "pkg/internal"},
	"pkg/consumer":   {"pkg/event", "pkg/fault", "pkg/internal"},
	"pkg/persist":    {"pkg/event", "pkg/fault", "pkg/internal"},
	"pkg/event":      {"pkg/internal"},
	"pkg/codec":      {"pkg/event", "pkg/internal"},
	"pkg/ingest":     {"pkg/event", "pkg/fault", "pkg/internal"},
	"pkg/stream":     {"pkg/event", "pkg/fault", "pkg/internal"},
	"pkg/spool":      {"pkg/event", "pkg/fault", "pkg/internal"},
	"pkg/bench":      {"pkg/event", "pkg/internal", "pkg/codec"},
	".":              {"cmd"},
}

// layerOf returns the layer that dir is in, -1 when it is in none.
func layerOf(dir string) int {
	return slices.IndexFunc(layers, func(layer []string) bool {
		return slices.ContainsFunc(layer, func(name string) bool { return name == dir || name != "." && within(dir, name) })
	})
}

// forbid says why f may not import our own package in dir, "" when it may.
func forbid(f source, dir string) string {
	if f.test && (dir == f.dir || dir == "test/servers" || dir == "test/consumertest") {
		return ""
	}
	switch {
	case f.dir == "test/servers" || within(f.dir, "migrations"):
		return "it stands on its own"
	case within(f.dir, "test"):
		return ""
	case within(dir, "test"):
		return "that is for tests"
	case within(f.dir, "pkg/internal"):
		return only(dir, "pkg/internal")
	}
	for name, allowed := range narrowed {
		if f.dir == name || name != "." && within(f.dir, name) {
			return only(dir, allowed...)
		}
	}
	from, to := layerOf(f.dir), layerOf(dir)
	switch {
	case from < 0:
		return "test/architecture knows no layer for " + f.dir
	case to < 0:
		return "test/architecture knows no layer for " + dir
	case to >= from:
		return "a package imports the layers under it and nothing beside it"
	}
	return ""
}

func only(dir string, allowed ...string) string {
	if slices.ContainsFunc(allowed, func(a string) bool { return within(dir, a) }) {
		return ""
	}
	return "it may import " + strings.Join(allowed, " and ") + " of ours, and nothing beside it"
}

func TestFilesStaySmall(t *testing.T) {
	for _, f := range sources(t) {
		if f.lines > maxLines {
			t.Errorf("%s has %d lines: a file with one job has at most %d", f.path, f.lines, maxLines)
		}
	}
}

func TestPackagesAreNamedAfterWhatTheyDo(t *testing.T) {
	for _, f := range sources(t) {
		if slices.Contains([]string{"util", "utils", "common", "helpers", "misc", "base"}, path.Base(f.dir)) {
			t.Errorf("%s: the name of its package says nothing", f.path)
		}
	}
}

// The rules themselves, on imports that must not pass.
func TestForbid(t *testing.T) {
	for _, c := range []struct {
		dir, imports string
		test, ok     bool
	}{
		{"pkg/event", "pkg/stream", false, false},
		{"pkg/consumer", "pkg/store", false, false},
		{"pkg/consumer", "pkg/store", true, false},
		{"pkg/consumer", "pkg/event", false, true},
		{"pkg/event", "pkg/fault", false, false},
		{"pkg/event", "pkg/internal/jsonscan", false, true},
		{"pkg/codec/native", "pkg/event", false, true},
		{"pkg/codec/native", "pkg/stream", false, false},
		{"pkg/consumer", "pkg/fault", false, true},
		{"pkg/consumer", "test/servers", true, true},
		{"pkg/consumer", "test/servers", false, false},
		{"pkg/consumer", "pkg/config", false, false},
		{"pkg/stream", "pkg/app", false, false},
		{"pkg/store", "migrations", false, true},
		{"pkg/stream", "migrations", false, false},
		{"pkg/bench", "pkg/event", false, true},
		{"pkg/bench", "pkg/store", false, false},
		{"pkg/doctor", "pkg/store", false, true},
		{"pkg/doctor", "pkg/deadletter", false, false},
		{"pkg/api/ingestion", "pkg/httpserver", false, true},
		{"pkg/api/ingestion", "pkg/ingest", false, true},
		{"pkg/httpserver", "pkg/ingest", false, false},
		{"pkg/internal/journal", "pkg/event", false, false},
		{"pkg/unknown", "pkg/event", false, false},
		{"pkg/config", "pkg/consumer", false, true},
		{"pkg/config", "pkg/app", false, false},
		{"pkg/app", "cmd", false, false},
		{"pkg/app", "pkg/store", false, true},
		{"cmd", "pkg/app", false, true},
		{".", "cmd", false, true},
		{".", "pkg/app", false, false},
		{"test/e2e", "pkg/app", false, true},
		{"test/servers", "pkg/event", false, false},
		{"tools", "pkg/event", false, false},
	} {
		if got := forbid(source{dir: c.dir, test: c.test}, c.imports) == ""; got != c.ok {
			t.Errorf("%s (test: %v) imports %s: allowed %v, want %v", c.dir, c.test, c.imports, got, c.ok)
		}
	}
}

// within reports whether name is parent or lies under it.
func within(name, parent string) bool {
	return name == parent || strings.HasPrefix(name, parent+"/")
}

// sources reads every Go file of the module.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			// What the Go tool passes over, and a module of its own.
			base := entry.Name()
			if name != root && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "vendor" || isModule(name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := read(name)
		all = append(all, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d Go files found: is %s the root of the module?", len(all), root)
	}
	return all
}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func read(name string) (source, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return source{}, err
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
	if err != nil {
		return source{}, fmt.Errorf("parse: %w", err)
	}
	rel, err := filepath.Rel(root, name)
	if err != nil {
		return source{}, err
	}
	rel = filepath.ToSlash(rel)
	f := source{
		path: rel, dir: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"),
		lines: bytes.Count(text, []byte("\n")),
	}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return source{}, err
		}
		f.imports = append(f.imports, imported)
	}
	return f, nil
}
