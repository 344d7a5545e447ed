package httpserver

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Values of header fields. A header map holds them and nobody writes to them.
var (
	typeJSON    = []string{"application/json"}
	typeProblem = []string{"application/problem+json"}
	closing     = []string{"close"}
)

// response is the [http.ResponseWriter] of one request and what the server
// keeps about it.
type response struct {
	http.ResponseWriter
	server  *Server
	route   *route
	request *http.Request
	conn    *conn // nil with HTTP/2
	id      string

	status   int   // of the answer, 0 until it is written
	err      error // what was answered, for the log
	hijacked bool
	consumed bool // nothing of the body is left on the connection
	unread   bool // the body is in the way of the connection's next request
	aborted  bool // the answer must not look complete

	admitted bool  // counted in server.inFlight
	held     lease // of server.bodyBytes
	body     body

	// What the header map holds, to spare it allocations of its own.
	idField, lengthField [1]string
}

// responseOf returns the response that w is or wraps, nil when there is none.
func responseOf(w http.ResponseWriter) *response {
	for {
		switch v := w.(type) {
		case *response:
			return v
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return nil
		}
	}
}

// Unwrap is for [http.ResponseController].
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements [http.ResponseWriter]. While the server drains, the
// answer is the connection's last.
func (w *response) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
		if w.server.draining.Load() {
			w.closeAfter()
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.extendDeadline()
	return w.ResponseWriter.Write(p)
}

// FlushError sends what is written so far.
func (w *response) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.extendDeadline()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements [http.Flusher].
func (w *response) Flush() { _ = w.FlushError() }

// Hijack implements [http.Hijacker]. It fails with HTTP/2. The server closes the
// connection at the end of its shutdown, if the handler does not.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, buf, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.hijacked = true
		if w.status == 0 {
			w.status = http.StatusSwitchingProtocols
		}
	}
	return nc, buf, err
}

// extendDeadline sets the deadline of the next write of a stream.
func (w *response) extendDeadline() {
	if w.route.streaming && !w.hijacked {
		// A connection that takes no deadline has none to exceed.
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.server.writeTimeout(w.route)))
	}
}

// closeAfter makes this answer the connection's last.
func (w *response) closeAfter() {
	w.Header()["Connection"] = closing
	if w.conn != nil {
		w.conn.linger.Store(true)
	}
}

// writeBody answers with a whole body.
func (w *response) writeBody(status int, contentType []string, body []byte) {
	h := w.Header()
	h["Content-Type"] = contentType
	w.lengthField[0] = strconv.Itoa(len(body))
	h["Content-Length"] = w.lengthField[:]
	w.WriteHeader(status)
	// An answer that cannot be written has nobody to be told.
	_, _ = w.Write(body)
}

// release gives back what the request held.
func (w *response) release() {
	w.held.release()
	if w.admitted {
		w.admitted = false
		w.server.inFlight.release(1)
	}
}

// WriteJSON answers with body, which is JSON, and says how long it is.
func WriteJSON(w http.ResponseWriter, status int, body []byte) {
	if own, ok := w.(*response); ok {
		own.writeBody(status, typeJSON, body)
		return
	}
	h := w.Header()
	h["Content-Type"] = typeJSON
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// body bounds what a handler reads of a request's body by itself. [ReadBody]
// goes past it.
type body struct {
	io.ReadCloser
	left int64
	max  int64
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one byte over the limit tells too much from just enough
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		n = int(b.left)
		b.left = 0
		return n, tooLarge(b.max)
	}
	b.left -= int64(n)
	return n, err
}
