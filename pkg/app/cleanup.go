package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// cleanupTimeout bounds the release of everything that a role has acquired.
const cleanupTimeout = 10 * time.Second

// cleanup is a stack of what was acquired and has to be released.
type cleanup []release

type release struct {
	name string
	run  func() error
}

// add registers what releases the resource of that name. It is called right
// after the resource was acquired.
func (c *cleanup) add(name string, run func() error) { *c = append(*c, release{name, run}) }

// run releases everything, in the opposite order, and joins the errors. A
// release that has not returned when the time is over is reported and left
// behind: the process is about to end.
func (c *cleanup) run() error { return c.within(cleanupTimeout) }

func (c *cleanup) within(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var errs []error
	for _, r := range slices.Backward(*c) {
		done := make(chan error, 1)
		go func() { done <- r.run() }()
		select {
		case err := <-done:
			if err != nil {
				errs = append(errs, fmt.Errorf("close the %s: %w", r.name, err))
			}
		case <-ctx.Done():
			errs = append(errs, fmt.Errorf("close the %s: not done within %s", r.name, timeout))
		}
	}
	*c = nil
	return errors.Join(errs...)
}
