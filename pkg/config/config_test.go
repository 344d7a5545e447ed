package config

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

func TestLoad_EveryRoleStartsWithDefaults(t *testing.T) {
	isolate(t)
	for _, role := range Roles() {
		flags := pflag.NewFlagSet(string(role), pflag.ContinueOnError)
		AddFlags(flags, role)
		loaded, err := Load(role, flags)
		require.NoError(t, err, role)
		require.Equal(t, Default(role), loaded.Config)
		require.Equal(t, role, loaded.Role)
		require.Empty(t, loaded.File)
		for _, e := range loaded.Entries() {
			require.Equal(t, "default", e.Source)
			require.NotNil(t, flags.Lookup(e.Key), "%s has no flag for %s", e.Key, role)
		}
	}
}

func TestAddFlags_OfEveryRole(t *testing.T) {
	flags := pflag.NewFlagSet("all", pflag.ContinueOnError)
	AddFlags(flags, Serve, Roles()...)
	for _, s := range settingsOf(reflect.TypeFor[Config]()) {
		require.NotNil(t, flags.Lookup(s.key), s.key)
	}
}

// A dev process has its own Redis and database; the URLs are for others.
func TestLoad_DevIgnoresURLs(t *testing.T) {
	isolate(t)
	t.Setenv("REDIS_URL", "nowhere")
	t.Setenv("DATABASE_URL", "nowhere")
	_, err := Load(Dev, nil)
	require.NoError(t, err)
}

// The names that are promised to operators.
func TestDefault_PromisedKeysAndValues(t *testing.T) {
	isolate(t)
	all := settingsOf(reflect.TypeFor[Config]())
	for _, key := range []string{
		"http.addr", "admin.addr", "redis.url", "database.url", "stream.key", "stream.group", "stream.group_start",
		"ingest.ack", "worker.consumer", "worker.batch_size", "worker.concurrency", "log.level", "log.format",
	} {
		require.Contains(t, all.keys(), key)
	}
	for role, addr := range map[Role]string{Serve: ":9464", Work: ":9465", Dev: ":9464"} {
		require.Equal(t, addr, Default(role).Admin.Addr)
	}
	c := Default(Serve)
	require.Equal(t, ":3000", c.HTTP.Addr)
	require.Equal(t, "events_stream", c.Stream.Key)
	require.Equal(t, "event_persister", c.Stream.Group)
	require.Equal(t, "$", c.Stream.GroupStart)
	require.Equal(t, "stream", c.Ingest.Ack)
}

func TestRole_SectionsExist(t *testing.T) {
	sections := map[string]bool{}
	var used []string
	for _, s := range settingsOf(reflect.TypeFor[Config]()) {
		sections[s.section] = true
	}
	for _, role := range Roles() {
		for _, name := range role.sections() {
			require.True(t, sections[name], "%s: %s", role, name)
			used = append(used, name)
		}
	}
	for name := range sections {
		require.True(t, slices.Contains(used, name), "no role has the section %s", name)
	}
}

func TestLoad_ParsesSettingsOfOtherRolesWithoutValidating(t *testing.T) {
	isolate(t)
	t.Setenv("EVENTPULSE_WORKER_BATCH_SIZE", "-1")
	_, err := Load(Serve, nil)
	require.NoError(t, err)
	_, err = Load(Work, nil)
	require.ErrorContains(t, err, "worker.batch_size = -1 (env EVENTPULSE_WORKER_BATCH_SIZE): ")

	t.Setenv("EVENTPULSE_WORKER_BATCH_SIZE", "many")
	_, err = Load(Serve, nil)
	require.EqualError(t, err, `worker.batch_size = "many" (env EVENTPULSE_WORKER_BATCH_SIZE): expected a whole number`)
}

