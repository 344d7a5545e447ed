package spool

import (
	"errors"

	"golang.org/x/sys/windows"
)

// syncDirectory has nothing to do: NTFS journals names by itself.
func syncDirectory(string) error { return nil }

// noSpace says whether err means that the disk, or our share of it, is full.
func noSpace(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}

// tooManyFiles says whether err means that no more files can be open now.
func tooManyFiles(err error) bool { return errors.Is(err, windows.ERROR_TOO_MANY_OPEN_FILES) }
