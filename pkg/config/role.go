package config

import "slices"

// Role is what a process is run as. It decides which settings there are, and
// their defaults.
type Role string

// The roles, one for each command that has settings.
const (
	Serve       Role = "serve"   // takes events from producers
	Work        Role = "work"    // stores them
	Migrate     Role = "migrate" // changes the database schema
	Dev         Role = "dev"     // everything in one process, to try it out
	DeadLetters Role = "dlq"     // shows and mends what can never be stored
	Doctor      Role = "doctor"  // looks at what the others depend on
	Bench       Role = "bench"   // measures the others
)

// Roles lists every role.
func Roles() []Role { return []Role{Serve, Work, Migrate, Dev, DeadLetters, Doctor, Bench} }

// sections lists the sections the role has, those of Config in that order.
func (r Role) sections() []string {
	switch r {
	case Serve:
		return []string{"log", "http", "admin", "ingest", "redis", "stream", "spool"}
	case Work:
		return []string{"log", "admin", "redis", "stream", "database", "worker"}
	case Migrate:
		return []string{"log", "database"}
	case Dev:
		// It brings its own Redis and its own database.
		return []string{"log", "http", "admin", "ingest", "stream", "worker"}
	case DeadLetters:
		// What is mended has to pass as if it had been sent.
		return []string{"log", "ingest", "redis", "stream"}
	case Doctor:
		return []string{"log", "redis", "stream", "spool", "database"}
	case Bench:
		// The database is for looking up what was accepted.
		return []string{"log", "database"}
	default:
		return nil
	}
}

// sectionsOf lists the sections that any of the roles has.
func sectionsOf(roles []Role) []string {
	var all []string
	for _, r := range roles {
		for _, section := range r.sections() {
			if !slices.Contains(all, section) {
				all = append(all, section)
			}
		}
	}
	return all
}
