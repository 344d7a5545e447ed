package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// examineTimeout bounds the look at each of Redis and the database.
const examineTimeout = 5 * time.Second

// Level is how much a finding matters.
type Level string

// The levels, from nothing to do to something that breaks a promise.
const (
	LevelOK      Level = "ok"
	LevelUnknown Level = "unknown" // nobody tells
	LevelWarning Level = "warning"
	LevelProblem Level = "problem"
)

// Finding is one thing that was looked at.
type Finding struct {
	Level Level `json:"level"`
	// Topic is what was looked at, "redis.version".
	Topic string `json:"topic"`
	// Found says in a line what is there, Change what to do about it; that
	// is empty when nothing need be done.
	Found  string `json:"found"`
	Change string `json:"change,omitempty"`
}

// Diagnosis is everything that was looked at, in the order of the way that
// events take.
type Diagnosis struct {
	Findings []Finding `json:"findings"`
}

// Examine looks at what the roles depend on, as cfg has it, and judges it. A
// side that cannot be reached is a finding, and does not keep the others from
// being looked at. Nothing is changed. It takes some seconds at most.
func Examine(ctx context.Context, cfg config.Config, log *slog.Logger) Diagnosis {
	var redis, database findings
	var both sync.WaitGroup
	both.Go(func() { redis = examineRedis(ctx, cfg, log) })
	both.Go(func() { database = examineDatabase(ctx, cfg, log) })
	both.Wait()
	return Diagnosis{slices.Concat(redis, examineSpool(cfg.Spool), database)}
}

func examineRedis(ctx context.Context, cfg config.Config, log *slog.Logger) (found findings) {
	ctx, cancel := context.WithTimeout(ctx, examineTimeout)
	defer cancel()
	client, err := stream.New(cfg.Redis, cfg.Stream, log, nil)
	if err != nil {
		found.problem("redis.reachable", err.Error(), "correct redis.url")
		return found
	}
	defer client.Close()
	facts, err := client.Inspect(ctx)
	if err != nil {
		found.problem("redis.reachable", fmt.Sprintf("Redis at %s: %v", facts.Address, err), redisRemedy(err))
		return found
	}
	return append(judgeRedis(facts), judgeStream(facts)...)
}

func examineDatabase(ctx context.Context, cfg config.Config, log *slog.Logger) (found findings) {
	ctx, cancel := context.WithTimeout(ctx, examineTimeout)
	defer cancel()
	db, err := store.Open(cfg.Database, log, nil)
	if err != nil {
		found.problem("database.reachable", err.Error(), "correct database.url")
		return found
	}
	defer func() { _ = db.Close() }()
	facts, err := db.Inspect(ctx)
	if err != nil {
		found.problem("database.reachable", fmt.Sprintf("database at %s: %v", facts.Address, err), databaseRemedy(err))
		return found
	}
	if facts.SQLite {
		return judgeSQLite(facts)
	}
	return judgePostgres(facts, cfg.Database)
}

// redisRemedy says what to do about a Redis that answers nothing of use.
func redisRemedy(err error) string {
	switch codeOf(err) {
	case "":
		return "start it, or correct redis.url; see that nothing between here and there refuses the port"
	case "NOAUTH", "WRONGPASS":
		return "put the user and the password into redis.url: redis://user:password@host:6379/0"
	case "LOADING":
		return "wait: it reads its data after a start"
	case "BUSY":
		return "wait, or end what it is busy with: redis-cli SCRIPT KILL"
	default:
		return "see what the server's log says"
	}
}

// databaseRemedy says what to do about a database that answers nothing of use.
func databaseRemedy(err error) string {
	switch code := codeOf(err); {
	case strings.HasPrefix(code, "28"):
		return "correct the user and the password in database.url, and look at pg_hba.conf"
	case strings.HasPrefix(code, "3D"):
		return "create the database (createdb NAME), or correct its name in database.url"
	case code == "53300":
		return "raise max_connections, or lower database.max_connections of the processes there are"
	case code == "57P03":
		return "wait: it is starting up or shutting down"
	default:
		return "start it, or correct database.url; see that nothing between here and there refuses the port"
	}
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*event.Error](err); ok {
		return e.Code
	}
	return ""
}

// findings is a list that grows.
type findings []Finding

func (f *findings) ok(topic, found string, args ...any) {
	*f = append(*f, Finding{LevelOK, topic, fmt.Sprintf(found, args...), ""})
}

func (f *findings) unknown(topic, found, change string) {
	*f = append(*f, Finding{LevelUnknown, topic, found, change})
}

func (f *findings) warning(topic, found, change string) {
	*f = append(*f, Finding{LevelWarning, topic, found, change})
}

func (f *findings) problem(topic, found, change string) {
	*f = append(*f, Finding{LevelProblem, topic, found, change})
}

// Count returns how many findings are of that level.
func (d Diagnosis) Count(level Level) int {
	n := 0
	for _, f := range d.Findings {
		if f.Level == level {
			n++
		}
	}
	return n
}

// WriteText writes a line for each finding, one more for what to change, and
// how many there are of what level.
func (d Diagnosis) WriteText(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range d.Findings {
		fmt.Fprintf(table, "%s\t%s\t%s\n", f.Level, f.Topic, f.Found)
		if f.Change != "" {
			fmt.Fprintf(table, "\t\t-> %s\n", f.Change)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "\n"+d.summary())
	return err
}

// summary says how many findings there are of each level, in a line.
func (d Diagnosis) summary() string {
	var counts []string
	for _, level := range []Level{LevelProblem, LevelWarning, LevelUnknown, LevelOK} {
		if n := d.Count(level); n > 0 {
			name := string(level)
			if n > 1 && (level == LevelProblem || level == LevelWarning) {
				name += "s"
			}
			counts = append(counts, fmt.Sprintf("%d %s", n, name))
		}
	}
	return strings.Join(counts, ", ")
}

// WriteJSON writes the findings, and their number by level, as an object.
func (d Diagnosis) WriteJSON(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(struct {
		Problems int       `json:"problems"`
		Warnings int       `json:"warnings"`
		Unknown  int       `json:"unknown"`
		OK       int       `json:"ok"`
		Findings []Finding `json:"findings"`
	}{d.Count(LevelProblem), d.Count(LevelWarning), d.Count(LevelUnknown), d.Count(LevelOK), d.Findings})
}
