package config

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLoad_FlagOverEnvironmentOverFileOverDefault(t *testing.T) {
	isolate(t)
	c, entries, err := loadTest(t)
	require.NoError(t, err)
	require.Equal(t, defaultTestConfig(), c)
	require.Equal(t, "default", entries["door.addr"].Source)

	file := writeFile(t, "door: {addr: file}\n")
	c, entries, err = loadTest(t, "--config", file)
	require.NoError(t, err)
	require.Equal(t, "file", c.Door.Addr)
	require.Equal(t, "file "+file, entries["door.addr"].Source)

	t.Setenv("EVENTPULSE_DOOR_ADDR", "env")
	c, entries, err = loadTest(t, "--config", file)
	require.NoError(t, err)
	require.Equal(t, "env", c.Door.Addr)
	require.Equal(t, "env EVENTPULSE_DOOR_ADDR", entries["door.addr"].Source)

	c, entries, err = loadTest(t, "--config", file, "--door.addr=flag")
	require.NoError(t, err)
	require.Equal(t, "flag", c.Door.Addr)
	e := entries["door.addr"]
	require.Equal(t, "flag --door.addr", e.Source)
	require.Equal(t, "flag", e.Value)
	require.Equal(t, ":1", e.Default)
	require.Equal(t, "where the door is", e.Usage)
	require.Equal(t, "EVENTPULSE_DOOR_ADDR", e.Env)
}

func TestLoad_EveryKindFromEverySource(t *testing.T) {
	want := testConfig{
		Door: doorConfig{
			Addr: ":2", Open: true, Visitors: 7, Short: -3, Share: 0.25, Wait: 1500 * time.Millisecond,
			MaxBytes: 3 << 19, Names: []string{"ann", "bob"}, bounds: bounds{Depth: 4},
		},
		Redis: vaultConfig{URL: "redis://u:p@h/1"},
	}
	want.Redis.Nested.Level = 9

	t.Run("file", func(t *testing.T) {
		isolate(t)
		c, _, err := loadTest(t, "--config", writeFile(t, `
door:
  addr: ":2"
  open: true
  visitors: 7
  short: -3
  share: 0.25
  wait: 1.5s
  max_bytes: 1.5MiB
  names: [ann, bob]
  depth: 4
redis:
  url: redis://u:p@h/1
  nested:
    level: 9
`))
		require.NoError(t, err)
		require.Equal(t, want, c)
	})
	t.Run("environment", func(t *testing.T) {
		isolate(t)
		for name, value := range map[string]string{
			"DOOR_ADDR": ":2", "DOOR_OPEN": "true", "DOOR_VISITORS": "7", "DOOR_SHORT": "-3", "DOOR_SHARE": "0.25",
			"DOOR_WAIT": "1.5s", "DOOR_MAX_BYTES": "1536KiB", "DOOR_NAMES": "ann, bob", "DOOR_DEPTH": "4",
			"REDIS_URL": "redis://u:p@h/1", "REDIS_NESTED_LEVEL": "9",
		} {
			t.Setenv(envPrefix+name, value)
		}
		c, _, err := loadTest(t)
		require.NoError(t, err)
		require.Equal(t, want, c)
	})
	t.Run("flags", func(t *testing.T) {
		isolate(t)
		c, _, err := loadTest(t, "--door.addr=:2", "--door.open", "--door.visitors=7", "--door.short=-3",
			"--door.share=0.25", "--door.wait=1.5s", "--door.max_bytes=1572864", "--door.names=ann,bob",
			"--door.depth=4", "--redis.url=redis://u:p@h/1", "--redis.nested.level=9")
		require.NoError(t, err)
		require.Equal(t, want, c)
	})
}

