package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

const (
	// linesPerSecond bounds the log lines of failed requests.
	linesPerSecond = 20
	// maxLoggedPath is how much of an unknown path is worth a log line.
	maxLoggedPath = 128
)

// record writes the log line of a request: debug for what went well, info for
// what the client did wrong, warn for what may be fine later, error for our own
// faults. Nothing in it is a client's, save the id and an unknown path.
func (s *Server) record(w *response, took time.Duration) {
	level, bound := slog.LevelDebug, (*throttle)(nil)
	switch {
	case w.status == http.StatusServiceUnavailable:
		level, bound = slog.LevelWarn, &s.serverErrors
	case w.status >= 500:
		level, bound = slog.LevelError, &s.serverErrors
	case w.status >= 400:
		level, bound = slog.LevelInfo, &s.clientErrors
	}
	if _, ok := errors.AsType[*panicked](w.err); ok {
		level, bound = slog.LevelError, &s.serverErrors
	}
	r := w.request
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
	attrs = append(attrs,
		slog.String("request_id", w.id),
		slog.String("method", r.Method[:min(len(r.Method), maxLoggedPath)]),
		slog.String("route", w.route.pattern),
		slog.Int("status", w.status),
		slog.Duration("took", took),
		slog.String("remote", s.clientAddr(r)),
	)
	if w.route == s.noRoute {
		attrs = append(attrs, slog.String("path", r.URL.Path[:min(len(r.URL.Path), maxLoggedPath)]))
	}
	attrs = append(attrs, causeAttrs(w.status, w.err)...)
	s.log.LogAttrs(ctx, level, "request", attrs...)
}

// causeAttrs says what is behind a failed request. What a client did wrong is
// in its answer and could quote it: here it is only counted.
func causeAttrs(status int, err error) []slog.Attr {
	if err == nil {
		return nil
	}
	p, isPanic := errors.AsType[*panicked](err)
	if status < http.StatusInternalServerError && !isPanic {
		if p := problemOf(err); len(p.Problems) > 0 {
			return []slog.Attr{slog.Int("problems", len(p.Problems)+p.More)}
		}
		return nil
	}
	attrs := []slog.Attr{slog.String("error", err.Error())}
	if isPanic {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	return attrs
}

// rejection composes, on behalf of a connection, the whole answer to what never
// became a request.
func (s *Server) rejection(status int, detail string) []byte {
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
	body := appendProblem(nil, &Problem{Status: status, Detail: detail}, id)
	answer := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %s\r\nConnection: close\r\nDate: %s\r\n%s: %s\r\n\r\n",
		status, http.StatusText(status), typeProblem[0], strconv.Itoa(len(body)),
		time.Now().UTC().Format(http.TimeFormat), headerRequestID, id)

	s.noRoute.metrics.count(status)
	if ok, suppressed := s.clientErrors.allow(time.Now()); ok {
		s.log.LogAttrs(context.Background(), slog.LevelInfo, "not a request",
			slog.String("request_id", id), slog.Int("status", status),
			slog.String("detail", detail), slog.Int("suppressed", suppressed))
	}
	return append(answer, body...)
}
