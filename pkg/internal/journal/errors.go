package journal

import (
	"errors"
	"fmt"
	"os"
)

// What an append fails with, to be told apart with errors.Is.
var (
	// ErrFull says that there is no space: MaxBytes is reached or the disk is
	// full. There may be space later.
	ErrFull = errors.New("the journal is full")
	// ErrFailed says that the disk has failed and the journal is read-only
	// until it is opened again.
	ErrFailed = errors.New("the journal's disk has failed")
	// ErrSlow says that the disk did not sync in time, or that so much waits
	// for it that it would not. It wraps os.ErrDeadlineExceeded.
	ErrSlow = fmt.Errorf("the journal's disk does not keep up: %w", os.ErrDeadlineExceeded)
	// ErrClosed says that the journal is closed.
	ErrClosed = errors.New("the journal is closed")
)

// full returns an ErrFull that says what there is no space in.
func full(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrFull, fmt.Errorf(format, args...))
}

// failed returns an ErrFailed with its cause.
func failed(cause error) error { return fmt.Errorf("%w: %w", ErrFailed, cause) }