func TestLoad_ReportsEveryProblemAtOnce(t *testing.T) {
	isolate(t)
	file := writeFile(t, `
door:
  addr: [a, b]
  adr: ":2"
  visitors: 101
  wait: 5
window: {open: yes}
redis: 6
`)
	t.Setenv("EVENTPULSE_DOOR_MAX_BYTES", "plenty")
	t.Setenv("EVENTPULSE_DOR_OPEN", "true")
	t.Setenv("EVENTPULSE_DOOR_SHORT", "40000")
	_, _, err := loadTest(t, "--config", file, "--door.open=perhaps", "--door.share=NaN")
	got := problemsOf(t, err)
	want := map[string]string{
		"door.addr":           `door.addr = "[a b]" (file ` + file + `): expected one value, not a list`,
		"door.adr":            `door.adr (file ` + file + `): unknown key; did you mean door.addr?`,
		"door.visitors":       `door.visitors = 101 (file ` + file + `): is too many`,
		"door.wait":           `door.wait = "5" (file ` + file + `): expected a duration with its unit, such as 500ms, 5s or 1m30s`,
		"window.open":         `window.open (file ` + file + `): unknown key`,
		"redis":               `redis (file ` + file + `): is a section: it holds keys, not a value`,
		"door.max_bytes":      `door.max_bytes = "plenty" (env EVENTPULSE_DOOR_MAX_BYTES): expected a size in bytes, such as 65536, 64KiB or 1GiB`,
		"door.short":          `door.short = "40000" (env EVENTPULSE_DOOR_SHORT): the number is too large`,
		"door.open":           `door.open = "perhaps" (flag --door.open): expected true or false`,
		"door.share":          `door.share = "NaN" (flag --door.share): expected a number, such as 0.5`,
		"EVENTPULSE_DOR_OPEN": `EVENTPULSE_DOR_OPEN (environment): unknown variable; did you mean EVENTPULSE_DOOR_OPEN?`,
	}
	for key, message := range want {
		require.Contains(t, got, key)
		require.Equal(t, message, got[key].Error())
	}
	require.Len(t, got, len(want), "%v", err)
}

func TestLoad_InvalidSettingNamesItsSource(t *testing.T) {
	isolate(t)
	_, _, err := loadTest(t, "--door.wait=-1s")
	require.EqualError(t, err, "door.wait = -1s (flag --door.wait): must be positive, as door.visitors is")

	_, _, err = loadTest(t, "--door.depth=-1")
	require.EqualError(t, err, "door: the whole door is wrong")
}

func TestLoad_MasksSecretsInErrors(t *testing.T) {
	isolate(t)
	for _, value := range []string{
		"redis://ann:hunter22@host:6379/0", // in order
		"http://ann:hunter22@host",         // rejected by Validate, which quotes it
		"redis//ann:hunter22@host",
		"redis://ann:hunter22/@host",
		"redis://ann:hunter22%zz@host:x",
		"http://host/?password=hunter22",
		"\n http://ann:hunter22@host \r\n",
		"http://hunter22@host",
	} {
		t.Setenv("EVENTPULSE_REDIS_URL", value)
		_, entries, err := loadTest(t)
		if err != nil {
			require.NotContains(t, err.Error(), "hunter22", value)
		}
		require.NotContains(t, entries["redis.url"].Value, "hunter22", value)
	}
	_, _, err := loadTest(t, "--config", writeFile(t, "redis: {url: [redis://ann:hunter22@host]}"))
	require.NotContains(t, err.Error(), "hunter22")
}

// A package says what is wrong with a URL; that is passed on, unless it quotes a
// piece of the password.
func TestScrub_KeepsTheCause(t *testing.T) {
	for _, c := range []struct{ message, value, want string }{
		{"it has no scheme", "u:hunter22@h", "it has no scheme"},
		{"a % does not begin a percent-encoding", "redis://u:hunter22%zz@h", "a % does not begin a percent-encoding"},
		{"invalid port :hun", "redis://u:hunter22/x@h", "invalid port :hun"},
		{"invalid port :hunter22", "redis://u:hunter22/x@h", "is not accepted"},
		{"user hunter22", "redis://hunter22@h", "is not accepted"},
		{"hunter/22", "redis://u:hunter%2F22@h", "is not accepted"},
		{"port of hunter22", "u:hunter22@h", "is not accepted"},
		{"http://u:p@h is none", "http://u:p@h", "http://u:*****@h is none"},
		{"redis://h is none", "redis://h", "redis://h is none"},
	} {
		require.Equal(t, c.want, scrub(c.message, c.value), c.value)
	}
}

