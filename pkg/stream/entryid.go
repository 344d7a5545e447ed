package stream

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// CompareIDs compares two entry ids as Redis orders them: by their time, then
// by their sequence number. It returns -1 when a comes before b, 0 when they
// are the same and 1 when a comes after b. What is not a number counts as 0.
//
// https://redis.io/docs/latest/develop/data-types/streams/#entry-ids
func CompareIDs(a, b string) int {
	aTime, aSeq := splitID(a)
	bTime, bSeq := splitID(b)
	return cmp.Or(cmp.Compare(aTime, bTime), cmp.Compare(aSeq, bSeq))
}

// splitID returns the two numbers of an entry id.
func splitID(id string) (ms, seq uint64) {
	left, right, _ := strings.Cut(id, "-")
	ms, _ = strconv.ParseUint(left, 10, 64)
	seq, _ = strconv.ParseUint(right, 10, 64)
	return ms, seq
}

// entryTime is when Redis took an entry, by its own clock: the first half of
// an entry id is milliseconds of the Unix epoch
// (https://redis.io/docs/latest/develop/data-types/streams/#entry-ids).
func entryTime(entryID string) (time.Time, bool) {
	ms, _, _ := strings.Cut(entryID, "-")
	n, err := strconv.ParseInt(ms, 10, 64)
	return time.UnixMilli(n).UTC(), err == nil
}
