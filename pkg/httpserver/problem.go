package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// Problem is an answer other than success, as an error. [WriteError] writes it
// as a problem document (RFC 9457).
type Problem struct { //nolint:errname // its name in RFC 9457
	// Status is the status code.
	Status int
	// Detail is one sentence for whoever sent the request; "" when the status
	// says it all.
	Detail string
	// Problems are what is wrong with the body; More counts those not listed.
	Problems []event.Problem
	More     int
	// RetryAfter is for a 503; zero is http.retry_after.
	RetryAfter time.Duration
	// Header and Value are one more header field, if Header is not "". Header
	// is in canonical form.
	Header, Value string
	// Err is the cause, for the log alone.
	Err error

	// close says that the connection cannot be used for another request.
	close bool
}

// Error implements error.
func (p *Problem) Error() string {
	if p.Err != nil {
		return fmt.Sprintf("%d %s: %v", p.Status, p.Detail, p.Err)
	}
	return fmt.Sprintf("%d %s", p.Status, p.Detail)
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }

// HandlerFunc is an [http.Handler] that answers the error it returns with
// [WriteError].
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// ServeHTTP implements [http.Handler].
func (f HandlerFunc) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := f(w, r); err != nil {
		WriteError(w, r, err)
	}
}

// WriteError answers r with err: a [Problem] as it says, an [event.Error] by its
// kind, anything else as an internal error whose text only the log shows. When
// the answer has begun already, err is logged and nothing else.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	if own := responseOf(w); own != nil {
		own.fail(err)
		return
	}
	p := problemOf(err)
	h := w.Header()
	h["Content-Type"] = typeProblem
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retrySeconds(p.RetryAfter))
	}
	if p.Header != "" {
		h.Set(p.Header, p.Value)
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(appendProblem(nil, p, requestID(r.Header))) //nolint:gosec // JSON, and said to be
}

// fail answers with err unless the answer has begun.
func (w *response) fail(err error) {
	w.err = err
	_, isPanic := errors.AsType[*panicked](err)
	if errors.Is(err, http.ErrAbortHandler) || isPanic && w.status != 0 {
		w.aborted = true
		return
	}
	if w.status != 0 || w.hijacked {
		return // the handler had its own answer
	}
	p := problemOf(err)
	r, h := w.request, w.Header()
	// With HTTP/2 a body is in nobody's way: the stream is reset.
	w.unread = w.conn != nil && r.ContentLength != 0 && !w.consumed
	if p.close || w.unread && (r.ContentLength > maxDiscarded || r.Header["Expect"] != nil) {
		if w.conn != nil {
			w.closeAfter()
		}
		if w.unread {
			// net/http reads some of the body before it closes; it is not
			// worth waiting for.
			_ = w.conn.SetReadDeadline(time.Now().Add(w.conn.ln.lingerTimeout()))
		}
		w.unread = false
	}
	if p.Status == http.StatusServiceUnavailable {
		wait := p.RetryAfter
		if wait <= 0 {
			wait = w.server.cfg.RetryAfter
		}
		h["Retry-After"] = []string{retrySeconds(wait)}
	}
	if p.Header != "" {
		h[p.Header] = []string{p.Value}
	}
	if w.unread {
		// Left to itself, net/http would keep the answer until it has read
		// the body.
		_ = http.NewResponseController(w.ResponseWriter).EnableFullDuplex()
	}
	w.writeBody(p.Status, typeProblem, appendProblem(nil, p, w.id))
}

func tooLarge(limit int64) *Problem {
	return &Problem{
		Status: http.StatusRequestEntityTooLarge,
		Detail: fmt.Sprintf("the request body is larger than %d bytes", limit),
	}
}

// problemOf says how err is answered. This is the one place where the kind of
// an error becomes a status.
func problemOf(err error) *Problem {
	if own, ok := errors.AsType[*Problem](err); ok {
		return own
	}
	if routing, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch routing.Code {
		case http.StatusNotFound:
			return &Problem{Status: routing.Code, Detail: "there is nothing at this path"}
		case http.StatusMethodNotAllowed:
			return &Problem{Status: routing.Code, Detail: "the Allow header names the methods of this path"}
		}
	}
	if e, ok := errors.AsType[*event.Error](err); ok {
		p := &Problem{Detail: e.Detail, Problems: e.Problems, More: e.More, Err: err}
		switch e.Kind {
		case event.KindInvalid:
			p.Status = http.StatusBadRequest
			return p
		case event.KindTooLarge:
			p.Status = http.StatusRequestEntityTooLarge
			return p
		case event.KindUnavailable:
			p.Status, p.RetryAfter = http.StatusServiceUnavailable, e.RetryAfter
			return p
		}
	}
	// An unclassified time-out says nothing about the request.
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &Problem{Status: http.StatusServiceUnavailable, Detail: "the request was not done in time", Err: err}
	}
	return &Problem{
		Status: http.StatusInternalServerError,
		Detail: "the request failed through no fault of its own; the request id finds it in the log",
		Err:    err,
	}
}

// retrySeconds returns d as Retry-After has it (RFC 9110, section 10.2.3): whole
// seconds, at least one.
func retrySeconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}

// appendProblem appends p as an RFC 9457 problem document.
func appendProblem(dst []byte, p *Problem, requestID string) []byte {
	dst = append(dst, `{"type":"about:blank","title":`...)
	dst = appendQuoted(dst, http.StatusText(p.Status))
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(p.Status), 10)
	if p.Detail != "" {
		dst = append(dst, `,"detail":`...)
		dst = appendQuoted(dst, p.Detail)
	}
	dst = append(dst, `,"request_id":`...)
	dst = appendQuoted(dst, requestID)
	if len(p.Problems) > 0 {
		dst = append(dst, `,"errors":[`...)
		for i, one := range p.Problems {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, `{"pointer":`...)
			dst = appendQuoted(dst, one.Pointer)
			dst = append(dst, `,"detail":`...)
			dst = appendQuoted(dst, one.Detail)
			dst = append(dst, '}')
		}
		dst = append(dst, ']')
	}
	if p.More > 0 {
		dst = append(dst, `,"more":`...)
		dst = strconv.AppendInt(dst, int64(p.More), 10)
	}
	return append(dst, "}\n"...)
}

func appendQuoted(dst []byte, s string) []byte {
	// The error says that s is not UTF-8; what is appended is, all the same.
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}
