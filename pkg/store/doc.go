// Package store is the room that speaks SQL: it inserts batches of events,
// says what a database's refusal means, and moves the schema.
//
// PostgreSQL is what it is made for. SQLite serves the one-command mode and
// passes the same tests.
package store
