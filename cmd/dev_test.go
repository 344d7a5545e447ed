package cmd

import (
	"bytes"
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// syncBuffer is a buffer that several goroutines use.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestDev_PrintsWhatItStores(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, errs syncBuffer
	code := make(chan int, 1)
	go func() {
		code <- execute(ctx, []string{
			"dev", "--data-dir", t.TempDir(), "--http.addr", "127.0.0.1:0", "--admin.addr", "", "--worker.block", "200ms",
		}, strings.NewReader(""), &out, &errs)
	}()
	says := func(pattern string) string {
		t.Helper()
		var found []string
		require.Eventually(t, func() bool {
			found = regexp.MustCompile(pattern).FindStringSubmatch(out.String())
			return found != nil
		}, time.Minute, 5*time.Millisecond, "%s\n%s", out.String(), errs.String())
		return found[1]
	}
	url := says(`API +(http://\S+/api/v1/events)`)
	require.Contains(t, out.String(), "admin     none")
	id := uuid.Must(uuid.NewV7()).String()
	body := `{"event_id":"` + id + `","event_type":"a","source":"b","timestamp":"2026-01-02T03:04:05Z"}`
	for range 2 {
		require.Eventually(t, func() bool {
			res, err := http.Post(url, "application/json", strings.NewReader(body))
			if err != nil {
				return false
			}
			defer res.Body.Close()
			return res.StatusCode == http.StatusAccepted
		}, time.Minute, 5*time.Millisecond)
		says(`(stored  ` + id + `  "a" from "b" at 2026-01-02T03:04:05Z)`)
	}
	says(`(already stored  ` + id + `)`)
	http.DefaultClient.CloseIdleConnections()
	stop()
	require.Equal(t, exitOK, <-code, errs.String())
	require.Contains(t, out.String(), "Stopping: storing what was accepted")
}

func TestPrintStored_NamesEveryOutcome(t *testing.T) {
	var out bytes.Buffer
	events := make([]event.Event, 3)
	for i := range events {
		events[i] = event.Event{ID: uuid.UUID{15: byte(i)}, Type: "t", Source: "s", Timestamp: time.Unix(0, 0).UTC()}
	}
	printStored(&out)(events, event.Inserted{Duplicates: []int{1}, Dropped: []int{2}})
	require.Equal(t, `stored  00000000-0000-0000-0000-000000000000  "t" from "s" at 1970-01-01T00:00:00Z
already stored  00000000-0000-0000-0000-000000000001  "t" from "s" at 1970-01-01T00:00:00Z
dropped by the database  00000000-0000-0000-0000-000000000002  "t" from "s" at 1970-01-01T00:00:00Z
`, out.String())
}
