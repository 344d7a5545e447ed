package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/test/bench/env"
	"github.com/eventpulse/eventpulse/test/bench/measure"
)

// about says when and where the figures were taken, and with what settings.
func about(ctx context.Context, o Options, programs env.Programs, dir string) string {
	load := strings.Fields(text("/proc/loadavg"))
	if len(load) == 0 {
		load = []string{"unknown"}
	}
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, fmt.Sprintf(format, args...))
	}
	b.WriteString("| | |\n|---|---|\n")
	line("date", "%s, load %s at the beginning", time.Now().UTC().Format("2006-01-02 15:04 MST"), load[0])
	line("machine", "%d CPUs, %s; Linux %s, %s; data in %s on %s", runtime.NumCPU(), processor(),
		strings.TrimSpace(text("/proc/sys/kernel/osrelease")), runtime.GOARCH, dir, filesystem(ctx, dir))
	line("Go", "%s", strings.TrimPrefix(runtime.Version(), "go"))
	line("Redis", "%s, `%s`, appendfsync everysec where not said otherwise", version(ctx, "redis-server"), strings.Join(env.RedisSettings(), " "))
	postgres, _ := measure.FindPostgres("postgres") // unknown where it is not found
	line("PostgreSQL", "%s, defaults: `%s`", version(ctx, postgres), strings.Join(env.PostgresSettings(), " "))
	line("EventPulse", "%s, defaults: the spool on, %s", revision(ctx), strings.Join(workSettings(ctx, programs.EventPulse), ", "))
	line("measured", "%d rounds, %d s a measurement, %s events stored, %s rows in a large table",
		o.Rounds, o.Seconds, number(float64(o.Events)), number(float64(o.Rows)))
	return b.String()
}

func text(path string) string {
	content, _ := os.ReadFile(path)
	return string(content)
}

func processor() string {
	for line := range strings.Lines(text("/proc/cpuinfo")) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "of an unknown model"
}

func filesystem(ctx context.Context, dir string) string {
	out, err := exec.CommandContext(ctx, "stat", "-f", "-c", "%T", dir).Output()
	if err != nil {
		return "an unknown file system"
	}
	return strings.TrimSpace(string(out))
}

// version takes the number out of what a server says of itself: "Redis server
// v=7.0.15 sha=…", "postgres (PostgreSQL) 15.18 (Debian …)".
func version(ctx context.Context, program string) string {
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "unknown"
	}
	for word := range strings.FieldsSeq(string(out)) {
		word = strings.TrimPrefix(word, "v=")
		if word[0] >= '0' && word[0] <= '9' {
			return word
		}
	}
	return strings.TrimSpace(string(out))
}

// revision names the state of the checkout.
func revision(ctx context.Context) string {
	root, err := env.ModuleRoot(ctx)
	if err != nil {
		return "of an unknown revision"
	}
	out, err := exec.CommandContext(ctx, "git", "-C", root, "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		return "of an unknown revision"
	}
	return strings.TrimSpace(string(out))
}

// workSettings asks the program for those that say how much it does at once.
func workSettings(ctx context.Context, program string) []string {
	cmd := exec.CommandContext(ctx, program, "config", "--role", "work", "--output", "json")
	cmd.Env, cmd.Dir = []string{}, os.TempDir()
	out, err := cmd.Output()
	if err != nil {
		return []string{"unknown: " + err.Error()}
	}
	var settings []struct{ Key, Value string }
	if err := json.Unmarshal(out, &settings); err != nil {
		return []string{"unknown: " + err.Error()}
	}
	var shown []string
	for _, s := range settings {
		if s.Key == "worker.batch_size" || s.Key == "worker.concurrency" {
			shown = append(shown, s.Key+" "+s.Value)
		}
	}
	return shown
}
