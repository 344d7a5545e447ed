package httpserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

const (
	// linesPerSecond bounds the log lines of failed requests.
	linesPerSecond = 20
	// maxLoggedPath is how much of an unknown path is worth a log line.
	maxLoggedPath = 128
	// maxDiscarded is the most of an unwanted body that is read, to keep
	// the connection.
	maxDiscarded = 256 << 10
)

// observe is around every request: it gives it an id, answers for what went
// wrong in it, counts it and logs it.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		r, h := c.Request(), c.Response().Header()
		id := requestID(r.Header)
		h[headerRequestID] = []string{id}
		nc := connOf(r)
		var err error
		switch {
		case nc != nil && !nc.begin(r):
			err = &failure{
				status: http.StatusBadRequest,
				detail: "the request has a Transfer-Encoding that contradicts its Content-Length or its HTTP version",
				close:  true,
			}
		case r.ProtoMajor != 1:
			// The preface of HTTP/2 comes through as if it were a request.
			err = &failure{
				status: http.StatusHTTPVersionNotSupported,
				detail: "HTTP/1.1 is spoken here",
				close:  true,
			}
		default:
			err = guard(next, c)
		}
		unread := err != nil && s.fail(c, nc, id, err)
		took := time.Since(start)
		s.metrics.answered(routeOf(c.Path()), c.Response().Status, took)
		s.record(c, id, took, err)
		if unread {
			discard(c, nc)
		}
		return nil
	}
}

// hangUp makes this answer the connection's last.
func hangUp(h http.Header, nc *conn) {
	h["Connection"] = closing
	if nc != nil {
		nc.linger.Store(true)
	}
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
		if v := recover(); v != nil {
			err = &panicked{value: v, stack: debug.Stack()}
		}
	}()
	return next(c)
}

// fail answers a request that failed, and reports whether its body is in the
// way of the next one.
func (s *Server) fail(c echo.Context, nc *conn, id string, err error) (unread bool) {
	if c.Response().Committed {
		return false // the handler had its own answer
	}
	f := failureOf(err)
	r, h := c.Request(), c.Response().Header()
	unread = r.ContentLength != 0
	if f.close || unread && (r.ContentLength > maxDiscarded || r.Header["Expect"] != nil) {
		hangUp(h, nc)
		if unread && nc != nil {
			// net/http reads some of the body before it closes; it is not
			// worth waiting for.
			_ = nc.SetReadDeadline(time.Now().Add(lingerTime))
		}
		unread = false
	}
	if f.status == http.StatusServiceUnavailable {
		wait := f.retryAfter
		if wait <= 0 {
			wait = s.cfg.RetryAfter
		}
		h["Retry-After"] = []string{retrySeconds(wait)}
	}
	if f.header != "" {
		h[f.header] = []string{f.value}
	}
	if unread {
		// Left to itself, net/http would keep the answer until it has read
		// the body.
		_ = http.NewResponseController(c.Response().Writer).EnableFullDuplex()
	}
	_ = s.write(c, f.status, typeProblem, appendProblem(nil, f, id))
	return unread
}

// discard sends the answer off and reads away the body that nobody wanted.
func discard(c echo.Context, nc *conn) {
	_ = http.NewResponseController(c.Response().Writer).Flush()
	if _, err := io.CopyN(io.Discard, c.Request().Body, maxDiscarded+1); !errors.Is(err, io.EOF) {
		// What follows on this connection could be taken for a request.
		if nc != nil {
			nc.linger.Store(true)
		}
		panic(http.ErrAbortHandler)
	}
}

// record writes the log line of a request: debug for what went well, info for
// what the producer did wrong, warn for what may be fine later, error for our
// own faults. Nothing in it is a producer's, save the id and an unknown path.
func (s *Server) record(c echo.Context, id string, took time.Duration, err error) {
	status := c.Response().Status
	level, bound := slog.LevelDebug, (*throttle)(nil)
	switch {
	case status == http.StatusServiceUnavailable:
		level, bound = slog.LevelWarn, &s.faults
	case status >= 500:
		level, bound = slog.LevelError, &s.faults
	case status >= 400:
		level, bound = slog.LevelInfo, &s.refusals
	}
	r := c.Request()
	ctx := r.Context()
	if !s.log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 10)
	if bound != nil {
		ok, suppressed := bound.allow(time.Now())
		if !ok {
			return
		}
		if suppressed > 0 {
			attrs = append(attrs, slog.Int("suppressed", suppressed))
		}
	}
	route := routeOf(c.Path())
	attrs = append(attrs,
		slog.String("request_id", id),
		slog.String("method", r.Method[:min(len(r.Method), maxLoggedPath)]),
		slog.String("route", routePaths[route]),
		slog.Int("status", status),
		slog.Duration("took", took),
		slog.String("remote", r.RemoteAddr),
	)
	if route == routeNone {
		attrs = append(attrs, slog.String("path", r.URL.Path[:min(len(r.URL.Path), maxLoggedPath)]))
	}
	attrs = append(attrs, causeAttrs(status, err)...)
	s.log.LogAttrs(ctx, level, "request", attrs...)
}

// causeAttrs says what is behind a failed request. What a producer did wrong
// is told by its answer and could quote it: here it is only counted.
func causeAttrs(status int, err error) []slog.Attr {
	if err == nil {
		return nil
	}
	if status < http.StatusInternalServerError {
		if f := failureOf(err); len(f.problems) > 0 {
			return []slog.Attr{slog.Int("problems", len(f.problems)+f.more)}
		}
		return nil
	}
	attrs := []slog.Attr{slog.String("error", err.Error())}
	if p, ok := errors.AsType[*panicked](err); ok {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	return attrs
}

// refusal answers, on behalf of a connection, what never became a request.
func (s *Server) refusal(status int, detail string) []byte {
	switch {
	case status == http.StatusRequestHeaderFieldsTooLarge:
		detail = fmt.Sprintf("the request line and headers are larger than %d bytes", s.cfg.MaxHeaderBytes)
	case status == http.StatusNotImplemented:
		detail = "chunked is the only Transfer-Encoding there is"
	case status == http.StatusExpectationFailed:
		detail = "100-continue is the only expectation there is"
	case detail == "":
		detail = "this is not a valid HTTP/1.1 request"
	}
	id := newRequestID()
	body := appendProblem(nil, &failure{status: status, detail: detail}, id)
	answer := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %s\r\nConnection: close\r\nDate: %s\r\n%s: %s\r\n\r\n",
		status, http.StatusText(status), typeProblem[0], strconv.Itoa(len(body)),
		time.Now().UTC().Format(http.TimeFormat), headerRequestID, id)

	s.metrics.refused(status)
	if ok, suppressed := s.refusals.allow(time.Now()); ok {
		s.log.LogAttrs(context.Background(), slog.LevelInfo, "not a request",
			slog.String("request_id", id), slog.Int("status", status),
			slog.String("detail", detail), slog.Int("suppressed", suppressed))
	}
	return append(answer, body...)
}
