package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/test/servers"
)

func TestCheckSchema_SeesWhatAnOperatorChanged(t *testing.T) {
	const partitioned = "CREATE TABLE events (event_id uuid NOT NULL, event_type varchar(255) NOT NULL, source varchar(255) NOT NULL, " +
		`"timestamp" timestamptz NOT NULL, payload jsonb NOT NULL DEFAULT '{}', metadata jsonb NOT NULL DEFAULT '{}', created_at timestamptz NOT NULL DEFAULT now(), `
	for name, c := range map[string]struct {
		statements []string
		says       string // "" for nothing
	}{
		"nothing": {},
		"partitioned by time": {
			[]string{"DROP TABLE events", partitioned + `PRIMARY KEY (event_id, "timestamp")) PARTITION BY RANGE ("timestamp")`,
				"CREATE TABLE events_all PARTITION OF events DEFAULT"}, "table events: event_id alone is not unique",
		},
		"partitioned by id": {
			[]string{"DROP TABLE events", partitioned + "PRIMARY KEY (event_id)) PARTITION BY RANGE (event_id)", "CREATE TABLE events_all PARTITION OF events DEFAULT"}, "",
		},
		"no key":           {[]string{"ALTER TABLE events DROP CONSTRAINT events_pkey"}, "event_id alone is not unique"},
		"a partial key":    {[]string{"ALTER TABLE events DROP CONSTRAINT events_pkey", "CREATE UNIQUE INDEX ON events (event_id) WHERE source = 'a'"}, "event_id alone is not unique"},
		"a deferred key":   {[]string{"ALTER TABLE events DROP CONSTRAINT events_pkey, ADD PRIMARY KEY (event_id) DEFERRABLE"}, "event_id alone is not unique"},
		"another key":      {[]string{"ALTER TABLE events DROP CONSTRAINT events_pkey", "CREATE UNIQUE INDEX mine ON events (event_id) INCLUDE (source)"}, ""},
		"a column to fill": {[]string{"ALTER TABLE events ADD COLUMN \"Tenant\" text NOT NULL"}, `column "Tenant": it must have a value`},
		"a column by default": {
			[]string{"ALTER TABLE events ADD COLUMN tenant text NOT NULL DEFAULT 'x', ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY, " +
				"ADD COLUMN page text GENERATED ALWAYS AS (payload->>'page') STORED"}, "",
		},
		"a column filled by a trigger": {
			[]string{"ALTER TABLE events ADD COLUMN tenant text NOT NULL",
				`CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.tenant = 'x'; RETURN NEW; END $$`,
				"CREATE TRIGGER fill BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION fill()"}, "",
		},
		"a column without":    {[]string{"ALTER TABLE events DROP COLUMN metadata"}, "column metadata: it is missing"},
		"another type":        {[]string{"ALTER TABLE events ALTER payload DROP DEFAULT, ALTER payload TYPE json USING payload::json"}, "column payload: it is of type json"},
		"a time without zone": {[]string{`ALTER TABLE events ALTER "timestamp" TYPE timestamp`}, `column "timestamp": it is of type timestamp`},
		"text for names":      {[]string{"CREATE DOMAIN label AS text", "ALTER TABLE events ALTER source TYPE label, ALTER event_type TYPE text"}, ""},
		"a rule":              {[]string{"CREATE RULE no AS ON INSERT TO events WHERE source = 'x' DO INSTEAD NOTHING"}, "rule no: PostgreSQL takes no ON CONFLICT"},
		"unlogged":            {[]string{"ALTER TABLE events SET UNLOGGED"}, "table events: it is unlogged"},
		"a view":              {[]string{"ALTER TABLE events RENAME TO kept", "CREATE VIEW events AS SELECT * FROM kept"}, ""},
		"a trigger":           {[]string{"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$", "CREATE TRIGGER f AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION f()"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			url := servers.Database(t)
			s := migrated(t, url)
			do(t, admin(t, url), c.statements...)
			err := s.CheckSchema(t.Context())
			info, inspectErr := s.Inspect(t.Context())
			require.NoError(t, inspectErr)
			if c.says == "" {
				require.NoError(t, err)
				require.Empty(t, info.Problems)
				for _, s := range both(t, url) {
					events := newEvents(t, 3)
					require.Empty(t, insert(t, s, events...))
					require.Len(t, insert(t, s, events...), 3)
				}
				return
			}
			requireKind(t, event.KindUnavailable, err)
			require.ErrorIs(t, err, store.ErrSchemaUnfit)
			require.ErrorContains(t, err, c.says)
			require.Len(t, info.Problems, 1)
			require.Equal(t, "table", info.Problems[0].Topic)
		})
	}
}

func TestCheckSchema_SeesWhatTheRoleMayNot(t *testing.T) {
	url := servers.Database(t)
	migrated(t, url)
	db := admin(t, url)
	role := fmt.Sprintf("checked_%d", rand.Uint64())
	do(t, db, "CREATE ROLE "+role+" LOGIN", "GRANT SELECT ON eventpulse_migrations TO "+role)
	t.Cleanup(func() {
		_, err := db.ExecContext(context.WithoutCancel(t.Context()), "DROP OWNED BY "+role+"; DROP ROLE "+role)
		require.NoError(t, err)
	})
	s := openStore(t, strings.Replace(url, "postgres@", role+"@", 1))
	check := func(says string) {
		t.Helper()
		err := s.CheckSchema(t.Context())
		if says == "" {
			require.NoError(t, err)
			return
		}
		require.ErrorIs(t, err, store.ErrSchemaUnfit)
		require.ErrorContains(t, err, says)
	}
	check("GRANT SELECT, INSERT ON events TO " + role)
	// Column by column is enough.
	const columns = `(event_id, event_type, source, "timestamp", payload, metadata)`
	do(t, db, "GRANT INSERT "+columns+", SELECT (event_id) ON events TO "+role)
	check("")
	require.Empty(t, insert(t, s, newEvents(t, 3)...))

	do(t, db, "ALTER TABLE events ENABLE ROW LEVEL SECURITY")
	check("row-level security lets this role write nothing")
	do(t, db, "CREATE POLICY writing ON events FOR INSERT TO "+role+" WITH CHECK (true)")
	check("row-level security lets this role write nothing or read nothing")
	do(t, db, "CREATE POLICY reading ON events FOR SELECT TO "+role+" USING (true)")
	check("")
	require.Empty(t, insert(t, s, newEvents(t, 3)...))
}

func TestCheckSchema_SeesTheEncoding(t *testing.T) {
	for _, encoding := range []string{"LATIN1", "SQL_ASCII"} {
		server := servers.Postgres(t)
		do(t, admin(t, server.URL()), "CREATE DATABASE other ENCODING '"+encoding+"' TEMPLATE template0 LOCALE 'C'",
			"ALTER DATABASE other SET client_encoding = 'LATIN1'", "ALTER DATABASE other SET standard_conforming_strings = off")
		s := migrated(t, server.DatabaseURL("other"))
		err := s.CheckSchema(t.Context())
		require.ErrorIs(t, err, store.ErrSchemaUnfit)
		require.ErrorContains(t, err, "its encoding is "+encoding)
		require.ErrorContains(t, err, "createdb --encoding UTF8")
	}
}
