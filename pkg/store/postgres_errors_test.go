package store_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/test/servers"
)

// A trigger raises every class of error, with a message that quotes an event as
// the server's own messages sometimes do.
func TestInsert_ErrorsHaveTheirKindAndQuoteNothing(t *testing.T) {
	url := servers.Database(t)
	migrated(t, url)
	stores := both(t, url)
	db := admin(t, url)
	do(t, db, `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			RAISE EXCEPTION 'not acceptable: %', NEW.payload USING ERRCODE = NEW.event_type; END $$`,
		"CREATE TRIGGER fail BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION fail()")
	kinds := map[event.Kind][]string{
		event.KindRejected: {"22000", "22001", "22003", "22021", "22P02", "22P05", "23000", "23502", "23514", "23P01", "54000", "54001", "P0001"},
		event.KindBlocked: {
			"0A000", "26000", "2D000", "34000", "3F000", "42501", "42601", "42P01", "44000", "72000", "F0000", "HV000", "P0004", "57014", "XX000", "XX001", "ZZZZZ",
		},
		event.KindUnavailable: {
			"08006", "25001", "28000", "3D000", "40001", "40P01", "53000", "53100", "53200", "53300", "55000", "55006", "55P03",
			"57000", "57P03", "58000", "58030",
		},
	}
	for kind, codes := range kinds {
		for _, code := range codes {
			for _, s := range stores {
				events := newEvents(t, 2)
				for i := range events {
					events[i].Type, events[i].Payload = code, `{"secret":"hunter2"}`
				}
				_, err := s.Insert(t.Context(), events)
				got := requireKind(t, kind, err)
				require.Equal(t, code, got.Code)
				require.NotContains(t, fmt.Sprintf("%v %+v", err, got.Err), "hunter2", code)
				if !strings.HasPrefix(code, "08") {
					require.ErrorContains(t, err, "function fail() line 2", code)
				}
			}
		}
	}
}

// What an operator put into the database is no content of an event, and only
// the events that meet it have to wait.
func TestInsert_ObjectsOfTheOperatorBlock(t *testing.T) {
	for name, c := range map[string]struct {
		statements []string
		code       string
		says       []string
		every      bool // whether it meets every event, or only those of one source
	}{
		"a column without a value": {
			[]string{"ALTER TABLE events ADD COLUMN tenant text NOT NULL"}, "23502", []string{`table "events"`, `column "tenant"`}, true,
		},
		"a check": {
			[]string{"ALTER TABLE events ADD CONSTRAINT no_bad CHECK (source <> 'bad')"}, "23514", []string{`constraint "no_bad"`}, false,
		},
		"a unique index": {
			[]string{"CREATE UNIQUE INDEX one_bad ON events (source) WHERE source = 'bad'", "INSERT INTO events VALUES (gen_random_uuid(), 't', 'bad', now())"},
			"23505", []string{`constraint "one_bad"`}, false,
		},
		"a foreign key": {
			[]string{"CREATE TABLE sources (name text PRIMARY KEY)", "INSERT INTO sources VALUES ('tests')",
				"ALTER TABLE events ADD CONSTRAINT known FOREIGN KEY (source) REFERENCES sources"}, "23503", []string{`constraint "known"`}, false,
		},
		"an audit table that is gone": {
			[]string{`CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF NEW.source = 'bad' THEN INSERT INTO gone VALUES (NEW.payload); END IF; RETURN NEW; END $$`,
				"CREATE TRIGGER audit AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION audit()"}, "42P01", []string{"function audit() line 2"}, false,
		},
		"an audit table that wants more": {
			[]string{"CREATE TABLE wants (payload jsonb, who text NOT NULL)", `CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF NEW.source = 'bad' THEN INSERT INTO wants VALUES (NEW.payload); END IF; RETURN NEW; END $$`,
				"CREATE TRIGGER audit AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION audit()"}, "23502", []string{`table "wants"`, `column "who"`}, false,
		},
		"an index that cannot hold it": {
			[]string{"CREATE INDEX payloads ON events ((payload->>'x'))", "ALTER TABLE events ALTER COLUMN payload SET STORAGE EXTERNAL"},
			"54000", []string{`constraint "payloads"`}, false,
		},
		"no partition": {
			[]string{"ALTER TABLE events RENAME TO plain", "CREATE TABLE events (LIKE plain INCLUDING ALL) PARTITION BY RANGE (event_id)"},
			"23514", []string{`table "events"`}, true,
		},
		"a condition that nobody knows": {
			[]string{`CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF NEW.source = 'bad' THEN RAISE EXCEPTION 'odd' USING ERRCODE = 'ABCDE'; END IF; RETURN NEW; END $$`,
				"CREATE TRIGGER odd BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION odd()"}, "ABCDE", []string{"function odd() line 2"}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			url := servers.Database(t)
			migrated(t, url)
			do(t, admin(t, url), c.statements...)
			for _, s := range both(t, url) {
				events := newEvents(t, 5)
				events[3].Source = "bad"
				events[3].Payload = `{"x":"` + incompressible(3000) + `"}`
				_, err := s.Insert(t.Context(), events)
				e := requireKind(t, event.KindBlocked, err)
				require.Equal(t, c.code, e.Code)
				for _, text := range c.says {
					require.ErrorContains(t, err, text)
				}
				_, err = s.Insert(t.Context(), slices.Delete(events, 3, 4))
				if c.every {
					requireKind(t, event.KindBlocked, err)
				} else {
					require.NoError(t, err)
				}
			}
		})
	}
}

