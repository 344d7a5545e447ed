package store_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// What follows is what a store is, whatever the database under it.

func TestInsert_ReportsDuplicates(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := migrated(t, url)
		events := newEvents(t, 10)

		inserted, err := s.Insert(t.Context(), events[:6])
		require.NoError(t, err)
		require.Empty(t, inserted.Duplicates)

		// Across batches, in the middle of them and in no order: what comes
		// back for the new ones must not slide over the old ones.
		mixed := []event.Event{events[7], events[2], events[9], events[0], events[6], events[5], events[8]}
		inserted, err = s.Insert(t.Context(), mixed)
		require.NoError(t, err)
		require.Equal(t, []int{1, 3, 5}, inserted.Duplicates)

		// Within a batch the first counts.
		first, second := newEvent(t), newEvent(t)
		again := first
		again.Payload = `{"another":"payload"}`
		inserted, err = s.Insert(t.Context(), []event.Event{first, events[4], second, again, first})
		require.NoError(t, err)
		require.Equal(t, []int{1, 3, 4}, inserted.Duplicates)

		inserted, err = s.Insert(t.Context(), events)
		require.NoError(t, err)
		require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, inserted.Duplicates)

		requireCount(t, s, 12)
		for _, e := range append(events, first, second) {
			requireStored(t, s, e)
		}
	})
}

func TestInsert_NothingAsksNothing(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := openStore(t, url) // no schema: it is not even asked
		inserted, err := s.Insert(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, inserted.Duplicates)
	})
}

func TestInsert_AThousand(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := migrated(t, url)
		events := newEvents(t, 1000)
		rand.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		inserted, err := s.Insert(t.Context(), events)
		require.NoError(t, err)
		require.Empty(t, inserted.Duplicates)
		requireCount(t, s, 1000)
		requireStored(t, s, events[0])
		requireStored(t, s, events[999])
	})
}

// hardObjects are JSON objects that something between here and the table may
// spoil: quoting, escaping, placeholders, numbers, size.
func hardObjects() map[string]string {
	return map[string]string{
		"empty":                   `{}`,
		"escaped backslash":       `{"a":"\\u0000","b":"\\","c":"\\\\\"","\\":"\\'"}`,
		"escapes":                 `{"a":"\b\f\n\r\t\/\"","b":"\u00e9\u2028\ud83d\ude00"}`,
		"separators":              "{\"a\":\"\u2028\u2029\u0085\u00a0\ufeff\"}",
		"emoji":                   `{"😀":"👩‍👩‍👧‍👦 é é"}`,
		"last characters":         "{\"a\":\"\u007f\uffff\ufffe\U0010ffff\"}",
		"single quotes":           `{"'":"it''s 'quoted' ''","b":"'"}`,
		"double quotes":           `{"\"":"\"\"","{":"}"}`,
		"placeholders":            `{"?0":"? ?? ?0 ?1 ?name $1 $$ :name @p %s","a":"\\?"}`,
		"injection":               `{"a":"'; DROP TABLE events; --","b":"\\'; DROP TABLE events; --","c":"}'::jsonb[]); --"}`,
		"array syntax":            `{"a":"{1,2,NULL}","b":"NULL","c":[null,"null"],"d":"a,b","e":" "}`,
		"dollar quotes":           `{"a":"$$ $body$ E'\\n' U&'\\0041'"}`,
		"comments":                `{"a":"-- /* */ #"}`,
		"big integers":            `{"a":18446744073709551616,"b":-9223372036854775809,"c":123456789012345678901234567890123456789}`,
		"unsafe integers":         `{"a":9007199254740993}`,
		"decimals":                `{"a":0.1,"b":1.10,"c":3.141592653589793238462643383279,"d":100.0,"e":1E+2,"f":-2.5e-3}`,
		"huge exponents":          `{"a":1e1000,"b":-1e1000,"c":1e-1000,"d":123.456e500}`,
		"zeros":                   `{"a":0,"b":-0,"c":0.0,"d":-0.0,"e":0e10,"f":-0E-5}`,
		"deep":                    `{"a":` + strings.Repeat(`[`, 59) + strings.Repeat(`]`, 59) + `}`,
		"deep objects":            strings.Repeat(`{"a":`, 60) + `1` + strings.Repeat(`}`, 60),
		"long string":             `{"a":"` + strings.Repeat("xy\\\\'\\\"é", 25_000) + `"}`,
		"long key":                `{"` + strings.Repeat("k", 50_000) + `":1}`,
		"many keys":               manyKeys(5000),
		"a mebibyte":              `{"a":"` + strings.Repeat("1234567\\t", 1<<20/9) + `"}`,
		"COPY syntax":             `{"a":"\\N","b":"\\.","c":"\t\\\t\n","d":"\\x41"}`,
		"white space":             " {\r\n\t\"a\" : [ 1 , 2 ] }\n",
		"empty key":               `{"":{"":""}}`,
		"keys that differ little": `{"a":1,"A":2,"a ":3,"á":4,"á":5}`,
		"literals":                `{"a":true,"b":false,"c":null,"d":[],"e":{}}`,
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"key %d":%d`, i, i)
	}
	return "{" + b.String()[1:] + "}"
}

func TestInsert_HardContentComesBackAsItWas(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := migrated(t, url)
		var all []event.Event
		for name, object := range hardObjects() {
			t.Run(name, func(t *testing.T) {
				require.True(t, json.Valid([]byte(object)))
				e := newEvent(t)
				e.Payload, e.Metadata = object, object
				inserted, err := s.Insert(t.Context(), []event.Event{e})
				require.NoError(t, err)
				require.Empty(t, inserted.Duplicates)
				requireStored(t, s, e)
				e.ID = uuid.New()
				all = append(all, e)
			})
		}
		require.Empty(t, insert(t, s, all...))
		for _, e := range all {
			requireStored(t, s, e)
		}
	})
}

func TestInsert_HardNamesComeBackAsTheyWere(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := migrated(t, url)
		var events []event.Event
		for _, name := range []string{
			"?0", "?", "$1", "NULL", "null", " ", " leading and trailing ", "{}", "{a,b}", `"`, `'`, `''`, `\`, `\\`, `\'`, `\"`,
			"'; DROP TABLE events; --", "tab\tnew\nline\r", "é", "👩‍👩‍👧‍👦", "\u2028", "\u0001", "\u007f",
			strings.Repeat("é", event.MaxNameLength), strings.Repeat("😀", event.MaxNameLength), strings.Repeat("'", event.MaxNameLength),
		} {
			e := newEvent(t)
			e.Type, e.Source = name, name
			events = append(events, e)
		}
		_, err := s.Insert(t.Context(), events)
		require.NoError(t, err)
		for _, e := range events {
			requireStored(t, s, e)
		}
	})
}

