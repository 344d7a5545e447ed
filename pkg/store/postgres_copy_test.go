package store_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/test/servers"
)

// statements makes the database keep which statements insert, and returns a
// function that returns those since it was called last.
func statements(t *testing.T, url string) func() string {
	t.Helper()
	db := admin(t, url)
	do(t, db, "CREATE TABLE ran (n serial, verb text)",
		`CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO ran (verb) SELECT CASE WHEN current_query() LIKE '%; COPY events%' THEN 'COPY' ELSE split_part(current_query(), ' ', 1) END;
			RETURN NULL; END $$`,
		"CREATE TRIGGER note AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION note()")
	return func() string {
		return ask[string](t, db, "WITH gone AS (DELETE FROM ran RETURNING *) SELECT coalesce(string_agg(verb, ' ' ORDER BY n), '') FROM gone")
	}
}

func insert(t *testing.T, s *store.Store, events ...event.Event) []int {
	t.Helper()
	inserted, err := s.Insert(t.Context(), events)
	require.NoError(t, err)
	require.Empty(t, inserted.Dropped)
	return inserted.Duplicates
}

func TestInsert_ChoosesCopyOrInsert(t *testing.T) {
	url := servers.Database(t)
	s := migrated(t, url)
	ran := statements(t, url)
	all := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	old := newEvents(t, 10)

	require.Empty(t, insert(t, s, newEvents(t, 1)...))
	require.Equal(t, "COPY", ran())
	require.Empty(t, insert(t, s, old...))
	require.Equal(t, "COPY", ran())

	// Nobody expects the first duplicate; from then on ids are looked up.
	require.Equal(t, all, insert(t, s, old...))
	require.Equal(t, "INSERT", ran())
	require.Equal(t, []int{0, 11, 12}, insert(t, s, slices.Concat(old[3:4], newEvents(t, 10), old[8:])...))
	require.Equal(t, "COPY", ran())
	require.Equal(t, []int{0, 2, 3}, insert(t, s, old[3], newEvent(t), old[0], old[9], newEvent(t)))
	require.Equal(t, "COPY", ran())
	require.Equal(t, all, insert(t, s, old...))
	require.Empty(t, ran(), "nothing is left")

	// Nor looked up for ever.
	for range 16 {
		require.Empty(t, insert(t, s, newEvents(t, 10)...))
		require.Equal(t, "COPY", ran())
	}
	require.Equal(t, []int{10}, insert(t, s, append(newEvents(t, 10), old[0])...))
	require.Equal(t, "INSERT", ran())
	requireCount(t, s, 1+10+10+2+160+10)
}