// incompressible returns so many bytes that no compression makes much shorter.
func incompressible(n int) string {
	b := make([]byte, n/2)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return hex.EncodeToString(b)
}

// What a trigger says of an event is for its dead letter, and for nothing
// else.
func TestInsert_QuotesWhatATriggerRaised(t *testing.T) {
	url := servers.Database(t)
	migrated(t, url)
	do(t, admin(t, url), `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.source = 'bad' THEN RAISE EXCEPTION 'amount % is too large', NEW.payload->>'amount'; END IF; RETURN NEW; END $$`,
		"CREATE TRIGGER fail BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION fail()")
	for _, s := range both(t, url) {
		e := newEvent(t)
		e.Source, e.Payload = "bad", `{"amount":4711}`
		_, err := s.Insert(t.Context(), []event.Event{e})
		got := requireKind(t, event.KindRejected, err)
		require.Equal(t, "P0001", got.Code)
		require.Equal(t, "amount 4711 is too large", got.Quote)
		require.NotContains(t, err.Error(), "4711")
		require.ErrorContains(t, err, "a trigger raised an exception (SQLSTATE P0001), function fail() line 2")
	}
}

// Where no event can be stored, none is tried apart.
func TestInsert_TheTableIsUnavailable(t *testing.T) {
	for name, c := range map[string]struct {
		statements []string
		code, says string
	}{
		"missing":                {[]string{"DROP TABLE events"}, "42P01", "migrate up"},
		"without a column":       {[]string{"ALTER TABLE events DROP COLUMN metadata"}, "42703", "migrate up"},
		"with another type":      {[]string{"ALTER TABLE events ALTER COLUMN payload DROP DEFAULT, ALTER COLUMN payload TYPE boolean USING true"}, "42804", ""},
		"with a rule":            {[]string{"CREATE RULE nothing AS ON INSERT TO events WHERE source = 'bad' DO INSTEAD NOTHING"}, "0A000", "does not support"},
		"with a rule for UPDATE": {[]string{"CREATE RULE still AS ON UPDATE TO events DO INSTEAD NOTHING"}, "0A000", "does not support"},
		"not unique by id":       {[]string{"ALTER TABLE events DROP CONSTRAINT events_pkey, ADD PRIMARY KEY (event_id, \"timestamp\")"}, "42P10", "event_id alone is not unique"},
		"deferred in its id":     {[]string{"ALTER TABLE events DROP CONSTRAINT events_pkey, ADD PRIMARY KEY (event_id) DEFERRABLE"}, "55000", ""},
	} {
		t.Run(name, func(t *testing.T) {
			url := servers.Database(t)
			migrated(t, url)
			do(t, admin(t, url), c.statements...)
			s := openStore(t, url+insertMark)
			_, err := s.Insert(t.Context(), newEvents(t, 3))
			e := requireKind(t, event.KindUnavailable, err)
			require.Equal(t, c.code, e.Code, "%v", err)
			require.ErrorContains(t, err, c.says)
		})
	}
}

// One rejected event does not put the content of its neighbours into the
// server's log.
func TestInsert_LogsNoContentOfTheBatch(t *testing.T) {
	server := servers.Postgres(t, "log_parameter_max_length_on_error=-1")
	migrated(t, server.URL())
	do(t, admin(t, server.URL()), `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.source = 'bad' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$`,
		"CREATE TRIGGER fail BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION fail()")
	for _, s := range both(t, server.URL()) {
		events := newEvents(t, 100)
		for i := range events {
			events[i].Payload, events[i].Type = `{"secret":"hunter2"}`, "hunter2"
		}
		events[50].Source = "bad"
		_, err := s.Insert(t.Context(), events)
		require.Equal(t, "P0001", requireKind(t, event.KindRejected, err).Code)
	}
	require.Contains(t, server.Log(), "INSERT INTO events")
	require.NotContains(t, server.Log(), "hunter2")
}

func TestInsert_ContentThatPostgresRejects(t *testing.T) {
	url := servers.Database(t)
	s := migrated(t, url)
	stores := both(t, url)
	for code, payload := range map[string]string{
		"22P05": `{"a":"\u0000"}`,
		"22P02": `{"a":"\ud800"}`,
		"22003": `{"a":1e131072}`,
		"54001": `{"a":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`,
	} {
		for _, s := range stores {
			events := newEvents(t, 2)
			events[1].Payload = payload
			_, err := s.Insert(t.Context(), events)
			require.Equal(t, code, requireKind(t, event.KindRejected, err).Code)
		}
	}
	requireCount(t, s, 0)
}

func TestInsert_ValueTooLargeForMemoryIsRejected(t *testing.T) {
	url := servers.Database(t)
	migrated(t, url)
	do(t, admin(t, url), `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			RAISE EXCEPTION 'invalid memory alloc request size 1073741824' USING ERRCODE = 'XX000'; END $$`,
		"CREATE TRIGGER fail BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION fail()")
	for _, s := range both(t, url) {
		_, err := s.Insert(t.Context(), newEvents(t, 2))
		require.Equal(t, "54000", requireKind(t, event.KindRejected, err).Code)
		require.ErrorContains(t, err, "XX000")
	}
}
