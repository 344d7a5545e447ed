package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// testConfig has a setting of every kind, so that loading is tested without
// the packages' settings, which come and go.
type testConfig struct {
	Door  doorConfig  `config:"door"`
	Redis vaultConfig `config:"redis"`
}

type doorConfig struct {
	Addr     string        `config:"addr" usage:"where the door is"`
	Open     bool          `config:"open" usage:"whether it is open"`
	Visitors int           `config:"visitors" usage:"most visitors at once"`
	Short    int16         `config:"short" usage:"a small number"`
	Share    float64       `config:"share" usage:"share of them let in"`
	Wait     time.Duration `config:"wait" usage:"longest wait at the door"`
	MaxBytes int64         `config:"max_bytes" usage:"largest parcel"`
	Names    []string      `config:"names" usage:"names on the list"`
	bounds
}

type bounds struct {
	Depth int `config:"depth" usage:"embedded setting"`
}

type vaultConfig struct {
	URL    string `config:"url" secret:"url" usage:"where the vault is"`
	Nested struct {
		Level int `config:"level" usage:"nested setting"`
	} `config:"nested"`
}

func (c doorConfig) Validate() error {
	var errs []error
	if c.Visitors > 100 {
		errs = append(errs, errors.New("door.visitors is too many"))
	}
	if c.Wait < 0 {
		errs = append(errs, errors.New("wait: must be positive, as door.visitors is"))
	}
	if c.Depth < 0 {
		errs = append(errs, errors.New("the whole door is wrong"))
	}
	return errors.Join(errs...)
}

func (c vaultConfig) Validate() error {
	if !strings.HasPrefix(c.URL, "redis://") {
		return errors.New("redis.url: \"" + c.URL + "\" is not redis://")
	}
	return nil
}

func defaultTestConfig() testConfig {
	return testConfig{
		Door:  doorConfig{Addr: ":1", Visitors: 10, Wait: 90 * time.Second, MaxBytes: 64 << 20, Share: 0.5},
		Redis: vaultConfig{URL: "redis://localhost"},
	}
}

// loadTest loads a testConfig from the arguments of a command line.
func loadTest(t *testing.T, args ...string) (testConfig, map[string]Entry, error) {
	t.Helper()
	c := defaultTestConfig()
	root := reflect.ValueOf(&c).Elem()
	sections := []string{"door", "redis"}
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	addFlags(flags, root, sections)
	require.NoError(t, flags.Parse(args))
	_, entries, err := loader{root: root, sections: sections, flags: flags}.load()
	byKey := map[string]Entry{}
	for _, e := range entries {
		byKey[e.Key] = e
	}
	return c, byKey, err
}

// isolate keeps the machine's own configuration out of a test.
func isolate(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, pair := range os.Environ() {
		switch name, _, _ := strings.Cut(pair, "="); name {
		case "REDIS_URL", "DATABASE_URL", "REDIS_URL_FILE", "DATABASE_URL_FILE", portVariable:
			t.Setenv(name, "")
		default:
			if strings.HasPrefix(name, envPrefix) {
				t.Setenv(name, "")
			}
		}
	}
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings.yaml")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// problemsOf lists what err joins.
func problemsOf(t *testing.T, err error) map[string]*SettingError {
	t.Helper()
	require.Error(t, err)
	found := map[string]*SettingError{}
	for _, part := range split(err) {
		var p *SettingError
		require.ErrorAs(t, part, &p)
		found[p.Key] = p
	}
	return found
}

// testFlags are the flags of a testConfig whose vault has a password.
func testFlags() *pflag.FlagSet {
	c := defaultTestConfig()
	c.Redis.URL = "redis://u:hunter22@h"
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	addFlags(flags, reflect.ValueOf(c), []string{"door", "redis"})
	return flags
}
