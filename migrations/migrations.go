// Package migrations holds the schema as SQL, one folder for each kind of
// database, embedded in the binary.
//
// A migration is a pair of files, NNNN_what_it_does.tx.up.sql and
// .tx.down.sql. The ".tx" makes it one transaction: it happens altogether or
// not at all. A file that has been released is never edited again; what comes
// later is a new number in every folder.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// Postgres returns the migrations for PostgreSQL, 14 or later.
func Postgres() (fs.FS, error) { return fs.Sub(files, "postgres") }

// SQLite returns the migrations for SQLite, 3.38 or later.
func SQLite() (fs.FS, error) { return fs.Sub(files, "sqlite") }
