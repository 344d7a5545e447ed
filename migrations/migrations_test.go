package migrations_test

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/migrations"
)

func TestMigrations_AreTransactionalPairsForBothDatabases(t *testing.T) {
	name := regexp.MustCompile(`^\d{4}_[a-z0-9_]+\.tx\.(up|down)\.sql$`)
	list := func(files fs.FS, err error) []string {
		require.NoError(t, err)
		entries, err := fs.ReadDir(files, ".")
		require.NoError(t, err)
		var names []string
		for _, e := range entries {
			require.Regexp(t, name, e.Name())
			names = append(names, e.Name())
		}
		return names
	}
	postgres, sqlite := list(migrations.Postgres()), list(migrations.SQLite())
	require.NotEmpty(t, postgres)
	require.Equal(t, postgres, sqlite)
	for _, n := range postgres {
		if up, ok := strings.CutSuffix(n, ".up.sql"); ok {
			require.True(t, slices.Contains(postgres, up+".down.sql"), n)
		}
	}
}
