package doctor

import (
	"fmt"
	"strings"

	"github.com/eventpulse/eventpulse/pkg/store"
)

// oldestPostgres is the first version that notices when the client of a
// running statement is gone.
const oldestPostgres = 140000

// judgePostgres judges a server and the database on it, which one process uses
// as cfg has it.
func judgePostgres(f store.Info, cfg store.Config) (found findings) {
	found.ok("database.reachable", "%q at %s answers in %s", f.Database, f.Address, short(f.Latency))
	found.clock("database.clock", f.ClockAhead, f.ClockWithin)
	if f.VersionNumber < oldestPostgres {
		found.problem("database.version", "PostgreSQL "+f.Version+" does not notice that a worker is gone, and its locks block the next", "upgrade to PostgreSQL 14 or later")
	} else {
		found.ok("database.version", "PostgreSQL %s", f.Version)
	}
	judgeDatabaseRole(&found, f)
	if f.Encoding == "UTF8" {
		found.ok("database.encoding", "UTF8")
	}
	judgeSchema(&found, f)
	for _, p := range f.Problems {
		found.problem("database."+p.Topic, p.Object+": "+p.Detail, p.Remedy)
	}
	if f.Pooled {
		found.ok("database.pooler", "sessions are pooled; EventPulse sets what it depends on in each transaction")
	}
	judgeDurability(&found, f)
	judgeConnections(&found, f, cfg.MaxConnections)
	return found
}

func judgeDatabaseRole(found *findings, f store.Info) {
	const check = "database.role"
	switch {
	case f.Standby:
		found.problem(check, "a standby: it takes no writes", "point database.url at the primary")
	case f.ReadOnly:
		found.problem(check, "transactions begin read-only (default_transaction_read_only)", "set it to off for this role and this database: ALTER ROLE … SET default_transaction_read_only = off")
	default:
		found.ok(check, "takes writes")
	}
}

func judgeSchema(found *findings, f store.Info) {
	const check = "database.schema"
	if f.MigrationsErr != nil {
		found.problem(check, f.MigrationsErr.Error(), "GRANT the role in database.url the right to read the schema and its migrations, or make it the owner")
		return
	}
	var missing, unknown []string
	for _, m := range f.Migrations {
		switch {
		case m.AppliedAt.IsZero():
			missing = append(missing, m.Name)
		case m.Unknown:
			unknown = append(unknown, m.Name)
		}
	}
	switch {
	case len(missing) > 0:
		found.problem(check, "behind: "+strings.Join(missing, ", ")+" not applied", "eventpulse migrate up")
	case len(unknown) > 0:
		found.warning(check, "newer than this program, which does not know "+strings.Join(unknown, ", "), "upgrade this program")
	default:
		found.ok(check, "up to date at %s", f.Migrations[len(f.Migrations)-1].Name)
	}
}

// judgeDurability asks what is left of a commit when the machine dies:
// https://www.postgresql.org/docs/current/runtime-config-wal.html
func judgeDurability(found *findings, f store.Info) {
	const check = "database.durability"
	const reload = "; SELECT pg_reload_conf()"
	switch {
	case !f.Fsync:
		found.problem(check, "fsync is off: a crash of the machine loses stored events, or the database", "ALTER SYSTEM SET fsync = on"+reload)
	case !f.FullPageWrites:
		found.warning(check, "full_page_writes is off: a crash of the machine may corrupt the database, unless its file system writes pages whole", "ALTER SYSTEM SET full_page_writes = on"+reload)
	case f.SynchronousCommit == "off":
		found.ok(check, "synchronous_commit is off; EventPulse turns it on for its sessions")
	default:
		found.ok(check, "commits are on disk before they are answered")
	}
}

// judgeConnections asks whether a process with so many connections of its own
// still gets them.
func judgeConnections(found *findings, f store.Info, ours int) {
	const check = "database.connections"
	limit := f.MaxConnections
	if f.ConnectionLimit >= 0 {
		limit = min(limit, f.ConnectionLimit)
	}
	text := fmt.Sprintf("%d of %d in use; a process holds up to %d", f.Connections, f.MaxConnections, ours)
	if limit < f.MaxConnections {
		text += fmt.Sprintf(", and its role or database may have %d", limit)
	}
	const remedy = "lower database.max_connections, or raise max_connections or the limit of the role or database"
	switch {
	case ours > limit:
		found.problem(check, text, remedy)
	case f.Connections+ours > f.MaxConnections:
		found.warning(check, text+": one more process may not get all of its own", remedy)
	default:
		found.ok(check, "%s", text)
	}
}

// judgeSQLite judges a database that is a file.
func judgeSQLite(f store.Info) (found findings) {
	found.ok("database.reachable", "%s answers in %s", f.Address, short(f.Latency))
	found.ok("database.version", "SQLite %s", f.Version)
	found.warning("database.kind", "SQLite has one writer at a time and is for one process: it is for trying EventPulse out", "use PostgreSQL where events matter")
	judgeSchema(&found, f)
	return found
}
