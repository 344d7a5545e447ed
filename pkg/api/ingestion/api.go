// Package ingestion is the HTTP API that takes events in, in their own JSON.
package ingestion

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/codec/native"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/httpserver"
)

// Service accepts events.
type Service interface {
	// Accept accepts all events or none. When it returns nil, every one of
	// them is safe; an error is answered by its kind (see package event). It
	// may keep the events, is called concurrently, with a context that outlives
	// the connection, and bounds its own time.
	Accept(ctx context.Context, events []event.Event) error
	// Rejected counts events that were not fit to be accepted.
	Rejected(err error, events int)
}

// API is the handlers of the API.
type API struct {
	service   Service
	limits    event.Limits
	accepting func(ctx context.Context) error
	redis     *httpserver.Probe
	buffers   sync.Pool // of *[]byte, for answers
}

// New returns an API that accepts events within limits with service. Its health
// check goes by accepting, which says at once why events are not accepted, and
// reports of Redis what ping says. A service that keeps events elsewhere while
// Redis is away is healthy without it.
func New(service Service, limits event.Limits, accepting, ping func(ctx context.Context) error) *API {
	a := &API{service: service, limits: limits, accepting: accepting, redis: httpserver.NewProbe(ping)}
	a.buffers.New = func() any { return new([]byte) }
	return a
}

// Mounter is what the API is mounted on.
type Mounter interface {
	Mount(pattern string, h http.Handler, opts ...httpserver.Option)
}

// Mount mounts the API's routes.
func (a *API) Mount(m Mounter) {
	// A producer that hangs up has still sent its events, and one that closed
	// only its sending half waits for the answer.
	m.Mount("POST /api/v1/events", httpserver.HandlerFunc(a.one), httpserver.IgnoreHangup())
	m.Mount("POST /api/v1/events/batch", httpserver.HandlerFunc(a.batch), httpserver.IgnoreHangup())
	m.Mount("GET /api/v1/events/health", httpserver.HandlerFunc(a.health))
}

// one accepts a body that is one event.
func (a *API) one(w http.ResponseWriter, r *http.Request) error {
	text, err := readBody(w, r)
	if err != nil {
		return err
	}
	e, err := native.Parse(text, a.limits)
	if err != nil {
		a.service.Rejected(err, 1)
		return err
	}
	if err := a.service.Accept(context.WithoutCancel(r.Context()), []event.Event{e}); err != nil {
		return err
	}
	a.answer(w, func(dst []byte) []byte { return accepted{e.ID}.appendJSON(dst) })
	return nil
}

// batch accepts a body that is an array of events.
func (a *API) batch(w http.ResponseWriter, r *http.Request) error {
	text, err := readBody(w, r)
	if err != nil {
		return err
	}
	events, err := native.ParseBatch(text, a.limits)
	if err != nil {
		a.service.Rejected(err, 1)
		return err
	}
	ids := make([]uuid.UUID, len(events)) // the service may keep the events
	for i := range events {
		ids[i] = events[i].ID
	}
	if err := a.service.Accept(context.WithoutCancel(r.Context()), events); err != nil {
		return err
	}
	a.answer(w, func(dst []byte) []byte { return acceptedBatch{ids}.appendJSON(dst) })
	return nil
}

func readBody(w http.ResponseWriter, r *http.Request) (string, error) {
	if err := httpserver.RequireJSON(r); err != nil {
		return "", err
	}
	return httpserver.ReadBody(w, r)
}

// answer says that events are accepted.
func (a *API) answer(w http.ResponseWriter, appendTo func([]byte) []byte) {
	buf := a.buffers.Get().(*[]byte)
	defer a.buffers.Put(buf)
	*buf = appendTo((*buf)[:0])
	httpserver.WriteJSON(w, http.StatusAccepted, *buf)
}

// health says whether events are accepted, and what Redis says, within a second.
func (a *API) health(w http.ResponseWriter, r *http.Request) error {
	w.Header()["Cache-Control"] = []string{"no-store"}
	answer := health{Status: "ok", Redis: "PONG"}
	if err := a.redis.Run(r.Context()); err != nil {
		answer.Redis = reason(err)
	}
	err := a.accepting(r.Context())
	if err == nil {
		httpserver.WriteJSON(w, http.StatusOK, answer.appendJSON(nil))
		return nil
	}
	answer.Status = "error"
	httpserver.WriteJSON(w, http.StatusServiceUnavailable, answer.appendJSON(nil))
	return err // for the log: the answer says less
}

// reason says why Redis is not well, without addresses.
func reason(err error) string {
	if errors.Is(err, httpserver.ErrNoAnswer) || errors.Is(err, context.DeadlineExceeded) {
		return httpserver.ErrNoAnswer.Error()
	}
	if e, ok := errors.AsType[*event.Error](err); ok && e.Detail != "" {
		return e.Detail
	}
	return "unreachable"
}