// Batches larger than the server's own portions, by several stores, over one
// another, in opposite order.
func TestInsert_OverlappingBatchesOfSeveralStores(t *testing.T) {
	url := servers.Database(t)
	migrated(t, url)
	const writers, batches, size, step = 4, 8, 1500, 500
	events := newEvents(t, step*(batches-1)+size)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	fresh := map[uuid.UUID]int{}
	for w := range writers {
		s := openStore(t, url)
		wg.Go(func() {
			for b := range batches {
				if w%2 == 1 {
					b = batches - 1 - b
				}
				batch := slices.Clone(events[b*step : b*step+size])
				rand.Shuffle(size, func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
				inserted, err := s.Insert(ctx, batch)
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				mu.Lock()
				for i, e := range batch {
					if _, old := slices.BinarySearch(inserted.Duplicates, i); !old {
						fresh[e.ID]++
					}
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, e := range events {
		require.Equal(t, 1, fresh[e.ID], "each event is new exactly once")
	}
	requireCount(t, openStore(t, url), int64(len(events)))
}

func TestInsert_LargeBatchesAreSentInPieces(t *testing.T) {
	url := servers.Database(t)
	s := migrated(t, url)
	ran := statements(t, url)
	events := newEvents(t, 40)
	for i := range events {
		events[i].Payload = fmt.Sprintf(`{"n":%d,"a":%q}`, i, strings.Repeat("x", 300<<10+i))
	}
	events[20].Metadata = `{"a":"` + strings.Repeat("y", 3<<20) + `"}`
	require.Empty(t, insert(t, s, events...))
	require.Equal(t, "COPY", ran())
	for _, i := range []int{0, 3, 19, 20, 21, 39} {
		requireStored(t, s, events[i])
	}
	require.Empty(t, insert(t, s, newEvents(t, 1000)...))
	require.Equal(t, "COPY", ran())
	requireCount(t, s, 1040)
}

// The server answers, and at more length than fits on the way, while it is
// still being sent to.
func TestInsert_ErrorInTheMiddleOfALargeBatch(t *testing.T) {
	url := servers.Database(t)
	s := migrated(t, url)
	db := admin(t, url)
	pid := func() int64 {
		return ask[int64](t, db, "SELECT coalesce(min(pid), 0) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'eventpulse'")
	}
	events := newEvents(t, 40)
	for i := range events {
		events[i].Payload = `{"a":"` + strings.Repeat("x", 500<<10) + `"}`
	}
	require.NoError(t, s.Ping(t.Context()))
	first := pid()
	do(t, db, "ALTER TABLE events RENAME TO elsewhere")
	_, err := s.Insert(t.Context(), events)
	require.Equal(t, "42P01", requireKind(t, event.KindUnavailable, err).Code)
	do(t, db, "ALTER TABLE elsewhere RENAME TO events")
	require.Empty(t, insert(t, s, newEvents(t, 10)...))
	require.Equal(t, first, pid(), "nothing was wrong with the connection")

	do(t, db, `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			RAISE EXCEPTION '%', repeat('x', 16000000) USING ERRCODE = '22000'; END $$`,
		"CREATE TRIGGER fail BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION fail()")
	_, err = s.Insert(t.Context(), events)
	requireKind(t, event.KindRejected, err)
	do(t, db, "DROP TRIGGER fail ON events")
	require.Empty(t, insert(t, s, events...))
	requireCount(t, s, 50)
}

func TestInsert_ConnectionCutInTheMiddleOfCopy(t *testing.T) {
	url := servers.Database(t)
	direct := migrated(t, url)
	p, through := newProxy(t, url)
	s := openStore(t, through)
	events := newEvents(t, 3000)
	for i := range 2 { // of a connection at its first COPY, and a later one
		left := 200_000
		cut := func(sent []byte) bool { left -= len(sent); return left < 0 }
		p.cut.Store(&cut)
		_, err := s.Insert(t.Context(), events)
		require.Empty(t, requireKind(t, event.KindUnavailable, err).Code)
		requireCount(t, direct, int64(i*10))
		p.cut.Store(nil)
		require.Empty(t, insert(t, s, newEvents(t, 10)...))
	}
	require.Empty(t, insert(t, s, events...))
	requireCount(t, direct, 3020)
	require.Len(t, insert(t, s, events...), 3000)
}

func TestInsert_ConnectionCutBetweenCommitAndAnswer(t *testing.T) {
	url := servers.Database(t)
	direct := migrated(t, url)
	p, through := newProxy(t, url)
	s := openStore(t, through)
	require.NoError(t, s.Ping(t.Context()))
	events := newEvents(t, 1000)
	result := make(chan error, 1)
	p.mute.Store(true)
	go func() {
		_, err := s.Insert(t.Context(), events)
		result <- err
	}()
	require.Eventually(t, func() bool { n, err := direct.Count(t.Context()); return err == nil && n == 1000 },
		20*time.Second, 10*time.Millisecond)
	p.cutAll()
	requireKind(t, event.KindUnavailable, <-result)
	p.mute.Store(false)
	require.Len(t, insert(t, s, events...), 1000)
	requireCount(t, direct, 1000)
}

// watched opens a store and returns a function that counts how often it has
// said that COPY does not work.
func watched(t *testing.T, url string) (*store.Store, func() int) {
	t.Helper()
	var log bytes.Buffer
	cfg := store.DefaultConfig()
	cfg.URL = url
	s, err := store.Open(cfg, slog.New(slog.NewTextHandler(&log, nil)), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, func() int { return strings.Count(log.String(), "COPY does not work") }
}

func TestInsert_GoesOnByInsertWhereCopyIsNotPossible(t *testing.T) {
	t.Run("row-level security", func(t *testing.T) {
		url := servers.Database(t)
		migrated(t, url)
		ran := statements(t, url)
		db := admin(t, url)
		role := fmt.Sprintf("secured_%d", rand.Uint64())
		do(t, db, "CREATE ROLE "+role+" LOGIN", "GRANT INSERT, SELECT ON events TO "+role,
			"GRANT ALL ON ran, ran_n_seq TO "+role,
			"ALTER TABLE events ENABLE ROW LEVEL SECURITY",
			"CREATE POLICY all_rows ON events TO "+role+" USING (true) WITH CHECK (true)")
		t.Cleanup(func() {
			_, err := db.ExecContext(context.WithoutCancel(t.Context()), "DROP OWNED BY "+role+"; DROP ROLE "+role)
			require.NoError(t, err)
		})
		s, said := watched(t, strings.Replace(url, "postgres@", role+"@", 1))
		events := newEvents(t, 10)
		require.Empty(t, insert(t, s, events...))
		require.Len(t, insert(t, s, events...), 10)
		require.Equal(t, "INSERT INSERT", ran())
		require.Equal(t, 1, said())
	})
	t.Run("a view", func(t *testing.T) {
		url := servers.Database(t)
		migrated(t, url)
		do(t, admin(t, url), "CREATE SCHEMA kept", "ALTER TABLE events SET SCHEMA kept",
			"CREATE VIEW events AS SELECT * FROM kept.events")
		s, said := watched(t, url)
		events := newEvents(t, 10)
		require.Empty(t, insert(t, s, events...))
		require.Len(t, insert(t, s, events...), 10)
		requireCount(t, s, 10)
		require.Equal(t, 1, said())
	})
	t.Run("something on the way", func(t *testing.T) {
		url := servers.Database(t)
		migrated(t, url)
		p, through := newProxy(t, url)
		cut := func(sent []byte) bool { return bytes.Contains(sent, []byte("COPY events")) }
		p.cut.Store(&cut)
		s, said := watched(t, through)
		events := newEvents(t, 10)
		for range 3 {
			_, err := s.Insert(t.Context(), events)
			requireKind(t, event.KindUnavailable, err)
		}
		require.Empty(t, insert(t, s, events...))
		require.Len(t, insert(t, s, events...), 10)
		require.Equal(t, 1, said())
	})
}

// A broken connection is no reason to leave what has worked.
func TestInsert_KeepsCopyThroughAnOutage(t *testing.T) {
	url := servers.Database(t)
	migrated(t, url)
	ran := statements(t, url)
	p, through := newProxy(t, url)
	s, said := watched(t, through)
	require.Empty(t, insert(t, s, newEvents(t, 10)...))
	cut := func(sent []byte) bool { return bytes.Contains(sent, []byte("COPY events")) }
	p.cut.Store(&cut)
	for range 10 {
		_, err := s.Insert(t.Context(), newEvents(t, 10))
		requireKind(t, event.KindUnavailable, err)
	}
	p.cut.Store(nil)
	require.Empty(t, insert(t, s, newEvents(t, 10)...))
	require.Equal(t, "COPY COPY", ran())
	require.Zero(t, said())
}
