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

// failure is an answer other than success.
type failure struct {
	status int
	// detail is for whoever sent the request; "" when the status says it
	// all.
	detail   string
	problems []event.Problem
	more     int
	// retryAfter is for a 503; zero is the configured one.
	retryAfter time.Duration
	// header and value are one more header field, if header is not "".
	header, value string
	// close says that the connection cannot be used for another request.
	close bool
	// cause is for the log alone.
	cause error
}

// Error implements error.
func (f *failure) Error() string {
	if f.cause != nil {
		return fmt.Sprintf("%d %s: %v", f.status, f.detail, f.cause)
	}
	return fmt.Sprintf("%d %s", f.status, f.detail)
}

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.cause }

func tooLarge(limit int64) *failure {
	return &failure{
		status: http.StatusRequestEntityTooLarge,
		detail: fmt.Sprintf("the request body is larger than %d bytes", limit),
	}
}

// failureOf says how err is answered. This is the one place where the kind of
// an error becomes a status.
func failureOf(err error) *failure {
	if own, ok := errors.AsType[*failure](err); ok {
		return own
	}
	if routing, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch routing.Code {
		case http.StatusNotFound:
			return &failure{status: routing.Code, detail: "there is nothing at this path"}
		case http.StatusMethodNotAllowed:
			return &failure{status: routing.Code, detail: "the Allow header names the methods of this path"}
		}
	}
	if e, ok := errors.AsType[*event.Error](err); ok {
		f := &failure{detail: e.Detail, problems: e.Problems, more: e.More, cause: err}
		switch e.Kind {
		case event.KindInvalid:
			f.status = http.StatusBadRequest
			return f
		case event.KindTooLarge:
			f.status = http.StatusRequestEntityTooLarge
			return f
		case event.KindUnavailable:
			f.status, f.retryAfter = http.StatusServiceUnavailable, e.RetryAfter
			return f
		}
	}
	// An unclassified time-out says nothing about the request.
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &failure{status: http.StatusServiceUnavailable, detail: "the request was not done in time", cause: err}
	}
	return &failure{
		status: http.StatusInternalServerError,
		detail: "the request failed through no fault of its own; the request id finds it in the log",
		cause:  err,
	}
}

// retrySeconds returns d as Retry-After has it: whole seconds, at least one.
func retrySeconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}

// appendProblem appends f as an RFC 9457 problem document.
func appendProblem(dst []byte, f *failure, requestID string) []byte {
	dst = append(dst, `{"type":"about:blank","title":`...)
	dst = appendQuoted(dst, http.StatusText(f.status))
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(f.status), 10)
	if f.detail != "" {
		dst = append(dst, `,"detail":`...)
		dst = appendQuoted(dst, f.detail)
	}
	dst = append(dst, `,"request_id":`...)
	dst = appendQuoted(dst, requestID)
	if len(f.problems) > 0 {
		dst = append(dst, `,"errors":[`...)
		for i, p := range f.problems {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, `{"pointer":`...)
			dst = appendQuoted(dst, p.Pointer)
			dst = append(dst, `,"detail":`...)
			dst = appendQuoted(dst, p.Detail)
			dst = append(dst, '}')
		}
		dst = append(dst, ']')
	}
	if f.more > 0 {
		dst = append(dst, `,"more":`...)
		dst = strconv.AppendInt(dst, int64(f.more), 10)
	}
	return append(dst, "}\n"...)
}

func appendQuoted(dst []byte, s string) []byte {
	// The error says that s is not UTF-8; what is appended is, all the same.
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}
