package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// Where a file is looked for when none is named. The first that exists is
// read, alone.
const (
	firstFile  = "eventpulse.yaml"
	secondFile = "/etc/eventpulse/eventpulse.yaml"
)

// Load reads the configuration of a role: flags over environment over file
// over [Default]. The flags are those [AddFlags] added, parsed; nil is none.
//
// The file is the one --config or EVENTPULSE_CONFIG names, else
// ./eventpulse.yaml or /etc/eventpulse/eventpulse.yaml where there is one. One
// file and one environment may serve all roles: settings that a role does not
// have must be known and readable, and are otherwise left alone.
//
// The error joins everything that is wrong, each a [*SettingError] with the
// setting, its value and where that came from.
func Load(role Role, flags *pflag.FlagSet) (*Loaded, error) {
	loaded := &Loaded{Config: Default(role), Role: role}
	var err error
	l := loader{
		root:     reflect.ValueOf(&loaded.Config).Elem(),
		sections: role.sections(),
		flags:    flags,
	}
	loaded.File, loaded.entries, err = l.load()
	if err != nil {
		return nil, err
	}
	return loaded, nil
}

// loader overlays file, environment and flags on a struct of sections.
type loader struct {
	root     reflect.Value  // the struct, addressable, holding the defaults
	sections []string       // that are validated and reported
	flags    *pflag.FlagSet // nil is none
}

// load returns the path of the file that was read and every entry of the
// sections. The error joins all problems.
func (l loader) load() (string, []Entry, error) {
	all := settingsOf(l.root.Type())
	problems := unknownVariables(os.Environ(), all)

	v := viper.New()
	file, err := readFile(v, l.flags)
	if err != nil {
		problems = append(problems, err)
	}
	problems = append(problems, unknownKeys(v, file, all)...)

	entries := make([]Entry, len(all)) // entries[i] is all[i]
	for i, s := range all {
		entry := entryOf(s, l.root)
		source, err := l.bind(v, s, file)
		switch {
		case err != nil:
			problems = append(problems, err)
		case source != "":
			entry.Source = source
			raw := v.Get(s.key)
			if err := assign(s.kind, l.root.FieldByIndex(s.index), raw); err != nil {
				problems = append(problems, &SettingError{Key: s.key, Value: shownRaw(s, raw), Source: source, Reason: err.Error()})
			}
			entry.Value = s.shown(l.root)
		}
		entries[i] = entry
	}

	problems = append(problems, l.validate(all, entries)...)
	entries = slices.DeleteFunc(entries, func(e Entry) bool { return !slices.Contains(l.sections, e.section) })
	return file, entries, errors.Join(problems...)
}

// bind tells v where else s may come from, and returns which of the sources v
// will take it from: "" when there is only the default.
func (l loader) bind(v *viper.Viper, s setting, file string) (string, error) {
	if l.flags != nil {
		if flag := l.flags.Lookup(s.key); flag != nil {
			if err := v.BindFlagValue(s.key, boundFlag{flag}); err != nil {
				return "", err
			}
			if flag.Changed {
				return "flag --" + s.key, nil
			}
		}
	}
	variable, ok, err := l.variableOf(s)
	if err != nil {
		return "", err
	}
	if ok {
		v.Set(s.key, variable.value)
		return "env " + variable.name, nil
	}
	if v.InConfig(s.key) {
		return "file " + file, nil
	}
	return "", nil
}

// readFile reads the file into v and returns its path, "" when there is none.
func readFile(v *viper.Viper, flags *pflag.FlagSet) (string, error) {
	path, source := os.Getenv(configVariable), "env "+configVariable
	if flags != nil {
		if flag := flags.Lookup(configFlag); flag != nil && flag.Changed {
			path, source = flag.Value.String(), "flag --"+configFlag
		}
	}
	candidates := []string{path}
	if path == "" {
		candidates = []string{firstFile, secondFile}
	}
	for _, candidate := range candidates {
		err := readYAML(v, candidate)
		switch {
		case err == nil:
			return candidate, nil
		case path == "" && errors.Is(err, fs.ErrNotExist):
			continue
		case path == "":
			return candidate, &SettingError{Key: "file " + candidate, Reason: fileReason(err)}
		default:
			return candidate, &SettingError{Key: configFlag, Value: path, Source: source, Reason: fileReason(err)}
		}
	}
	return "", nil
}

// fileReason says in a fragment why a file could not be read.
func fileReason(err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return "cannot be read: " + path.Err.Error()
	}
	if parse, ok := errors.AsType[yamlError](err); ok {
		return "is not the YAML it should be: " + strings.TrimPrefix(parse.Error(), "yaml: ")
	}
	return err.Error()
}

// unknownKeys reports what stands in the file and is no setting. A section or
// a key with nothing after it is left alone: all of its lines may be comments.
func unknownKeys(v *viper.Viper, file string, all schema) []error {
	var problems []error
	for _, key := range v.AllKeys() {
		if _, ok := all.find(key); ok {
			continue
		}
		value := v.Get(key)
		isSection := slices.ContainsFunc(all, func(s setting) bool { return strings.HasPrefix(s.key, key+".") })
		reason := "unknown key" + didYouMean(key, all.keys())
		switch {
		case isSection && (value == nil || value == ""):
			continue
		case isSection:
			reason = "is a section: it holds keys, not a value"
		}
		problems = append(problems, &SettingError{Key: key, Source: "file " + file, Reason: reason})
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return problems
}

// shownRaw is a value that could not be read, fit to be seen.
func shownRaw(s setting, raw any) string {
	text := fmt.Sprint(raw)
	if s.secret {
		return mask(text)
	}
	return fmt.Sprintf("%q", text)
}
