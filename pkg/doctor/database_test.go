package doctor

import (
	"errors"
	"testing"
	"time"

	"github.com/eventpulse/eventpulse/pkg/store"
)

func TestJudgePostgres(t *testing.T) {
	good := store.Info{
		Address: "db:5432", Database: "events", Version: "15.18", VersionNumber: 150018, Latency: time.Millisecond, ClockWithin: time.Millisecond,
		Encoding: "UTF8", Fsync: true, FullPageWrites: true, SynchronousCommit: "on",
		MaxConnections: 97, Connections: 10, ConnectionLimit: -1, Table: true,
		Migrations: []store.Migration{{Name: "0001", AppliedAt: time.Unix(1, 0)}},
	}
	cfg := store.DefaultConfig()
	for _, tt := range []struct {
		name   string
		change func(*store.Info)
		check  string
		status Status
		says   string
	}{
		{"reachable", nil, "database.reachable", OK, `"events" at db:5432`},
		{"version", nil, "database.version", OK, "15.18"},
		{"version 13", func(f *store.Info) { f.Version, f.VersionNumber = "13.9", 130009 }, "database.version", Problem, "14 or later"},
		{"role", nil, "database.role", OK, ""},
		{"standby", func(f *store.Info) { f.Standby = true }, "database.role", Problem, "primary"},
		{"read-only", func(f *store.Info) { f.ReadOnly = true }, "database.role", Problem, "default_transaction_read_only = off"},
		{"encoding", nil, "database.encoding", OK, ""},
		{"ASCII", func(f *store.Info) {
			f.Encoding = "SQL_ASCII"
			f.Problems = []store.Problem{{Topic: "encoding", Object: "database events", Detail: "cannot hold every event", Remedy: "createdb --encoding UTF8"}}
		}, "database.encoding", Problem, "createdb --encoding UTF8"},
		{"not unique", func(f *store.Info) {
			f.Problems = []store.Problem{{Topic: "table", Object: "table events", Detail: "event_id alone is not unique", Remedy: "ALTER TABLE"}}
		}, "database.table", Problem, "ALTER TABLE"},
		{"pooled", func(f *store.Info) { f.Pooled = true }, "database.pooler", OK, "in each transaction"},
		{"schema", nil, "database.schema", OK, "0001"},
		{"behind", func(f *store.Info) { f.Migrations = []store.Migration{{Name: "0001"}} }, "database.schema", Problem, "eventpulse migrate up"},
		{"ahead", func(f *store.Info) {
			f.Migrations = append(f.Migrations[:1:1], store.Migration{Name: "0009", AppliedAt: time.Unix(1, 0), Unknown: true})
		}, "database.schema", Warning, "0009"},
		{"schema unreadable", func(f *store.Info) { f.MigrationsErr = errors.New("denied") }, "database.schema", Problem, "denied"},
		{"not writable", func(f *store.Info) {
			f.Problems = []store.Problem{{Topic: "permissions", Object: "table events", Detail: "this role may not write", Remedy: "GRANT INSERT"}}
		}, "database.permissions", Problem, "GRANT"},
		{"durable", nil, "database.durability", OK, ""},
		{"no fsync", func(f *store.Info) { f.Fsync = false }, "database.durability", Problem, "fsync = on"},
		{"torn pages", func(f *store.Info) { f.FullPageWrites = false }, "database.durability", Warning, "full_page_writes = on"},
		{"asynchronous", func(f *store.Info) { f.SynchronousCommit = "off" }, "database.durability", OK, "turns it on"},
		{"connections", nil, "database.connections", OK, "10 of 97"},
		{"connections short", func(f *store.Info) { f.Connections = 92 }, "database.connections", Warning, "max_connections"},
		{"connections too few", func(f *store.Info) { f.ConnectionLimit = 5 }, "database.connections", Problem, "may have 5"},
		{"clock", func(f *store.Info) { f.ClockAhead = 5 * time.Second }, "database.clock", Warning, "5s ahead"},
	} {
		f := good
		if tt.change != nil {
			tt.change(&f)
		}
		requireFinding(t, tt.name, judgePostgres(f, cfg), tt.check, tt.status, tt.says)
	}
}
