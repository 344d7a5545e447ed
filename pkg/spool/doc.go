// Package spool keeps on disk the events that cannot be published now, and
// publishes them when that works again.
//
// A [Spool] is a Publisher around another one, with a circuit breaker between
// them. While the breaker is closed, events go to the other Publisher and the
// disk is left alone. When the other fails, or does not answer in time, the
// events are appended to a write-ahead log and synced, together with those of
// other requests, before Publish returns nil; while the breaker is open they go
// there at once. A drainer publishes them later, oldest first. An event may be
// published more than once, never not at all: its id removes the copies.
//
// Files, recovery and damage are the business of pkg/internal/journal, whose
// package comment describes the directory. The payload of a record is
//
//	the version of the encoding, one byte (1)
//	the number of strings
//	each string, after its length
//
// with numbers and lengths as uvarints. The strings are the fields under which
// the event travels on the stream. The time of a record is when the event was
// accepted.
package spool
