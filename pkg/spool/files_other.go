//go:build !linux

package spool

import (
	"errors"
	"os"
)

func syncData(f *os.File) error { return f.Sync() }

// reserve does without: files grow as they are written.
func reserve(*os.File, int64) error { return errors.ErrUnsupported }
