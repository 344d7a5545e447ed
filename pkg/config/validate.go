package config

import (
	"reflect"
	"slices"
	"strings"
)

// validate calls Validate on every section that has it, and gives each error
// the value and the source of the setting it names.
func (l loader) validate(all schema, entries []Entry) []error {
	var problems []error
	for _, field := range reflect.VisibleFields(l.root.Type()) {
		section := field.Tag.Get("config")
		if !slices.Contains(l.sections, section) {
			continue
		}
		validator, ok := reflect.TypeAssert[interface{ Validate() error }](l.root.FieldByIndex(field.Index))
		if !ok {
			continue
		}
		for _, err := range split(validator.Validate()) {
			problems = append(problems, l.attribute(err, section, all, entries))
		}
	}
	return problems
}

// split takes joined errors apart.
func split(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var parts []error
	for _, part := range joined.Unwrap() {
		parts = append(parts, split(part)...)
	}
	return parts
}

// attribute turns an error of a section into a SettingError of the setting it
// names first, by its key. Packages do not know where their values come from.
func (l loader) attribute(err error, section string, all schema, entries []Entry) error {
	message := err.Error()
	first, at := -1, len(message)
	for i, s := range all {
		if s.section != section {
			continue
		}
		for _, name := range []string{s.key, s.name()} {
			if p := wordIndex(message, name); p >= 0 && (p < at || p == at && len(s.key) > len(all[first].key)) {
				first, at = i, p
			}
		}
	}
	if first < 0 {
		return &SettingError{Key: section, Reason: message}
	}
	s, e := all[first], entries[first]
	if s.secret {
		message = scrub(message, s.text(l.root))
	}
	for _, prefix := range []string{s.key, s.name(), " ", "is " + e.Value, `is "` + e.Value + `"`, ":", " "} {
		message = strings.TrimPrefix(message, prefix)
	}
	value := e.Value
	if value == "" {
		value = `""`
	}
	return &SettingError{Key: s.key, Value: value, Source: e.Source, Reason: message}
}

// wordIndex is the place of name in text, not within a longer key.
func wordIndex(text, name string) int {
	for from := 0; ; {
		p := strings.Index(text[from:], name)
		if p < 0 {
			return -1
		}
		p += from
		end := p + len(name)
		if (p == 0 || !inKey(text[p-1])) && (end == len(text) || !inKey(text[end])) {
			return p
		}
		from = end
	}
}

func inKey(c byte) bool {
	return c == '_' || c == '.' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
}
