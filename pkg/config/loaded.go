package config

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
)

// Loaded is a configuration and where each part of it came from.
type Loaded struct {
	Config Config
	Role   Role
	// File is the file that was read, "" when there was none.
	File string

	entries []Entry
}

// Entry is one setting in force, fit to be shown: secrets are masked.
type Entry struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	// Default is what Value would be, with nothing configured.
	Default string `json:"default"`
	// Source is "default", "file PATH", "env NAME" or "flag --KEY".
	Source string `json:"source"`
	Usage  string `json:"usage"`
	// Env is the variable that sets it, Type how it is written: text, bool,
	// number, fraction, duration, size or list.
	Env  string `json:"env"`
	Type string `json:"type"`

	section string
	kind    kind
}

// entryOf describes s while root holds the defaults.
func entryOf(s setting, root reflect.Value) Entry {
	value := s.shown(root)
	return Entry{
		Key: s.key, Value: value, Default: value, Source: "default", Usage: s.usage,
		Env: s.env(), Type: s.kind.String(), section: s.section, kind: s.kind,
	}
}

// Entries returns every setting of the role, in the order of the sections.
func (l *Loaded) Entries() []Entry { return slices.Clone(l.entries) }

// WriteTable writes keys, values and sources in columns.
func (l *Loaded) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KEY\tVALUE\tSOURCE")
	for _, e := range l.entries {
		value := e.Value
		if value == "" {
			value = `""`
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", e.Key, value, e.Source)
	}
	return table.Flush()
}

// WriteYAML writes the configuration as a file that can be loaded, once the
// masked secrets are filled in, with a comment on every setting that is not
// at its default saying where it came from.
func (l *Loaded) WriteYAML(w io.Writer) error {
	var b strings.Builder
	section := ""
	for _, e := range l.entries {
		if e.section != section {
			section = e.section
			fmt.Fprintf(&b, "%s:\n", section)
		}
		line := fmt.Sprintf("  %s: %s", strings.TrimPrefix(e.Key, section+"."), yamlValue(e.kind, e.Value))
		if e.Source != "default" {
			line += "  # " + e.Source
		}
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteJSON writes the entries as a JSON array.
func (l *Loaded) WriteJSON(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(l.entries)
}

// yamlValue writes text as a YAML scalar or list of that kind. JSON strings
// are YAML strings.
func yamlValue(k kind, text string) string {
	switch k {
	case kindText:
		return quoted(text)
	case kindList:
		var items []string
		for item := range strings.SplitSeq(text, ",") {
			if item != "" {
				items = append(items, quoted(item))
			}
		}
		return "[" + strings.Join(items, ", ") + "]"
	default:
		return text
	}
}

func quoted(text string) string {
	var b strings.Builder
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	if err := out.Encode(text); err != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}
