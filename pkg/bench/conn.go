package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	// grace is how long an answer is waited for once the run is interrupted.
	grace = time.Second
	// staleAfter is how long a connection may be idle and still be trusted: a
	// server closes those that are idle for long.
	staleAfter = 30 * time.Second
	// excerptBytes is how much of a refusal is kept.
	excerptBytes = 512
)

// dialer makes connections.
type dialer func(ctx context.Context) (net.Conn, error)

func (t target) dialer(timeout time.Duration) dialer {
	plain := &net.Dialer{Timeout: timeout}
	if t.tls {
		secure := &tls.Dialer{NetDialer: plain}
		return func(ctx context.Context) (net.Conn, error) { return secure.DialContext(ctx, "tcp", t.addr) }
	}
	return func(ctx context.Context) (net.Conn, error) { return plain.DialContext(ctx, "tcp", t.addr) }
}

// conn is one connection to the server, with one request on it at a time. It
// is little more than the socket: the load has to cost less than what it is
// put on.
type conn struct {
	net.Conn
	ctx      context.Context //nolint:containedctx // it is the life of the connection
	stop     func() bool     // undoes what waits for the end of ctx
	in       *bufio.Reader
	timeout  time.Duration
	last     time.Time // when it was used
	received int64     // bytes, of the answer that is being read
}

// answer is what came back.
type answer struct {
	status   int
	excerpt  string // of what is no 202
	received int64
	last     bool // the server closes the connection
}

// newConn takes over raw. Once ctx has ended, what is waited for gets the
// grace.
func newConn(ctx context.Context, raw net.Conn, timeout time.Duration) *conn {
	c := &conn{Conn: raw, ctx: ctx, timeout: timeout, last: time.Now()}
	c.in = bufio.NewReaderSize(c, 4<<10)
	c.stop = context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Now().Add(grace)) })
	return c
}

// Close closes the connection.
func (c *conn) Close() error {
	c.stop()
	return c.Conn.Close()
}

func (c *conn) stale(now time.Time) bool { return now.Sub(c.last) > staleAfter }

// Read counts what comes in.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.received += int64(n)
	return n, err
}

// do sends a request and reads the answer. After an error the connection is of
// no more use.
func (c *conn) do(wire []byte, now time.Time) (answer, error) {
	c.received = 0
	if err := c.SetDeadline(now.Add(c.timeout)); err != nil {
		return answer{}, err
	}
	if c.ctx.Err() != nil {
		// The end may have come before the deadline was set.
		_ = c.SetDeadline(now.Add(min(grace, c.timeout)))
	}
	if _, err := c.Write(wire); err != nil {
		return answer{received: c.received}, err
	}
	a, err := c.read()
	for err == nil && a.status < http.StatusOK {
		a, err = c.read() // something preliminary
	}
	a.received = c.received
	if errors.Is(err, io.EOF) {
		err = errors.New("connection closed without an answer")
	}
	return a, err
}

// read reads one answer: by hand where it is of the plain kind, with a
// Content-Length, and else as net/http does.
func (c *conn) read() (answer, error) {
	head, err := c.peekHead()
	if err != nil {
		return answer{}, err
	}
	status, length, plain := parseHead(head)
	if !plain {
		return c.readAny()
	}
	if _, err := c.in.Discard(len(head)); err != nil {
		return answer{}, err
	}
	a := answer{status: status}
	if status != http.StatusAccepted {
		a.excerpt, err = excerpt(io.LimitReader(c.in, int64(min(length, excerptBytes))))
		length -= min(length, excerptBytes)
	}
	if err == nil {
		_, err = c.in.Discard(length)
	}
	return a, err
}

func (c *conn) readAny() (answer, error) {
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	a := answer{status: response.StatusCode, last: response.Close}
	if a.status != http.StatusAccepted {
		a.excerpt, err = excerpt(io.LimitReader(response.Body, excerptBytes))
	}
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
	}
	return a, err
}

func excerpt(r io.Reader) (string, error) {
	text, err := io.ReadAll(r)
	return strings.ToValidUTF8(strings.TrimSpace(string(text)), "?"), err
}

// peekHead returns the head of the next answer with its blank line, without
// taking it; less where it is longer than the buffer.
func (c *conn) peekHead() ([]byte, error) {
	for want := 1; ; {
		head, err := c.in.Peek(want)
		if len(head) == 0 || err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if len(head) > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		head, _ = c.in.Peek(c.in.Buffered())
		if end := bytes.Index(head, []byte("\r\n\r\n")); end >= 0 {
			return head[:end+4], nil
		}
		if err != nil {
			return head, nil
		}
		want = len(head) + 1
	}
}

// parseHead returns the status and the length of the body. Plain is false
// where anything says that there is more to it.
func parseHead(head []byte) (status, length int, plain bool) {
	const version, begin = "HTTP/1.1 ", len("HTTP/1.1 202")
	if !bytes.HasPrefix(head, []byte(version)) || len(head) <= begin || !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		return 0, 0, false
	}
	if status, plain = number(head[len(version):begin]); !plain || status < http.StatusOK {
		return 0, 0, false
	}
	length = -1
	for rest := head[begin:]; ; {
		_, line, more := bytes.Cut(rest, []byte("\r\n"))
		if !more || len(line) == 0 {
			return status, length, length >= 0
		}
		rest = line
		switch line[0] | 0x20 {
		case 'c':
			if value, ok := field(line, "content-length:"); ok {
				n, isNumber := number(value)
				if !isNumber || length >= 0 {
					return 0, 0, false
				}
				length = n
			} else if _, ok := field(line, "connection:"); ok {
				return 0, 0, false
			}
		case 't':
			if _, ok := field(line, "transfer-encoding:"); ok {
				return 0, 0, false
			}
		}
	}
}

// field returns the value of the line that rest begins with, where name, in
// lower case and with its colon, is the name of it.
func field(rest []byte, name string) ([]byte, bool) {
	if len(rest) < len(name) || !bytes.EqualFold(rest[:len(name)], []byte(name)) {
		return nil, false
	}
	value, _, _ := bytes.Cut(rest[len(name):], []byte("\r\n"))
	return bytes.TrimSpace(value), true
}

func number(text []byte) (n int, ok bool) {
	for _, digit := range text {
		if digit < '0' || digit > '9' {
			return 0, false
		}
		n = n*10 + int(digit-'0')
	}
	return n, len(text) > 0 && len(text) < 10
}

// unanswered says in a few words why there was no answer.
func unanswered(err error) string {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return "no answer in time"
	}
	return fmt.Sprint(err)
}
