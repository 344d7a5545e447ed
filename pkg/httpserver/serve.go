package httpserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"
)

// maxDiscarded is the most of an unwanted body that is read, to keep the
// connection.
const maxDiscarded = 256 << 10

// serve is around every request: it gives it an id, answers for what went wrong
// in it, counts it and logs it.
func (s *Server) serve(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		r := c.Request()
		w := &response{
			ResponseWriter: c.Response().Writer,
			server:         s,
			route:          s.routeOf(c),
			request:        r,
			conn:           connOf(r),
			id:             requestID(r.Header),
		}
		w.held.of = &s.bodyBytes
		c.Response().Writer = w
		w.idField[0] = w.id
		w.Header()[headerRequestID] = w.idField[:]

		if err := w.begin(); err != nil {
			w.fail(err)
		} else {
			done := w.enter(c)
			if err := guard(next, c); err != nil {
				w.fail(err)
			}
			done()
		}
		w.release()
		took := time.Since(start)
		if w.status == 0 {
			w.status = http.StatusOK // as net/http will say
		}
		w.route.metrics.answered(w.status, took)
		s.record(w, took)
		w.finish()
		return nil
	}
}

// begin tells the connection that a request starts, and says what is wrong with
// its framing or version, if anything.
func (w *response) begin() error {
	r := w.request
	if w.conn == nil {
		return nil // HTTP/2, of which net/http has seen to both
	}
	r.TLS = w.conn.tls
	switch {
	case !w.conn.begin(r, w.route.ignoreHangup):
		// RFC 9112, section 6.1: such a request may be an attempt to smuggle
		// another one past an intermediary.
		return &Problem{
			Status: http.StatusBadRequest,
			Detail: "the request has a Transfer-Encoding that contradicts its Content-Length or its HTTP version",
			close:  true,
		}
	case r.ProtoMajor != 1:
		// The preface of HTTP/2 comes through as if it were a request.
		return &Problem{
			Status: http.StatusHTTPVersionNotSupported,
			Detail: "this connection is for HTTP/1.1; HTTP/2 needs TLS",
			close:  true,
		}
	}
	return nil
}

// enter puts the route's limits on the request and returns what ends them.
func (w *response) enter(c echo.Context) (done func()) {
	r, route := w.request, w.route
	if r.ContentLength != 0 {
		w.body = body{ReadCloser: r.Body, left: route.maxBody, max: route.maxBody}
		r.Body = &w.body
		if route.readTimeout > 0 {
			_ = http.NewResponseController(w.ResponseWriter).SetReadDeadline(time.Now().Add(route.readTimeout))
		}
	}
	if len(route.params) > 0 {
		route.setPathValues(c, r)
	}
	if route.writeTimeout > 0 && !route.streaming {
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(route.writeTimeout))
	}
	if !route.streaming {
		return func() {}
	}
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Time{})
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(w.server.streams, func() { cancel(errDraining) })
	w.request = r.WithContext(ctx)
	return func() { stop(); cancel(context.Canceled) }
}

// panicked is a panic as an error.
type panicked struct {
	value any
	stack []byte
}

// Error implements error.
func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// guard calls next and returns a panic as an error.
func guard(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			err = http.ErrAbortHandler
		default:
			err = &panicked{value: v, stack: debug.Stack()}
		}
	}()
	return next(c)
}

// finish reads away a body that is in the way of the next request, and cuts the
// connection when the answer did not come to its proper end.
func (w *response) finish() {
	switch {
	case w.hijacked:
	case w.aborted:
		panic(http.ErrAbortHandler)
	case w.unread:
		w.discard()
	}
}

// discard sends the answer off and reads away the body that nobody wanted.
func (w *response) discard() {
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	if _, err := io.CopyN(io.Discard, w.rawBody(), maxDiscarded+1); !errors.Is(err, io.EOF) {
		// What follows on this connection could be taken for a request.
		w.conn.linger.Store(true)
		panic(http.ErrAbortHandler)
	}
}

// rawBody returns the request's body without a bound.
func (w *response) rawBody() io.Reader {
	if w.body.ReadCloser != nil {
		return w.body.ReadCloser
	}
	return w.request.Body
}
