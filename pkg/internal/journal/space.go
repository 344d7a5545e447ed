package journal

// minAvailableBytes is what the smallest append needs, about.
const minAvailableBytes = 1 << 10

// available returns how many bytes a group may have, or an ErrFull.
func (j *Journal) available() (int64, error) {
	j.mu.Lock()
	preallocated := int64(0)
	if seg := j.active(); seg != nil {
		preallocated = max(seg.preallocated-seg.size, 0)
	}
	j.mu.Unlock()
	// What is preallocated is there, whatever has become of the disk since.
	free, err := j.unallocated()
	if n := max(preallocated, free); n >= minAvailableBytes {
		return n, nil
	}
	if err == nil {
		err = full("%d bytes are left", max(preallocated, free))
	}
	return 0, err
}

// unallocated returns how many bytes may be added beside the active segment, or
// an ErrFull.
func (j *Journal) unallocated() (int64, error) {
	j.mu.Lock()
	left := j.opts.MaxBytes - j.size
	j.mu.Unlock()
	if left < minAvailableBytes {
		return 0, full("it holds its maximum of %d bytes", j.opts.MaxBytes)
	}
	free, total, err := j.opts.FS.Space(j.opts.Dir)
	if err != nil || free < 0 {
		return left, nil // the write will tell
	}
	left = min(left, free-ReservedBytes(j.opts.MinFreeBytes, total))
	if left < minAvailableBytes {
		return 0, full("%d of %d bytes of the disk are free", free, total)
	}
	return left, nil
}
