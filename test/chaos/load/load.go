package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Config is what load is offered.
type Config struct {
	Rate        float64       // events per second
	Singles     float64       // share of requests that are one event, 0 to 1
	MaxBatch    int           // events of a batch: 2 to this
	Again       float64       // share of events that were posted before
	Invalid     float64       // share of requests with an invalid event
	Timeout     time.Duration // of a request; past it its outcome is unclear
	MaxInFlight int           // requests; past it none is sent, and that is counted
}

// DefaultConfig returns a mix of which half the events come in batches.
func DefaultConfig() Config {
	return Config{
		Rate: 500, Singles: 0.96, MaxBatch: 50, Again: 0.03, Invalid: 0.02,
		Timeout: 5 * time.Second, MaxInFlight: 2048,
	}
}

// Shot is one request.
type Shot struct {
	At      time.Duration // since the load was made
	Took    time.Duration
	Events  int32
	Outcome Outcome
	Invalid bool
}

// Generator offers events at a rate, whether or not they are answered. Its methods
// are safe for concurrent use.
type Generator struct {
	cfg    Config
	sent   *SentLog
	client *Client
	start  time.Time

	mu      sync.Mutex
	shots   []Shot
	skipped int
	faults  Faults
}

// NewGenerator returns one on the client's address that has not started. Its
// clock starts now.
func NewGenerator(cfg Config, sent *SentLog, client *Client) *Generator {
	return &Generator{cfg: cfg, sent: sent, client: client, start: time.Now()}
}

// Run sends requests until ctx ends, then waits for their answers.
func (l *Generator) Run(ctx context.Context) {
	inFlight := make(chan struct{}, l.cfg.MaxInFlight)
	var wg sync.WaitGroup
	defer wg.Wait()
	rng := rand.New(rand.NewPCG(l.sent.Maker.Seed, 1))
	next := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		// What is late is sent at once, so that the rate is kept.
		for ctx.Err() == nil && !next.After(time.Now()) {
			r := l.compose(rng)
			next = next.Add(time.Duration(float64(r.size) / l.cfg.Rate * float64(time.Second)))
			select {
			case inFlight <- struct{}{}:
			default:
				l.skip(r.size)
				continue
			}
			wg.Go(func() {
				l.post(ctx, r)
				<-inFlight
			})
		}
		timer.Reset(time.Until(next))
	}
}

// plan is a request to be: its size and nature are drawn in order, the events
// are made by who sends it.
type plan struct {
	size   int
	batch  bool
	again  int // of the events, how many are posted again
	broken int // which way one of them is broken, -1 for none
}

func (l *Generator) compose(rng *rand.Rand) plan {
	p := plan{size: 1, broken: -1}
	if rng.Float64() >= l.cfg.Singles && l.cfg.MaxBatch >= 2 {
		p.batch, p.size = true, 2+rng.IntN(l.cfg.MaxBatch-1)
	}
	if rng.Float64() < l.cfg.Invalid {
		p.broken = rng.IntN(len(breakages))
		return p
	}
	for range p.size {
		if rng.Float64() < l.cfg.Again {
			p.again++
		}
	}
	return p
}

// Post sends one fresh event and returns its number and its outcome.
func (l *Generator) Post(ctx context.Context) (uint32, Outcome) {
	events, outcome := l.post(ctx, plan{size: 1, broken: -1})
	return events[0].Number, outcome
}

func (l *Generator) post(ctx context.Context, p plan) ([]Event, Outcome) {
	events := make([]Event, 0, p.size)
	for range p.again {
		if e, ok := l.sent.Again(); ok {
			events = append(events, e)
		}
	}
	for len(events) < p.size {
		events = append(events, l.sent.Add(p.broken >= 0))
	}
	bodies := make([]string, len(events))
	for i, e := range events {
		bodies[i] = e.Body
	}
	if p.broken >= 0 {
		at := len(bodies) / 2
		bodies[at] = Break(bodies[at], p.broken)
	}

	// A request that was sent gets its answer even when the load is over.
	begin := time.Now()
	answer := l.client.Post(context.WithoutCancel(ctx), bodies, p.batch, l.cfg.Timeout)
	took := time.Since(begin)

	l.sent.Answer(events, answer.Outcome)
	faults := l.judge(events, p, answer)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shots = append(l.shots, Shot{
		At: begin.Sub(l.start), Took: took, Events: int32(p.size), Outcome: answer.Outcome, Invalid: p.broken >= 0,
	})
	l.faults.add(faults...)
	return events, answer.Outcome
}

// judge holds the answer against the contract and notes the ids it gave.
func (l *Generator) judge(events []Event, p plan, a Answer) []string {
	wrong := a.Faults
	switch {
	case a.Outcome == Accepted && p.broken >= 0:
		return append(wrong, fmt.Sprintf("an invalid event (breakage %d) was accepted", p.broken))
	case a.Outcome == Rejected && p.broken < 0:
		return append(wrong, fmt.Sprintf("a valid event (number %d of seed %d) was refused: %s", events[0].Number, l.sent.Maker.Seed, a.Detail))
	case a.Outcome != Accepted:
		return wrong
	case len(a.IDs) != len(events):
		return append(wrong, fmt.Sprintf("%d events were accepted under %d ids", len(events), len(a.IDs)))
	}
	for i, e := range events {
		if e.ID != uuid.Nil {
			if a.IDs[i] != e.ID {
				wrong = append(wrong, fmt.Sprintf("event %s was accepted as %s", e.ID, a.IDs[i]))
			}
			continue
		}
		l.sent.Minted(e.Number, a.IDs[i])
		if a.IDs[i].Version() != 7 {
			wrong = append(wrong, fmt.Sprintf("the minted id %s is no UUIDv7", a.IDs[i]))
		}
	}
	return wrong
}

func (l *Generator) skip(events int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.skipped += events
}

// Now returns the time on the clock of [Shot.At].
func (l *Generator) Now() time.Duration { return time.Since(l.start) }

// Shots returns what has been answered so far.
func (l *Generator) Shots() []Shot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Shot(nil), l.shots...)
}

// Skipped returns how many events were not offered because too many requests
// waited for their answer.
func (l *Generator) Skipped() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.skipped
}

// Faults returns the answers that broke the contract.
func (l *Generator) Faults() Faults {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.faults
}

// Faults counts what went against the contract and keeps the first of it.
type Faults struct {
	Count int
	First []string
}

func (f *Faults) add(faults ...string) {
	const enough = 5
	f.Count += len(faults)
	for _, fault := range faults {
		if len(f.First) < enough {
			f.First = append(f.First, fault)
		}
	}
}
