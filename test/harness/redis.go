package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Names of the contract.
const (
	StreamKey     = "events_stream"
	Group         = "event_persister"
	DeadLetterKey = "{events_stream}:dlq"
)

// RedisError is an error that Redis answered with.
type RedisError string

func (e RedisError) Error() string { return string(e) }

// redisTimeout bounds a command of the harness itself.
const redisTimeout = 20 * time.Second

// Redis runs commands on a connection of their own and returns their replies:
// string, int64, nil or []any of those. A reply that is an error is the error
// of the call.
//
// It is written out because what watches over a client library should not
// depend on it.
func Redis(ctx context.Context, addr string, commands ...[]string) ([]any, error) {
	conn, err := (&net.Dialer{Timeout: redisTimeout}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := conn.SetDeadline(time.Now().Add(redisTimeout)); err != nil {
		return nil, err
	}
	var request strings.Builder
	for _, args := range commands {
		fmt.Fprintf(&request, "*%d\r\n", len(args))
		for _, a := range args {
			fmt.Fprintf(&request, "$%d\r\n%s\r\n", len(a), a)
		}
	}
	if _, err := io.WriteString(conn, request.String()); err != nil {
		return nil, err
	}
	r := bufio.NewReader(conn)
	replies := make([]any, len(commands))
	for i, args := range commands {
		if replies[i], err = readReply(r); err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(args[:min(2, len(args))], " "), err)
		}
	}
	return replies, nil
}

func readReply(r *bufio.Reader) (any, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return nil, errors.New("empty reply")
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '+':
		return rest, nil
	case '-':
		return nil, RedisError(rest)
	case ':':
		return strconv.ParseInt(rest, 10, 64)
	}
	n, err := strconv.Atoi(rest)
	if err != nil {
		return nil, fmt.Errorf("reply %q: %w", line, err)
	}
	if n < 0 {
		return nil, nil
	}
	switch kind {
	case '$':
		text := make([]byte, n+2)
		if _, err := io.ReadFull(r, text); err != nil {
			return nil, err
		}
		return string(text[:n]), nil
	case '*':
		list := make([]any, n)
		for i := range list {
			if list[i], err = readReply(r); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return nil, fmt.Errorf("reply %q", line)
}

// Fields makes a map of a list of alternating names and values.
func Fields(reply any) map[string]any {
	list, _ := reply.([]any)
	fields := make(map[string]any, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		name, _ := list[i].(string)
		fields[name] = list[i+1]
	}
	return fields
}

// Entry is a stream entry.
type Entry struct {
	ID     string
	Fields map[string]any
}

// Entries takes the reply of XRANGE apart.
func Entries(reply any) []Entry {
	list, _ := reply.([]any)
	entries := make([]Entry, 0, len(list))
	for _, item := range list {
		pair, _ := item.([]any)
		if len(pair) != 2 {
			continue
		}
		id, _ := pair[0].(string)
		entries = append(entries, Entry{ID: id, Fields: Fields(pair[1])})
	}
	return entries
}
