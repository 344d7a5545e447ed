package store_test

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/test/servers"
)

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// A migration that waits for a table's lock says for whom, and ends by its
// lock_timeout, behind a pooler too, which takes no settings of a session.
func TestMigrate_SaysWhoseLockItWaitsFor(t *testing.T) {
	direct := servers.Database(t)
	for name, url := range map[string]string{"direct": direct, "pooled": servers.PgBouncer(t, direct).URL()} {
		t.Run(name, func(t *testing.T) {
			migrated(t, direct)
			holder := admin(t, direct+"&application_name=holder")
			tx, err := holder.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			_, err = tx.ExecContext(t.Context(), "LOCK TABLE events IN ACCESS SHARE MODE")
			require.NoError(t, err)

			log := &syncBuffer{}
			cfg := store.DefaultConfig()
			cfg.URL, cfg.LockTimeout = url, 3*time.Second
			s, err := store.Open(cfg, slog.New(slog.NewTextHandler(log, nil)), nil)
			require.NoError(t, err)
			defer func() { require.NoError(t, s.Close()) }()
			_, err = s.MigrateDown(t.Context())
			require.Equal(t, "55P03", requireKind(t, event.KindUnavailable, err).Code)
			require.Contains(t, log.String(), "the migration waits for a lock")
			require.Contains(t, log.String(), "application holder")
			require.NoError(t, tx.Rollback())

			undone, err := s.MigrateDown(t.Context())
			require.NoError(t, err)
			require.Equal(t, []string{firstMigration}, undone)
		})
	}
}
