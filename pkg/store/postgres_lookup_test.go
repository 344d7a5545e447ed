package store_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/test/servers"
)

func lookUp(t *testing.T, s *store.Store, events ...event.Event) []uuid.UUID {
	t.Helper()
	ids, err := store.LookUp(t.Context(), s, events)
	require.NoError(t, err)
	return ids
}

func TestLookUp(t *testing.T) {
	s := migrated(t, servers.Database(t))
	events := newEvents(t, 5000)
	for i := range events {
		if i%2 == 1 {
			events[i].ID = uuid.New()
		}
	}
	var stored []event.Event
	var ids []uuid.UUID
	for i, e := range events {
		if i%3 == 0 {
			stored, ids = append(stored, e), append(ids, e.ID)
		}
	}
	require.Empty(t, lookUp(t, s, events...))
	require.Empty(t, insert(t, s, stored...))
	rand.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	require.ElementsMatch(t, ids, lookUp(t, s, events...))
	require.ElementsMatch(t, ids, lookUp(t, s, stored...))
	require.Equal(t, ids[:1], lookUp(t, s, stored[0]))

	// And with statements of the driver between them.
	for i := range 3 {
		requireCount(t, s, int64(len(ids)+i))
		require.Len(t, lookUp(t, s, events...), len(ids))
		require.Empty(t, insert(t, s, newEvent(t)))
		require.Len(t, lookUp(t, s, events...), len(ids))
	}
}

// The planner must not read the whole table, whatever it thinks of it.
func TestLookUp_UsesTheIndex(t *testing.T) {
	url := servers.Database(t)
	s := migrated(t, url)
	conn, err := admin(t, url).Conn(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	run := func(statement string) (text string) {
		rows, err := conn.QueryContext(t.Context(), statement)
		require.NoError(t, err)
		defer func() { require.NoError(t, rows.Close()) }()
		for rows.Next() {
			var line string
			require.NoError(t, rows.Scan(&line))
			text += line + "\n"
		}
		require.NoError(t, rows.Err())
		return text
	}
	run("ALTER TABLE events SET (autovacuum_enabled = false)")
	run("PREPARE look_up (uuid[]) AS " + store.LookUpStatement)
	events := benchEvents(2000)
	for i := range events {
		events[i].ID = uuid.New()
	}
	insert(t, s, events...)
	array := make([]string, 1000)
	for i := range array {
		array[i] = events[i].ID.String()
	}
	for _, analysed := range []bool{false, true} {
		if analysed {
			run("ANALYZE events")
		}
		for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
			run("SET plan_cache_mode = " + mode)
			plan := run("EXPLAIN EXECUTE look_up ('{" + strings.Join(array, ",") + "}')")
			require.Contains(t, plan, "events_pkey", "%s, analysed: %t", mode, analysed)
			require.NotContains(t, plan, "Seq Scan", "%s, analysed: %t", mode, analysed)
		}
	}
}

// expectant returns a store that looks ids up, and ten events that it has
// stored.
func expectant(t *testing.T, url string) (*store.Store, []event.Event) {
	t.Helper()
	s, old := openStore(t, url, func(c *store.Config) { c.MaxConnections = 1 }), newEvents(t, 10)
	require.Empty(t, insert(t, s, old...))
	require.Len(t, insert(t, s, old...), 10)
	return s, old
}

func TestLookUp_ConnectionCut(t *testing.T) {
	url := servers.Database(t)
	migrated(t, url)
	p, through := newProxy(t, url)
	s, old := expectant(t, through)
	var lookUps, left atomic.Int64
	cut := func(sent []byte) bool {
		if !bytes.Contains(sent, []byte("SELECT event_id FROM events")) {
			return false
		}
		lookUps.Add(1)
		return left.Add(-1) >= 0
	}
	p.cut.Store(&cut)
	for n := 1; n <= 3; n++ {
		left.Store(1)
		batch := slices.Concat(old, newEvents(t, 10))
		_, err := s.Insert(t.Context(), batch)
		require.Empty(t, requireKind(t, event.KindUnavailable, err).Code)
		require.Len(t, insert(t, s, batch...), len(old), "what cannot be looked up is stored all the same")
		require.EqualValues(t, 2*n, lookUps.Load(), "the one that was cut, and the one behind INSERT")
		requireCount(t, s, int64(10+n*10))
	}
}

func TestLookUp_EndsWithItsContext(t *testing.T) {
	url := servers.Database(t)
	migrated(t, url)
	p, through := newProxy(t, url)
	s, old := expectant(t, through)
	for want, ends := range map[error]func() (context.Context, context.CancelFunc){
		context.Canceled: func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			return ctx, cancel
		},
		context.DeadlineExceeded: func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 100*time.Millisecond)
		},
	} {
		require.NoError(t, s.Ping(t.Context()))
		p.mute.Store(true)
		ctx, cancel := ends()
		_, err := store.LookUp(ctx, s, old)
		cancel()
		require.ErrorIs(t, err, want)
		p.mute.Store(false)
		require.Len(t, lookUp(t, s, old...), 10, "on another connection")
	}
}

func TestLookUp_DeniedDoesNotStopInserts(t *testing.T) {
	url := servers.Database(t)
	migrated(t, url)
	ran := statements(t, url)
	db := admin(t, url)
	role := fmt.Sprintf("looker_%d", rand.Uint64())
	do(t, db, "CREATE ROLE "+role+" LOGIN", "GRANT INSERT, SELECT ON events TO "+role, "GRANT ALL ON ran, ran_n_seq TO "+role)
	t.Cleanup(func() {
		_, err := db.ExecContext(context.WithoutCancel(t.Context()), "DROP OWNED BY "+role+"; DROP ROLE "+role)
		require.NoError(t, err)
	})
	pid := func() int {
		return ask[int](t, db, "SELECT pid FROM pg_stat_activity WHERE usename = '"+role+"'")
	}
	s, _ := expectant(t, strings.Replace(url, "postgres@", role+"@", 1))
	require.Equal(t, "COPY INSERT", ran())
	first := pid()

	do(t, db, "REVOKE SELECT ON events FROM "+role)
	events := newEvents(t, 10)
	require.Empty(t, insert(t, s, events...), "looking is no condition of storing")
	require.Equal(t, "COPY", ran())
	_, err := store.LookUp(t.Context(), s, events)
	require.ErrorContains(t, err, "42501")
	require.Equal(t, first, pid(), "nothing is wrong with the connection")
	do(t, db, "GRANT SELECT ON events TO "+role)
	require.Len(t, lookUp(t, s, events...), 10)
	require.Equal(t, first, pid())
}
