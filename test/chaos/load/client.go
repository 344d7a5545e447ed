package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Client posts events. It is safe for concurrent use.
type Client struct {
	url  string
	http *http.Client
}

// NewClient returns a client of the API at url, "http://host:port".
func NewClient(url string) *Client {
	return &Client{url: url, http: &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     30 * time.Second,
	}}}
}

// Close closes the connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Answer is what came back.
type Answer struct {
	Outcome Outcome
	IDs     []uuid.UUID // of accepted events, in order
	Detail  string      // why not
	Faults  []string    // what is wrong with the answer itself
}

// Post sends the JSON texts of events, as a batch or, when there is one, alone.
func (c *Client) Post(ctx context.Context, bodies []string, batch bool, timeout time.Duration) Answer {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	path, body := "/api/v1/events", bodies[0]
	if batch {
		path, body = "/api/v1/events/batch", "["+strings.Join(bodies, ",")+"]"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, strings.NewReader(body))
	if err != nil {
		return Answer{Outcome: Unsent, Detail: err.Error(), Faults: []string{err.Error()}}
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{Outcome: unanswered(err), Detail: err.Error()}
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return Answer{Outcome: Unclear, Detail: err.Error()}
	}
	return read(resp, text, batch)
}

// unanswered tells a request that never left from one whose fate is unknown.
func unanswered(err error) Outcome {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return Unsent
	}
	return Unclear
}

func read(resp *http.Response, text []byte, batch bool) Answer {
	a := Answer{Detail: fmt.Sprintf("%d %s", resp.StatusCode, shortened(text))}
	switch {
	case resp.StatusCode == http.StatusAccepted:
		a.Outcome = Accepted
		var problem string
		if a.IDs, problem = acceptedIDs(text, batch); problem != "" {
			a.Faults = []string{problem}
		}
	case resp.StatusCode >= 400 && resp.StatusCode < 500:
		a.Outcome = Rejected
		a.Faults = problemDocument(resp, text)
	case resp.StatusCode == http.StatusServiceUnavailable:
		a.Outcome = Busy
		a.Faults = problemDocument(resp, text)
		if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || seconds < 1 {
			a.Faults = append(a.Faults, fmt.Sprintf("503 with Retry-After %q", resp.Header.Get("Retry-After")))
		}
	default:
		a.Outcome = Unclear
		a.Faults = []string{"answered " + a.Detail}
	}
	return a
}

func problemDocument(resp *http.Response, text []byte) []string {
	if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/problem+json") || !json.Valid(text) {
		return []string{fmt.Sprintf("%d is no problem document: %s %s", resp.StatusCode, got, shortened(text))}
	}
	return nil
}

func acceptedIDs(text []byte, batch bool) ([]uuid.UUID, string) {
	var answer struct {
		Status   string      `json:"status"`
		EventID  uuid.UUID   `json:"event_id"`
		Count    int         `json:"count"`
		EventIDs []uuid.UUID `json:"event_ids"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Status != "accepted" {
		return nil, "202 with " + shortened(text)
	}
	if !batch {
		return []uuid.UUID{answer.EventID}, ""
	}
	if answer.Count != len(answer.EventIDs) {
		return answer.EventIDs, fmt.Sprintf("202 with count %d and %d ids", answer.Count, len(answer.EventIDs))
	}
	return answer.EventIDs, ""
}

func shortened(text []byte) string {
	const enough = 300
	return strings.TrimSpace(string(text[:min(len(text), enough)]))
}