func TestInsert_InstantsComeBackAsTheyWere(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := migrated(t, url)
		var events []event.Event
		for _, at := range []time.Time{
			time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), // Go's zero time is an instant like any other
			time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC),
			time.Date(0, 12, 31, 0, 1, 0, 0, time.UTC), // 0001-01-01T00:00:00+23:59
			time.Date(0, 2, 29, 12, 0, 0, 0, time.UTC),
			time.Date(99, 7, 8, 9, 10, 11, 12000, time.UTC),
			time.Date(1582, 10, 10, 0, 0, 0, 0, time.UTC),
			time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC),
			time.Unix(0, 0).UTC(),
			time.Date(2024, 2, 29, 23, 59, 59, 999999000, time.UTC),
			time.Date(2026, 3, 29, 1, 30, 0, 500000, time.UTC),
			time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC),
			time.Date(10000, 1, 1, 23, 58, 59, 999999000, time.UTC), // 9999-12-31T23:59:59.999999-23:59
		} {
			e := newEvent(t)
			e.Timestamp = at
			events = append(events, e)
		}
		_, err := s.Insert(t.Context(), events)
		require.NoError(t, err)
		for _, e := range events {
			requireStored(t, s, e)
		}
	})
}

func TestInsert_NilIDIsAnID(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := migrated(t, url)
		none, all := newEvent(t), newEvent(t)
		none.ID, all.ID = uuid.Nil, uuid.Max
		_, err := s.Insert(t.Context(), []event.Event{all, none})
		require.NoError(t, err)
		requireStored(t, s, none)
		requireStored(t, s, all)
	})
}

// The sample has one event a line in the shape of a request body.
func TestInsert_WebhooksComeBackAsTheyWere(t *testing.T) {
	f, err := os.Open("testdata/webhooks.ndjson")
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	var events []event.Event
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var body struct {
			EventID   uuid.UUID       `json:"event_id"`
			EventType string          `json:"event_type"`
			Source    string          `json:"source"`
			Timestamp time.Time       `json:"timestamp"`
			Payload   json.RawMessage `json:"payload"`
			Metadata  json.RawMessage `json:"metadata"`
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &body))
		e := event.Event{
			ID: body.EventID, Type: body.EventType, Source: body.Source,
			Timestamp: body.Timestamp.UTC().Truncate(time.Microsecond), Payload: "{}", Metadata: "{}",
		}
		if body.Payload != nil {
			e.Payload = string(body.Payload)
		}
		if body.Metadata != nil {
			e.Metadata = string(body.Metadata)
		}
		events = append(events, e)
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, events)
	each(t, func(t *testing.T, url string) {
		s := migrated(t, url)
		inserted, err := s.Insert(t.Context(), events)
		require.NoError(t, err)
		require.Empty(t, inserted.Duplicates)
		for _, e := range events {
			requireStored(t, s, e)
		}
	})
}

