package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLoad_PlainURLVariablesAreWeakerThanPrefixed(t *testing.T) {
	isolate(t)
	t.Setenv("REDIS_URL", "redis://plain")
	c, entries, err := loadTest(t)
	require.NoError(t, err)
	require.Equal(t, "redis://plain", c.Redis.URL)
	require.Equal(t, "env REDIS_URL", entries["redis.url"].Source)

	t.Setenv("EVENTPULSE_REDIS_URL", "redis://ours")
	c, entries, err = loadTest(t)
	require.NoError(t, err)
	require.Equal(t, "redis://ours", c.Redis.URL)
	require.Equal(t, "env EVENTPULSE_REDIS_URL", entries["redis.url"].Source)
}

func TestLoad_EmptyVariableIsNotSetAndEmptyFlagIs(t *testing.T) {
	isolate(t)
	t.Setenv("EVENTPULSE_DOOR_ADDR", "")
	t.Setenv("EVENTPULSE_NO_SUCH", "")
	c, _, err := loadTest(t)
	require.NoError(t, err)
	require.Equal(t, ":1", c.Door.Addr)

	c, entries, err := loadTest(t, "--door.addr=")
	require.NoError(t, err)
	require.Empty(t, c.Door.Addr)
	require.Equal(t, "flag --door.addr", entries["door.addr"].Source)
}

func TestLoad_IgnoresKubernetesServiceLinks(t *testing.T) {
	isolate(t)
	for name, value := range map[string]string{
		"EVENTPULSE_SERVICE_HOST":               "10.0.0.1",
		"EVENTPULSE_SERVICE_PORT":               "3000",
		"EVENTPULSE_SERVICE_PORT_HTTP":          "3000",
		"EVENTPULSE_PORT":                       "tcp://10.0.0.1:3000",
		"EVENTPULSE_PORT_3000_TCP":              "tcp://10.0.0.1:3000",
		"EVENTPULSE_PORT_3000_TCP_PROTO":        "tcp",
		"EVENTPULSE_DB_PORT":                    "tcp://10.0.0.2:5432",
		"EVENTPULSE_DB_PORT_5432_TCP_ADDR":      "10.0.0.2",
		"EVENTPULSE_SERVE_ADMIN_SERVICE_HOST":   "10.0.0.3",
		"EVENTPULSE_SERVE_ADMIN_SERVICE_PORT":   "9464",
		"EVENTPULSE_REDIS_MASTER_PORT_6379_TCP": "tcp://10.0.0.4:6379",
	} {
		t.Setenv(name, value)
	}
	_, _, err := loadTest(t)
	require.NoError(t, err)

	t.Setenv("EVENTPULSE_PORT", "3000")
	_, _, err = loadTest(t)
	require.ErrorContains(t, err, "EVENTPULSE_PORT (environment): unknown variable")
}

// secretFile writes what a platform mounts, and returns its path.
func secretFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestLoad_ValueFromFile(t *testing.T) {
	for _, name := range []string{"REDIS_URL_FILE", "EVENTPULSE_REDIS_URL_FILE"} {
		for content, want := range map[string]string{
			"redis://u:p@h": "redis://u:p@h", "redis://u:p@h\n": "redis://u:p@h", "redis://u:p@h\r\n": "redis://u:p@h",
		} {
			t.Run(name, func(t *testing.T) {
				isolate(t)
				t.Setenv(name, secretFile(t, content))
				c, entries, err := loadTest(t)
				require.NoError(t, err)
				require.Equal(t, want, c.Redis.URL)
				require.Equal(t, "env "+name, entries["redis.url"].Source)
				require.NotContains(t, entries["redis.url"].Value, "p@")
			})
		}
	}
	isolate(t)
	t.Setenv("EVENTPULSE_DOOR_VISITORS_FILE", secretFile(t, "12\n"))
	c, _, err := loadTest(t)
	require.NoError(t, err)
	require.Equal(t, 12, c.Door.Visitors)
}

