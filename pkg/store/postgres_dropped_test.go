package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/test/servers"
)

// dropUnwanted makes a trigger leave out the events of one source, as an
// operator's filter may.
func dropUnwanted(t *testing.T, url string) {
	t.Helper()
	do(t, admin(t, url), `CREATE FUNCTION filter() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.source = 'unwanted' THEN RETURN NULL; END IF; RETURN NEW; END $$`,
		"CREATE TRIGGER filter BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION filter()")
}

func TestInsert_ReportsDroppedApartFromDuplicates(t *testing.T) {
	url := servers.Database(t)
	migrated(t, url)
	dropUnwanted(t, url)
	count := int64(0)
	for _, s := range both(t, url) {
		for range 2 { // the first by COPY may be the last
			old := newEvents(t, 2)
			require.Empty(t, insert(t, s, old...))

			events := newEvents(t, 10)
			events[1], events[4], events[8] = old[0], old[1], events[5] // stored before, and repeated
			events[3].Source, events[7].Source = "unwanted", "unwanted"
			events[9] = events[3] // repeats one that is dropped
			inserted, err := s.Insert(t.Context(), events)
			require.NoError(t, err)
			require.Equal(t, event.Inserted{Duplicates: []int{1, 4, 8}, Dropped: []int{3, 7, 9}}, inserted)
			count += 2 + 4
			requireCount(t, s, count)

			// What was dropped is no duplicate the next time either.
			inserted, err = s.Insert(t.Context(), events)
			require.NoError(t, err)
			require.Equal(t, event.Inserted{Duplicates: []int{0, 1, 2, 4, 5, 6, 8}, Dropped: []int{3, 7, 9}}, inserted)
			requireCount(t, s, count)
		}
	}
}

func TestInsert_ReportsDroppedOfCopyWithoutDuplicates(t *testing.T) {
	url := servers.Database(t)
	migrated(t, url)
	dropUnwanted(t, url)
	s, warnings := watched(t, url)
	for range 2 { // by COPY, and by INSERT
		events := newEvents(t, 10)
		events[3].Source, events[7].Source = "unwanted", "unwanted"
		inserted, err := s.Insert(t.Context(), events)
		require.NoError(t, err)
		require.Equal(t, event.Inserted{Dropped: []int{3, 7}}, inserted)
	}
	requireCount(t, s, 16)
	require.Equal(t, 1, warnings())
}

func TestInsert_ReportsAllDropped(t *testing.T) {
	url := servers.Database(t)
	migrated(t, url)
	do(t, admin(t, url), `CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$`,
		"CREATE TRIGGER nothing BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION nothing()")
	for _, s := range both(t, url) {
		inserted, err := s.Insert(t.Context(), newEvents(t, 3))
		require.NoError(t, err)
		require.Equal(t, event.Inserted{Dropped: []int{0, 1, 2}}, inserted)
		requireCount(t, s, 0)
	}
}

func TestInsert_ReportsDroppedBySQLite(t *testing.T) {
	url := sqliteURL(t)
	s := migrated(t, url)
	do(t, admin(t, url), "CREATE TRIGGER filter BEFORE INSERT ON events WHEN NEW.source = 'unwanted' BEGIN SELECT RAISE(IGNORE); END")
	old := newEvent(t)
	require.Empty(t, insert(t, s, old))
	events := newEvents(t, 4)
	events[1], events[2].Source = old, "unwanted"
	inserted, err := s.Insert(t.Context(), events)
	require.NoError(t, err)
	require.Equal(t, event.Inserted{Duplicates: []int{1}, Dropped: []int{2}}, inserted)
	requireCount(t, s, 3)
}

// A trigger may keep rows somewhere that the table includes.
func TestInsert_RedirectedIsNotDropped(t *testing.T) {
	url := servers.Database(t)
	migrated(t, url)
	do(t, admin(t, url), "CREATE TABLE kept () INHERITS (events)",
		`CREATE FUNCTION redirect() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO kept SELECT NEW.*; RETURN NULL; END $$`,
		"CREATE TRIGGER redirect BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION redirect()")
	var s *store.Store
	for _, s = range both(t, url) {
		inserted, err := s.Insert(t.Context(), newEvents(t, 5))
		require.NoError(t, err)
		require.Empty(t, inserted.Dropped)
	}
	requireCount(t, s, 10)
}
