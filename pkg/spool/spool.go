package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/durable"
	"github.com/eventpulse/eventpulse/pkg/internal/journal"
)

// Publisher takes events.
//
// When PublishWithin returns nil, every event is durable. After an error none,
// some or all of them may be, then or a little later, and the same events may
// be taken at the next attempt.
//
// It returns within timeout or when ctx ends, whatever it waits for: requests
// wait as long as it does, and nothing of theirs can be put on disk before. An
// answer that did not come in time is an error that wraps
// [os.ErrDeadlineExceeded] or [context.DeadlineExceeded]. Nobody changes the
// events after the call.
type Publisher interface {
	PublishWithin(ctx context.Context, timeout time.Duration, events []event.Event) error
}

// closeTimeout is how long Close waits for the disk.
const closeTimeout = 5 * time.Second

// Spool is a Publisher that keeps on disk what another Publisher does not take.
// Its methods may be called concurrently.
type Spool struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	breaker *breaker
	next    Publisher
	journal *journal.Journal
	// requests counts those that tried the stream, for the drainer to see
	// whether it is alone.
	requests atomic.Uint64

	closed atomic.Bool
	// life ends with Close.
	life context.Context
	end  context.CancelFunc
	// running holds a token of whoever uses the drainer.
	running chan struct{}
	drainer *drainer
}

// Open returns a spool in cfg.Dir around next. It makes the directory and locks
// it: when another process uses it, Open fails at once and says so. Whatever it
// finds in its files is no error: records that cannot be read are logged,
// counted, quarantined and passed over. Nor is a disk that is full or fails, as
// long as the directory can be listed: see Check.
//
// Metrics go to reg, which may be nil; a registry takes those of one spool. The
// spool must be closed, and Run must run.
func Open(cfg Config, next Publisher, log *slog.Logger, reg prometheus.Registerer) (*Spool, error) {
	return open(cfg, next, log, reg, journal.Options{})
}

// open is Open with a file system and a size of segments of the caller's, where
// o has them.
func open(cfg Config, next Publisher, log *slog.Logger, reg prometheus.Registerer, o journal.Options) (*Spool, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Dir == "" {
		return nil, errors.New("spool.dir is empty")
	}
	s := &Spool{cfg: cfg, log: log, next: next, running: make(chan struct{}, 1)}
	s.breaker = newBreaker(cfg.ProbeInterval, s.breakerChanged)
	s.metrics = newMetrics(reg)
	o.Dir, o.MaxBytes, o.MinFreeBytes, o.Log = cfg.Dir, cfg.MaxBytes, cfg.MinFreeBytes, log
	o.OnCommit, o.OnCorrupt = s.metrics.committed, s.metrics.corrupted
	if o.FS == nil {
		o.FS = durable.Disk{}
	}
	o.FS = faultFS{o.FS}
	var err error
	if s.journal, err = journal.Open(o); err != nil {
		if errors.Is(err, durable.ErrLocked) {
			err = fmt.Errorf("%w: every process needs a spool directory of its own", err)
		}
		return nil, fmt.Errorf("open spool: %w", err)
	}
	s.life, s.end = context.WithCancel(context.Background())
	s.drainer = newDrainer(s)
	newGauges(reg, s)
	// For what it reports, and to know how old the oldest event is.
	if err := s.drainer.load(); err != nil {
		log.Error("cannot read the spool, trying again later", "dir", cfg.Dir, "error", err)
	}
	if events, bytes := s.Backlog(); events > 0 {
		log.Info("the spool holds events from before", "dir", cfg.Dir, "events", events, "bytes", bytes)
	}
	return s, nil
}

// Backlog returns how many events wait on disk for the stream, and how many
// bytes they take.
func (s *Spool) Backlog() (events, bytes int64) {
	stats := s.journal.Stats()
	return stats.Records, stats.Bytes
}

// Check says whether events can be taken: by the stream, as far as is known,
// or else by the disk. It also fails once the disk has failed, because only a
// restart mends that: until then the stream alone is all there is.
func (s *Spool) Check(context.Context) error {
	if s.closed.Load() {
		return unavailable(journal.ErrClosed, nil)
	}
	if err := s.journal.Err(); err != nil {
		return unavailable(err, nil)
	}
	if s.breaker.state() == breakerClosed {
		return nil
	}
	if err := s.journal.Check(s.cfg.Deadline + s.cfg.CommitTimeout); err != nil {
		return unavailable(err, nil)
	}
	return nil
}

// Close stops the drainer, commits what requests have put before the disk, and
// unlocks the directory. Calls of Publish after it fail. A later Open finds
// everything that was not published. It takes a few seconds at most, and fails
// when the disk hangs for so long.
func (s *Spool) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.end()
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case s.running <- struct{}{}: // for good
	case <-timer.C:
		return fmt.Errorf("close spool: the disk has not answered for %s", closeTimeout)
	}
	if err := s.journal.Close(closeTimeout); err != nil {
		return fmt.Errorf("close spool: %w", err)
	}
	return nil
}

// breakerChanged says in the log where events go from now on.
func (s *Spool) breakerChanged(open bool, cause error) {
	events, _ := s.Backlog()
	if open {
		s.log.Warn("the stream does not take events: they go to the spool", "error", cause, "backlog", events)
		return
	}
	s.log.Info("the stream takes events again", "backlog", events)
}
