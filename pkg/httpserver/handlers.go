package httpserver

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// Values of header fields; a header map holds them and nobody writes to them.
var (
	typeJSON    = []string{"application/json"}
	typeProblem = []string{"application/problem+json"}
	closing     = []string{"close"}
	noStore     = []string{"no-store"}
)

// accept takes a body and appends the answer to dst.
type accept func(ctx context.Context, body string, dst []byte) ([]byte, error)

func (s *Server) one(ctx context.Context, body string, dst []byte) ([]byte, error) {
	id, err := s.in.One(ctx, body)
	if err != nil {
		return dst, err
	}
	return appendAccepted(dst, id), nil
}

func (s *Server) batch(ctx context.Context, body string, dst []byte) ([]byte, error) {
	ids, err := s.in.Batch(ctx, body)
	if err != nil {
		return dst, err
	}
	return appendAcceptedBatch(dst, ids), nil
}

// post answers a request whose body goes to the ingester.
func (s *Server) post(accept accept) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !s.inFlight.take(1) {
			return &failure{status: http.StatusServiceUnavailable, detail: "too many requests are in progress"}
		}
		defer s.inFlight.give(1)
		r := c.Request()
		if err := checkMediaType(r.Header); err != nil {
			return err
		}
		room := lease{of: &s.room}
		defer room.end()
		body, err := s.bodies.read(r, &room)
		if err != nil {
			return err
		}
		// From here on nothing of the body is left on the connection.
		r.ContentLength = 0
		s.metrics.bodyBytes.Add(float64(len(body)))

		buf := s.buffers.Get().(*[]byte)
		defer s.buffers.Put(buf)
		// A producer that hangs up now has still sent the event, and one
		// that closed only its sending half waits for the answer.
		*buf, err = accept(context.WithoutCancel(r.Context()), body, (*buf)[:0])
		if err != nil {
			return err
		}
		return s.write(c, http.StatusAccepted, typeJSON, *buf)
	}
}

// health says whether Redis answers, within [probeTimeout].
func (s *Server) health(c echo.Context) error {
	c.Response().Header()["Cache-Control"] = noStore
	err := s.ping.run(c.Request().Context())
	if err == nil {
		return s.write(c, http.StatusOK, typeJSON, []byte(`{"status":"ok","redis":"PONG"}`+"\n"))
	}
	body := append([]byte(`{"status":"error","redis":`), appendQuoted(nil, healthReason(err))...)
	_ = s.write(c, http.StatusServiceUnavailable, typeJSON, append(body, "}\n"...))
	return err // for the log: the answer is short of it
}

// healthReason says why Redis is not well, without addresses.
func healthReason(err error) string {
	if errors.Is(err, errNoAnswer) || errors.Is(err, context.DeadlineExceeded) {
		return errNoAnswer.Error()
	}
	if e, ok := errors.AsType[*event.Error](err); ok && e.Detail != "" {
		return e.Detail
	}
	return "unreachable"
}

// write writes a whole answer, the connection's last while the server drains.
func (s *Server) write(c echo.Context, status int, contentType []string, body []byte) error {
	h := c.Response().Header()
	if s.draining.Load() {
		hangUp(h, connOf(c.Request()))
	}
	h["Content-Type"] = contentType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.Response().WriteHeader(status)
	// An answer that cannot be written has nobody to be told.
	_, _ = c.Response().Write(body)
	return nil
}
