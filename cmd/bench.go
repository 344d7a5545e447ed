package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/eventpulse/eventpulse/pkg/bench"
	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/store"
)

func newBench() *cobra.Command {
	o := bench.DefaultOptions()
	var verify, quiet bool
	var output string
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure a running EventPulse: events per second, latency, and whether all is stored",
		Long: `Measure a running EventPulse: offer events to a serve over HTTP, count the
answers and their latency, and with --verify look in the database of its workers
whether every accepted event is there, once and as it was sent.

Without --rate each connection sends the next request when the last one is
answered, which finds out what can be accepted. With --rate requests become due
at that rate whatever the answers do, and latency is counted from that moment:
time that a request waits behind slow ones is not left out.

The exit code is 1 unless every event was accepted, and with --verify stored.
Ctrl-C ends it early and reports what was measured. Events that are stored stay:
the report says how to remove them.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("output", output, []string{"text", "json"}); err != nil {
				return err
			}
			loaded, err := load(cmd, config.Bench)
			if err != nil {
				return err
			}
			if err := o.Validate(); err != nil {
				return usageError{err}
			}
			var db bench.Database // an interface that is nil without --verify
			if verify {
				events, err := openVerified(cmd, loaded.Config)
				if err != nil {
					return err
				}
				defer func() { _ = events.Close() }()
				db = events
			}
			report, err := measure(cmd.Context(), o, db, cmd.ErrOrStderr(), quiet)
			if err != nil {
				return err
			}
			write := benchText
			if output == "json" {
				write = benchJSON
			}
			return errors.Join(write(cmd.OutOrStdout(), report), report.Err())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.URL, "url", o.URL, "root of the API to measure")
	f.Float64Var(&o.Rate, "rate", o.Rate, "events to offer per second; 0 offers as many as are answered")
	f.DurationVar(&o.Duration, "duration", o.Duration, "how long to send")
	f.IntVar(&o.Connections, "connections", o.Connections, "connections, and so requests at once")
	f.IntVar(&o.Batch, "batch", o.Batch, "events in a request; more than 1 go to the batch endpoint")
	f.IntVar(&o.EventBytes, "size", o.EventBytes, "bytes of one event's JSON")
	f.DurationVar(&o.Timeout, "timeout", o.Timeout, "how long to wait for an answer")
	f.BoolVar(&verify, "verify", false, "look in the database of database.url for what was accepted")
	f.DurationVar(&o.VerifyTimeout, "verify-timeout", o.VerifyTimeout, "how long after the last request events may take to be stored")
	f.BoolVarP(&quiet, "quiet", "q", false, "show no progress")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	config.AddFlags(f, config.Bench)
	return cmd
}

// openVerified opens the database and makes sure that it has events to look
// for.
func openVerified(cmd *cobra.Command, c config.Config) (*store.Store, error) {
	db, err := store.Open(c.Database, loggerOf(cmd, c.Log), nil)
	if err != nil {
		return nil, usageError{err}
	}
	info, err := db.Inspect(cmd.Context())
	if err == nil && !info.SQLite && !info.Table {
		err = errors.New("it has no table of events: eventpulse migrate up")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("--verify: %w", err), db.Close())
	}
	return db, nil
}

// measure runs a benchmark and shows its progress on errs.
func measure(ctx context.Context, o bench.Options, db bench.Database, errs io.Writer, quiet bool) (*bench.Report, error) {
	if quiet {
		return bench.Run(ctx, o, db, nil)
	}
	printer := newBenchProgress(errs, config.IsTerminal(errs))
	defer printer.done()
	return bench.Run(ctx, o, db, printer.print)
}
