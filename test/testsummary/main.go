// Command testsummary reads what `go test -json` writes and prints what
// matters of it: the packages that failed with their output, how many tests
// passed, and which were left out, so that none is skipped in silence. It exits
// with 1 when anything failed.
//
//	go test -short -json ./... | go run ./test/testsummary
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	s, err := read(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsummary:", err)
		os.Exit(2)
	}
	s.write(os.Stdout)
	if len(s.failed) > 0 {
		os.Exit(1)
	}
}

// event is a line of `go test -json`, see `go doc test2json`.
type event struct {
	Action, Package, Test, Output string
	ImportPath                    string // of build output
}

// summary is what came of a run.
type summary struct {
	packages, passed int
	leftOut          map[string]int // top-level tests by package
	failed           []string       // packages, each with its output
}

func read(r io.Reader) (summary, error) {
	s := summary{leftOut: map[string]int{}}
	output := map[string]*strings.Builder{} // by test, "package test"
	keep := func(key, text string) {
		if output[key] == nil {
			output[key] = new(strings.Builder)
		}
		output[key].WriteString(text)
	}
	broken := map[string][]string{} // output of failed tests and builds, by package
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return s, fmt.Errorf("%q is no line of go test -json: %w", lines.Text(), err)
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output":
			keep(key, e.Output)
		case "build-output":
			keep(e.ImportPath+" ", e.Output)
		case "build-fail":
			s.failed = append(s.failed, e.ImportPath+":\n"+output[e.ImportPath+" "].String())
		case "pass", "skip", "fail":
			s.end(e, key, output, broken)
		}
	}
	return s, lines.Err()
}

// end counts what became of a test, or of a package where Test is empty.
func (s *summary) end(e event, key string, output map[string]*strings.Builder, broken map[string][]string) {
	top := !strings.Contains(e.Test, "/")
	switch {
	case e.Action == "fail" && e.Test == "":
		text := strings.Join(broken[e.Package], "")
		if b := output[key]; b != nil {
			text += b.String()
		}
		s.failed = append(s.failed, e.Package+":\n"+text)
		s.packages++
	case e.Test == "":
		s.packages++
	case e.Action == "fail":
		if b := output[key]; b != nil {
			broken[e.Package] = append(broken[e.Package], b.String())
		}
	case e.Action == "skip" && top:
		s.leftOut[e.Package]++
	case e.Action == "pass" && top:
		s.passed++
	}
	delete(output, key)
}

func (s summary) write(w io.Writer) {
	for _, f := range s.failed {
		fmt.Fprintf(w, "FAILED %s\n", f)
	}
	total := 0
	var names []string
	for name, n := range s.leftOut {
		total += n
		names = append(names, fmt.Sprintf("%s %d", name[strings.LastIndexByte(name, '/')+1:], n))
	}
	slices.Sort(names)
	fmt.Fprintf(w, "%d packages, %d tests passed, %d packages failed\n", s.packages, s.passed, len(s.failed))
	if total > 0 {
		fmt.Fprintf(w, "LEFT OUT: %d tests (%s); `make test` runs them\n", total, strings.Join(names, ", "))
	}
}
