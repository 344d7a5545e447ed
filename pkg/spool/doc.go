// Package spool keeps on disk the events that cannot be published now, and
// publishes them when that works again.
//
// A [Spool] is a Publisher around another one. While the other takes events
// the spool stays out of the way. When it does not, or not in time, the events
// are appended to files in a directory and synced, together with those of
// other requests, before Publish returns nil; a drainer hands them on later,
// oldest first. An event may be published more than once, never not at all:
// its id removes the copies.
//
// # On disk
//
// The directory belongs to one process at a time and holds
//
//	lock                      locked while a process uses the directory
//	cursor                    the sequence number of the next record to publish
//	00000000000000000001.seg  records, named after the first one's number
//	corrupt/                  what could not be read, kept for a person to see
//
// A segment is nothing but records, one after another, and zeros where room is
// reserved for more. It is appended to by the process that created it and by no
// other, and removed once all of it is published. All numbers are little-endian:
//
//	offset size
//	     0    4  FF 45 50 FE; the outer two occur in no UTF-8 text, so that a
//	             record can be found again behind a damaged one
//	     4    4  CRC-32C of everything that follows
//	     8    4  length of the payload
//	    12    8  sequence number
//	    20    8  when the record was made, Unix microseconds
//	    28       payload: the version of its encoding (1), the number of
//	             strings and the strings, numbers and lengths as uvarints;
//	             the strings are the fields under which the event travels on
//	             the stream
//
// A record counts from the moment the file has been synced. One sync that
// fails and nothing is written any more until the next start: the system may
// have dropped what it could not write and report success the next time.
package spool
