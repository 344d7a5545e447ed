package httpserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

func TestWriteError_MapsKindsToStatuses(t *testing.T) {
	cause := errors.New("secret cause at 10.0.0.1")
	for _, row := range []struct {
		name   string
		err    error
		status int
		retry  string
	}{
		{"invalid", &event.Error{Kind: event.KindInvalid, Detail: "bad", Err: cause}, 400, ""},
		{"too large", &event.Error{Kind: event.KindTooLarge, Detail: "big", Err: cause}, 413, ""},
		{"unavailable", event.Unavailable("full", cause), 503, "2"},
		{"unavailable, knows when", &event.Error{Kind: event.KindUnavailable, Detail: "full", RetryAfter: 4001 * time.Millisecond}, 503, "5"},
		{"unavailable, soon", &event.Error{Kind: event.KindUnavailable, Detail: "full", RetryAfter: time.Millisecond}, 503, "1"},
		{"wrapped", fmt.Errorf("publish: %w", event.Unavailable("full", cause)), 503, "2"},
		{"deadline", fmt.Errorf("publish: %w", context.DeadlineExceeded), 503, "2"},
		{"rejected", &event.Error{Kind: event.KindRejected, Detail: "row", Err: cause}, 500, ""},
		{"internal", &event.Error{Kind: event.KindInternal, Detail: "oops", Err: cause}, 500, ""},
		{"anything else", cause, 500, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := start(t, &fake{accept: func(context.Context, string) error { return row.err }},
				func(c *Config) { c.RetryAfter = 1500 * time.Millisecond })
			a := r.do(t, "POST", "/api/v1/events", strings.NewReader("{}"))
			p := requireProblem(t, a, row.status)
			require.Equal(t, row.retry, a.Header.Get("Retry-After"))
			require.NotContains(t, a.body, "secret")
			if row.status == 500 {
				require.Contains(t, r.log.String(), "level=ERROR")
				require.Contains(t, r.log.String(), p.RequestID)
				require.Contains(t, r.log.String(), row.err.Error())
			}
			require.EqualValues(t, 1, valueOf(t, r.metrics.requests.WithLabelValues("/api/v1/events", fmt.Sprint(row.status))))
		})
	}
}

func TestWriteError_ListsTheProblems(t *testing.T) {
	r := start(t, &fake{accept: func(context.Context, string) error {
		return &event.Error{Kind: event.KindInvalid, Detail: "the batch is not valid", More: 3, Problems: []event.Problem{
			{Pointer: "/3/timestamp", Detail: "is missing"},
			{Pointer: "/4/payload/a\"b\x00\xff", Detail: "is not \"good\""},
		}}
	}})
	a := r.do(t, "POST", "/api/v1/events/batch", strings.NewReader("secret payload"))
	p := requireProblem(t, a, 400)
	require.Equal(t, "the batch is not valid", p.Detail)
	require.Len(t, p.Errors, 2)
	require.Equal(t, "/3/timestamp", p.Errors[0].Pointer)
	require.Equal(t, "is missing", p.Errors[0].Detail)
	require.Equal(t, "/4/payload/a\"b\x00\uFFFD", p.Errors[1].Pointer)
	require.Equal(t, 3, p.More)
	require.Contains(t, r.log.String(), "problems=5")
	require.NotContains(t, r.log.String(), "payload")
}

func TestPanic_IsAnsweredAndLogged(t *testing.T) {
	r := start(t, &fake{accept: func(_ context.Context, body string) error {
		if body == "boom" {
			panic("a defect")
		}
		return nil
	}})
	p := r.dial(t)
	for range 2 {
		p.send(events + "Content-Length: 4\r\n\r\nboom")
		requireProblem(t, p.answer("POST"), 500)
	}
	p.send(events + "Content-Length: 2\r\n\r\n{}")
	require.Equal(t, 202, p.answer("POST").StatusCode)
	require.Contains(t, r.log.String(), "a defect")
	require.Contains(t, r.log.String(), "answers_test.go", "the stack")
	require.Zero(t, r.inFlight.held.Load())
	require.Zero(t, r.bodyBytes.held.Load())
}