func TestInsert_RejectedContentIsAllOrNothingAndQuotesNothing(t *testing.T) {
	const secret = "hunter2hunter2hunter2"
	spoil := map[string]func(*event.Event){
		"payload is no JSON":   func(e *event.Event) { e.Payload = secret },
		"payload is empty":     func(e *event.Event) { e.Payload = "" },
		"payload is cut":       func(e *event.Event) { e.Payload = `{"a":"` + secret },
		"metadata is no JSON":  func(e *event.Event) { e.Metadata = `{"a":` + secret + `}` },
		"a very long token":    func(e *event.Event) { e.Payload = `{"a": ` + strings.Repeat(secret, 50_000) + `}` },
		"NUL in the payload":   func(e *event.Event) { e.Payload = `{"a":"` + secret + "\x00" + `"}` },
		"NUL in the type":      func(e *event.Event) { e.Type = secret + "\x00" },
		"invalid UTF-8":        func(e *event.Event) { e.Source = secret + "\xff" },
		"a surrogate as UTF-8": func(e *event.Event) { e.Payload = "{\"a\":\"" + secret + "\xed\xa0\x80\"}" },
		"type is too long":     func(e *event.Event) { e.Type = strings.Repeat(secret, 20) },
		"source is too long":   func(e *event.Event) { e.Source = strings.Repeat(secret, 20) },
	}
	each(t, func(t *testing.T, url string) {
		s := migrated(t, url)
		for name, change := range spoil {
			t.Run(name, func(t *testing.T) {
				for _, n := range []int{1, 10} {
					events := newEvents(t, n)
					change(&events[n/2])
					inserted, err := s.Insert(t.Context(), events)
					require.Empty(t, inserted.Duplicates)
					e := requireKind(t, event.KindRejected, err)
					require.NotEmpty(t, e.Code)
					require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), secret)
					requireCount(t, s, 0)
				}
			})
		}
		// It is not held against what comes after.
		require.Empty(t, insert(t, s, newEvents(t, 3)...))
	})
}

func TestInsert_BatchTooLargeForAStatementIsRejected(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := migrated(t, url)
		events := newEvents(t, 3)
		big := `{"a":"` + strings.Repeat("x", 100<<20) + `"}`
		for i := range events {
			events[i].Payload = big
		}
		_, err := s.Insert(t.Context(), events)
		e := requireKind(t, event.KindRejected, err)
		require.Equal(t, "54000", e.Code)
	})
}

func TestInsert_OverlappingBatchesInOppositeOrder(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := migrated(t, url)
		const writers, batches, size, step = 8, 12, 60, 20
		events := newEvents(t, step*batches+size)

		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		var mu sync.Mutex
		fresh := map[uuid.UUID]int{}
		for w := range writers {
			wg.Go(func() {
				for b := range batches {
					if w%2 == 1 {
						b = batches - 1 - b
					}
					batch := slices.Clone(events[b*step : b*step+size])
					if w%2 == 1 {
						slices.Reverse(batch)
					}
					inserted, err := s.Insert(ctx, batch)
					if err != nil {
						t.Errorf("writer %d: %v", w, err)
						return
					}
					mu.Lock()
					for i, e := range batch {
						if !slices.Contains(inserted.Duplicates, i) {
							fresh[e.ID]++
						}
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for _, e := range events[:step*(batches-1)+size] {
			require.Equal(t, 1, fresh[e.ID], "each event is new exactly once")
		}
		requireCount(t, s, int64(step*(batches-1)+size))
	})
}

func TestInsert_EndedContextIsUnavailable(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := migrated(t, url)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		events := newEvents(t, 2)
		_, err := s.Insert(ctx, events)
		requireKind(t, event.KindUnavailable, err)
		require.ErrorIs(t, err, context.Canceled)

		inserted, err := s.Insert(t.Context(), events)
		require.NoError(t, err)
		require.Empty(t, inserted.Duplicates)
	})
}

func TestPing(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		require.NoError(t, openStore(t, url).Ping(t.Context()))
	})
}
