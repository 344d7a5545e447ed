package doctor

import (
	"errors"
	"fmt"
	"strings"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// SettingError says that nothing could be asked because a setting is wrong.
type SettingError struct {
	// Setting is its key, "redis.url".
	Setting string
	Err     error
}

// Error implements error.
func (e *SettingError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *SettingError) Unwrap() error { return e.Err }

func redisUnreachable(info stream.Info, err error) (found findings) {
	found.problem("redis.reachable", fmt.Sprintf("Redis at %s: %v", info.Address, err), redisRemedy(err))
	return found
}

func databaseUnreachable(info store.Info, err error) (found findings) {
	found.problem("database.reachable", fmt.Sprintf("database at %s: %v", info.Address, err), databaseRemedy(err))
	return found
}

// redisRemedy says what to do about a Redis that answers nothing of use.
func redisRemedy(err error) string {
	if e, ok := errors.AsType[*SettingError](err); ok {
		return "correct " + e.Setting
	}
	switch codeOf(err) {
	case "":
		return "start it, or correct redis.url; check that no firewall between here and there rejects the port"
	case "NOAUTH", "WRONGPASS":
		return "put the user and the password into redis.url: redis://user:password@host:6379/0"
	case "LOADING":
		return "wait: it reads its data after a start"
	case "BUSY":
		return "wait, or end what it is busy with: redis-cli SCRIPT KILL"
	default:
		return "see the server's log"
	}
}

// databaseRemedy says what to do about a database that answers nothing of use,
// by its SQLSTATE:
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func databaseRemedy(err error) string {
	if e, ok := errors.AsType[*SettingError](err); ok {
		return "correct " + e.Setting
	}
	switch code := codeOf(err); {
	case strings.HasPrefix(code, "28"):
		return "correct the user and the password in database.url, and check pg_hba.conf"
	case strings.HasPrefix(code, "3D"):
		return "create the database (createdb NAME), or correct its name in database.url"
	case code == "53300":
		return "raise max_connections, or lower database.max_connections of the other processes"
	case code == "57P03":
		return "wait: it is starting up or shutting down"
	default:
		return "start it, or correct database.url; check that no firewall between here and there rejects the port"
	}
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*event.Error](err); ok {
		return e.Code
	}
	return ""
}
