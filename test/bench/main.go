// Command bench measures EventPulse by the limits of the machine that it runs
// on, taken in the same run and in turn with its own figures: a bare HTTP
// server, redis-benchmark, psql's \copy. It prints their ratios, which differ
// less from machine to machine than the figures do.
//
//	go run ./test/bench --list
//	go run ./test/bench --run 'single,drain*' --rounds 3
//	go run ./test/bench --out bench.md
//
// It ends with status 1 when a goal was missed or a measurement was void.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/eventpulse/eventpulse/test/bench/env"
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
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 2
	case !ok:
		return 1
	}
	return 0
}

// flags are what the command line says.
type flags struct {
	run, out, binary, dir string
	list, quick           bool
	options               Options
}

func parse(args []string, out io.Writer) (flags, error) {
	f := flags{options: standard()}
	o := &f.options
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(out)
	set.StringVar(&f.run, "run", "*", "scenarios to run: names or patterns with *, separated by commas")
	set.BoolVar(&f.list, "list", false, "show the scenarios and end")
	set.BoolVar(&f.quick, "quick", false, "one short round, to see that it works: the figures mean little")
	set.IntVar(&o.Rounds, "rounds", o.Rounds, "how often each figure is taken")
	set.IntVar(&o.Seconds, "seconds", o.Seconds, "how long a measurement takes; some take a multiple")
	set.IntVar(&o.Events, "events", o.Events, "how many events are stored in one measurement")
	set.IntVar(&o.Rows, "rows", o.Rows, "how many rows a large table has")
	set.StringVar(&f.out, "out", "", "file to write the result to, as Markdown")
	set.StringVar(&f.binary, "binary", "", "program to measure; without it, it is built")
	set.StringVar(&f.dir, "dir", "/tmp", "directory for data; the disk under it is what fsync is measured on")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if set.NArg() > 0 {
		return f, fmt.Errorf("unexpected arguments: %s", strings.Join(set.Args(), " "))
	}
	if f.quick {
		given := *o
		*o = quick()
		set.Visit(func(named *flag.Flag) {
			switch named.Name {
			case "rounds":
				o.Rounds = given.Rounds
			case "seconds":
				o.Seconds = given.Seconds
			case "events":
				o.Events = given.Events
			case "rows":
				o.Rows = given.Rows
			}
		})
	}
	return f, o.validate()
}

// run does what the arguments say and reports whether all goals were met.
func run(ctx context.Context, args []string, out io.Writer) (ok bool, err error) {
	f, err := parse(args, out)
	if err != nil {
		return false, err
	}
	chosen, err := choose(scenarios(), f.run)
	if err != nil {
		return false, err
	}
	if f.list {
		for _, s := range chosen {
			fmt.Fprintf(out, "%-16s %s\n", s.Name, s.What)
		}
		return true, nil
	}
	dir, err := harness.NewDir(f.dir)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	programs, err := env.Build(ctx, dir.Path, f.binary)
	if err != nil {
		return false, err
	}
	about := about(ctx, f.options, programs, f.dir)
	fmt.Fprintln(out, about)
	var results []Result
	for _, s := range chosen {
		if ctx.Err() == nil {
			results = append(results, perform(ctx, s, f.options, programs, dir.Path, out))
		}
	}
	table := markdown(results)
	fmt.Fprintf(out, "\n%s", table)
	if f.out != "" {
		if err := os.WriteFile(f.out, []byte(about+"\n"+table), 0o644); err != nil {
			return false, fmt.Errorf("write the result: %w", err)
		}
	}
	if ctx.Err() != nil {
		return false, errors.New("interrupted")
	}
	return allMet(results), nil
}
