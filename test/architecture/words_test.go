package architecture

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// formerly are words that this project once had for itself, and the ones that
// a reader from this field searches for.
var formerly = map[string]string{
	"house":        "architecture",
	"ground floor": "lowest layer",
	"burial":       "dead letter",
	"buried":       "dead-lettered",
	"bury":         "dead-letter",
	"letter box":   "dead-letter store",
	"ledger":       "sent log",
	"withheld":     "denied",
	"hurry":        "force close",
	"tidy":         "maintenance",
}

// allowed are uses of such a word that mean something else.
var allowed = []string{"go mod tidy"}

func TestWords_AreTheFieldsOwn(t *testing.T) {
	var words []string
	for word := range formerly {
		words = append(words, word)
	}
	slices.Sort(words)
	pattern := regexp.MustCompile(`(?i)\b(` + strings.Join(words, "|") + `)\b`)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() {
			if name != root && (base == ".git" || base == "bin" || base == "data" || base == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if base == "words_test.go" || !slices.Contains([]string{".go", ".md", ".yaml", ".yml", ".sql", ""}, filepath.Ext(base)) {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for number, line := range strings.Split(string(text), "\n") {
			for _, found := range pattern.FindAllString(line, -1) {
				if !slices.ContainsFunc(allowed, func(use string) bool { return strings.Contains(line, use) }) {
					t.Errorf("%s:%d says %q: say %q", name, number+1, found, formerly[strings.ToLower(found)])
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
