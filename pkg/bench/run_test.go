package bench

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func atRate(rate float64) func(*Options) {
	return func(o *Options) { o.Rate, o.Connections = rate, 1 }
}

func TestRun_OffersTheFixedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		r := f.run(t.Context(), atRate(100), nil)
		require.EqualValues(t, 1000, r.Requests)
		require.EqualValues(t, 1000, r.Accepted)
		require.Equal(t, map[string]int64{"202": 1000}, r.Answers)
		require.Equal(t, 10.0, r.Seconds)
		require.Equal(t, 100.0, r.AcceptedPerSecond)
		require.Zero(t, r.Latency.Max) // on this clock nothing takes time
		require.Nil(t, r.Others)
		require.NoError(t, r.Err())

		head := f.heads[0]
		require.Equal(t, "/base/api/v1/events", head.URL.Path)
		require.Equal(t, "application/json", head.Header.Get("Content-Type"))
		require.Equal(t, "fake:80", head.Host)
		require.EqualValues(t, 230, head.ContentLength)
	})
}

func TestRun_RateIsOfEventsNotRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		r := f.run(t.Context(), func(o *Options) { atRate(1000)(o); o.Batch = 50 }, nil)
		require.EqualValues(t, 200, r.Requests)
		require.EqualValues(t, 10_000, r.Accepted)
		require.Len(t, f.stored, 10_000)
		require.Equal(t, "/base/api/v1/events/batch", f.heads[0].URL.Path)
	})
}

// What would have been sent during a stall is counted as if it had waited.
func TestRun_LatencyCountsFromWhenDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.answer = func(n int, _ bool) int {
			if n == 100 {
				time.Sleep(5 * time.Second)
			}
			return http.StatusAccepted
		}
		r := f.run(t.Context(), atRate(100), nil)
		require.EqualValues(t, 1000, r.Accepted)
		require.NoError(t, r.Err())
		// Half of them were due in the five seconds and waited for the rest of
		// those: that is what the percentiles say, exactly.
		require.InDelta(t, 5000, r.Latency.Max, 5)
		require.InDelta(t, 4000, r.Latency.P90, 50)
		require.InDelta(t, 4900, r.Latency.P99, 50)
		require.InDelta(t, 0, r.Latency.P50, 50)
	})
}

func TestRun_CountsWhatWasDueAndUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.answer = func(n int, _ bool) int {
			if n == 150 {
				time.Sleep(time.Minute)
			}
			return http.StatusAccepted
		}
		r := f.run(t.Context(), atRate(100), nil)
		require.EqualValues(t, 1000, r.Requests)
		require.EqualValues(t, 150, r.Accepted)
		require.EqualValues(t, 1, r.NoAnswer)
		require.EqualValues(t, 849, r.Unsent)
		require.InDelta(t, 10_000, r.Others.Max, 10)
		require.InDelta(t, 5250, r.Others.P50, 50)
		require.Equal(t, 11.5, r.Seconds) // the request at 1.5 s was waited for 10 s
		require.EqualError(t, r.Err(), "850 of 1000 events were not accepted (requests: no answer: 1, due and not sent: 849)")
	})
}

// A closed loop sends the next request after the answer.
func TestRun_ClosedLoopFollowsAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.answer = func(int, bool) int { time.Sleep(10 * time.Millisecond); return http.StatusAccepted }
		r := f.run(t.Context(), func(o *Options) { o.Connections = 3 }, nil)
		require.EqualValues(t, 3000, r.Accepted)
		require.Equal(t, 300.0, r.AcceptedPerSecond)
		require.InDelta(t, 10, r.Latency.P50, 0.1)
		require.InDelta(t, 10, r.Latency.Max, 0.1)
	})
}

func TestRun_ClosedLoopEndsAfterItsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.answer = func(int, bool) int { time.Sleep(10 * time.Millisecond); return http.StatusAccepted }
		r := f.run(t.Context(), func(o *Options) { o.Connections, o.Requests, o.Batch = 3, 31, 2 }, nil)
		require.EqualValues(t, 31, r.Requests)
		require.EqualValues(t, 62, r.Accepted)
		require.InDelta(t, 0.11, r.Seconds, 1e-9)
		require.NoError(t, r.Err())
	})
}

func TestRun_CountsAnswersByStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		statuses := []int{202, 202, 400, 202, 413, 503, 503, 0, 202, 500}
		f.answer = func(n int, _ bool) int { return statuses[n%10] }
		r := f.run(t.Context(), atRate(100), f)
		require.Equal(t, map[string]int64{"202": 400, "400": 100, "413": 100, "500": 100, "503": 200}, r.Answers)
		require.EqualValues(t, 100, r.NoAnswer)
		require.EqualValues(t, 1000, r.Requests)
		require.EqualValues(t, 400, r.Accepted)
		require.Equal(t, 90.0, r.RequestsPerSecond)
		require.Equal(t, 40.0, r.AcceptedPerSecond)
		require.Equal(t, "why", r.Examples["400"])
		require.Contains(t, r.Examples["no_answer"], "closed without an answer")
		require.EqualError(t, r.Err(), "600 of 1000 events were not accepted (requests: 400: 100, 413: 100, 500: 100, 503: 200, no answer: 100)")
		v := r.Verification
		require.EqualValues(t, 400, v.Unclear)
		require.EqualValues(t, 200, v.Rejected)
		require.Zero(t, v.UnclearStored+v.RejectedStored+v.Missing)
	})
}

func TestRun_PausesBetweenFailedDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		start := time.Now()
		f.refuse = func() bool { return time.Since(start) >= time.Second }
		f.answer = func(int, bool) int {
			time.Sleep(300 * time.Millisecond)
			if f.refuse() {
				return 0
			}
			return http.StatusAccepted
		}
		r := f.run(t.Context(), func(o *Options) { o.Connections = 1; o.Duration = 3200 * time.Millisecond }, nil)
		require.EqualValues(t, 3, r.Accepted)
		require.EqualValues(t, 1+20, r.NoAnswer) // that under way, and ten tries a second
	})
}

func TestRun_FailsWhenItCannotConnect(t *testing.T) {
	o := DefaultOptions()
	o.URL = "http://127.0.0.1:1"
	_, err := Run(t.Context(), o, nil, nil)
	require.ErrorContains(t, err, "127.0.0.1:1")
}

func TestRun_ReportsWhenInterrupted(t *testing.T) {
	for name, rate := range map[string]float64{"open": 100, "closed": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
				defer cancel()
				f := newFake(t)
				f.answer = func(n int, _ bool) int {
					if n == 100 {
						time.Sleep(8 * time.Second) // longer than the grace
					}
					time.Sleep(9 * time.Millisecond)
					return http.StatusAccepted
				}
				r := f.run(ctx, func(o *Options) { atRate(rate)(o) }, f)
				require.True(t, r.Interrupted)
				require.EqualValues(t, 100, r.Accepted)
				require.EqualValues(t, 1, r.NoAnswer)
				require.InDelta(t, 3.5, r.Seconds, 0.01)
				if rate > 0 {
					require.InDelta(t, 150, r.Unsent, 1)
				}
				require.EqualValues(t, 100, r.Verification.Checked)
				require.Empty(t, r.Verification.Error)
			})
		})
	}
}
