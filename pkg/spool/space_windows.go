package spool

import (
	"math"

	"golang.org/x/sys/windows"
)

// diskSpace returns the bytes that this user may still write to the disk under
// dir, and all that it has.
func diskSpace(dir string) (free, total int64, err error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return -1, -1, err
	}
	var available, all uint64
	if err := windows.GetDiskFreeSpaceEx(path, &available, &all, nil); err != nil {
		return -1, -1, err
	}
	return int64(min(available, math.MaxInt64)), int64(min(all, math.MaxInt64)), nil
}
