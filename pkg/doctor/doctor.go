// Package doctor judges what EventPulse depends on: Redis, the stream, the
// spool and the database. It turns facts into findings, each with a remedy
// where something should be changed.
//
// [Examine] gathers the facts from [Sources] and judges them. The functions
// that judge are pure: the same facts give the same findings.
package doctor

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/eventpulse/eventpulse/pkg/spool"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// Timeout bounds the look at each of Redis and the database.
const Timeout = 5 * time.Second

// Status is how much a finding matters.
type Status string

// The statuses, from nothing to do to something that breaks a promise.
const (
	OK      Status = "ok"
	Unknown Status = "unknown" // the server does not say
	Warning Status = "warning"
	Problem Status = "problem"
)

// Finding is the result of one check.
type Finding struct {
	Status Status `json:"status"`
	// Check names what was looked at: "redis.version".
	Check string `json:"check"`
	// Message says in one line what is there. Remedy says what to do about
	// it; it is empty when nothing needs to be done.
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
}

// Report holds the findings in the order in which events pass what was looked
// at.
type Report struct {
	Findings []Finding
}

// Count returns how many findings have that status.
func (r Report) Count(status Status) int {
	n := 0
	for _, f := range r.Findings {
		if f.Status == status {
			n++
		}
	}
	return n
}

// Sources give the facts. Each is called once, changes nothing, and returns
// what it learnt before an error; the Address of what could not be reached is
// set even then.
type Sources struct {
	Redis    func(context.Context) (stream.Info, error)
	Database func(context.Context) (store.Info, error)
	// Spool is nil where there is none.
	Spool func() (spool.Info, error)
}

// Settings are those of the deployment that findings depend on.
type Settings struct {
	Database store.Config
	Spool    spool.Config
}

// Examine gathers the facts and judges them. What cannot be reached is a
// finding, and does not keep the rest from being looked at. It returns within
// about [Timeout].
func Examine(ctx context.Context, from Sources, settings Settings) Report {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	var redis, database findings
	var both sync.WaitGroup
	both.Go(func() { redis = examineRedis(ctx, from.Redis) })
	both.Go(func() { database = examineDatabase(ctx, from.Database, settings.Database) })
	both.Wait()
	return Report{slices.Concat(redis, examineSpool(from.Spool, settings.Spool), database)}
}

func examineRedis(ctx context.Context, inspect func(context.Context) (stream.Info, error)) findings {
	info, err := inspect(ctx)
	if err != nil {
		return redisUnreachable(info, err)
	}
	return slices.Concat(judgeRedis(info), judgeStream(info))
}

func examineDatabase(ctx context.Context, inspect func(context.Context) (store.Info, error), cfg store.Config) findings {
	info, err := inspect(ctx)
	switch {
	case err != nil:
		return databaseUnreachable(info, err)
	case info.SQLite:
		return judgeSQLite(info)
	default:
		return judgePostgres(info, cfg)
	}
}

func examineSpool(inspect func() (spool.Info, error), cfg spool.Config) findings {
	if inspect == nil {
		return judgeNoSpool()
	}
	info, err := inspect()
	if err != nil {
		return spoolUnreadable(err)
	}
	return judgeSpool(info, cfg)
}
