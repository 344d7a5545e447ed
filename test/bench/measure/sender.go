package measure

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Sender posts JSON over a few connections that stay open, each request at its
// time, or all as fast as they are answered. It writes and reads HTTP itself:
// what it costs is taken from the program that is measured.
type Sender struct {
	Addr, Path  string
	Connections int
	Requests    int
	// Interval is between the times that requests are due at; 0 sends each as
	// soon as a connection is free.
	Interval time.Duration
	// Body appends the body of a request to an empty buffer. It is called
	// concurrently.
	Body func(request int, buf []byte) []byte
	// Answered, unless nil, is told when a request was answered. It is called
	// concurrently, once for each request.
	Answered func(request int, at time.Time)
}

// Sent is what came of sending.
type Sent struct {
	// Times are how long the answers took. A request that had to wait for a
	// connection because those before it were not answered is late, and its
	// time counts from when it was due.
	Times   []time.Duration
	Elapsed time.Duration // from the beginning to the last answer
}

// Run sends all requests. The first answer other than 202, and the first error
// of a connection, end it.
func (s Sender) Run(ctx context.Context) (Sent, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	times := make([]time.Duration, s.Requests)
	begin := time.Now()
	for range s.Connections {
		wg.Go(func() {
			if err := s.onConnection(ctx, begin, &next, times); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return Sent{}, fmt.Errorf("post to %s: %w", s.Path, err)
	}
	return Sent{Times: times, Elapsed: time.Since(begin)}, nil
}

func (s Sender) onConnection(ctx context.Context, begin time.Time, next *atomic.Int64, times []time.Duration) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	head := "POST " + s.Path + " HTTP/1.1\r\nHost: " + s.Addr + "\r\nContent-Type: application/json\r\nContent-Length: "
	reader := bufio.NewReader(conn)
	var body, request []byte
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		n := int(next.Add(1) - 1)
		if n >= s.Requests {
			return nil
		}
		body = s.Body(n, body[:0])
		request = append(strconv.AppendInt(append(request[:0], head...), int64(len(body)), 10), "\r\n\r\n"...)
		request = append(request, body...)
		due := begin.Add(time.Duration(n) * s.Interval)
		// Who is woken a little late was not kept waiting by the server.
		late := s.Interval > 0 && time.Now().After(due)
		if s.Interval > 0 && !late {
			timer.Reset(time.Until(due))
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-timer.C:
			}
		}
		from := time.Now()
		if late {
			from = due
		}
		if _, err := conn.Write(request); err != nil {
			return err
		}
		if err := readAccepted(reader); err != nil {
			return err
		}
		now := time.Now()
		times[n] = now.Sub(from)
		if s.Answered != nil {
			s.Answered(n, now)
		}
	}
}

// readAccepted reads an answer to its end; anything but a 202 of a length that
// is told is an error.
func readAccepted(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 202 ")) {
		return fmt.Errorf("answered %q", strings.TrimSpace(string(line)))
	}
	length := -1
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return fmt.Errorf("length of the answer: %w", err)
			}
		}
	}
	if length < 0 {
		return errors.New("answered without a length")
	}
	_, err = r.Discard(length)
	return err
}
