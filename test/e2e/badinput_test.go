package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/config"
)

const (
	single = "/api/v1/events"
	batch  = "/api/v1/events/batch"
)

// with is a valid event with the text of one member replaced; an empty text
// leaves the member out.
func with(name, text string) string {
	members := [][2]string{
		{"event_type", `"page_view"`}, {"source", `"web"`}, {"timestamp", `"2026-01-02T03:04:05Z"`}, {"payload", "{}"}, {"metadata", "{}"},
	}
	var out []string
	found := false
	for _, m := range members {
		if m[0] == name {
			found = true
			if m[1] = text; text == "" {
				continue
			}
		}
		out = append(out, fmt.Sprintf("%q:%s", m[0], m[1]))
	}
	if !found {
		out = append(out, fmt.Sprintf("%q:%s", name, text))
	}
	return "{" + strings.Join(out, ",") + "}"
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

// smallLimits make the limits cheap to reach.
func smallLimits(c *config.Config) {
	c.HTTP.MaxBodyBytes = 256 << 10
	c.HTTP.ReadHeaderTimeout, c.HTTP.ReadTimeout, c.HTTP.WriteTimeout = time.Second, time.Second, 3*time.Second
	c.Ingest.MaxEventBytes = 64 << 10
	c.Ingest.MaxBatchEvents = 100
}

func TestBadInputIsRefusedWithAPointerAndStoresNothing(t *testing.T) {
	p := newPipeline(t)
	serve := p.serve(smallLimits).ready(t)
	p.work().ready(t)

	valid := with("", "")
	valid = strings.Replace(valid, `,"":`, "", 1)
	deep := strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70)
	for _, tt := range []struct {
		name, path, body string
		header           []string
		status           int
		pointer          string // of the first error; "-" where the body is not to blame
	}{
		{"empty body", single, "", nil, 400, ""},
		{"truncated", single, valid[:40], nil, 400, "*"},
		{"trailing data", single, valid + "{}", nil, 400, ""},
		{"byte order mark", single, "\ufeff" + valid, nil, 400, ""},
		{"NaN", single, with("payload", `{"n":NaN}`), nil, 400, "/payload/n"},
		{"comment", single, "/* hi */" + valid, nil, 400, ""},
		{"leading zero", single, with("payload", `{"n":01}`), nil, 400, "*"},
		{"raw control character", single, with("payload", "{\"s\":\"a\tb\"}"), nil, 400, "/payload/s"},
		{"invalid UTF-8", single, with("payload", "{\"s\":\"\xff\"}"), nil, 400, "/payload/s"},
		{"duplicate keys", single, with("payload", `{"a":1,"a":2}`), nil, 400, "/payload/a"},
		{"duplicate members", single, `{"source":"x",` + valid[1:], nil, 400, "/source"},
		{"duplicate keys, one escaped", single, with("payload", `{"a":1,"\u0061":2}`), nil, 400, "/payload/a"},
		{"too deep", single, with("payload", deep), nil, 400, "*"},
		{"no object", single, `[1]`, nil, 400, ""},
		{"corrupt gzip", single, zipped(t, valid)[:30], []string{"Content-Encoding", "gzip"}, 400, ""},
		{"event_type missing", single, with("event_type", ""), nil, 400, "/event_type"},
		{"event_type mistyped", single, with("event_type", "7"), nil, 400, "/event_type"},
		{"event_type empty", single, with("event_type", `""`), nil, 400, "/event_type"},
		{"event_type too long", single, with("event_type", `"`+strings.Repeat("é", 256)+`"`), nil, 400, "/event_type"},
		{"source missing", single, with("source", ""), nil, 400, "/source"},
		{"source mistyped", single, with("source", "null"), nil, 400, "/source"},
		{"source too long", single, with("source", `"`+strings.Repeat("a", 256)+`"`), nil, 400, "/source"},
		{"timestamp missing", single, with("timestamp", ""), nil, 400, "/timestamp"},
		{"timestamp mistyped", single, with("timestamp", "1700000000"), nil, 400, "/timestamp"},
		{"timestamp without offset", single, with("timestamp", `"2026-01-02T03:04:05"`), nil, 400, "/timestamp"},
		{"timestamp of no day", single, with("timestamp", `"2026-02-30T03:04:05Z"`), nil, 400, "/timestamp"},
		{"event_id no UUID", single, with("event_id", `"42"`), nil, 400, "/event_id"},
		{"payload no object", single, with("payload", "[]"), nil, 400, "/payload"},
		{"payload null", single, with("payload", "null"), nil, 400, "/payload"},
		{"metadata no object", single, with("metadata", `"x"`), nil, 400, "/metadata"},
		{"U+0000 in a value", single, with("payload", `{"s":"a\u0000b"}`), nil, 400, "/payload/s"},
		{"U+0000 in a key", single, with("payload", `{"a\u0000":1}`), nil, 400, "*"},
		{"U+0000 in the source", single, with("source", `"a\u0000"`), nil, 400, "/source"},
		{"lone surrogate", single, with("payload", `{"s":"\ud800"}`), nil, 400, "/payload/s"},
		{"lone low surrogate", single, with("payload", `{"s":"\udc00x"}`), nil, 400, "/payload/s"},
		{"number too large", single, with("payload", `{"n":1e131072}`), nil, 400, "/payload/n"},
		{"number that would expand", single, with("payload", `{"n":1e131071}`), nil, 400, "/payload/n"},
		{"number too small", single, with("payload", `{"n":1e-20000}`), nil, 400, "/payload/n"},
		{"unknown member", single, with("metdata", "{}"), nil, 400, "/metdata"},
		{"empty batch", batch, "[]", nil, 400, ""},
		{"batch no array", batch, valid, nil, 400, ""},
		{"one bad event in a batch", batch, "[" + valid + "," + valid + "," + valid + "," + with("timestamp", `"x"`) + "]", nil, 400, "/3/timestamp"},
		{"unknown path", "/api/v1/nothing", valid, nil, 404, "-"},
		{"other media type", single, valid, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "-"},
		{"unknown encoding", single, valid, []string{"Content-Encoding", "compress"}, 415, "-"},
		{"body too large", single, with("payload", `{"s":"`+strings.Repeat("a", 300<<10)+`"}`), nil, 413, "-"},
		{"body too large after decompression", single, zipped(t, with("payload", `{"s":"`+strings.Repeat("a", 300<<10)+`"}`)), []string{"Content-Encoding", "gzip"}, 413, "-"},
		{"event too large", single, with("payload", `{"s":"`+strings.Repeat("a", 65<<10)+`"}`), nil, 413, "*"},
		{"too many events", batch, "[" + strings.Repeat(valid+",", 100) + valid + "]", nil, 413, "*"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := serve.post(t, tt.path, tt.body, tt.header...)
			require.Equal(t, tt.status, a.status, a.body)
			got := a.problem(t)
			require.NotEmpty(t, got.Detail)
			require.NotEmpty(t, a.header.Get("X-Request-Id"))
			switch tt.pointer {
			case "-":
			case "*":
				require.NotEmpty(t, got.Errors, a.body)
			default:
				if len(got.Errors) == 0 {
					require.Empty(t, tt.pointer, "no pointer in %s", a.body)
					return
				}
				require.Equal(t, tt.pointer, got.Errors[0].Pointer, a.body)
				require.NotEmpty(t, got.Errors[0].Detail)
			}
		})
	}
	require.Zero(t, p.streamLength(), "nothing of it was published")

	t.Run("several faults are all named", func(t *testing.T) {
		got := serve.post(t, batch, `[{"event_type":1,"source":"","timestamp":"x","payload":{}},`+valid+`,{"source":"a"}]`).problem(t)
		var pointers []string
		for _, e := range got.Errors {
			pointers = append(pointers, e.Pointer)
		}
		require.Equal(t, []string{"/0/event_type", "/0/source", "/0/timestamp", "/2/event_type", "/2/timestamp"}, pointers)
	})
	t.Run("wrong method", func(t *testing.T) {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPatch} {
			req, err := http.NewRequestWithContext(t.Context(), method, "http://"+serve.addr+single, nil)
			require.NoError(t, err)
			a := do(t, req)
			require.Equal(t, 405, a.status)
			require.Contains(t, a.header.Get("Allow"), "POST")
			a.problem(t)
		}
	})

	// Good input to the end: the refusals have hurt nothing.
	good := []string{
		with("payload", `{"s":"\\u0000"}`), with("payload", `{"s":"\u2028"}`), with("payload", "{\"s\":\"\u2028\U0001F600\"}"),
		with("payload", `{"s":"\ud83d\ude00"}`), with("source", `"O'Reilly \"quoted\""`), with("payload", `{"q":"?0 ?1"}`),
		with("event_type", `"'; DROP TABLE events; --"`), with("payload", `{"n":123456789012345678901234567890}`),
		with("timestamp", `"2026-01-02T03:04:05.123456789+05:30"`), with("event_type", `"`+strings.Repeat("é", 255)+`"`),
		with("event_id", `"0190D7A0-0000-7000-8000-0000000000AA"`), with("event_id", `"0190d7a0-0000-7000-8000-0000000000aa"`),
	}
	for _, body := range good {
		a := serve.post(t, single, body)
		require.Equal(t, 202, a.status, "%s: %s", body, a.body)
	}
	a := serve.post(t, single, zipped(t, valid), "Content-Encoding", "gzip")
	require.Equal(t, 202, a.status, a.body)
	eventually(t, "all good ones stored, and only they", func() bool {
		return p.count() == len(good) && p.pending() == 0 // One id came twice, and one event was compressed.
	})
	status, _ := get(t, "http://"+serve.admin+"/readyz")
	require.Equal(t, 200, status)
}

// raw sends text as it is and returns the answer.
func raw(t *testing.T, addr, text string) (*http.Response, string) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

func TestBadProtocolIsAnswered(t *testing.T) {
	p := newPipeline(t)
	serve := p.serve(smallLimits).ready(t)
	head := "POST " + single + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	for _, tt := range []struct {
		name, text string
		status     int
	}{
		{"slow body", head + "Content-Length: 100\r\n\r\n{", 408},
		{"slow chunked body", head + "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"eve\r\n", 408},
		{"too large, not yet sent", head + "Content-Length: 99999999\r\n\r\n", 413},
		{"too large, chunked", head + "Transfer-Encoding: chunked\r\n\r\n50000\r\n" + strings.Repeat(" ", 0x50000) + "\r\n0\r\n\r\n", 413},
		{"headers too large", head + "X-Long: " + strings.Repeat("a", 40<<10) + "\r\n\r\n", 431},
		{"length and chunked together", head + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400},
		{"no HTTP", "hello\r\n\r\n", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, body := raw(t, serve.addr, tt.text)
			require.Equal(t, tt.status, res.StatusCode, body)
			require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"), body)
		})
	}
	require.Zero(t, p.streamLength())
}
