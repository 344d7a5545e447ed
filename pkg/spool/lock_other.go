//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly && !windows

package spool

import (
	"errors"
	"os"
)

// lockFile refuses: without a lock two processes would destroy the spool.
func lockFile(*os.File) error {
	return errors.New("this system has no lock for the spool: " + errors.ErrUnsupported.Error())
}
