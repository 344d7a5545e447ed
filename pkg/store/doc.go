// Package store keeps events in a database: it inserts batches of them, finds
// them by their ids, says what an error of the database means, and migrates the
// schema.
//
// A [Store] is made for PostgreSQL, which it reaches by package pgsession.
// SQLite serves the one-process mode. The two are backends of one interface and
// pass one suite of tests.
//
//	s, err := store.Open(cfg, log, registerer)
//	inserted, err := s.Insert(ctx, events) // committed, each id once
//
// An id is stored once: Insert reports the events that were stored before, and
// inserting a batch again is always safe.
package store
