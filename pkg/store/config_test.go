package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/store"
)

func TestConfig_Validate(t *testing.T) {
	require.NoError(t, store.DefaultConfig().Validate())
	for url, says := range map[string]string{
		"":                               "database.url is not set",
		"sqlite:":                        "database.url is neither postgres://",
		"mysql://u:hunter2@h/db":         "database.url is neither postgres://",
		"host=h user=u password=hunter2": "database.url is neither postgres://",
		"postgres://u:hunter2%zz@h/db":   "database.url: a % does not begin a percent-encoding",
		"postgres://u:hunter2@h/db?sslmod=verify-ca": `database.url: the parameter "sslmod" is not supported`,
	} {
		cfg := store.DefaultConfig()
		cfg.URL = url
		err := cfg.Validate()
		require.ErrorContains(t, err, says, url)
		require.NotContains(t, err.Error(), "hunter2", url)
		_, err = store.Open(cfg, nil, nil)
		require.ErrorContains(t, err, says, "Open checks for itself")
	}
	for _, url := range []string{"postgres://u@h/db", "sqlite:events.db", "sqlite:///var/lib/eventpulse/events.db", "postgres://u@h/db\n", "sqlite:events.db\n"} {
		cfg := store.DefaultConfig()
		cfg.URL = url
		require.NoError(t, cfg.Validate(), url)
	}
	err := store.Config{URL: "sqlite:x", LockTimeout: time.Microsecond}.Validate()
	for _, key := range []string{"database.max_connections", "database.connect_timeout", "database.statement_timeout", "database.lock_timeout"} {
		require.ErrorContains(t, err, key)
	}
}