func TestRouting_AnswersUnknownPathsAndMethods(t *testing.T) {
	r := start(t, &fake{})
	for _, row := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/api/v1/events", 405, "OPTIONS, POST"},
		{"PUT", "/api/v1/events/batch", 405, "OPTIONS, POST"},
		{"DELETE", "/api/v1/events/health", 405, "OPTIONS, GET, HEAD"},
		{"POST", "/api/v1/events/health", 405, "OPTIONS, GET, HEAD"},
		{"POST", "/", 404, ""},
		{"POST", "/api/v1/event", 404, ""},
		{"POST", "/api/v1/eventss", 404, ""},
		{"POST", "/api/v1/events/batch/1", 404, ""},
		{"POST", "//api/v1/events", 404, ""},
	} {
		a := r.do(t, row.method, row.path, strings.NewReader("{}"))
		requireProblem(t, a, row.status)
		require.Equal(t, row.allow, a.Header.Get("Allow"))
	}
	for path, allow := range map[string]string{
		"/api/v1/events": "OPTIONS, POST", "/api/v1/events/batch": "OPTIONS, POST", "/api/v1/events/health": "OPTIONS, GET, HEAD",
	} {
		a := r.do(t, "OPTIONS", path, nil)
		require.Equal(t, 204, a.StatusCode)
		require.Equal(t, allow, a.Header.Get("Allow"))
		require.Empty(t, a.Header.Get("Access-Control-Allow-Origin"))
	}
	require.Empty(t, r.fake.seen())
	require.EqualValues(t, 5, valueOf(t, r.metrics.requests.WithLabelValues("none", "404")))
}

func TestRequireJSON(t *testing.T) {
	r := start(t, &fake{})
	for value, status := range map[string]int{
		"application/json":                    202,
		"application/json; charset=utf-8":     202,
		"application/json;charset=\"UTF-8\"":  202,
		"Application/JSON; version=1":         202,
		"":                                    202,
		"application/json; charset=utf-16":    415,
		"application/json; charset=utf8":      202,
		"application/json; charset":           415,
		"application/cloudevents+json":        415,
		"application/x-www-form-urlencoded":   415,
		"text/json":                           415,
		"application/json, application/json":  415,
		"application/jsonp":                   415,
		"multipart/form-data; boundary=--xyz": 415,
	} {
		a := r.do(t, "POST", "/api/v1/events", strings.NewReader("{}"), "Content-Type", value)
		require.Equal(t, status, a.StatusCode, value)
		if status == 415 {
			requireProblem(t, a, 415)
			require.Equal(t, "application/json", a.Header.Get("Accept"))
		}
	}
	require.Equal(t, 202, r.do(t, "POST", "/api/v1/events", strings.NewReader("{}")).StatusCode, "no Content-Type")
	a := r.do(t, "POST", "/api/v1/events", strings.NewReader("{}"),
		"Content-Type", "application/json", "Content-Type", "text/plain")
	requireProblem(t, a, 415)
	a = r.do(t, "POST", "/api/v1/events", strings.NewReader("{}"), "Content-Type", "application/x-www-form-urlencoded")
	require.Contains(t, requireProblem(t, a, 415).Detail, "curl", "says how to do it right")
}

func gzipOf(tb testing.TB, s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, s)
	require.NoError(tb, err)
	require.NoError(tb, w.Close())
	return b.String()
}

func zstdOf(tb testing.TB, s string) string {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	require.NoError(tb, err)
	_, err = io.WriteString(w, s)
	require.NoError(tb, err)
	require.NoError(tb, w.Close())
	return b.String()
}

