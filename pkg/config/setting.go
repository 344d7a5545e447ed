package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// setting is one leaf of a configuration struct: a field that a flag, a
// variable or a line of a file can set.
type setting struct {
	key     string // "http.max_body_bytes"
	section string // "http"
	usage   string
	secret  bool
	kind    kind
	index   []int // for reflect.Value.FieldByIndex from the root
}

// schema is every setting of a configuration struct, in order of declaration.
type schema []setting

// kind is how a setting's text is read and written.
type kind uint8

const (
	kindText kind = iota
	kindSwitch
	kindNumber
	kindFraction
	kindDuration
	kindSize
	kindList
)

// String names the kind as --help shows it after a flag.
func (k kind) String() string {
	switch k {
	case kindSwitch:
		return "bool"
	case kindNumber:
		return "number"
	case kindFraction:
		return "fraction"
	case kindDuration:
		return "duration"
	case kindSize:
		return "size"
	case kindList:
		return "list"
	default:
		return "text"
	}
}

// settingsOf reads the settings of root, a struct whose fields are sections:
// a key is the section's tag and the field's, joined by a dot. A struct field
// without a tag, embedded or not, adds its settings to the level it stands on.
//
// A field that cannot be a setting is a defect of the program, found by the
// first test that runs, and panics.
func settingsOf(root reflect.Type) schema {
	var all schema
	seen := map[string]bool{}
	for _, section := range reflect.VisibleFields(root) {
		name := section.Tag.Get("config")
		if name == "" || section.Type.Kind() != reflect.Struct {
			panic(fmt.Sprintf("config: %s.%s is no section: it needs a struct type and a config tag", root, section.Name))
		}
		walk(section.Type, name, section.Index, func(s setting) {
			if seen[s.key] {
				panic(fmt.Sprintf("config: key %s is declared twice", s.key))
			}
			seen[s.key] = true
			s.section = name
			all = append(all, s)
		})
	}
	return all
}

// walk calls add for every setting in the struct t, whose own name is prefix.
func walk(t reflect.Type, prefix string, index []int, add func(setting)) {
	for i := range t.NumField() {
		field := t.Field(i)
		name, ok := field.Tag.Lookup("config")
		if name == "-" || !field.IsExported() && !field.Anonymous {
			continue
		}
		at := append(append([]int{}, index...), i)
		if field.Type.Kind() == reflect.Struct {
			inner := prefix
			if ok {
				inner += "." + name
			}
			walk(field.Type, inner, at, add)
			continue
		}
		if !ok || field.Tag.Get("usage") == "" {
			panic(fmt.Sprintf("config: %s.%s needs the tags config and usage", t, field.Name))
		}
		add(setting{
			key:    prefix + "." + name,
			usage:  field.Tag.Get("usage"),
			secret: field.Tag.Get("secret") != "",
			kind:   kindOf(t, field, name),
			index:  at,
		})
	}
}

// kindOf chooses the kind of a field. A whole number whose key ends in
// "bytes" is a size.
func kindOf(owner reflect.Type, field reflect.StructField, name string) kind {
	switch field.Type.Kind() {
	case reflect.String:
		return kindText
	case reflect.Bool:
		return kindSwitch
	case reflect.Float32, reflect.Float64:
		return kindFraction
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if field.Type == reflect.TypeFor[time.Duration]() {
			return kindDuration
		}
		if name == "bytes" || strings.HasSuffix(name, "_bytes") {
			return kindSize
		}
		return kindNumber
	case reflect.Slice:
		if field.Type.Elem().Kind() == reflect.String {
			return kindList
		}
	default:
	}
	panic(fmt.Sprintf("config: %s.%s: a setting cannot be a %s", owner, field.Name, field.Type))
}

// env is the variable that sets the setting.
func (s setting) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// name is the setting's key within its section.
func (s setting) name() string { return strings.TrimPrefix(s.key, s.section+".") }

// text is the setting's value in root as people write it.
func (s setting) text(root reflect.Value) string {
	return format(s.kind, root.FieldByIndex(s.index))
}

// shown is text with secrets masked.
func (s setting) shown(root reflect.Value) string {
	if s.secret {
		return mask(s.text(root))
	}
	return s.text(root)
}

// find returns the setting of that key.
func (all schema) find(key string) (setting, bool) {
	for _, s := range all {
		if s.key == key {
			return s, true
		}
	}
	return setting{}, false
}

// keys lists the keys in order.
func (all schema) keys() []string {
	keys := make([]string, len(all))
	for i, s := range all {
		keys[i] = s.key
	}
	return keys
}

// of keeps the settings of these sections.
func (all schema) of(sections []string) schema {
	var kept schema
	for _, s := range all {
		for _, name := range sections {
			if s.section == name {
				kept = append(kept, s)
			}
		}
	}
	return kept
}
