package persist_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/persist"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a store in memory. What it does with an event depends on the
// event's source.
type memory struct {
	mu      sync.Mutex
	rows    map[uuid.UUID]event.Event
	batches []int
	// before, where it is set, is called at the beginning of Insert.
	before func(ctx context.Context, events []event.Event) error
}

// The sources that a memory does not store.
const (
	rejected = "rejected" // for its content
	dropped  = "dropped"  // without an error
	unknown  = "unknown"  // for a reason that nobody knows
)

// Insert implements persist.Store.
func (m *memory) Insert(ctx context.Context, events []event.Event) (in event.Inserted, err error) {
	if m.before != nil {
		if err := m.before(ctx, events); err != nil {
			return in, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.batches = append(m.batches, len(events))
	for _, e := range events {
		switch e.Source {
		case rejected:
			return in, &event.Error{Kind: event.KindRejected, Code: "22P02", Detail: "a value is malformed"}
		case unknown:
			return in, &event.Error{Kind: event.KindInternal, Code: "P0001", Detail: "raised"}
		}
	}
	if m.rows == nil {
		m.rows = map[uuid.UUID]event.Event{}
	}
	for i, e := range events {
		_, found := m.rows[e.ID]
		switch {
		case e.Source == dropped:
			in.Dropped = append(in.Dropped, i)
		case found:
			in.Duplicates = append(in.Duplicates, i)
		default:
			m.rows[e.ID] = e
		}
	}
	return in, nil
}

// handler is one that writes to a memory.
type handler struct {
	*persist.Handler
	store *memory
	reg   *prometheus.Registry
	log   *bytes.Buffer
}

func newHandler() *handler {
	h := &handler{store: &memory{}, reg: prometheus.NewRegistry(), log: &bytes.Buffer{}}
	h.Handler = persist.New(h.store, slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})), h.reg)
	return h
}

// deliveries returns one delivery of an event for each source.
func deliveries(sources ...string) []event.Delivery {
	out := make([]event.Delivery, len(sources))
	for i, source := range sources {
		out[i] = delivery(i, uuid.NewString(), source)
	}
	return out
}

func delivery(n int, id, source string) event.Delivery {
	return event.Delivery{EntryID: fmt.Sprintf("1700000000000-%d", n), Fields: []string{
		event.FieldID, id, event.FieldType, "page_view", event.FieldSource, source,
		event.FieldTimestamp, "2026-01-02T03:04:05Z", event.FieldPayload, "{}", event.FieldMetadata, "{}",
	}}
}

// numbers returns the last part of the entry ids.
func numbers(deliveries []event.Delivery) []string {
	out := make([]string, len(deliveries))
	for i, d := range deliveries {
		_, out[i], _ = strings.Cut(d.EntryID, "-")
	}
	slices.Sort(out)
	return out
}

// reasons returns "number reason code" of each rejection.
func reasons(rejected []event.Rejection) []string {
	out := make([]string, len(rejected))
	for i, r := range rejected {
		_, n, _ := strings.Cut(r.EntryID, "-")
		out[i] = strings.TrimSpace(n + " " + r.Reason + " " + r.Code)
	}
	slices.Sort(out)
	return out
}