func TestReadBody_Decompresses(t *testing.T) {
	r := start(t, &fake{})
	const limit = 64 << 10
	plain := `{"event_type":"` + strings.Repeat("abc", 500) + `"}`
	full, over := strings.Repeat(" ", limit), strings.Repeat(" ", limit+1)
	for _, row := range []struct {
		name, coding, body string
		status             int
		want               string
	}{
		{"identity", "identity", plain, 202, plain},
		{"empty", "", plain, 202, plain},
		{"gzip", "gzip", gzipOf(t, plain), 202, plain},
		{"gzip, other spelling", "X-GZIP", gzipOf(t, plain), 202, plain},
		{"gzip, two members", "gzip", gzipOf(t, plain[:7]) + gzipOf(t, plain[7:]), 202, plain},
		{"gzip, just large enough", "gzip", gzipOf(t, full), 202, full},
		{"gzip, too large", "gzip", gzipOf(t, over), 413, ""},
		{"gzip, a bomb", "gzip", gzipOf(t, strings.Repeat(over, 100)), 413, ""},
		{"gzip, none", "gzip", plain, 400, ""},
		{"gzip, cut", "gzip", gzipOf(t, plain)[:30], 400, ""},
		{"gzip, trailing data", "gzip", gzipOf(t, plain) + "x", 400, ""},
		{"gzip, wrong checksum", "gzip", gzipOf(t, plain)[:len(gzipOf(t, plain))-8] + "12345678", 400, ""},
		{"zstd", "zstd", zstdOf(t, plain), 202, plain},
		{"zstd, two frames", "zstd", zstdOf(t, plain[:7]) + zstdOf(t, plain[7:]), 202, plain},
		{"zstd, just large enough", "zstd", zstdOf(t, full), 202, full},
		{"zstd, too large", "zstd", zstdOf(t, over), 413, ""},
		{"zstd, a bomb", "zstd", zstdOf(t, strings.Repeat(over, 100)), 413, ""},
		{"zstd, none", "zstd", plain, 400, ""},
		{"zstd, cut", "zstd", zstdOf(t, plain)[:20], 400, ""},
		{"brotli", "br", plain, 415, ""},
		{"two", "gzip, gzip", gzipOf(t, gzipOf(t, plain)), 415, ""},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, chunked %t", row.name, chunked), func(t *testing.T) {
				before := len(r.fake.seen())
				body := io.Reader(strings.NewReader(row.body))
				if chunked {
					body = io.MultiReader(body)
				}
				a := r.do(t, "POST", "/api/v1/events", body, "Content-Encoding", row.coding)
				require.Zero(t, r.bodyBytes.held.Load())
				if row.status == 202 {
					require.Equal(t, 202, a.StatusCode, a.body)
					require.Equal(t, []string{row.want}, r.fake.seen()[before:])
					return
				}
				requireProblem(t, a, row.status)
				require.Len(t, r.fake.seen(), before)
				if row.status == 415 {
					require.Equal(t, "gzip, zstd, identity", a.Header.Get("Accept-Encoding"))
				}
			})
		}
	}
}

func TestRequestID_IsKeptIfSane(t *testing.T) {
	r := start(t, &fake{})
	for id, kept := range map[string]bool{
		"a-Z_0.9": true, strings.Repeat("x", 128): true,
		strings.Repeat("x", 129): false, "": false, "a b": false, "a\"b": false, "é": false,
	} {
		a := r.do(t, "POST", "/api/v1/events", strings.NewReader("{}"), "X-Request-Id", id)
		got := a.Header.Get("X-Request-ID")
		if kept {
			require.Equal(t, id, got)
		} else {
			require.Regexp(t, "^[0-9a-f]{32}$", got)
		}
		require.Contains(t, r.log.String(), "request_id="+got)
	}
	a := r.do(t, "POST", "/api/v1/events", strings.NewReader("{}"), "X-Request-Id", "one", "X-Request-Id", "two")
	require.Regexp(t, "^[0-9a-f]{32}$", a.Header.Get("X-Request-ID"))
}

func TestLog_IsBoundedAndHoldsNoPayload(t *testing.T) {
	r := start(t, &fake{accept: func(context.Context, string) error {
		return &event.Error{Kind: event.KindInvalid, Detail: "bad"}
	}})
	p := r.dial(t)
	const requests = 500
	for range requests {
		p.send("POST /api/v1/events?key=topsecret HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\ntopsecret")
		require.Equal(t, http.StatusBadRequest, p.answer("POST").StatusCode)
	}
	require.NotContains(t, r.log.String(), "topsecret")
	require.Less(t, strings.Count(r.log.String(), "status=400"), requests/2)
}
