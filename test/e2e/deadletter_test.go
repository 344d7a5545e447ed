package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/cmd"
)

// commandVariable makes the test binary the program: see [eventpulse].
const commandVariable = "E2E_IS_THE_PROGRAM"

// eventpulse runs a command of the program in a process of its own, as an
// operator does, and returns what it printed. It must succeed.
func (p *pipeline) eventpulse(args ...string) string {
	p.t.Helper()
	self, err := os.Executable()
	require.NoError(p.t, err)
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	c := exec.CommandContext(ctx, self, args...)
	c.Env = []string{
		commandVariable + "=1", "PATH=" + os.Getenv("PATH"), "REDIS_URL=" + p.redis.URL(),
		"GORACE=atexit_sleep_ms=0", // or each command takes a second longer under the race detector
	}
	c.Stdout, c.Stderr = &out, &errs
	require.NoError(p.t, c.Run(), "%v: %s", args, errs.String())
	require.Empty(p.t, errs.String(), args)
	return out.String()
}

// runIfTheProgram is the program when this process is to be it.
func runIfTheProgram() {
	if os.Getenv(commandVariable) != "" {
		os.Exit(cmd.Execute())
	}
}

// The size of the test below. There are more kinds of poison than seven, each
// so many times on the stream.
const (
	goodOnes  = 10_000 // through the API, and as many straight on the stream
	inABatch  = 100
	ofEach    = 3
	amidBatch = inABatch / 2
)

// mixture is what the test below has sent, and what must come of it.
type mixture struct {
	*pipeline
	stored       map[uuid.UUID]int     // by id, what goodEntry was given
	deadLettered map[string]deadLetter // by the entry on the stream
}

type deadLetter struct {
	kind   poison
	fields map[string]string
}

func TestPoisonIsRefusedOrBuriedAloneAndTheRestIsStored(t *testing.T) {
	f := mixture{pipeline: newPipeline(t), stored: map[uuid.UUID]int{}, deadLettered: map[string]deadLetter{}}
	serve := f.serve().ready(t)
	f.work().ready(t)

	f.throughTheAPI(serve)
	eventually(t, "every good one of the API's stored", f.settled)
	f.requireStored()
	require.Empty(t, f.deadLetters(), "nothing that the API took is a dead letter")

	f.straightIntoTheStream()
	f.work().ready(t)
	eventually(t, "every good one of the stream's stored and the others dead-lettered", f.settled)
	f.requireStored()
	f.requireDeadLetters()

	f.operate()
	eventually(t, "what was mended is stored", f.settled)
	f.requireStored()
	require.Empty(t, f.deadLetters())
}

// throughTheAPI posts the good ones in batches, and between them every kind of
// poison by itself and in a batch of otherwise good ones, which are refused.
func (f *mixture) throughTheAPI(serve *running) {
	kinds := poisons()
	for n := 0; n < goodOnes; n += inABatch {
		lines := make([]string, inABatch)
		for i := range lines {
			id := uuid.New()
			f.stored[id] = n + i
			lines[i] = toJSON(goodEntry(id, n+i))
		}
		a := serve.post(f.t, batch, "["+strings.Join(lines, ",")+"]")
		require.Equal(f.t, 202, a.status, a.body)

		kind := kinds[n/inABatch%len(kinds)]
		f.requireRejected(serve.post(f.t, single, kind.post(uuid.New())), kind, "")
		for i := range lines {
			lines[i] = toJSON(goodEntry(uuid.New(), -1))
		}
		lines[amidBatch] = kind.post(uuid.New())
		f.requireRejected(serve.post(f.t, batch, "["+strings.Join(lines, ",")+"]"), kind, fmt.Sprintf("/%d", amidBatch))
	}
}

