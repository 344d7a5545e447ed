package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/servers"
)

// partitioned replaces the table by one that is partitioned.
func partitioned(by, key string, partitions ...string) []string {
	return append([]string{"ALTER TABLE events RENAME TO plain",
		`CREATE TABLE events (LIKE plain INCLUDING DEFAULTS, PRIMARY KEY (` + key + `)) PARTITION BY ` + by, "DROP TABLE plain"}, partitions...)
}

// docs/table.md says what an operator may change, and is to be kept in line.
func TestInsert_TableMayBeChanged(t *testing.T) {
	for name, statements := range map[string][]string{
		"a column without a need":      {"ALTER TABLE events ADD COLUMN note text"},
		"a column with a default":      {"ALTER TABLE events ADD COLUMN region text NOT NULL DEFAULT 'eu'"},
		"a generated column":           {"ALTER TABLE events ADD COLUMN page text GENERATED ALWAYS AS (payload->>'page') STORED"},
		"an identity column":           {"ALTER TABLE events ADD COLUMN seq bigint GENERATED ALWAYS AS IDENTITY"},
		"another index":                {"CREATE INDEX ON events USING gin (payload)"},
		"a wider type":                 {"ALTER TABLE events ALTER COLUMN source TYPE text"},
		"storage":                      {"ALTER TABLE events SET (fillfactor = 90)", "ALTER TABLE events ALTER COLUMN payload SET STORAGE EXTERNAL"},
		"another unique key of the id": {"ALTER TABLE events DROP CONSTRAINT events_pkey", "CREATE UNIQUE INDEX ON events (event_id)"},
		"a foreign key to it":          {"CREATE TABLE notes (event_id uuid REFERENCES events)"},
		"a publication":                {"CREATE PUBLICATION all_events FOR TABLE events"},
		"a rule for DELETE":            {"CREATE RULE keep AS ON DELETE TO events DO INSTEAD NOTHING"},
		"a trigger that copies": {"CREATE TABLE audit (id uuid)",
			"CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (NEW.event_id); RETURN NULL; END $$",
			"CREATE TRIGGER audit AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION audit()"},
		"a trigger that notifies": {
			"CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('events', NEW.event_id::text); RETURN NULL; END $$",
			"CREATE TRIGGER tell AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION tell()"},
		"a trigger that changes the payload": {
			"CREATE FUNCTION redact() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.payload := NEW.payload - 'secret'; RETURN NEW; END $$",
			"CREATE TRIGGER redact BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION redact()"},
		"hash partitions of the id": partitioned("HASH (event_id)", "event_id",
			"CREATE TABLE events_0 PARTITION OF events FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
			"CREATE TABLE events_1 PARTITION OF events FOR VALUES WITH (MODULUS 2, REMAINDER 1)"),
		"range partitions of the id": partitioned("RANGE (event_id)", "event_id",
			"CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM (MINVALUE) TO ('019b76da-a800-7000-8000-000000000000')",
			"CREATE TABLE events_rest PARTITION OF events DEFAULT"),
	} {
		t.Run(name, func(t *testing.T) {
			url := servers.Database(t)
			migrated(t, url)
			do(t, admin(t, url), statements...)
			s, gaveUpCopy := watched(t, url)
			for range 2 {
				events := newEvents(t, 4)
				require.Empty(t, insert(t, s, events...))
				require.Len(t, insert(t, s, events...), 4, "duplicates")
			}
			require.Zero(t, gaveUpCopy())
			requireCount(t, s, 8)
		})
	}
}
