package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the files that are generated from the settings")

// The files of the repository that are generated from the settings.
const (
	exampleFile   = "../../configs/eventpulse.yaml"
	referenceFile = "../../docs/configuration.md"
)

func TestExample_IsWhatTheSettingsSay(t *testing.T) {
	golden(t, exampleFile, example())
}

func TestReference_IsWhatTheSettingsSay(t *testing.T) {
	golden(t, referenceFile, reference())
}

func golden(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err, "run make generate")
	require.Equal(t, want, string(got), "run make generate")
}

// Every line of the example is at its default: loading it changes nothing, in
// any role, and leaves no setting out but those it has as comments.
func TestExample_LoadsToTheDefaults(t *testing.T) {
	path, err := filepath.Abs(exampleFile)
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	isolate(t)
	t.Setenv(configVariable, path)
	for _, role := range Roles() {
		loaded, err := Load(role, nil)
		require.NoError(t, err, role)
		require.Equal(t, Default(role), loaded.Config, role)
		require.Equal(t, path, loaded.File)
		for _, e := range loaded.Entries() {
			if len(defaults(e.Key)) > 1 {
				require.Contains(t, string(text), "\n  # "+strings.TrimPrefix(e.Key, e.section+".")+": ")
				continue
			}
			require.Equal(t, "file "+path, e.Source, e.Key)
		}
	}
}

// With its comments taken off, the example still loads.
func TestExample_CommentedSettingsLoad(t *testing.T) {
	text, err := os.ReadFile(exampleFile)
	require.NoError(t, err)
	var lines []string
	for line := range strings.Lines(string(text)) {
		key, _, _ := strings.Cut(strings.TrimPrefix(line, "  # "), ":")
		for _, s := range settingsOf(reflect.TypeFor[Config]()) {
			if strings.HasPrefix(line, "  # ") && s.name() == key {
				line = strings.Replace(line, "# ", "", 1)
			}
		}
		lines = append(lines, line)
	}
	isolate(t)
	t.Setenv(configVariable, writeFile(t, strings.Join(lines, "")))
	loaded, err := Load(Work, nil)
	require.NoError(t, err)
	for _, e := range loaded.Entries() {
		require.NotEqual(t, "default", e.Source, e.Key)
	}
}

// ofRoles is a default and the roles that have it.
type ofRoles struct {
	value string
	roles []string
}

// defaults lists the defaults of a setting, that of most use first; more than
// one when it depends on the role.
func defaults(key string) []ofRoles {
	var found []ofRoles
	for _, role := range Roles() {
		root := reflect.ValueOf(Default(role))
		s, ok := settingsOf(root.Type()).of(role.sections()).find(key)
		if !ok {
			continue
		}
		value := s.text(root)
		known := false
		for i := range found {
			if found[i].value == value {
				known = true
				found[i].roles = append(found[i].roles, string(role))
			}
		}
		if !known {
			found = append(found, ofRoles{value, []string{string(role)}})
		}
	}
	return found
}

// rolesWith lists the roles that have a section.
func rolesWith(section string) string {
	var roles []string
	for _, role := range Roles() {
		for _, name := range role.sections() {
			if name == section {
				roles = append(roles, string(role))
			}
		}
	}
	return strings.Join(roles, ", ")
}

func example() string {
	var b strings.Builder
	b.WriteString(`# EventPulse: every setting, at its default. Generated; make generate writes it.
#
# It is read with --config PATH or EVENTPULSE_CONFIG=PATH, or when it lies at
# ./eventpulse.yaml or /etc/eventpulse/eventpulse.yaml. One file serves every
# role: what a role has no use for, it leaves alone. Lines may be left out.
#
# The environment overrides it (EVENTPULSE_HTTP_ADDR for http.addr), a flag
# overrides both (--http.addr). Passwords are best left to the environment, or to
# a file that a variable names (DATABASE_URL_FILE).
#
# Durations have a unit: 500ms, 5s, 1m30s. Sizes are bytes, or have one: 64KiB,
# 10MiB. Settings whose default depends on the role stand as comments.
`)
	section := ""
	for _, s := range settingsOf(reflect.TypeFor[Config]()) {
		if s.section != section {
			section = s.section
			fmt.Fprintf(&b, "\n# for %s\n%s:\n", rolesWith(section), section)
		} else {
			b.WriteString("\n")
		}
		for _, line := range wrap(s.usage, 76) {
			b.WriteString("  # " + line + "\n")
		}
		all := defaults(s.key)
		comment := ""
		if len(all) > 1 {
			comment = "# "
			for _, d := range all {
				fmt.Fprintf(&b, "  # default for %s: %s\n", strings.Join(d.roles, ", "), yamlValue(s.kind, d.value))
			}
		}
		fmt.Fprintf(&b, "  %s%s: %s\n", comment, s.name(), yamlValue(s.kind, all[0].value))
	}
	return b.String()
}

