package store

import "sync/atomic"

const (
	// lookUps is how many batches in a row must have met no duplicate until
	// ids are not looked up any more. A batch that fails in COPY costs about
	// as much as that many look-ups.
	lookUps = 16
	// maxBroken is how many connections may break in COPY, when it has never
	// worked before, until something on the way is taken not to let it pass.
	maxBroken = 3
)

// copyPolicy remembers what is worth trying. It is safe for concurrent use;
// what it says is never more than advice.
type copyPolicy struct {
	impossible, proven atomic.Bool
	broken             atomic.Int32
	lookUpsLeft        atomic.Int32
}

func (c *copyPolicy) possible() bool { return !c.impossible.Load() }

// worked says that COPY gets through.
func (c *copyPolicy) worked() {
	if !c.proven.Load() {
		c.proven.Store(true)
	}
}

// broke counts a connection that ended in COPY, and reports whether COPY is the
// reason.
func (c *copyPolicy) broke() bool { return !c.proven.Load() && c.broken.Add(1) >= maxBroken }

func (c *copyPolicy) duplicatesLikely() bool { return c.lookUpsLeft.Load() > 0 }

func (c *copyPolicy) metDuplicates() { c.lookUpsLeft.Store(lookUps) }

// lookedUp records how many ids a look-up found.
func (c *copyPolicy) lookedUp(found int) {
	if found > 0 {
		c.metDuplicates()
	} else {
		c.lookUpsLeft.Add(-1)
	}
}

// lookUpFailed lets the next batch do without: where look-ups do not get
// through at all, nothing that COPY and INSERT can store may wait for them.
func (c *copyPolicy) lookUpFailed() { c.lookUpsLeft.Store(0) }
