package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/config"
)

const pageView = `{"event_id":"0190d7a0-0000-7000-8000-000000000001","event_type":"page_view","source":"web","timestamp":"2026-01-02T03:04:05+01:00","payload":{"page":"/pricing"}}`

// sample is one event as a producer sends it.
type sample struct {
	ID        string          `json:"event_id"`
	Type      string          `json:"event_type"`
	Source    string          `json:"source"`
	Timestamp time.Time       `json:"timestamp"`
	Payload   json.RawMessage `json:"payload"`
	Metadata  json.RawMessage `json:"metadata"`
	line      string
}

// samples are real webhook deliveries where the checkout has them beside it,
// and events of our own making where it has not.
func samples(t *testing.T) []sample {
	t.Helper()
	lines := generated()
	if f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "github-webhooks.ndjson")); err == nil {
		defer func() { _ = f.Close() }()
		lines = nil
		in := bufio.NewScanner(f)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			lines = append(lines, in.Text())
		}
		require.NoError(t, in.Err())
	}
	all := make([]sample, len(lines))
	for i, line := range lines {
		require.NoError(t, json.Unmarshal([]byte(line), &all[i]))
		all[i].line = line
	}
	return all
}

// generated returns events whose values are hard to carry.
func generated() []string {
	hard := []string{
		`"\\u0000"`, `"\u2028 \ud83d\ude00 😀"`, `"'; DROP TABLE events; --"`, `"?0 ?1 {} \" \\ \/ \b\f\n\r\t"`,
		`123456789012345678901234567890`, `-0.0`, `1.5e300`, `[1,[2,[3,{"deep":null}]]]`, `{"":"empty key","a.b":true}`, `"` + strings.Repeat("long", 5000) + `"`,
	}
	var lines []string
	for i := range 300 {
		zone := []string{"Z", "+05:30", "-04:00"}[i%3]
		lines = append(lines, fmt.Sprintf(
			`{"event_id":%q,"event_type":"test.%d","source":"gen","timestamp":"2024-02-29T23:59:%02d.%06d%s","payload":{"v":%s,"n":%d},"metadata":{"i":"%d"}}`,
			uuid.NewSHA1(uuid.NameSpaceURL, fmt.Append(nil, i)), i, i%60, i*37, zone, hard[i%len(hard)], i, i))
	}
	return lines
}

func TestRealEventsArriveUnalteredAndOnce(t *testing.T) {
	p := newPipeline(t)
	serve := p.serve().ready(t)
	p.work().ready(t)
	p.work().ready(t)

	sent := samples(t)
	for _, s := range sent {
		a := serve.post(t, "/api/v1/events", s.line)
		require.Equal(t, 202, a.status, a.body)
		require.JSONEq(t, `{"status":"accepted","event_id":"`+s.ID+`"}`, a.body)
	}
	for i := 0; i < len(sent); i += 50 {
		batch := sent[i:min(i+50, len(sent))]
		lines, ids := make([]string, len(batch)), make([]string, len(batch))
		for j, s := range batch {
			lines[j], ids[j] = s.line, `"`+s.ID+`"`
		}
		a := serve.post(t, "/api/v1/events/batch", "["+strings.Join(lines, ",")+"]")
		require.Equal(t, 202, a.status, a.body)
		require.JSONEq(t, fmt.Sprintf(`{"status":"accepted","count":%d,"event_ids":[%s]}`, len(batch), strings.Join(ids, ",")), a.body)
	}

	eventually(t, "every delivery acknowledged", func() bool {
		return p.count() == len(sent) && p.unread() == 0 && p.pending() == 0
	})
	for _, s := range sent {
		p.requireStored(s)
	}
}