// wrap breaks text into lines of at most width letters, as words allow.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) > width:
			lines, line = append(lines, line), word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

func reference() string {
	var b strings.Builder
	b.WriteString(`# Configuration

<!-- Generated from the settings themselves; make generate writes it. -->

A setting has one name everywhere:

| where | how ` + "`http.addr`" + ` is written | strength |
|---|---|---|
| flag | ` + "`--http.addr :8080`" + ` | strongest |
| environment | ` + "`EVENTPULSE_HTTP_ADDR=:8080`" + ` | |
| file | ` + "`http:` and under it `addr: \":8080\"`" + ` | |
| default | | weakest |

- ` + "`REDIS_URL` and `DATABASE_URL`" + ` are honoured where ` + "`EVENTPULSE_REDIS_URL` and `EVENTPULSE_DATABASE_URL`" + ` are not set. A variable that is empty counts as not set.
- Every variable has a sibling that ends in ` + "`_FILE`" + ` and names a file with the value, such as a mounted secret: ` + "`DATABASE_URL_FILE`, `REDIS_URL_FILE`, `EVENTPULSE_…_FILE`" + `. One newline at its end is not part of the value. Setting both is an error.
- ` + "`PORT`" + `, where a hosting platform sets it, is the port of ` + "`http.addr`" + ` on all interfaces; ` + "`EVENTPULSE_HTTP_ADDR`" + ` is stronger.
- Values in the file are read as they are written: ` + "`1.10`" + ` stays ` + "`1.10`" + `, and ` + "`012`" + ` is twelve.
- The file is the one that ` + "`--config` or `EVENTPULSE_CONFIG`" + ` names, else ` + "`./" + firstFile + "` or `" + secondFile + "`" + ` where there is one. [configs/eventpulse.yaml](../configs/eventpulse.yaml) has every setting with its default.
- One file and one environment can serve all roles: settings of another role are left alone. A name that no role knows, or a value that cannot be, stops the program before it does anything, with everything that is wrong at once, each with its source.
- Durations have a unit: ` + "`500ms`, `5s`, `1m30s`" + `. Sizes are bytes or have a unit: ` + "`65536`, `64KiB`, `10MiB`" + `. Lists have commas between their elements.
- ` + "`redis.url`" + ` may end in the parameters ` + "`client_name`, `db` (for a socket), `dial_timeout`, `write_timeout`, `protocol` and `skip_verify`" + `, ` + "`database.url`" + ` in ` + "`application_name`, `connect_timeout`, `host`, `port`, `search_path`, `sslcert`, `sslkey`, `sslmode` and `sslrootcert`" + `. Any other is an error. In a password ` + "`/`, `?`, `#` and `%` are written `%2F`, `%3F`, `%23` and `%25`" + `.
- ` + "`eventpulse config --role work`" + ` shows every value in force and where it came from, with passwords masked.
`)
	section := ""
	for _, s := range settingsOf(reflect.TypeFor[Config]()) {
		if s.section != section {
			section = s.section
			fmt.Fprintf(&b, "\n## %s\n\nFor %s.\n\n| key | type | default | meaning |\n|---|---|---|---|\n", section, rolesWith(section))
		}
		var values []string
		all := defaults(s.key)
		for _, d := range all {
			value := "empty"
			if d.value != "" {
				value = "`" + d.value + "`"
			}
			if len(all) > 1 {
				value += " (" + strings.Join(d.roles, ", ") + ")"
			}
			values = append(values, value)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.key, s.kind, strings.Join(values, "<br>"), strings.ReplaceAll(s.usage, "|", `\|`))
	}
	return b.String()
}
