// Package config makes one validated configuration out of defaults, a YAML
// file, the environment and flags, and can say where each value came from.
//
// The settings themselves belong to the packages: each has a Config struct with
// its own defaults and its own Validate, whose fields carry the tags config
// (the key), usage (one line) and, for what must not be shown, secret. Flags,
// variables, file keys and documentation all follow from those tags, so adding
// a setting is adding a field.
package config

import (
	"github.com/eventpulse/eventpulse/pkg/consumer"
	"github.com/eventpulse/eventpulse/pkg/httpserver"
	"github.com/eventpulse/eventpulse/pkg/ingest"
	"github.com/eventpulse/eventpulse/pkg/spool"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// Config is the configuration of a process, one section for each package.
type Config struct {
	Log      Log                    `config:"log"`
	HTTP     httpserver.Config      `config:"http"`
	Admin    httpserver.AdminConfig `config:"admin"`
	Ingest   ingest.Config          `config:"ingest"`
	Redis    stream.RedisConfig     `config:"redis"`
	Stream   stream.Config          `config:"stream"`
	Spool    spool.Config           `config:"spool"`
	Database store.Config           `config:"database"`
	Worker   consumer.Config        `config:"worker"`
}

// Default returns what a process of that role runs with when nothing is
// configured.
func Default(role Role) Config {
	c := Config{
		Log:      DefaultLog(),
		HTTP:     httpserver.DefaultConfig(),
		Admin:    httpserver.DefaultAdminConfig(),
		Ingest:   ingest.DefaultConfig(),
		Redis:    stream.DefaultRedisConfig(),
		Stream:   stream.DefaultConfig(),
		Spool:    spool.DefaultConfig(),
		Database: store.DefaultConfig(),
		Worker:   consumer.DefaultConfig(),
	}
	// Where the process was started, as its user may write there.
	c.Spool.Dir = "data/spool"
	switch role {
	case Work:
		// Beside a serve on the same machine.
		c.Admin.Addr = ":9465"
	case Dev:
		// The terminal is for the events that are stored.
		c.Log.Level = "warn"
	default:
	}
	return c
}