// The Validate of each package names its keys, so that every problem is
// attributed to its source.
func TestLoad_AttributesValidationErrors(t *testing.T) {
	isolate(t)
	for role, names := range map[Role][]string{
		Serve: {
			"EVENTPULSE_HTTP_ADDR", "EVENTPULSE_ADMIN_ADDR", "EVENTPULSE_INGEST_ACK", "EVENTPULSE_REDIS_URL",
			"EVENTPULSE_STREAM_GROUP_START", "EVENTPULSE_LOG_LEVEL", "EVENTPULSE_LOG_FORMAT",
		},
		Work: {"EVENTPULSE_DATABASE_URL"},
	} {
		for _, name := range names {
			t.Run(name, func(t *testing.T) {
				t.Setenv(name, "no%good")
				_, err := Load(role, nil)
				require.ErrorContains(t, err, "(env "+name+"): ")
				require.Len(t, split(err), 1, "%v", err)
				key := strings.ToLower(strings.Replace(strings.TrimPrefix(name, envPrefix), "_", ".", 1))
				require.True(t, strings.HasPrefix(err.Error(), key+" = "), "%v", err)
				t.Log(err)
			})
		}
	}
}

func TestLoad_MasksPasswordsOfURLs(t *testing.T) {
	isolate(t)
	for _, url := range []string{
		"postgres://eve:hunter22@db:5432/events", "mysql://eve:hunter22@db/x", "postgres://eve:hunter22@db:port/x",
		"postgres://eve:hunter22@db/x?sslmode=perhaps", "redis://:hunter22@cache:6379/0", "redis://:hunter22@cache:6379/none",
	} {
		t.Setenv("DATABASE_URL", url)
		t.Setenv("REDIS_URL", url)
		loaded, err := Load(Work, nil)
		if err != nil {
			require.NotContains(t, err.Error(), "hunter22")
			t.Log(err)
			continue
		}
		var out bytes.Buffer
		require.NoError(t, loaded.WriteTable(&out))
		require.NotContains(t, out.String(), "hunter22")
	}
}

func TestLoaded_Writes(t *testing.T) {
	isolate(t)
	t.Setenv("DATABASE_URL", "postgres://eve:hunter22@db:5432/events")
	t.Setenv("EVENTPULSE_WORKER_CONSUMER", `a "quoted" <name>`)
	loaded, err := Load(Work, nil)
	require.NoError(t, err)

	var table, yaml, js bytes.Buffer
	require.NoError(t, loaded.WriteTable(&table))
	require.Regexp(t, `(?m)^KEY +VALUE +SOURCE$`, table.String())
	require.Regexp(t, `(?m)^database\.url +postgres://eve:\*\*\*\*\*@db:5432/events +env DATABASE_URL$`, table.String())
	require.Regexp(t, `(?m)^worker\.batch_size +1000 +default$`, table.String())

	require.NoError(t, loaded.WriteJSON(&js))
	var entries []Entry
	require.NoError(t, json.Unmarshal(js.Bytes(), &entries))
	require.Len(t, entries, len(loaded.Entries()))

	require.NoError(t, loaded.WriteYAML(&yaml))
	require.Contains(t, yaml.String(), `  consumer: "a \"quoted\" <name>"  # env EVENTPULSE_WORKER_CONSUMER`)
	for _, out := range []string{table.String(), yaml.String(), js.String()} {
		require.NotContains(t, out, "hunter22")
	}

	// What is shown can be loaded again.
	isolate(t)
	t.Setenv(configVariable, writeFile(t, yaml.String()))
	again, err := Load(Work, nil)
	require.NoError(t, err)
	again.Config.Database.URL = loaded.Config.Database.URL
	require.Equal(t, loaded.Config, again.Config)
}

func TestLog_Logger(t *testing.T) {
	var out bytes.Buffer
	Log{Level: "warn", Format: "json"}.Logger(&out).Info("hidden")
	require.Empty(t, out.String())
	Log{Level: "WARN", Format: "auto"}.Logger(&out).Warn("seen", slog.Int("n", 1))
	require.True(t, json.Valid(out.Bytes()), out.String())
	out.Reset()
	Log{Level: "debug", Format: "text"}.Logger(&out).Debug("seen")
	require.Contains(t, out.String(), "level=DEBUG msg=seen")

	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer file.Close()
	DefaultLog().Logger(file).Info("to a file")
	_, err = file.Seek(0, io.SeekStart)
	require.NoError(t, err)
	text, err := io.ReadAll(file)
	require.NoError(t, err)
	require.True(t, json.Valid(text), string(text))
	require.NoError(t, DefaultLog().Validate())
}