func TestMask_KeepsWhatIsNotSecret(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "",
		"redis://h:6379/0":           "redis://h:6379/0",
		"redis://u:p@h:6379/0":       "redis://u:*****@h:6379/0",
		"redis://:redis@h/0":         "redis://:*****@h/0",
		"redis://u@h/0":              "redis://*****@h/0",
		"valkeys://u@h/0":            "valkeys://*****@h/0",
		" redis://u:p@h/0\r\n":       "redis://u:*****@h/0",
		"postgres://u@h/d":           "postgres://u@h/d",
		"unix:///run/redis.sock":     "unix:///run/redis.sock",
		"sqlite:some/file.db":        "sqlite:some/file.db",
		"h:6379,password=p":          "*****",
		"host=h password=p":          "*****",
		"u:p@h:6379":                 "*****",
		"postgres://u:p/q@h/d":       "postgres://*****",
		"postgres://u:1#2@h/d":       "postgres://*****",
		"pg://u:p@h/d?sslmode=x&y=1": "pg://u:*****@h/d?sslmode=x&y=1",
		"pg://h/d?Password=x&y=1":    "pg://h/d?Password=*****&y=1",
	} {
		require.Equal(t, want, mask(in), in)
	}
}

func TestLoad_File(t *testing.T) {
	t.Run("named and missing is an error", func(t *testing.T) {
		isolate(t)
		_, _, err := loadTest(t, "--config", "nowhere.yaml")
		require.EqualError(t, err, "config = nowhere.yaml (flag --config): cannot be read: no such file or directory")
		t.Setenv("EVENTPULSE_CONFIG", "nowhere.yaml")
		_, _, err = loadTest(t)
		require.EqualError(t, err, "config = nowhere.yaml (env EVENTPULSE_CONFIG): cannot be read: no such file or directory")
	})
	t.Run("named by a variable", func(t *testing.T) {
		isolate(t)
		t.Setenv("EVENTPULSE_CONFIG", writeFile(t, "door: {addr: named}"))
		c, _, err := loadTest(t)
		require.NoError(t, err)
		require.Equal(t, "named", c.Door.Addr)
	})
	t.Run("found in the working directory", func(t *testing.T) {
		isolate(t)
		require.NoError(t, os.WriteFile("eventpulse.yaml", []byte("door: {addr: found}"), 0o600))
		c, entries, err := loadTest(t)
		require.NoError(t, err)
		require.Equal(t, "found", c.Door.Addr)
		require.Equal(t, "file eventpulse.yaml", entries["door.addr"].Source)
	})
	t.Run("may be empty, or hold only comments and section names", func(t *testing.T) {
		for _, content := range []string{"", "# nothing\n", "door:\n  # addr: x\nredis:\n", "door: {addr: }\n"} {
			isolate(t)
			c, entries, err := loadTest(t, "--config", writeFile(t, content))
			require.NoError(t, err, content)
			require.Equal(t, defaultTestConfig(), c)
			require.Equal(t, "default", entries["door.addr"].Source)
		}
	})
	t.Run("keys under a setting are unknown", func(t *testing.T) {
		isolate(t)
		_, _, err := loadTest(t, "--config", writeFile(t, "door: {addr: {host: x}}"))
		require.ErrorContains(t, err, "door.addr.host")
	})
}

func TestFormat_ReadsBack(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 1: "1", 1023: "1023", 1024: "1KiB", 1536: "1536", 64 << 20: "64MiB", 3 << 30: "3GiB", -1: "-1"} {
		require.Equal(t, want, formatSize(n))
		back, err := parseSize(want)
		require.NoError(t, err)
		require.Equal(t, n, back)
	}
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", time.Minute: "1m", time.Hour: "1h", 90 * time.Second: "1m30s", 10 * time.Minute: "10m",
		time.Hour + time.Second: "1h0m1s", 10 * time.Hour: "10h", 1500 * time.Microsecond: "1.5ms", 90 * time.Minute: "1h30m",
	} {
		require.Equal(t, want, formatDuration(d))
		back, err := time.ParseDuration(want)
		require.NoError(t, err)
		require.Equal(t, d, back)
	}
	for _, text := range []string{"", "x", "1XB", "-1KiB", "99999999999EB", "9EiB9"} {
		_, err := parseSize(text)
		require.Error(t, err, text)
	}
}

func TestAddFlags_HelpShowsTypeUsageAndDefault(t *testing.T) {
	isolate(t)
	_, _, err := loadTest(t)
	require.NoError(t, err)
	help := testFlags().FlagUsages()
	for _, line := range []string{
		"--door.addr text", "where the door is (default :1)",
		"--door.max_bytes size", "(default 64MiB)",
		"--door.wait duration", "(default 1m30s)",
		"--door.open ",
	} {
		require.Contains(t, help, line)
	}
	require.NotContains(t, strings.ToLower(help), "hunter22")
}
