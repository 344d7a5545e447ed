// Package journal is an append-only log of records on disk, in segments, for
// one process that appends to it from many goroutines and removes records in
// order from its head. It is a write-ahead log in the sense that a record is
// synced to disk before Append returns.
//
// Appends that arrive while a sync is under way share the next one (group
// commit). The position of the head is kept in a cursor file; segments before it
// are removed. Records carry a CRC-32C, so that recovery and reading step over a
// torn write or a flipped bit, count what is missing and copy the bytes to a
// quarantine directory, instead of stopping there.
//
// # On disk
//
// The directory belongs to one process at a time and holds
//
//	lock                      locked while a process uses the directory
//	cursor                    the sequence number of the record at the head
//	00000000000000000001.seg  records, named after the first one's number
//	corrupt/                  the quarantine: what could not be read
//
// A segment is nothing but records, one after another, and zeros where space is
// preallocated for more. It is appended to by the process that created it and by
// no other, and removed once all of it is released. All numbers are
// little-endian:
//
//	offset size
//	     0    4  FF 45 50 FE; the outer two occur in no UTF-8 text, so that a
//	             record can be found again behind a damaged one
//	     4    4  CRC-32C of everything that follows
//	     8    4  length of the payload
//	    12    8  sequence number
//	    20    8  when the record was made, Unix microseconds
//	    28       payload
//
// # Failures
//
// The first sync that fails makes the journal read-only until it is opened
// again ([ErrFailed]). The kernel may have dropped the pages that it could not
// write and report success the next time, so a sync is never repeated; see
// https://www.usenix.org/conference/atc20/presentation/rebello and
// https://lwn.net/Articles/752063/. A full disk is no such failure: a write that
// finds no space is cut off and the append fails with [ErrFull].
package journal
