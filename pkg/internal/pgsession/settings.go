package pgsession

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// disconnectCheck is how often the server looks whether the client of a
	// running statement still exists.
	disconnectCheck = 5 * time.Second
	// The server looks after this long whether a silent client exists, and
	// closes after so many looks without an answer: after 30 seconds.
	keepAliveIdle     = 15 * time.Second
	keepAliveInterval = 5 * time.Second
	keepAliveCount    = 3
	// minIdleInTransaction is the least idle_in_transaction_session_timeout.
	minIdleInTransaction = time.Minute
)

// settings are run-time parameters of a session, name after value, which the
// start-up message carries:
// https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-STARTUPMESSAGE .
// Against statements after it, that saves round trips, and a connection pooler
// does not give them to the next client.
type settings []string

func (s *settings) set(name, value string) { *s = append(*s, name, value) }

// afterApplicationName renders the settings, of which the first is
// application_name, as one value of it. The driver writes that parameter last
// and as it is; each name and each value of the message ends with a zero byte.
func (s settings) afterApplicationName() string { return strings.Join(s[1:], "\x00") }

// startupSettings returns what is asked for, then ever less of it.
func startupSettings(cfg Config) []settings {
	var needed settings
	name := cfg.Endpoint.ApplicationName
	if name == "" {
		name = cfg.ApplicationName
	}
	needed.set("application_name", name)
	// What the driver reads and writes. A connection pooler knows these.
	needed.set("client_encoding", "UTF8")
	needed.set("standard_conforming_strings", "on")
	needed.set("DateStyle", "ISO")
	needed.set("TimeZone", "UTC")

	wanted := slices.Clone(needed)
	wanted.set("statement_timeout", milliseconds(cfg.StatementTimeout))
	wanted.set("lock_timeout", milliseconds(cfg.LockTimeout))
	// Nothing here leaves a transaction open but a process that hangs.
	wanted.set("idle_in_transaction_session_timeout", milliseconds(max(cfg.StatementTimeout, minIdleInTransaction)))
	// A role's stricter default would turn harmless races into errors.
	wanted.set("default_transaction_isolation", "read committed")
	if cfg.Endpoint.Network == "tcp" {
		// The server waits for the rest of a COPY inside a transaction, and for
		// a machine that has gone it would wait two hours.
		wanted.set("tcp_keepalives_idle", seconds(keepAliveIdle))
		wanted.set("tcp_keepalives_interval", seconds(keepAliveInterval))
		wanted.set("tcp_keepalives_count", strconv.Itoa(keepAliveCount))
	}
	if cfg.Endpoint.SearchPath != "" {
		wanted.set("search_path", cfg.Endpoint.SearchPath)
	}

	// Not in servers before 14, and refused by those on some systems.
	all := slices.Clone(wanted)
	all.set("client_connection_check_interval", milliseconds(disconnectCheck))
	return []settings{all, wanted, needed}
}

// settingRefused reports whether a SQLSTATE can mean that the start-up message
// holds a setting that the other end does not take.
func settingRefused(state string) bool {
	switch state {
	case "08P01", // protocol violation: "unsupported startup parameter" of PgBouncer
		"22023", // invalid parameter value
		"42501", // insufficient privilege
		"42704": // undefined object: an unknown parameter
		return true
	}
	return false
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
