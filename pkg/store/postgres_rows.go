package store

import (
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/pgsession"
)

const (
	// copyStatement leaves created_at to its default. Binary spares the server
	// parsing ids and instants and looking for what is escaped.
	copyStatement = `COPY events (event_id, event_type, source, "timestamp", payload, metadata) FROM STDIN (FORMAT binary)`
	copyColumns   = 6

	// insertStatement passes JSON as text, which becomes jsonb by the row: an
	// array of jsonb is built as one large value first, which takes a quarter
	// longer.
	insertStatement = `INSERT INTO events (event_id, event_type, source, "timestamp", payload, metadata) ` +
		`SELECT id, type, source, at, payload::jsonb, metadata::jsonb FROM ` +
		`unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[]) ` +
		`AS sent (id, type, source, at, payload, metadata) ` +
		`ON CONFLICT (event_id) DO NOTHING RETURNING event_id`

	// lookUpStatement hides from the planner how many ids there are. It guesses
	// ten, and so asks the primary key in any table of more than some forty
	// pages; where it can count them, it reads the whole table while that is
	// not much larger than the batch. A join by LATERAL costs half as much
	// again.
	lookUpStatement = `SELECT event_id FROM events WHERE event_id = ANY ((SELECT $1)::uuid[])`
)

// copyRows are events as rows of copyStatement.
func copyRows(events []*event.Event) pgsession.Rows {
	const fixed = pgsession.UUIDSize + pgsession.TimestampSize + 2*pgsession.TextSize + 2*pgsession.JSONBSize
	return pgsession.Rows{
		Len: len(events), Columns: copyColumns,
		Size: func(i int) int {
			e := events[i]
			return fixed + len(e.Type) + len(e.Source) + len(e.Payload) + len(e.Metadata)
		},
		Append: func(dst []byte, i int) []byte {
			e := events[i]
			dst = pgsession.AppendUUID(dst, e.ID)
			dst = pgsession.AppendText(dst, e.Type)
			dst = pgsession.AppendText(dst, e.Source)
			dst = pgsession.AppendTimestamp(dst, e.Timestamp)
			dst = pgsession.AppendJSONB(dst, e.Payload)
			return pgsession.AppendJSONB(dst, e.Metadata)
		},
	}
}

// insertColumns are events as the parameters of insertStatement.
func insertColumns(events []*event.Event) []pgsession.Array {
	return []pgsession.Array{
		idColumn(events),
		textColumn(events, func(e *event.Event) string { return e.Type }),
		textColumn(events, func(e *event.Event) string { return e.Source }),
		{
			Type: pgsession.Timestamps, Len: len(events),
			Size:   func(int) int { return pgsession.TimestampSize },
			Append: func(dst []byte, i int) []byte { return pgsession.AppendTimestamp(dst, events[i].Timestamp) },
		},
		textColumn(events, func(e *event.Event) string { return e.Payload }),
		textColumn(events, func(e *event.Event) string { return e.Metadata }),
	}
}

func idColumn(events []*event.Event) pgsession.Array {
	return pgsession.Array{
		Type: pgsession.UUIDs, Len: len(events),
		Size:   func(int) int { return pgsession.UUIDSize },
		Append: func(dst []byte, i int) []byte { return pgsession.AppendUUID(dst, events[i].ID) },
	}
}

func textColumn(events []*event.Event, text func(*event.Event) string) pgsession.Array {
	return pgsession.Array{
		Type: pgsession.Texts, Len: len(events),
		Size:   func(i int) int { return pgsession.TextSize + len(text(events[i])) },
		Append: func(dst []byte, i int) []byte { return pgsession.AppendText(dst, text(events[i])) },
	}
}