// requireStored compares what the database has of s with what was sent.
func (p *pipeline) requireStored(s sample) {
	t := p.t
	t.Helper()
	var typ, source, payload, metadata string
	var at time.Time
	err := p.db.QueryRowContext(t.Context(), fmt.Sprintf(
		"SELECT event_type, source, timestamp, payload, metadata FROM events WHERE event_id = '%s'", uuid.MustParse(s.ID))).
		Scan(&typ, &source, &at, &payload, &metadata)
	require.NoError(t, err, s.ID)
	require.Equal(t, s.Type, typ)
	require.Equal(t, s.Source, source)
	require.True(t, at.Equal(s.Timestamp.Truncate(time.Microsecond)), "%s: sent %s, stored %s", s.ID, s.Timestamp, at)
	require.True(t, sameJSON(t, orEmpty(s.Payload), payload), "payload of %s", s.ID)
	require.True(t, sameJSON(t, orEmpty(s.Metadata), metadata), "metadata of %s", s.ID)
}

func orEmpty(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "{}"
	}
	return string(raw)
}

func TestTheWalkThrough(t *testing.T) {
	p := newPipeline(t)
	serve := p.serve().ready(t)

	status, body := get(t, "http://"+serve.addr+"/api/v1/events/health")
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"status":"ok","redis":"PONG"}`, body)

	a := serve.post(t, "/api/v1/events", pageView)
	require.Equal(t, 202, a.status, a.body)

	// No worker runs: the event waits on the stream, as flat fields.
	entries, err := p.client.Do(t.Context(), p.client.B().Xrange().Key("events_stream").Start("-").End("+").Build()).AsXRange()
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, map[string]string{
		"event_id": "0190d7a0-0000-7000-8000-000000000001", "event_type": "page_view", "source": "web",
		"timestamp": "2026-01-02T02:04:05Z", "payload": `{"page":"/pricing"}`, "metadata": "{}",
	}, entries[0].FieldValues)

	worker := p.work().ready(t)
	eventually(t, "stored", func() bool { return p.count() == 1 && p.pending() == 0 })
	require.Contains(t, worker.log.String(), "Event persisted")

	require.Equal(t, 202, serve.post(t, "/api/v1/events", pageView).status)
	eventually(t, "the duplicate is skipped", func() bool { return strings.Contains(worker.log.String(), "Duplicate event skipped") })
	eventually(t, "and acknowledged", func() bool { return p.pending() == 0 })
	require.Equal(t, 1, p.count())
	require.NotContains(t, worker.log.String()+serve.log.String(), "/pricing", "payloads are not logged")
}

func TestAWorkerTakesUpWhatItsPredecessorLeft(t *testing.T) {
	p := newPipeline(t)
	serve := p.serve().ready(t)
	for i := range 5 {
		require.Equal(t, 202, serve.post(t, "/api/v1/events", generated()[i]).status)
	}
	// Delivered to a consumer that dies before it stores anything.
	_, err := p.client.Do(t.Context(), p.client.B().Xreadgroup().Group("event_persister", "the-name").Streams().Key("events_stream").Id(">").Build()).ToAny()
	require.NoError(t, err)
	require.EqualValues(t, 5, p.pending())
	p.work(func(c *config.Config) { c.Worker.Consumer = "the-name" })
	eventually(t, "stored and acknowledged", func() bool { return p.count() == 5 && p.pending() == 0 })
}

func TestMintedIDsAreReturnedAndStored(t *testing.T) {
	p := newPipeline(t)
	serve := p.serve().ready(t)
	p.work()
	a := serve.post(t, "/api/v1/events", `{"event_type":"a","source":"b","timestamp":"2026-01-02T03:04:05Z"}`)
	require.Equal(t, 202, a.status, a.body)
	var got struct {
		ID uuid.UUID `json:"event_id"`
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &got))
	require.Equal(t, uuid.Version(7), got.ID.Version())
	eventually(t, "stored", func() bool { return p.count() == 1 })
	p.requireStored(sample{ID: got.ID.String(), Type: "a", Source: "b", Timestamp: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)})
}