func TestLoad_ValueFromFileTrimsOneNewline(t *testing.T) {
	isolate(t)
	t.Setenv("EVENTPULSE_DOOR_ADDR_FILE", secretFile(t, " a \n\n"))
	c, _, err := loadTest(t)
	require.NoError(t, err)
	require.Equal(t, " a \n", c.Door.Addr)
}

func TestLoad_ValueAndFileAreWeakerThanFlagsAndStrongerThanPlain(t *testing.T) {
	isolate(t)
	t.Setenv("EVENTPULSE_REDIS_URL_FILE", secretFile(t, "redis://prefixed"))
	t.Setenv("REDIS_URL", "redis://plain")
	c, _, err := loadTest(t)
	require.NoError(t, err)
	require.Equal(t, "redis://prefixed", c.Redis.URL)
	c, _, err = loadTest(t, "--redis.url=redis://flag")
	require.NoError(t, err)
	require.Equal(t, "redis://flag", c.Redis.URL)
}

func TestLoad_RejectsFilesThatHoldNoValue(t *testing.T) {
	for path, reason := range map[string]string{
		filepath.Join(t.TempDir(), "none"):        "cannot be read: no such file or directory",
		t.TempDir():                               "cannot be read: is a directory",
		secretFile(t, "\n"):                       "the file is empty",
		secretFile(t, strings.Repeat("x", 1<<17)): "the file is larger than 65536 bytes",
	} {
		isolate(t)
		t.Setenv("REDIS_URL_FILE", path)
		_, _, err := loadTest(t)
		require.EqualError(t, err, "redis.url = "+path+" (env REDIS_URL_FILE): "+reason)
	}
}

func TestLoad_RejectsValueAndFileTogether(t *testing.T) {
	isolate(t)
	t.Setenv("DATABASE_URL", "postgres://a:hunter22@b/c")
	t.Setenv("DATABASE_URL_FILE", secretFile(t, "postgres://a:hunter22@b/c"))
	_, err := Load(Work, nil)
	require.EqualError(t, err, "database.url (environment): DATABASE_URL and DATABASE_URL_FILE are both set: only one of them may be")
}

// The secrets of one role need not be mounted for another.
func TestLoad_LeavesFilesOfOtherRolesAlone(t *testing.T) {
	isolate(t)
	t.Setenv("DATABASE_URL_FILE", filepath.Join(t.TempDir(), "none"))
	_, err := Load(Serve, nil)
	require.NoError(t, err)
	_, err = Load(Work, nil)
	require.ErrorContains(t, err, "DATABASE_URL_FILE")
}

func TestLoad_PortOfThePlatform(t *testing.T) {
	isolate(t)
	t.Setenv("PORT", "8080")
	loaded, err := Load(Serve, nil)
	require.NoError(t, err)
	require.Equal(t, ":8080", loaded.Config.HTTP.Addr)
	for _, e := range loaded.Entries() {
		if e.Key == "http.addr" {
			require.Equal(t, "env PORT", e.Source)
		}
	}

	t.Setenv(configVariable, writeFile(t, "http: {addr: \":1\"}"))
	loaded, err = Load(Serve, nil)
	require.NoError(t, err)
	require.Equal(t, ":8080", loaded.Config.HTTP.Addr, "the environment is stronger than the file")

	t.Setenv("EVENTPULSE_HTTP_ADDR", "127.0.0.1:9")
	loaded, err = Load(Serve, nil)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:9", loaded.Config.HTTP.Addr, "PORT is the weakest variable")
}

func TestLoad_RejectsPortsThatAreNone(t *testing.T) {
	isolate(t)
	for _, port := range []string{"0", "-1", "65536", "http", "tcp://10.0.0.1:3000", ":80", " 80"} {
		t.Setenv("PORT", port)
		_, err := Load(Serve, nil)
		require.ErrorContains(t, err, "(env PORT): expected a port", port)
		_, err = Load(Doctor, nil)
		require.NoError(t, err, "a role that serves no HTTP has no use for it")
	}
}