func (f *mixture) requireRejected(a answer, kind poison, where string) {
	f.t.Helper()
	require.Equal(f.t, kind.status, a.status, "%s: %s", kind.name, a.body)
	errs := a.problem(f.t).Errors
	require.NotEmpty(f.t, errs, "%s: %s", kind.name, a.body)
	require.NotEmpty(f.t, errs[0].Detail)
	var pointers []string
	for _, e := range errs {
		require.True(f.t, strings.HasPrefix(e.Pointer, where+"/"), "%s: %s", kind.name, a.body)
		pointers = append(pointers, e.Pointer)
	}
	if kind.pointer != "*" {
		require.Contains(f.t, pointers, where+kind.pointer, kind.name)
	}
}

// straightIntoTheStream puts good entries on the stream, and evenly between
// them each kind of poison some times over.
func (f *mixture) straightIntoTheStream() {
	kinds := poisons()
	between := goodOnes / (ofEach * len(kinds))
	var cmds rueidis.Commands
	var sent []deadLetter // for each command; of no kind where it is good
	add := func(fields []string, kind poison) {
		letter := deadLetter{kind: kind, fields: map[string]string{}}
		cmd := f.client.B().Xadd().Key("events_stream").Id("*").FieldValue()
		for i := 0; i < len(fields); i += 2 {
			cmd = cmd.FieldValue(fields[i], fields[i+1])
			letter.fields[fields[i]] = fields[i+1]
		}
		cmds, sent = append(cmds, cmd.Build()), append(sent, letter)
	}
	flush := func() {
		for i, reply := range f.client.DoMulti(f.t.Context(), cmds...) {
			entry, err := reply.ToString()
			require.NoError(f.t, err)
			if sent[i].kind.reason != "" {
				f.deadLettered[entry] = sent[i]
			}
		}
		cmds, sent = nil, nil
	}
	left := ofEach * len(kinds)
	for n := range goodOnes {
		id := uuid.New()
		f.stored[id] = goodOnes + n
		add(goodEntry(id, goodOnes+n), poison{})
		if n%between == between/2 && left > 0 {
			left--
			kind := kinds[left%len(kinds)]
			add(kind.entry(uuid.New()), kind)
		}
		if len(cmds) >= 1000 {
			flush()
		}
	}
	flush()
	require.Len(f.t, f.deadLettered, ofEach*len(kinds))
}

// settled reports whether all good ones are stored and nothing is on its way.
func (f *mixture) settled() bool {
	return f.count() >= len(f.stored) && f.unread() == 0 && f.pending() == 0
}

// requireStored compares the table with what was sent.
func (f *mixture) requireStored() {
	f.t.Helper()
	rows, err := f.db.QueryContext(f.t.Context(), "SELECT event_id::text, (payload->>'n')::int FROM events")
	require.NoError(f.t, err)
	defer func() { _ = rows.Close() }()
	got := make(map[uuid.UUID]int, len(f.stored))
	for rows.Next() {
		var id string
		var n int
		require.NoError(f.t, rows.Scan(&id, &n))
		got[uuid.MustParse(id)] = n
	}
	require.NoError(f.t, rows.Err())
	require.Len(f.t, got, len(f.stored))
	require.True(f.t, maps.Equal(f.stored, got), "the table holds what was not sent, or not what was")
}

// deadLetters returns the dead letters as they are in Redis.
func (f *mixture) deadLetters() []rueidis.XRangeEntry {
	f.t.Helper()
	entries, err := f.client.Do(f.t.Context(), f.client.B().Xrange().Key("{events_stream}:dlq").Start("-").End("+").Build()).AsXRange()
	require.NoError(f.t, err)
	return entries
}

// requireDeadLetters compares the dead letters with the poison: every one of
// them whole, once, and with the right reason.
func (f *mixture) requireDeadLetters() {
	f.t.Helper()
	entries := f.deadLetters()
	require.Len(f.t, entries, len(f.deadLettered))
	for _, letter := range entries {
		got := letter.FieldValues
		want, ok := f.deadLettered[got["dlq_entry_id"]]
		require.True(f.t, ok, "%s is a dead letter, or is one twice", got["dlq_entry_id"])
		delete(f.deadLettered, got["dlq_entry_id"])
		require.Equal(f.t, want.kind.reason, got["dlq_reason"], want.kind.name)
		require.Equal(f.t, want.kind.code, got["dlq_code"], want.kind.name)
		for _, name := range []string{"dlq_message", "dlq_first_seen", "dlq_dead_lettered_at", "dlq_deliveries"} {
			require.NotEmpty(f.t, got[name], "%s of %s", name, want.kind.name)
		}
		maps.DeleteFunc(got, func(name, _ string) bool { return strings.HasPrefix(name, "dlq_") })
		require.True(f.t, maps.Equal(want.fields, got), want.kind.name)
	}
}

