package e2e

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/servers"
)

func (p *pipeline) do(statements ...string) {
	p.t.Helper()
	for _, s := range statements {
		_, err := p.db.ExecContext(p.t.Context(), s)
		require.NoError(p.t, err, s)
	}
}

// postBatch accepts n events, of which one is of another source, and returns the
// id of that one.
func (p *pipeline) postBatch(serve *running, n int, odd string) uuid.UUID {
	p.t.Helper()
	var events []string
	var id uuid.UUID
	for i := range n {
		id2 := uuid.Must(uuid.NewV7())
		fields := goodEntry(id2, i)
		if i == n/2 {
			id, fields[5] = id2, odd
		}
		events = append(events, toJSON(fields))
	}
	require.Equal(p.t, 202, serve.post(p.t, batch, "["+strings.Join(events, ",")+"]").status)
	return id
}

// One event that a trigger rejects is a dead letter alone, with what the trigger
// said of it.
func TestWork_DeadLettersWhatATriggerRaises(t *testing.T) {
	p := newPipeline(t)
	p.do(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.source = 'bad' THEN RAISE EXCEPTION 'nobody wants %', NEW.source; END IF; RETURN NEW; END $$`,
		"CREATE TRIGGER fail BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION fail()")
	serve, work := p.serve().ready(t), p.work().ready(t)
	id := p.postBatch(serve, 100, "bad")
	eventually(t, "the neighbours are stored", func() bool { return p.count() == 99 && p.pending() == 0 })
	letters, err := p.client.Do(t.Context(), p.client.B().Xrange().Key("{events_stream}:dlq").Start("-").End("+").Build()).AsXRange()
	require.NoError(t, err)
	require.Len(t, letters, 1)
	fields := letters[0].FieldValues
	require.Equal(t, id.String(), fields["event_id"])
	require.Equal(t, "rejected", fields["dlq_reason"])
	require.Equal(t, "P0001", fields["dlq_code"])
	require.Contains(t, fields["dlq_message"], "function fail()")
	require.Contains(t, fields["dlq_message"], "nobody wants bad")
	require.NotContains(t, work.log.String(), "nobody wants", "the log quotes no event")
	require.Contains(t, work.log.String(), "P0001")
	work.ready(t)
}

// An event that meets a constraint of the operator waits until it is gone; its
// neighbours do not, and the constraint is named.
func TestWork_KeepsWhatAConstraintOfTheOperatorBlocks(t *testing.T) {
	p := newPipeline(t)
	p.do("ALTER TABLE events ADD CONSTRAINT only_good CHECK (source <> 'bad')")
	serve, work := p.serve().ready(t), p.work().ready(t)
	p.postBatch(serve, 100, "bad")
	eventually(t, "the neighbours are stored and acknowledged", func() bool { return p.count() == 99 && p.pending() == 1 })
	eventually(t, "the constraint is named", func() bool {
		status, body := get(t, "http://"+work.admin+"/readyz")
		return status == 503 && strings.Contains(body, `only_good`)
	})
	n, err := p.client.Do(t.Context(), p.client.B().Xlen().Key("{events_stream}:dlq").Build()).AsInt64()
	require.NoError(t, err)
	require.Zero(t, n, "nothing is given up")

	p.do("ALTER TABLE events DROP CONSTRAINT only_good")
	eventually(t, "it is stored", func() bool { return p.count() == 100 && p.pending() == 0 })
	work.ready(t)
}

// A column that nobody fills is not the events' fault.
func TestWork_WaitsForATableThatTakesEvents(t *testing.T) {
	p := newPipeline(t)
	p.do("ALTER TABLE events ADD COLUMN tenant text NOT NULL")
	serve, work := p.serve().ready(t), p.work()
	p.postBatch(serve, 10, "s")
	eventually(t, "the column is named", func() bool {
		status, body := get(t, "http://"+work.admin+"/readyz")
		return status == 503 && strings.Contains(body, "column tenant")
	})
	require.Zero(t, p.count())
	p.do("ALTER TABLE events ALTER COLUMN tenant SET DEFAULT 'nobody'")
	eventually(t, "stored", func() bool { return p.count() == 10 && p.pending() == 0 })
	work.ready(t)
}

// The same behind a pooler of transactions, with what is not durable by itself.
func TestWork_StoresThroughAPooler(t *testing.T) {
	p := newPipeline(t)
	p.dbURL = servers.PgBouncer(t, p.dbURL).URL()
	serve, work := p.serve().ready(t), p.work().ready(t)
	for range 5 {
		p.postBatch(serve, 100, "s")
	}
	eventually(t, "stored", func() bool { return p.count() == 500 && p.pending() == 0 })
	work.ready(t)
}
