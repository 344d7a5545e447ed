package config

import (
	"strings"
)

// SettingError is one thing wrong with what was configured. Secrets in it are
// masked.
type SettingError struct {
	// Key is the setting, or the name that is unknown.
	Key string
	// Value is what was given, "" when the name itself is the problem.
	Value string
	// Source is where it was given, as in [Entry].
	Source string
	// Reason says what is wrong, in a sentence fragment.
	Reason string
}

// Error implements error.
func (e *SettingError) Error() string {
	var b strings.Builder
	b.WriteString(e.Key)
	if e.Value != "" {
		b.WriteString(" = " + e.Value)
	}
	if e.Source != "" {
		b.WriteString(" (" + e.Source + ")")
	}
	b.WriteString(": " + e.Reason)
	return b.String()
}

// didYouMean is the tail of an error about an unknown name: the nearest known
// one, when one is near.
func didYouMean(name string, known []string) string {
	best, distance := "", len(name)/4+2
	for _, candidate := range known {
		if d := editDistance(strings.ToLower(name), strings.ToLower(candidate)); d < distance {
			best, distance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// editDistance counts the letters to insert, delete or replace between a and
// b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
