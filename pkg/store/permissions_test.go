package store_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/servers"
)

// documentedRoles returns the statements that docs/operations.md gives, those
// before migrating and those after it, for roles that nobody else has.
func documentedRoles(t *testing.T, suffix string) (before, after []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## Rights\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(section, -1)
	require.Len(t, blocks, 2)
	statements := func(block string) (list []string) {
		block = regexp.MustCompile(`\beventpulse_(owner|work)\b`).ReplaceAllString(block, "${0}_"+suffix)
		for s := range strings.SplitSeq(block, ";\n") {
			if s = strings.TrimSpace(s); s != "" {
				list = append(list, s)
			}
		}
		return list
	}
	return statements(blocks[0][1]), statements(blocks[1][1])
}

func TestPermissions_DocumentedOnesAreEnough(t *testing.T) {
	url := servers.Database(t)
	suffix := strings.ReplaceAll(uuid.NewString(), "-", "")
	before, after := documentedRoles(t, suffix)
	do(t, admin(t, url), before...)
	as := func(role string) string {
		return strings.Replace(url, "postgres://postgres@", "postgres://eventpulse_"+role+"_"+suffix+":PASSWORD@", 1)
	}
	migrated(t, as("owner"))

	work := openStore(t, as("work"))
	require.Error(t, work.CheckSchema(t.Context()), "nothing is granted yet")
	do(t, admin(t, as("owner")), after...)
	for _, s := range both(t, as("work")) {
		require.NoError(t, s.CheckSchema(t.Context()))
		info, err := s.Inspect(t.Context())
		require.NoError(t, err)
		require.NoError(t, info.MigrationsErr)
		require.Empty(t, info.Problems)
		events := newEvents(t, 4)
		require.Empty(t, insert(t, s, events...))
		require.Len(t, insert(t, s, append(events, newEvent(t))...), 4, "duplicates")
		requireStored(t, s, events[0])
	}
	requireCount(t, work, 10)
	for _, statement := range []string{"DELETE FROM events", "UPDATE events SET source = ''", "TRUNCATE events", "DROP TABLE events",
		"CREATE TABLE mine (n int)", "INSERT INTO eventpulse_migrations DEFAULT VALUES"} {
		_, err := admin(t, as("work")).ExecContext(t.Context(), statement)
		require.Error(t, err, statement)
	}
}
