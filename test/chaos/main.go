// Command chaos runs the real program with a real Redis and a real
// PostgreSQL under load, injects faults into one of them after the other, and checks
// that every accepted event is stored exactly once and unaltered, that nothing
// else is, and that producers are answered all the while.
//
//	go run ./test/chaos --list
//	go run ./test/chaos --run 'redis-*,serve-killed' --duration 10s
//	go run ./test/chaos --random 10m
//	go run ./test/chaos --soak 30m --rate 5000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/eventpulse/eventpulse/test/chaos/env"
	"github.com/eventpulse/eventpulse/test/harness"
)

func main() { os.Exit(execute()) }

func execute() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 2
	case !ok:
		return 1
	}
	return 0
}

// flags are what the command line says.
type flags struct {
	run                    string
	list, keep, race       bool
	duration, soak, random time.Duration
	rate                   float64
	seed                   uint64
	out, binary, dir       string
}

func parse(args []string, out io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("chaos", flag.ContinueOnError)
	set.SetOutput(out)
	set.StringVar(&f.run, "run", "*", "faults to run: names or patterns with *, separated by commas")
	set.BoolVar(&f.list, "list", false, "show the faults and end")
	set.DurationVar(&f.duration, "duration", 30*time.Second, "load for each fault; the fault lasts 9s less, where that is not cut short: below 30s, faults that last long by nature are")
	set.Float64Var(&f.rate, "rate", 500, "events per second")
	set.DurationVar(&f.soak, "soak", 0, "only load, for so long, with a look at everything that must not grow")
	set.DurationVar(&f.random, "random", 0, "only random faults everywhere, for so long")
	set.StringVar(&f.out, "out", "", "file to write the result to, as Markdown")
	set.BoolVar(&f.keep, "keep", false, "keep directories and logs")
	set.Uint64Var(&f.seed, "seed", 0, "what the events are made from; 0 takes one by chance")
	set.StringVar(&f.binary, "binary", "", "program to test, built with -tags chaos; without it, it is built")
	set.StringVar(&f.dir, "dir", "/tmp", "directory for data and logs; the disk under it is what fsync is measured on")
	set.BoolVar(&f.race, "race", false, "build the program with the race detector")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if set.NArg() > 0 {
		return f, fmt.Errorf("unexpected arguments: %s", strings.Join(set.Args(), " "))
	}
	if f.seed == 0 {
		f.seed = uint64(rand.Uint32()) + 1
	}
	if f.soak > 0 {
		f.run, f.duration = soakName, f.soak+3*longCalm
	}
	if f.random > 0 {
		f.run, f.duration = randomName, f.random+3*longCalm
	}
	if f.rate <= 0 || f.duration < time.Second {
		return f, errors.New("--rate must be positive and --duration at least 1s")
	}
	return f, nil
}

// run does what the arguments say and reports whether all promises held.
func run(ctx context.Context, args []string, out io.Writer) (ok bool, err error) {
	f, err := parse(args, out)
	if err != nil {
		return false, err
	}
	faults, err := choose(matrix(), f.run)
	if err != nil {
		return false, err
	}
	if f.list {
		for _, fault := range faults {
			fmt.Fprintf(out, "%-*s %s\n", nameWidth, fault.Name, fault.What)
		}
		return true, nil
	}
	if f.run == "*" {
		faults = slices.DeleteFunc(faults, func(f Fault) bool { return f.Name == soakName })
	}
	dir, err := harness.NewDir(f.dir)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if f.keep {
		fmt.Fprintln(out, "everything is kept in", dir.Path)
		if err := dir.Keep(); err != nil {
			return false, err
		}
	}
	binary, err := prepare(ctx, f, dir.Path)
	if err != nil {
		return false, err
	}
	options := Options{Binary: binary, Dir: dir.Path, Duration: f.duration, Rate: f.rate, Seed: f.seed}
	about := fmt.Sprintf("%s, %d CPUs, %s/%s; load of %s at %.0f events/s for each fault, seed %d.",
		time.Now().Format("2006-01-02"), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, f.duration, f.rate, f.seed)
	fmt.Fprintf(out, "%s\n%s\n", about, headLine())
	results := performAll(ctx, faults, options, out, f.keep)
	if ctx.Err() != nil {
		return false, errors.New("interrupted")
	}
	summary, ok := summarize(results)
	if !ok && !f.keep {
		summary += " Logs are kept in " + dir.Path + "."
		if err := dir.Keep(); err != nil {
			return false, err
		}
	}
	fmt.Fprintf(out, "\n%s\n", summary)
	if f.out != "" {
		if err := os.WriteFile(f.out, []byte(markdown(results, about, summary)), 0o644); err != nil {
			return false, fmt.Errorf("write the result: %w", err)
		}
	}
	return ok, nil
}

func prepare(ctx context.Context, f flags, dir string) (*env.Binary, error) {
	if f.binary != "" {
		return env.Use(ctx, f.binary)
	}
	return env.Build(ctx, dir, f.race)
}

// performAll runs one fault after the other and says what came of each.
func performAll(ctx context.Context, faults []Fault, o Options, out io.Writer, keep bool) []Result {
	var results []Result
	for _, f := range faults {
		if ctx.Err() != nil {
			break
		}
		o.Seed++ // events of different faults are told apart
		r := perform(ctx, f, o)
		results = append(results, r)
		fmt.Fprintln(out, r.line())
		fmt.Fprint(out, r.details())
		if r.NotRun == "" && !r.Held() {
			fmt.Fprint(out, r.logTails())
		}
		if !keep {
			removeData(r)
		}
	}
	return results
}

// removeData removes what nobody will look at: everything of a fault that went well,
// the servers' data of others.
func removeData(r Result) {
	if len(r.Wrong) == 0 {
		_ = os.RemoveAll(r.Dir)
		return
	}
	for _, server := range []string{"redis", "postgres"} {
		_ = os.RemoveAll(filepath.Join(r.Dir, server, "data"))
	}
}