// operate deals with the dead letters as an operator does.
func (f *mixture) operate() {
	t := f.t
	kinds := poisons()
	with := func(of func(poison) bool) (n int) {
		for _, k := range kinds {
			if of(k) {
				n += ofEach
			}
		}
		return n
	}
	unreadable := with(func(k poison) bool { return k.reason == "unreadable" })
	refused := len(kinds)*ofEach - unreadable

	// They are found by any of what is known of them.
	require.Len(t, f.list(), len(kinds)*ofEach)
	require.Len(t, f.list("--reason", "unreadable"), unreadable)
	require.Len(t, f.list("--reason", "rejected", "--type", "t", "--source", "s", "--newer-than", "1d"), refused)
	require.Len(t, f.list("--limit", "5"), 5)
	require.Empty(t, f.list("--older-than", "1h"))
	for _, code := range []string{"22P02", "22P05", "22003", "54001"} {
		require.Len(t, f.list("--reason", code), with(func(k poison) bool { return k.code == code }), code)
	}

	// One is looked at, mended and put back, one of each reason.
	mend := func(reason string, set ...string) {
		id := f.list("--reason", reason)[0].ID
		require.Contains(t, f.eventpulse("dlq", "show", id), reason)
		args := []string{"dlq", "replay", id}
		for _, s := range append(set, fmt.Sprintf(`payload={"n":%d}`, len(f.stored))) {
			args = append(args, "--set", s)
		}
		require.Contains(t, f.eventpulse(append(args, "--dry-run")...), "would replay 1 of 1")
		require.Contains(t, f.eventpulse(args...), "replayed 1 of 1")
	}
	id := f.list("--reason", "22P05")[0].EventID
	mend("22P05")
	f.stored[uuid.MustParse(id)] = len(f.stored)
	made := uuid.New()
	mend("unreadable", "event_id="+made.String(), "event_type=t", "source=s", "timestamp=2026-01-02T03:04:05Z")
	f.stored[made] = len(f.stored)
	eventually(t, "what was mended is stored", f.settled)

	// What nobody mended comes back, and what is no event does not go.
	require.Contains(t, f.eventpulse("dlq", "replay", "--reason", "22003"), fmt.Sprintf("replayed %d of %d", ofEach, ofEach))
	eventually(t, "dead-lettered again", func() bool { return f.pending() == 0 && len(f.deadLetters()) == len(kinds)*ofEach-2 })
	require.Len(t, f.list("--reason", "22003"), ofEach)
	require.Contains(t, f.eventpulse("dlq", "replay", "--reason", "unreadable"), fmt.Sprintf("%d cannot be read as events and stay", unreadable-1))

	// The rest is given up.
	require.Contains(t, f.eventpulse("dlq", "purge", "--reason", "unreadable", "--yes"), fmt.Sprintf("removed %d of %d", unreadable-1, unreadable-1))
	require.Contains(t, f.eventpulse("dlq", "purge", "--all", "--yes"), fmt.Sprintf("removed %d of %d", refused-1, refused-1))
	require.Empty(t, f.list())
}

// listed is a line of dlq list.
type listed struct {
	ID      string `json:"id"`
	EventID string `json:"event_id"`
}

func (f *mixture) list(filters ...string) (all []listed) {
	f.t.Helper()
	for line := range strings.Lines(f.eventpulse(append([]string{"dlq", "list", "-o", "json"}, filters...)...)) {
		var l listed
		require.NoError(f.t, json.Unmarshal([]byte(line), &l))
		all = append(all, l)
	}
	return all
}
